package import JSON
internal import ProtocolSpec

/// Why a value cannot be spoken now.
package struct GenerationError: Error, CustomStringConvertible {
  package let description: String
}

extension Matcher {
  /// The value that the runner speaks; nil for `{$absent: true}`.
  package func generate(_ bindings: inout Bindings) throws(GenerationError) -> JSONValue? {
    switch rule {
    case .exactly: return source
    case .object(let members):
      var object = JSONObject()
      for member in members { object[member.key] = try member.matcher.generate(&bindings) }
      return .object(object)
    case .array(let elements):
      var values: [JSONValue] = []
      for element in elements {
        if let value = try element.generate(&bindings) { values.append(value) }
      }
      return .array(values)
    case .all(let checks, let capture):
      let value = try Self.value(for: checks, &bindings)
      if let capture, let value { bindings.captures[capture] = value }
      return value
    }
  }

  private static func value(
    for checks: [Check], _ bindings: inout Bindings
  ) throws(GenerationError) -> JSONValue? {
    for case .said(let matcher) in checks { return try matcher.generate(&bindings) }
    // The most telling check decides; the others only narrow what a server may answer.
    for check in checks {
      switch check {
      case .absent(true): return nil
      case .reference(let name):
        guard let value = bindings.captures[name] else {
          throw GenerationError(description: "nothing was captured as \(name)")
        }
        return value
      case .secret(let name):
        guard let value = bindings.secrets[name] else {
          throw GenerationError(description: "the environment variable \(name) is not set")
        }
        return .string(value)
      case .next: return .int(bindings.nextNumber())
      case .repeated(let text, let times): return .string(String(repeating: text, count: times))
      case .code(let code): return .int(code)
      case .json(let matcher): return .string(JSONWriter.text(try matcher.generate(&bindings) ?? .null))
      case .joined(let parts): return .string(try JoinedText.spoken(parts, &bindings))
      case .text(let template): return .string(template.sample)
      case .oneOf(let matchers):
        guard let matcher = matchers.randomElement(using: &bindings.random) else { return nil }
        return try matcher.generate(&bindings)
      case .between(let low, let high):
        guard let low = low.int, let high = high.int, low <= high else { break }
        return .int(Int.random(in: low...high, using: &bindings.random))
      case .schema(_, let source):
        guard let value = SchemaInstance(source).make(&bindings.random) else { break }
        return value
      default: break
      }
    }
    for case .type(let type) in checks { return value(of: type, length: length(in: checks), &bindings) }
    throw GenerationError(description: "this matcher gives no value")
  }

  private static func length(in checks: [Check]) -> Int? {
    for case .length(let matcher) in checks { return matcher.source.int }
    return nil
  }

  private static func value(of type: ValueType, length: Int?, _ bindings: inout Bindings) -> JSONValue {
    switch type {
    case .string, .id: return .string(GeneratedText.word(length ?? 12, &bindings.random))
    case .int: return .int(Int.random(in: 0...1_000_000, using: &bindings.random))
    case .number:
      return .number(JSONNumber(Double(Int.random(in: 0...1_000_000, using: &bindings.random)) / 64))
    case .bool: return .bool(Bool.random(using: &bindings.random))
    case .object: return .object(JSONObject())
    case .array: return .array([])
    case .null: return .null
    case .uuid: return .string(GeneratedText.uuid(&bindings.random))
    case .timestamp: return .string(GeneratedText.timestamp)
    }
  }

  /// The first part that only matches and cannot be spoken.
  func firstUnspeakable() -> Matcher? {
    switch rule {
    case .exactly: return nil
    case .object(let members): return members.lazy.compactMap { $0.matcher.firstUnspeakable() }.first
    case .array(let elements): return elements.lazy.compactMap { $0.firstUnspeakable() }.first
    case .all(let checks, _):
      if checks.contains(where: { if case .said = $0 { true } else { false } }) { return nil }
      if checks.contains(where: { if case .members = $0 { true } else { false } }) { return self }
      return checks.contains(where: Self.isSpeakable) ? nil : self
    }
  }

  private static func isSpeakable(_ check: Check) -> Bool {
    switch check {
    case .type, .reference, .secret, .next, .repeated, .code, .text, .schema, .absent(true), .said: true
    case .json(let matcher): matcher.firstUnspeakable() == nil
    case .joined(let parts): parts.allSatisfy { $0.firstUnspeakable() == nil }
    case .between(let low, let high): low.int != nil && high.int != nil
    case .oneOf(let matchers): matchers.allSatisfy { $0.firstUnspeakable() == nil }
    case .regex, .contains, .length, .members, .absent(false): false
    }
  }
}

/// Texts of the kinds that `$type` and schemas know.
enum GeneratedText {
  static let timestamp = "2026-01-02T03:04:05.678Z"

  static func word(_ length: Int, _ random: inout SeededGenerator) -> String {
    let letters = Array("abcdefghijklmnopqrstuvwxyz".utf8)
    let bytes = (0..<length).map { _ in letters[Int.random(in: 0..<letters.count, using: &random)] }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Version 4 (RFC 9562 §5.4).
  static func uuid(_ random: inout SeededGenerator) -> String {
    var digits = Array("xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx")
    let hexadecimal = Array("0123456789abcdef")
    for place in digits.indices {
      switch digits[place] {
      case "x": digits[place] = hexadecimal[Int.random(in: 0..<16, using: &random)]
      case "y": digits[place] = hexadecimal[Int.random(in: 8..<12, using: &random)]
      default: break
      }
    }
    return String(digits)
  }
}
