/// The nodes of a document as they are written: where each stands, in which style, and the comments
/// between them. Places are offsets in Unicode scalars.
struct YAMLSyntax {
  struct Node {
    enum Content {
      case scalar(isPlain: Bool, isBlock: Bool)
      case sequence([Node])
      case mapping([(key: Node, value: Node)])
    }

    let content: Content
    let range: Range<Int>
    let isFlow: Bool
  }

  struct Comment {
    let text: String
    let place: Int
    /// Nothing but space stands before it on its line.
    let standsAlone: Bool
  }

  let root: Node
  private(set) var comments: [Comment] = []
  let scalars: [Unicode.Scalar]

  /// - Parameter text: one that `YAMLParser` reads, so that depth and kinds are known to be allowed.
  init(_ text: String, source: SourceText) throws(SourceError) {
    scalars = Array(text.unicodeScalars)
    let bytes = Array(text.utf8)
    let (root, leaves) = try bytes.withUnsafeBufferPointer { buffer throws(SourceError) in
      guard let events = YAMLEvents(buffer, source: source) else {
        throw source.error("out of memory", at: source.place(ofByte: 0))
      }
      var reader = SyntaxReader(events: events)
      return (try reader.document(), reader.leaves)
    }
    self.root = root
    var start = 0
    for leaf in leaves + [scalars.count..<scalars.count] {
      if start < leaf.lowerBound { collect(start..<leaf.lowerBound) }
      start = max(start, leaf.upperBound)
    }
  }

  /// Between scalars a `#` behind space begins a comment (YAML 1.2 §6.6).
  private mutating func collect(_ gap: Range<Int>) {
    var place = gap.lowerBound
    while place < gap.upperBound {
      defer { place += 1 }
      guard scalars[place] == "#", place == 0 || " \t\n".unicodeScalars.contains(scalars[place - 1]) else {
        continue
      }
      var end = place
      while end < gap.upperBound, scalars[end] != "\n" { end += 1 }
      let start = lineStart(of: place)
      let standsAlone = scalars[start..<place].allSatisfy { $0 == " " || $0 == "\t" }
      comments.append(
        Comment(text: trimmed(slice(place..<end)), place: place, standsAlone: standsAlone))
      place = end
    }
  }

  func slice(_ range: Range<Int>) -> String { String(String.UnicodeScalarView(scalars[range])) }

  func lineStart(of place: Int) -> Int {
    var start = place
    while start > 0, scalars[start - 1] != "\n" { start -= 1 }
    return start
  }

  func column(of place: Int) -> Int { place - lineStart(of: place) }

  /// Whether the line above the one with `place` is empty.
  func hasBlankAbove(_ place: Int) -> Bool {
    let start = lineStart(of: place)
    guard start > 0 else { return false }
    let above = lineStart(of: start - 1)
    return scalars[above..<start - 1].allSatisfy { $0 == " " || $0 == "\t" }
  }

  func trimmed(_ text: String) -> String {
    var text = text
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return text
  }
}

private struct SyntaxReader {
  let events: YAMLEvents
  /// Scalars in their order.
  private(set) var leaves: [Range<Int>] = []

  init(events: YAMLEvents) { self.events = events }

  mutating func document() throws(SourceError) -> YAMLSyntax.Node {
    _ = try events.next()
    _ = try events.next()
    return try node(events.next())
  }

  private mutating func node(_ event: YAMLEvents.Event) throws(SourceError) -> YAMLSyntax.Node {
    switch event.kind {
    case .sequenceStart:
      var elements: [YAMLSyntax.Node] = []
      while true {
        let next = try events.next()
        if next.kind == .sequenceEnd {
          return YAMLSyntax.Node(
            content: .sequence(elements), range: event.range.lowerBound..<next.range.upperBound,
            isFlow: event.isFlow)
        }
        elements.append(try node(next))
      }
    case .mappingStart:
      var entries: [(key: YAMLSyntax.Node, value: YAMLSyntax.Node)] = []
      while true {
        let next = try events.next()
        if next.kind == .mappingEnd {
          return YAMLSyntax.Node(
            content: .mapping(entries), range: event.range.lowerBound..<next.range.upperBound,
            isFlow: event.isFlow)
        }
        let key = try node(next)
        entries.append((key, try node(events.next())))
      }
    case .scalar(_, let isPlain, _):
      leaves.append(event.range)
      return YAMLSyntax.Node(
        content: .scalar(isPlain: isPlain, isBlock: event.isBlockScalar), range: event.range, isFlow: false)
    default:
      return YAMLSyntax.Node(
        content: .scalar(isPlain: true, isBlock: false), range: event.range, isFlow: false)
    }
  }
}
