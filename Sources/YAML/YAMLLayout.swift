internal import JSON

/// Lays a document out again: the same values and comments, in one form.
///
/// Scalars stay as they are written. A collection between brackets is put on one line where it fits, and
/// else over several; a block stays one. Comments stay with what stands below or before them.
package struct YAMLLayout: Sendable {
  /// Characters of a line; a text that is longer is not cut.
  package var width = 120
  /// Keys in their order, for the mapping at a path of keys and `-`; `*` is all others. Nil: as they are
  /// written.
  package var order: @Sendable (_ path: [String]) -> [String]? = { _ in nil }
  /// Keys whose values are put on a line where they fit, however they are written.
  package var joined: Set<String> = []
  /// Keys whose values always stand over several lines.
  package var opened: Set<String> = []
  /// Whether an empty line parts the elements of the sequence at a path.
  package var isSpaced: @Sendable (_ path: [String]) -> Bool = { _ in false }

  package init() {}

  /// - Throws: what is no YAML, or can only be laid out by changing what it says.
  package func text(_ text: String, file: String) throws(SourceError) -> String {
    var text = text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
    text = text.replacing("\r\n", with: "\n").replacing("\r", with: "\n")
    let before = try YAMLParser.parse(text, file: file)
    let source = SourceText(text, file: file)
    let syntax = try YAMLSyntax(text, source: source)
    var reader = LayoutReader(syntax: syntax, layout: self)
    let (root, footer) = reader.document()
    var writer = LayoutWriter(width: width, joined: joined, opened: opened)
    writer.document(root, footer: footer)
    let output = writer.lines.map(syntax.trimmed).joined(separator: "\n") + "\n"
    // Whatever these rules do not think of is left alone.
    let after = try? YAMLParser.parse(output, file: file)
    let isKept =
      writer.isPossible && after?.json == before.json && comments(output, source) == comments(text, source)
    guard isKept else {
      throw before.error("this file cannot be laid out without changing what it says; it stays as it is")
    }
    return output
  }

  private func comments(_ text: String, _ source: SourceText) -> [String]? {
    (try? YAMLSyntax(text, source: source))?.comments.map(\.text).sorted()
  }
}

/// A document to be written: nodes with the comments that belong to them.
struct LaidOut {
  enum Value {
    /// Lines as they are written, without the indent of all but the first.
    case scalar([String], isPlain: Bool)
    /// A `|` or `>` with the lines below it, without their common indent.
    case block(header: String, [String])
    case mapping([LaidOut], isFlow: Bool, tail: [String])
    case sequence([LaidOut], isFlow: Bool, tail: [String])
    /// Brackets with comments between them.
    case verbatim([String])
    case impossible
  }

  /// Lines above it: comments, and an empty one for any number of them.
  var lead: [String] = []
  var key: String?
  /// Behind `key:`, where the value stands below.
  var behindKey: String?
  var value: Value
  var trailing: String?
}

/// Gives each comment to a node.
private struct LayoutReader {
  let syntax: YAMLSyntax
  let layout: YAMLLayout
  private var next = 0

  init(syntax: YAMLSyntax, layout: YAMLLayout) {
    self.syntax = syntax
    self.layout = layout
  }

  /// The place where something else follows, and the column it has.
  private typealias Limit = (place: Int, column: Int)

  mutating func document() -> (LaidOut, footer: [String]) {
    let lead = lead(before: start(of: syntax.root), isFirst: true)
    let value = value(syntax.root, path: [], until: (syntax.scalars.count, -1))
    var root = LaidOut(lead: lead, value: value)
    root.trailing = behind(syntax.root)
    return (root, self.lead(before: Int.max, isFirst: false))
  }

  private func start(of node: YAMLSyntax.Node) -> Int { node.range.lowerBound }

  // MARK: Comments

  private mutating func lead(before place: Int, isFirst: Bool) -> [String] {
    var lines: [String] = []
    while next < syntax.comments.count, syntax.comments[next].place < place {
      let comment = syntax.comments[next]
      next += 1
      if comment.standsAlone, syntax.hasBlankAbove(comment.place) { lines.append("") }
      lines.append(comment.text)
    }
    if place < syntax.scalars.count, !lines.isEmpty || !isFirst, syntax.hasBlankAbove(place),
      lines.last != ""
    {
      lines.append("")
    }
    if isFirst, lines.first == "" { lines.removeFirst() }
    return lines
  }

  /// The comment behind a node on its last line.
  private mutating func behind(_ node: YAMLSyntax.Node) -> String? {
    guard next < syntax.comments.count, !syntax.comments[next].standsAlone else { return nil }
    let comment = syntax.comments[next]
    guard comment.place >= node.range.upperBound,
      syntax.scalars[node.range.upperBound..<comment.place].allSatisfy(" \t:".unicodeScalars.contains)
    else { return nil }
    next += 1
    return comment.text
  }

  /// Comments at the end of a block that stand deeper than what follows it.
  private mutating func tail(_ column: Int, until limit: Limit) -> [String] {
    var lines: [String] = []
    while next < syntax.comments.count {
      let comment = syntax.comments[next]
      let own = syntax.column(of: comment.place)
      guard comment.standsAlone, comment.place < limit.place, own >= column, own > limit.column else { break }
      if syntax.hasBlankAbove(comment.place) { lines.append("") }
      lines.append(comment.text)
      next += 1
    }
    return lines
  }

  // MARK: Nodes

