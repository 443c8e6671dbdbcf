internal import ProtocolSpec

/// One case: what was asked, what came, and how to see it again.
struct PageCase {
  let page: Page
  let entry: RunReport.Case
  let isOpen: Bool

  var markup: Markup {
    let opened: Markup = isOpen ? " open" : ""
    return """
      <details class="case \(entry.verdict.tone)" id="\(entry.id)" data-verdict="\(entry.verdict.rawValue)" \
      data-level="\(entry.level.rawValue)" data-suite="\(entry.suite)" data-text="\(searched)"\(opened)>
      <summary>
      <span class="chip \(entry.verdict.tone)">\(entry.verdict.sign) \(entry.verdict.words)</span>
      <span class="name"><b>\(entry.id)</b><span>\(entry.title)</span></span>
      \(page.level(entry.level))
      <span class="took">\(Duration.milliseconds(entry.milliseconds).short)</span>
      </summary>
      <div class="body">\(asked)\(reason)\(entry.failure.map { self.failure($0) })\(remarks)\
      \(PageLadder(entry.frames, silence: silence).markup)\(timing)\(output)\(again)</div>
      </details>

      """
  }

  private var searched: String {
    ([entry.id, entry.title, entry.cause ?? ""] + entry.covers).joined(separator: " ").lowercased()
  }

  private var asked: Markup {
    let ids = entry.covers.filter { $0.hasPrefix("req:") }.map { String($0.dropFirst(4)) }
    let asked = ids.compactMap(page.report.requirement)
    guard !asked.isEmpty else { return "" }
    let items: [Markup] = asked.map { one in
      "<li>\(page.level(one.level)) \(one.text) <a class=\"req\" href=\"#req:\(one.id)\">\(one.id)</a></li>"
    }
    return "<h3>What must hold</h3><ul class=\"must\">\(items)</ul>"
  }

  private var reason: Markup {
    var parts: [Markup] = []
    if let repeats = entry.repeats {
      let all = repeats.passed + repeats.failed
      parts.append("<p>Played \(all) times: passed \(repeats.passed), failed \(repeats.failed).</p>")
    }
    if let known = entry.known { parts.append("<p>\(known)</p>") }
    if let reason = entry.reason, !reason.isEmpty {
      parts.append("<h3>Why</h3><p class=\"reason\">\(reason)</p>")
    }
    return "\(parts)"
  }

  private func failure(_ failure: RunReport.Failure) -> Markup {
    // The title of the case stands above.
    let title: Markup? = failure.title == entry.title ? nil : "<p class=\"why\">\(failure.title)</p>"
    return """
      <h3>What came instead</h3>
      \(title)
      <p class="message">\(failure.message), at \(page.place(failure.file, failure.line))</p>
      \(Self.diff(failure.diff))
      """
  }

  static func diff(_ diff: [RunReport.Diff]) -> Markup {
    guard !diff.isEmpty else { return "" }
    let rows: [Markup] = diff.map { one in
      """
      <div class="minus"><span class="tag">expected</span><code>\(one.expected)</code></div>\
      <div class="plus"><span class="tag">got</span><code>\(one.got)</code></div>
      """
    }
    return "<div class=\"diff\">\(rows)</div>"
  }

  private var remarks: Markup {
    let items: [Markup] = entry.remarks.map { remark in
      """
      <li>\(page.level(remark.level)) \(remark.title): \(remark.message) \
      (\(page.place(remark.file, remark.line)))\(Self.diff(remark.diff))</li>
      """
    }
    return items.isEmpty ? "" : "<h3>Remarks that do not count</h3><ul class=\"remarks\">\(items)</ul>"
  }

  /// How long nothing came, where that is what failed.
  private var silence: Double? {
    guard entry.failure != nil, entry.failure?.diff.isEmpty == true, let last = entry.frames.last else {
      return nil
    }
    return entry.milliseconds - last.milliseconds
  }

  private var timing: Markup {
    guard !entry.steps.isEmpty else { return "" }
    let rows: [Markup] = entry.steps.map { step in
      let took = Duration.milliseconds(step.took).short
      var bar: Markup = ""
      var time: Markup = "\(took)"
      if let within = step.within {
        let part = within > 0 ? min(step.took / within, 1) : 1
        let tone = part >= 1 ? "bad" : part > 0.5 ? "warn" : "good"
        bar = """
          <span class="time \(tone)" aria-hidden="true"><span style="width:\(Int((part * 100).rounded()))%">\
          </span></span>
          """
        time = "\(took) of \(Duration.milliseconds(within).short)"
      }
      return """
        <li><span class="line">line \(step.line)</span><span>\(step.what)</span>\
        <span class="gauge">\(bar)</span><span class="spent">\(time)</span></li>
        """
    }
    return "<h3>Time of each step</h3><ol class=\"steps\">\(rows)</ol>"
  }

  private var output: Markup {
    guard let lines = entry.failure?.targetOutput, !lines.isEmpty else { return "" }
    return "<h3>The target wrote last</h3><pre>\(lines.joined(separator: "\n"))</pre>"
  }

  private var again: Markup {
    """
    <h3>Play it again</h3>
    <div class="rerun"><code>\(page.report.rerun(entry))</code>\
    <button type="button" class="copy needs-script">Copy</button></div>
    <p class="where">The case is written at \(page.place(entry.file, entry.line)).</p>
    """
  }
}
