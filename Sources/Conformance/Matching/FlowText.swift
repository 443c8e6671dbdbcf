package import JSON

/// A value on one line, as a transcript would write it: `{state: idle, id: "7"}`.
package enum FlowText {
  /// - Parameter limit: characters after which the text is cut.
  package static func text(_ value: JSONValue, limit: Int = 240) -> String {
    var output = ""
    append(value, to: &output)
    guard output.count > limit else { return output }
    return output.prefix(limit) + "…"
  }

  private static func append(_ value: JSONValue, to output: inout String) {
    switch value {
    case .string(let text): output += string(text)
    case .array(let elements):
      output += "["
      for (index, element) in elements.enumerated() {
        if index > 0 { output += ", " }
        append(element, to: &output)
      }
      output += "]"
    case .object(let object):
      output += "{"
      for (index, member) in object.enumerated() {
        if index > 0 { output += ", " }
        output += string(member.key) + ": "
        append(member.value, to: &output)
      }
      output += "}"
    default: output += JSONWriter.text(value)
    }
  }

  /// Plain where no reader of YAML could take it for something else, otherwise in quotes.
  static func string(_ text: String) -> String {
    isPlain(text) ? text : JSONWriter.text(.string(text))
  }

  private static func isPlain(_ text: String) -> Bool {
    guard let first = text.unicodeScalars.first, let last = text.unicodeScalars.last else { return false }
    guard isLetter(first) || "$/_".unicodeScalars.contains(first), last != " " else { return false }
    guard !["true", "false", "null"].contains(text.lowercased()) else { return false }
    return text.unicodeScalars.allSatisfy { scalar in
      isLetter(scalar) || ("0"..."9").contains(scalar) || "_-./@$+ ".unicodeScalars.contains(scalar)
    }
  }

  private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
    ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
  }
}
