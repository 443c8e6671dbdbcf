internal import JSON

/// Plain scalars by the core schema of YAML 1.2 (§10.3.2): `yes`, `on` and `1:30` are strings.
enum YAMLScalar {
  struct Refusal: Error {
    let message: String
  }

  static func value(plain text: String) throws(Refusal) -> JSONValue {
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .bool(true)
    case "false", "False", "FALSE": return .bool(false)
    default: break
    }
    if let number = try number(text) { return .number(number) }
    return .string(text)
  }

  private static func number(_ text: String) throws(Refusal) -> JSONNumber? {
    let bytes = text.utf8
    guard let first = bytes.first, isDigit(first) || "+-.".utf8.contains(first) else { return nil }
    if text.hasPrefix("0x") { return try integer(text, radix: 16) }
    if text.hasPrefix("0o") { return try integer(text, radix: 8) }
    var rest = bytes[...]
    var sign = ""
    if first == UInt8(ascii: "-") || first == UInt8(ascii: "+") {
      sign = first == UInt8(ascii: "-") ? "-" : ""
      rest = rest.dropFirst()
    }
    let isInfinite = [".inf", ".Inf", ".INF"].contains(String(Substring(rest)))
    if isInfinite || [".nan", ".NaN", ".NAN"].contains(text) {
      throw Refusal(message: "\(text) is no number of JSON")
    }
    return decimal(rest, sign: sign)
  }

  /// `[0-9]*(\.[0-9]*)?([eE][-+]?[0-9]+)?` with a digit somewhere before the exponent; as JSON
  /// writes it, so `+.5` becomes `0.5`.
  private static func decimal(_ text: Substring.UTF8View, sign: String) -> JSONNumber? {
    var rest = text
    let whole = takeDigits(&rest)
    var fraction = rest.prefix(0)
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      fraction = takeDigits(&rest)
    }
    guard !whole.isEmpty || !fraction.isEmpty else { return nil }
    let exponent = rest
    if let mark = rest.first {
      guard mark | 0x20 == UInt8(ascii: "e") else { return nil }
      rest = rest.dropFirst()
      if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
      guard !takeDigits(&rest).isEmpty, rest.isEmpty else { return nil }
    }
    let significant = whole.drop { $0 == UInt8(ascii: "0") }
    return JSONNumber(
      checked: "\(sign)\(significant.isEmpty ? "0" : String(Substring(significant)))"
        + (fraction.isEmpty ? "" : ".\(Substring(fraction))") + String(Substring(exponent)))
  }

  private static func takeDigits(_ rest: inout Substring.UTF8View) -> Substring.UTF8View {
    let digits = rest.prefix(while: isDigit)
    rest = rest[digits.endIndex...]
    return digits
  }

  private static func integer(_ text: String, radix: Int) throws(Refusal) -> JSONNumber? {
    let digits = text.dropFirst(2)
    guard !digits.isEmpty, digits.utf8.allSatisfy({ isDigit($0, radix: radix) }) else { return nil }
    guard let value = UInt64(digits, radix: radix) else {
      throw Refusal(message: "\(text.prefix(60)) is larger than 64 bits")
    }
    return JSONNumber(checked: String(value))
  }

  private static func isDigit(_ byte: UInt8) -> Bool { isDigit(byte, radix: 10) }

  private static func isDigit(_ byte: UInt8, radix: Int) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0")) < radix
    case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"): radix == 16
    default: false
    }
  }
}
