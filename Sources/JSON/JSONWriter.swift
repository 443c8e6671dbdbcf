/// Writes JSON texts: compact for the wire, indented for people.
package struct JSONWriter {
  package static func text(_ value: JSONValue) -> String {
    String(decoding: bytes(value), as: UTF8.self)
  }

  package static func bytes(_ value: JSONValue) -> [UInt8] {
    var output: [UInt8] = []
    append(value, to: &output)
    return output
  }

  /// The text over several lines, indented by two spaces a level.
  package static func indented(_ value: JSONValue) -> String {
    var output: [UInt8] = []
    appendIndented(value, level: 0, to: &output)
    return String(decoding: output, as: UTF8.self)
  }

  /// Adds the compact text of `value` to `output`.
  package static func append(_ value: JSONValue, to output: inout [UInt8]) {
    switch value {
    case .null: output.append(contentsOf: "null".utf8)
    case .bool(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
    case .number(let number): output.append(contentsOf: number.text.utf8)
    case .string(let text): append(text, to: &output)
    case .array(let elements):
      output.append(UInt8(ascii: "["))
      var isFirst = true
      for element in elements {
        if !isFirst { output.append(UInt8(ascii: ",")) }
        isFirst = false
        append(element, to: &output)
      }
      output.append(UInt8(ascii: "]"))
    case .object(let object):
      output.append(UInt8(ascii: "{"))
      var isFirst = true
      for (key, value) in object {
        if !isFirst { output.append(UInt8(ascii: ",")) }
        isFirst = false
        append(key, to: &output)
        output.append(UInt8(ascii: ":"))
        append(value, to: &output)
      }
      output.append(UInt8(ascii: "}"))
    }
  }

  /// Adds `text` as a JSON string, escaping what RFC 8259 §7 demands and nothing else.
  package static func append(_ text: String, to output: inout [UInt8]) {
    var text = text
    text.withUTF8 { append(utf8: $0, to: &output) }
  }

  /// The same for the bytes of a text.
  package static func append(utf8 bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\""))
    var run = 0
    for position in bytes.indices {
      let byte = bytes[position]
      guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
      output.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[run..<position]))
      appendEscape(byte, to: &output)
      run = position + 1
    }
    output.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[run...]))
    output.append(UInt8(ascii: "\""))
  }

  private static func appendEscape(_ byte: UInt8, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\\"))
    switch byte {
    case UInt8(ascii: "\n"): output.append(UInt8(ascii: "n"))
    case UInt8(ascii: "\r"): output.append(UInt8(ascii: "r"))
    case UInt8(ascii: "\t"): output.append(UInt8(ascii: "t"))
    case 0x08: output.append(UInt8(ascii: "b"))
    case 0x0C: output.append(UInt8(ascii: "f"))
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): output.append(byte)
    default:
      let digits = Array("0123456789abcdef".utf8)
      output.append(contentsOf: "u00".utf8)
      output.append(digits[Int(byte >> 4)])
      output.append(digits[Int(byte & 15)])
    }
  }

  private static func appendIndented(_ value: JSONValue, level: Int, to output: inout [UInt8]) {
    func newLine(_ level: Int) {
      output.append(UInt8(ascii: "\n"))
      output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: level * 2))
    }
    switch value {
    case .array(let elements) where !elements.isEmpty:
      output.append(UInt8(ascii: "["))
      for (position, element) in elements.enumerated() {
        if position > 0 { output.append(UInt8(ascii: ",")) }
        newLine(level + 1)
        appendIndented(element, level: level + 1, to: &output)
      }
      newLine(level)
      output.append(UInt8(ascii: "]"))
    case .object(let object) where !object.isEmpty:
      output.append(UInt8(ascii: "{"))
      for (position, member) in object.enumerated() {
        if position > 0 { output.append(UInt8(ascii: ",")) }
        newLine(level + 1)
        append(member.key, to: &output)
        output.append(contentsOf: ": ".utf8)
        appendIndented(member.value, level: level + 1, to: &output)
      }
      newLine(level)
      output.append(UInt8(ascii: "}"))
    default: append(value, to: &output)
    }
  }
}
