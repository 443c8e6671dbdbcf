/// Writes what `YAMLLayout` has read.
struct LayoutWriter {
  private(set) var lines: [String] = []
  private(set) var isPossible = true
  private let width: Int
  private let joined: Set<String>

  private let opened: Set<String>

  init(width: Int, joined: Set<String>, opened: Set<String>) {
    self.opened = opened
    self.width = width
    self.joined = joined
  }

  mutating func document(_ root: LaidOut, footer: [String]) {
    lines += root.lead
    switch root.value {
    case .mapping(let items, _, let tail) where !items.isEmpty && root.trailing == nil:
      write(items, indent: 0, first: "")
      lines += tail
    default: isPossible = false
    }
    lines += footer
  }

  // MARK: Blocks

  private mutating func comments(_ list: [String], _ margin: String) {
    for line in list { lines.append(line.isEmpty ? "" : margin + line) }
  }

  /// - Parameter first: what stands before the first member on its line: the margin, or a dash.
  private mutating func write(_ members: [LaidOut], indent: Int, first: String) {
    let margin = String(repeating: " ", count: indent)
    for (index, member) in members.enumerated() {
      // What stands above the first one behind a dash has gone above the dash.
      if index > 0 || first == margin { comments(member.lead, margin) }
      let head = (index == 0 ? first : margin) + (member.key ?? "") + ":"
      if member.key == nil { isPossible = false }
      write(member, head: head, indent: indent, isElement: false)
    }
  }

  private mutating func write(elements: [LaidOut], indent: Int, first: String) {
    let margin = String(repeating: " ", count: indent)
    for (index, element) in elements.enumerated() {
      if index > 0 || first == margin {
        comments(element.lead + inner(element), margin)
      }
      let head = (index == 0 ? first : margin) + "-"
      write(element, head: head, indent: indent, isElement: true)
    }
  }

  /// The comments above the first node of an element, where another stood first.
  private func inner(_ element: LaidOut) -> [String] {
    switch element.value {
    case .mapping(let items, isFlow: false, _), .sequence(let items, isFlow: false, _):
      items.first.map { $0.lead.filter { !$0.isEmpty } + inner($0) } ?? []
    default: []
    }
  }

  /// Behind a key or a dash.
  private mutating func write(_ item: LaidOut, head: String, indent: Int, isElement: Bool) {
    let below = indent + 2
    let comment = item.trailing.map { "  " + $0 } ?? ""
    let isJoined = item.behindKey == nil && item.key.map(joined.contains) == true
    if isShort(item.value) || item.key.map(opened.contains) != true,
      let line = flow(item.value), isWrittenFlow(item.value) || isJoined,
      isShort(item.value) || head.count + 1 + line.count <= width
    {
      return lines.append("\(head) \(line)\(comment)")
    }
    let margin = String(repeating: " ", count: below)
    switch item.value {
    case .scalar(let text, _):
      lines.append("\(head) \(text.first ?? "")")
      for line in text.dropFirst() { lines.append(line.isEmpty ? "" : margin + line) }
      lines[lines.count - 1] += comment
    case .block(let header, let text):
      lines.append("\(head) \(header)")
      for line in text { lines.append(line.isEmpty ? "" : margin + line) }
      if item.trailing != nil { isPossible = false }
    case .verbatim(let text):
      lines.append("\(head) \(text.first ?? "")")
      lines += text.dropFirst()
      lines[lines.count - 1] += comment
    case .mapping(let items, _, let tail):
      if isElement {
        above(comment, indent)
        write(items, indent: below, first: head + " ")
      } else {
        lines.append(head + (item.behindKey.map { "  " + $0 } ?? "") + comment)
        write(items, indent: below, first: margin)
      }
      comments(tail, margin)
    case .sequence(let items, _, let tail):
      let inside = isElement ? below : indent
      if isElement {
        above(comment, indent)
        write(elements: items, indent: inside, first: head + " ")
      } else {
        lines.append(head + (item.behindKey.map { "  " + $0 } ?? "") + comment)
        write(elements: items, indent: inside, first: String(repeating: " ", count: inside))
      }
      comments(tail, String(repeating: " ", count: inside))
    case .impossible: isPossible = false
    }
  }

  /// A comment that stood behind what takes several lines now.
  private mutating func above(_ comment: String, _ indent: Int) {
    guard !comment.isEmpty else { return }
    lines.append(String(repeating: " ", count: indent) + comment.trimmingPrefix("  "))
  }

  // MARK: Between brackets

  /// Whether a value is written on one line already, or on several between brackets.
  private func isWrittenFlow(_ value: LaidOut.Value) -> Bool {
    switch value {
    case .mapping(_, let isFlow, _), .sequence(_, let isFlow, _): isFlow
    default: true
    }
  }

  /// What cannot be put on several lines.
  private func isShort(_ value: LaidOut.Value) -> Bool {
    switch value {
    case .mapping(let items, _, _), .sequence(let items, _, _): items.isEmpty
    default: true
    }
  }

  /// On one line; nil where that cannot be.
  private func flow(_ value: LaidOut.Value, isInside: Bool = false) -> String? {
    switch value {
    case .scalar(let text, let isPlain):
      guard text.count == 1, let line = text.first else { return nil }
      return isPlain && isInside && !isFree(line) ? nil : line
    case .sequence(let items, _, let tail):
      guard tail.isEmpty, let parts = parts(items, { _, text in text }) else { return nil }
      return "[\(parts)]"
    case .mapping(let items, _, let tail):
      guard tail.isEmpty, let parts = parts(items, { "\($0.key ?? ""): \($1)" }) else { return nil }
      return items.allSatisfy { isFree($0.key ?? "\"") } ? "{\(parts)}" : nil
    case .block, .verbatim, .impossible: return nil
    }
  }

  private func parts(_ items: [LaidOut], _ form: (LaidOut, String) -> String) -> String? {
    var parts: [String] = []
    for item in items {
      let isBare = item.lead.isEmpty && item.behindKey == nil && item.trailing == nil
      guard isBare, item.key.map(opened.contains) != true, let text = flow(item.value, isInside: true) else {
        return nil
      }
      parts.append(form(item, text))
    }
    return parts.joined(separator: ", ")
  }

  /// Whether a plain text may stand between brackets (YAML 1.2 §7.3.3).
  private func isFree(_ text: String) -> Bool {
    text.hasPrefix("\"") || text.hasPrefix("'") || !text.contains { ",[]{}".contains($0) }
  }
}