  private mutating func value(_ node: YAMLSyntax.Node, path: [String], until limit: Limit) -> LaidOut.Value {
    if case .scalar(let isPlain, let isBlock) = node.content {
      return isBlock ? block(node) : scalar(node, isPlain: isPlain)
    }
    if node.isFlow { return flow(node, path: path) }
    let column = syntax.column(of: start(of: node))
    var items: [LaidOut] = []
    switch node.content {
    case .sequence(let elements):
      let isSpaced = layout.isSpaced(path)
      for (index, element) in elements.enumerated() {
        let next = index + 1 < elements.count ? start(of: elements[index + 1]) : limit.place
        let inner = index + 1 < elements.count ? (next, column) : limit
        var item = LaidOut(
          lead: lead(before: start(of: element), isFirst: index == 0), value: .impossible)
        if isSpaced, index > 0, item.lead.first != "" { item.lead.insert("", at: 0) }
        // Above the dash stands no second empty line.
        if isSpaced, item.lead.count > 1, item.lead.last == "" { item.lead.removeLast() }
        item.value = value(element, path: path + ["-"], until: inner)
        item.trailing = behind(element)
        items.append(item)
      }
      return .sequence(items, isFlow: false, tail: tail(column, until: limit))
    case .mapping(let entries):
      for (index, entry) in entries.enumerated() {
        let isLast = index + 1 == entries.count
        let inner = isLast ? limit : (place: start(of: entries[index + 1].key), column: column)
        items.append(pair(entry, path: path, isFirst: index == 0, until: inner))
      }
      return .mapping(ordered(items, path), isFlow: false, tail: tail(column, until: limit))
    case .scalar: return .impossible
    }
  }

  private mutating func pair(
    _ entry: (key: YAMLSyntax.Node, value: YAMLSyntax.Node), path: [String], isFirst: Bool, until limit: Limit
  ) -> LaidOut {
    var item = LaidOut(lead: lead(before: start(of: entry.key), isFirst: isFirst), value: .impossible)
    let key = syntax.slice(entry.key.range)
    guard !key.contains("\n"), case .scalar = entry.key.content else { return item }
    item.key = key
    if case .scalar = entry.value.content {
      item.lead += lead(before: start(of: entry.value), isFirst: true)
    } else if let comment = behind(entry.key) {
      if entry.value.isFlow { item.lead.append(comment) } else { item.behindKey = comment }
    }
    item.value = value(entry.value, path: path + [key], until: limit)
    item.trailing = behind(entry.value)
    return item
  }

  private func ordered(_ items: [LaidOut], _ path: [String]) -> [LaidOut] {
    guard let order = layout.order(path) else { return items }
    let others = order.firstIndex(of: "*") ?? order.count
    func rank(_ item: LaidOut) -> Int { item.key.flatMap { order.firstIndex(of: $0) } ?? others }
    let sorted = items.enumerated().sorted { (rank($0.element), $0.offset) < (rank($1.element), $1.offset) }
    var list = sorted.map(\.element)
    if list.first?.lead.first == "" { list[0].lead.removeFirst() }
    return list
  }

  /// Between brackets; where a comment stands there too, all of it stays as it is.
  private mutating func flow(_ node: YAMLSyntax.Node, path: [String]) -> LaidOut.Value {
    if next < syntax.comments.count, syntax.comments[next].place < node.range.upperBound {
      while next < syntax.comments.count, syntax.comments[next].place < node.range.upperBound { next += 1 }
      return .verbatim(lines(node.range))
    }
    switch node.content {
    case .sequence(let elements):
      var items: [LaidOut] = []
      for element in elements {
        items.append(LaidOut(value: value(element, path: path + ["-"], until: (0, 0))))
      }
      return .sequence(items, isFlow: true, tail: [])
    case .mapping(let entries):
      var items: [LaidOut] = []
      for entry in entries {
        let key = syntax.slice(entry.key.range)
        guard case .scalar = entry.key.content, !key.contains("\n") else { return .impossible }
        items.append(
          LaidOut(key: key, value: value(entry.value, path: path + [key], until: (0, 0))))
      }
      return .mapping(ordered(items, path), isFlow: true, tail: [])
    case .scalar: return .impossible
    }
  }

  private func lines(_ range: Range<Int>) -> [String] {
    syntax.slice(range).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  /// In what goes on over several lines the space around a line break does not count (YAML 1.2 §6.5).
  private func scalar(_ node: YAMLSyntax.Node, isPlain: Bool) -> LaidOut.Value {
    let lines = lines(node.range)
    guard lines.count > 1 else { return .scalar(lines[0].isEmpty ? ["null"] : lines, isPlain: isPlain) }
    let rest = lines.dropFirst().map { line in String(line.drop { $0 == " " || $0 == "\t" }) }
    return .scalar([lines[0]] + rest, isPlain: isPlain)
  }

  private func block(_ node: YAMLSyntax.Node) -> LaidOut.Value {
    var lines = lines(node.range)
    let header = lines.removeFirst()
    // An indent that is told would have to be told anew.
    let isTold = header.prefix { $0 != "#" }.contains(where: \.isNumber)
    guard !isTold else { return .impossible }
    while let last = lines.last, last.allSatisfy({ $0 == " " }) { lines.removeLast() }
    let indents = lines.filter { !$0.allSatisfy { $0 == " " } }.map { $0.prefix { $0 == " " }.count }
    let indent = indents.min() ?? 0
    return .block(header: header, lines.map { String($0.dropFirst(min(indent, $0.count))) })
  }
}
