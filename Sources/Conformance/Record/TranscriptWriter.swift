internal import JSON

/// Writes transcripts as people do: blocks for what has an order, each frame on a line where it fits.
enum TranscriptWriter {
  /// Characters of a line; texts are cut where they are longer.
  private static let width = 110

  /// The whole file.
  static func text(_ file: JSONValue) -> String {
    var output = ""
    for (key, value) in file.object ?? JSONObject() where key != "cases" {
      output += "\(key): \(flow(value))\n"
    }
    output += "cases:\n"
    for (number, item) in (file["cases"]?.array ?? []).enumerated() {
      if number > 0 { output += "\n" }
      item.object.map { append(members: $0, indent: 2, first: "- ", to: &output) }
    }
    return output
  }

  /// Members below each other, the first behind `first`.
  private static func append(members: JSONObject, indent: Int, first: String, to output: inout String) {
    for (number, member) in members.enumerated() {
      let margin = String(repeating: " ", count: indent)
      let lead = number == 0 ? String(margin.dropLast(2)) + first : margin
      let key = quoted(member.key)
      output += lead + key + ":"
      append(
        member.value, behind: lead.count + key.count + 1, indent: indent, isSteps: member.key == "steps",
        to: &output)
    }
  }

  /// A value behind `key:` or `-`, on the same line where it fits.
  private static func append(
    _ value: JSONValue, behind column: Int, indent: Int, isSteps: Bool = false, to output: inout String
  ) {
    let line = flow(value)
    guard isSteps || column + 1 + line.count > width else {
      output += " \(line)\n"
      return
    }
    switch value {
    case .object(let object) where !object.isEmpty:
      output += "\n"
      append(members: object, indent: indent + 2, first: "  ", to: &output)
    case .array(let elements) where !elements.isEmpty:
      output += "\n"
      for element in elements { append(element: element, indent: indent, to: &output) }
    case .string(let text): output += " \(wrapped(text, column: column + 1, indent: indent + 2))\n"
    default: output += " \(line)\n"
    }
  }

  private static func append(element: JSONValue, indent: Int, to output: inout String) {
    let margin = String(repeating: " ", count: indent)
    let line = flow(element)
    let isStep = element["client"] != nil || element["server"] != nil
    if let object = element.object, !object.isEmpty,
      object.count > 1 && isStep || indent + 2 + line.count > width
    {
      append(members: object, indent: indent + 2, first: "- ", to: &output)
    } else if let object = element.object, isStep || isWireStep(object) {
      append(members: object, indent: indent + 2, first: "- ", to: &output)
    } else {
      output += margin + "-"
      append(element, behind: indent + 1, indent: indent + 2, to: &output)
    }
  }

  /// Steps stand as a block even where they would fit on a line.
  private static func isWireStep(_ object: JSONObject) -> Bool {
    ["poll", "connect", "http", "unordered", "raw", "close", "closed"].contains { object.contains($0) }
  }

  // MARK: On one line

  static func flow(_ value: JSONValue) -> String {
    switch value {
    case .string(let text): return quoted(text)
    case .array(let elements): return "[\(elements.map(flow).joined(separator: ", "))]"
    case .object(let object):
      return "{\(object.map { "\(quoted($0.key)): \(flow($0.value))" }.joined(separator: ", "))}"
    default: return JSONWriter.text(value)
    }
  }

  /// Plain where that is safe, else with double quotes (YAML 1.2 §7.3.1).
  static func quoted(_ text: String) -> String {
    let plain = FlowText.string(text)
    guard plain.hasPrefix("\"") else { return plain }
    return isTag(text) || isTime(text) ? text : "\"\(escaped(text).joined())\""
  }

  /// `method:ping`: a colon with no space behind it is part of a plain text (YAML 1.2 §7.3.3).
  private static func isTag(_ text: String) -> Bool {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    return parts.count == 2
      && parts.allSatisfy { part in !part.isEmpty && !FlowText.string(String(part)).hasPrefix("\"") }
      && !text.contains(" ")
  }

  /// `250ms`
  private static func isTime(_ text: String) -> Bool {
    let digits = text.utf8.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    return !digits.isEmpty && ["ms", "s"].contains(String(Substring(text.utf8[digits.endIndex...])))
  }

  /// Over several lines: a backslash at the end of a line joins it with the next (YAML 1.2 §7.3.1).
  private static func wrapped(_ text: String, column: Int, indent: Int) -> String {
    let margin = String(repeating: " ", count: indent)
    var output = "\""
    var length = column + 1
    for word in words(escaped(text)) {
      if length + word.count >= width, length > indent {
        // Spaces at the beginning of a line are dropped.
        output += "\\\n" + margin + (word.hasPrefix(" ") ? "\\" : "")
        length = indent + 1
      }
      output += word
      length += word.count
    }
    return output + "\""
  }

  /// Words with the spaces behind them, long ones in parts.
  private static func words(_ scalars: [String]) -> [String] {
    var words: [String] = []
    var word = ""
    for (place, scalar) in scalars.enumerated() {
      word += scalar
      let ends = scalar == " " && (place + 1 == scalars.count || scalars[place + 1] != " ")
      guard ends || word.count >= width / 2 else { continue }
      words.append(word)
      word = ""
    }
    return word.isEmpty ? words : words + [word]
  }

  private static func escaped(_ text: String) -> [String] {
    text.unicodeScalars.map { scalar in
      switch scalar {
      case "\"": "\\\""
      case "\\": "\\\\"
      case "\n": "\\n"
      case "\t": "\\t"
      case "\r": "\\r"
      case " "..."~": String(scalar)
      // What YAML takes as printable, but for what ends a line or hides (YAML 1.2 §5.1).
      case "\u{A1}"..."\u{2027}", "\u{202A}"..."\u{D7FF}", "\u{E000}"..."\u{FEFE}", "\u{FF00}"..."\u{FFFD}",
        "\u{10000}"..."\u{10FFFF}":
        String(scalar)
      default: "\\U" + String(String(UInt64(scalar.value) + 0x1_0000_0000, radix: 16).dropFirst())
      }
    }
  }
}
