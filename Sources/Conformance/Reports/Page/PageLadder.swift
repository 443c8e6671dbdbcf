/// What went over the wire, as arrows between the two sides.
struct PageLadder {
  private let frames: [RunReport.Wire]
  private let namesConnections: Bool
  private let silence: Double?
  /// Longer texts are folded.
  private static let shownText = 360
  /// A silence that is worth a word.
  private static let longSilence = 200.0

  /// - Parameter silence: milliseconds in which nothing came behind the last frame.
  init(_ frames: [RunReport.Wire], silence: Double?) {
    self.frames = frames
    self.silence = silence
    namesConnections = Set(frames.map(\.connection).filter { !$0.isEmpty }).count > 1
  }

  var markup: Markup {
    guard !frames.isEmpty else { return "" }
    var rows: [Markup] = []
    var last = frames[0].milliseconds
    for frame in frames {
      let gap = frame.milliseconds - last
      if gap >= Self.longSilence {
        rows.append("<li class=\"gap\">\(Duration.milliseconds(gap).short) later</li>")
      }
      rows.append(row(frame))
      last = frame.milliseconds
    }
    if let silence, silence >= Self.longSilence {
      rows.append("<li class=\"gap\">then nothing for \(Duration.milliseconds(silence).short)</li>")
    }
    return """
      <h3>On the wire</h3>
      <div class="ladder"><div class="sides" aria-hidden="true"><span>client</span><span>server</span></div>
      <ol>\(rows)</ol></div>
      """
  }

  private func row(_ frame: RunReport.Wire) -> Markup {
    let at = Duration.milliseconds(frame.milliseconds).clockText
    let connection: Markup? =
      namesConnections && !frame.connection.isEmpty
      ? "<span class=\"connection\">\(frame.connection)</span>" : nil
    let who =
      switch frame.direction {
      case .client: "client to server: "
      case .server: "server to client: "
      case .aside: "beside the wire: "
      }
    return """
      <li class="\(frame.direction.rawValue)"><time>\(at) s</time>\(connection)\
      <span class="hidden">\(who)</span>\(text(frame.text))</li>
      """
  }

  private func text(_ text: String) -> Markup {
    guard text.count > Self.shownText else { return "<code>\(text)</code>" }
    return """
      <details class="long"><summary><code>\(String(text.prefix(Self.shownText)))…</code> \
      <span class="note">\(text.count) characters</span></summary><code>\(text)</code></details>
      """
  }
}
