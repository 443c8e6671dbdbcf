import JSON

/// JSON that any reader of YAML takes for the same value.
enum YAMLText {
  /// `value` on one line.
  ///
  /// YAML folds its other line breaks and refuses control characters and byte order marks (YAML 1.2 §5.1, §5.4), all
  /// of which JSON allows in strings; outside of strings none can stand.
  static func flow(_ value: JSONValue) -> String {
    var text = ""
    for scalar in JSONWriter.text(value).unicodeScalars {
      switch scalar.value {
      case 0x7F...0x9F, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
