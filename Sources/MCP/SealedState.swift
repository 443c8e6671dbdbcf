package import JSON
package import ProtocolSpec
internal import Wire

/// `requestState` as a client carries it: whatever comes back is what was given, for the same request and
/// within the time, or it is refused (2026-07-28, multi round-trip requests).
///
/// The state is not secret: a client can read it. Any process without the key refuses it.
package struct SealedState: Sendable {
  private let code: MessageCode
  private let lifetime: Duration

  /// - Parameters:
  ///   - key: 32 random bytes for each process, unless a test says otherwise.
  ///   - lifetime: how long after sealing a state is taken back.
  package init(
    key: [UInt8] = (0..<32).map { _ in UInt8.random(in: .min ... .max) }, lifetime: Duration = .seconds(600)
  ) {
    code = MessageCode(key: key)
    self.lifetime = lifetime
  }

  /// - Parameter binding: what the state belongs to: the method and the name of the tool or prompt.
  package func seal(_ state: JSONValue, for binding: [String], at now: Timestamp) -> String {
    let ends = JSONNumber(Int(now.adding(lifetime).milliseconds))
    let text = JSONWriter.text(["until": .number(ends), "state": state])
    return Hexadecimal.text(code.code(of: Self.message(text, binding))) + "." + text
  }

  /// The state, nil if it was changed, is too old, or was sealed for something else.
  package func open(_ sealed: String, for binding: [String], at now: Timestamp) -> JSONValue? {
    let parts = sealed.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let given = Hexadecimal.bytes(parts[0]) else { return nil }
    let text = String(parts[1])
    guard code.accepts(given, of: Self.message(text, binding)),
      let content = try? JSONParser.parse(text), let until = content["until"]?.int,
      Int64(until) >= now.milliseconds
    else { return nil }
    return content["state"]
  }

  /// Unambiguous whatever is in the parts: a JSON array of texts.
  private static func message(_ text: String, _ binding: [String]) -> [UInt8] {
    Array(JSONWriter.text(.array((binding + [text]).map { .string($0) })).utf8)
  }
}

/// Bytes as pairs of hexadecimal digits, in lower case.
private enum Hexadecimal {
  static func text(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  static func bytes(_ text: Substring) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    for start in stride(from: 0, to: digits.count, by: 2) {
      guard let high = value(digits[start]), let low = value(digits[start + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  /// Upper case is refused: one state has one text.
  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 0x30...0x39: digit - 0x30
    case 0x61...0x66: digit - 0x61 + 10
    default: nil
    }
  }
}
