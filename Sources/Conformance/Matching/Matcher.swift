package import JSON
package import JSONSchema
package import YAML

/// What a transcript says about one value: compiled once, matched often.
///
/// Objects match as subsets, arrays element by element, scalars exactly; a mapping of `$` keys is
/// a matcher. The same value spoken by the runner is a template: `Matcher.generate`.
package struct Matcher: Sendable {
  package struct Member: Sendable {
    package let key: String
    package let matcher: Matcher
  }

  package enum Rule: Sendable {
    /// A scalar, compared by value.
    case exactly
    case object([Member])
    case array([Matcher])
    /// `$` keys: all of them must hold, then the value is kept under the name of `$as`.
    case all([Check], capture: String?)
  }

  /// One `$` key.
  package indirect enum Check: Sendable {
    case type(ValueType)
    case regex(String)
    case oneOf([Matcher])
    case between(JSONNumber, JSONNumber)
    case absent(Bool)
    case contains(Matcher)
    case length(Matcher)
    /// With the schema as it stands, from which a value is made that is spoken.
    case schema(JSONSchema, source: JSONValue)
    /// What stands beside `$schema`: members of which more is said than the schema says.
    case members([Member])
    case code(Int)
    case text(TextTemplate)
    case reference(String)
    case secret(String)
    case next
    case repeated(String, times: Int)
    /// A text that is JSON, and what that must be.
    case json(Matcher)
    /// A text of these parts, one behind the other.
    case joined([Matcher])
    /// What is spoken here; anything matches.
    case said(Matcher)
  }

  package let place: SourcePlace
  /// As it stands in the transcript, for messages.
  package let source: JSONValue
  package let rule: Rule

  /// The members, where this is an object without `$` keys.
  package var members: [Member]? { if case .object(let members) = rule { members } else { nil } }

  /// Whether the value must be absent.
  package var isAbsent: Bool {
    guard case .all(let checks, _) = rule else { return false }
    return checks.contains { if case .absent(true) = $0 { true } else { false } }
  }
}

/// What `$type` knows.
package enum ValueType: String, Sendable, CaseIterable {
  case string, int, number, bool, object, array, null
  /// The text form of RFC 9562.
  case uuid
  /// RFC 3339.
  case timestamp
  /// An id of JSON-RPC: a string or a number.
  case id

  func accepts(_ value: JSONValue) -> Bool {
    switch (self, value) {
    case (.string, .string), (.number, .number), (.bool, .bool), (.object, .object), (.array, .array),
      (.null, .null), (.id, .string), (.id, .number):
      true
    case (.int, .number(let number)): number.isInteger
    case (.uuid, .string(let text)): TextForms.isUUID(text)
    case (.timestamp, .string(let text)): TextForms.isTimestamp(text)
    default: false
    }
  }
}

/// The text of an error of the specification; its `{placeholders}` stand for any text.
package struct TextTemplate: Sendable {
  private let parts: [String]

  init(_ template: String) {
    var parts: [String] = []
    var current = ""
    var rest = template[...]
    while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
      current += rest[..<open]
      parts.append(current)
      current = ""
      rest = rest[rest.index(after: close)...]
    }
    self.parts = parts + [current + rest]
  }

  /// The text itself, if it has no placeholder.
  var literal: String? { parts.count == 1 ? parts[0] : nil }

  /// The text with something at its placeholders.
  var sample: String { parts.joined(separator: "x") }

  func matches(_ text: String) -> Bool {
    guard parts.count > 1, let first = parts.first, let last = parts.last else { return text == literal }
    guard text.hasPrefix(first) else { return false }
    var rest = text.dropFirst(first.count)
    for part in parts.dropFirst().dropLast() where !part.isEmpty {
      guard let range = rest.firstRange(of: part) else { return false }
      rest = rest[range.upperBound...]
    }
    return rest.hasSuffix(last)
  }
}

/// Forms of text that `$type` names.
enum TextForms {
  /// `8-4-4-4-12` hexadecimal digits (RFC 9562 §4).
  static func isUUID(_ text: String) -> Bool {
    let groups = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    return groups.map(\.count) == [8, 4, 4, 4, 12] && groups.allSatisfy { $0.allSatisfy(isHex) }
  }

  /// `date-time` of RFC 3339 §5.6.
  static func isTimestamp(_ text: String) -> Bool {
    guard text.utf8.count <= 40, let match = text.wholeMatch(of: timestamp) else { return false }
    func number(_ part: Substring) -> Int { Int(part) ?? .max }
    let days = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    let (month, day) = (number(match.2), number(match.3))
    guard (1...12).contains(month), day >= 1, day <= days[month - 1] else { return false }
    let year = number(match.1)
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    if month == 2 && day == 29 && !isLeap { return false }
    return number(match.4) <= 23 && number(match.5) <= 59 && number(match.6) <= 60
  }

  private static var timestamp:
    Regex<(Substring, Substring, Substring, Substring, Substring, Substring, Substring)>
  {
    /([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?(?:[Zz]|[+\-][0-9]{2}:[0-9]{2})/
  }

  private static func isHex(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
      UInt8(ascii: "A")...UInt8(ascii: "F"):
      true
    default: false
    }
  }
}
