import JSON
import ProtocolSpec
import YAML

/// Why rules cannot be armed, and at which member.
struct ArmingError: Error, CustomStringConvertible {
  let pointer: JSONPointer
  let message: String
  var description: String { pointer.tokens.isEmpty ? message : "\(pointer): \(message)" }
}

/// Fault rules by face, as scenarios and `POST /_mock/arm` give them.
struct Arming: Sendable {
  private(set) var rules: [(face: MockFace, rule: FaultRule)] = []

  /// - Throws: the place of the first fault below `value`.
  init(_ value: JSONValue, spec: Specification) throws(ArmingError) {
    guard let faces = value.object else {
      throw ArmingError(
        pointer: JSONPointer(), message: "an object of face and rules is expected, such as {\"litellm\":[…]}")
    }
    for (name, list) in faces {
      let pointer = JSONPointer().appending(name)
      guard let face = MockFace(rawValue: name) else {
        let known = MockFace.allCases.map(\.rawValue)
        throw ArmingError(pointer: pointer, message: unknown("face", name, known: known))
      }
      guard let elements = list.array else {
        throw ArmingError(pointer: pointer, message: "a list of rules is expected")
      }
      for (index, element) in elements.enumerated() {
        do throws(FaultRuleError) {
          rules.append((face, try FaultRule(element, spec: spec)))
        } catch {
          throw ArmingError(
            pointer: JSONPointer(tokens: pointer.tokens + [String(index)] + error.pointer.tokens),
            message: error.message)
        }
      }
    }
  }
}

/// A file that says how the mock is to behave from its start.
///
/// ```yaml
/// format: 1
/// seed: 7
/// models: [claude-3-5-haiku]
/// first_token: 200ms
/// tokens_per_second: 50
/// jitter: 0.2
/// arm:
///   litellm:
///   - {on: "POST /v1/chat/completions", status: 500, times: 2}
///   - {fault: refuse, at: 10s, for: 5s}
/// ```
struct Scenario: Sendable {
  let seed: UInt64?
  let models: [String]?
  /// Nil where nothing says how fast completions come.
  let pace: AnswerPace?
  let gateway: GatewaySettings?
  let arming: Arming?

  init(contentsOf path: String, spec: Specification) throws(SourceError) {
    try self.init(YAMLParser.parse(contentsOf: path), spec: spec)
  }

  init(_ node: YAMLNode, spec: Specification) throws(SourceError) {
    try node.checkKeys([
      "format", "seed", "models", "first_token", "tokens_per_second", "jitter", "gateway", "arm",
    ])
    let format = try node.required("format")
    guard try format.int() == 1 else {
      throw format.error("format \(format.json) is not known, this is for 1")
    }
    seed = try node["seed"].map { value throws(SourceError) in
      guard let seed = UInt64(exactly: try value.int()) else {
        throw value.error("a seed is a whole number of at least 0, not \(value.json)")
      }
      return seed
    }
    models = try node["models"].map { value throws(SourceError) in
      let names = try value.strings()
      guard !names.isEmpty else { throw value.error("at least one model is expected") }
      return names
    }
    pace = try Self.pace(node)
    gateway = try node["gateway"].map { section throws(SourceError) in
      do throws(ArmingError) {
        return try GatewaySettings(section.json, spec: spec)
      } catch {
        throw Self.located(error, in: section)
      }
    }
    arming = try node["arm"].map { section throws(SourceError) in
      do throws(ArmingError) {
        return try Arming(section.json, spec: spec)
      } catch {
        throw Self.located(error, in: section)
      }
    }
  }

  private static func pace(_ node: YAMLNode) throws(SourceError) -> AnswerPace? {
    var pace = AnswerPace()
    if let time = node["first_token"] { pace.firstToken = try time.duration() }
    if let rate = node["tokens_per_second"] {
      guard let number = rate.json.double, number > 0 else {
        throw rate.error("a number above 0 is expected, not \(rate.json)")
      }
      pace.tokensPerSecond = number
    }
    if let jitter = node["jitter"] {
      guard let number = jitter.json.double, (0...1).contains(number) else {
        throw jitter.error("a number from 0 to 1 is expected, not \(jitter.json)")
      }
      pace.jitter = number
    }
    return pace == AnswerPace() ? nil : pace
  }

  /// The error at its member; an unknown key is shown at the key, a bad value at the value.
  private static func located(_ error: ArmingError, in node: YAMLNode) -> SourceError {
    let isKey = error.message.hasPrefix("no such key") || error.message.hasPrefix("unknown face")
    if isKey, let place = node.keyPlace(at: error.pointer) { return node.error(error.message, at: place) }
    return node.nearest(at: error.pointer).error(error.message)
  }
}
