package import JSON
internal import YAML

/// A service that mock-litellm plays, each on a port of its own.
package enum MockFace: String, Sendable, CaseIterable {
  /// LiteLLM itself.
  case litellm
  /// The direct API, which stands for the cloud.
  case direct
  /// The local model.
  case local
}

/// Which requests a rule is about: `POST /v1/chat/completions`, `GET /health/*`, `*`.
package struct RequestPattern: Sendable, Equatable, CustomStringConvertible {
  private let method: String?
  private let path: String
  package let description: String

  package static let any = RequestPattern(method: nil, path: "*", description: "*")

  /// Nil if `text` is neither `METHOD PATH`, nor a path, nor `*`.
  package init?(_ text: String) {
    let parts = text.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
    switch parts.count {
    case 1 where parts[0] == "*" || parts[0].hasPrefix("/"):
      self.init(method: nil, path: parts[0], description: text)
    case 2 where parts[1] == "*" || parts[1].hasPrefix("/"):
      self.init(method: parts[0].uppercased(), path: parts[1], description: text)
    default: return nil
    }
  }

  private init(method: String?, path: String, description: String) {
    self.method = method
    self.path = path
    self.description = description
  }

  package func matches(method: String, path: String) -> Bool {
    if let wanted = self.method, wanted != method { return false }
    if self.path.hasSuffix("*") { return path.hasPrefix(self.path.dropLast()) }
    return path == self.path
  }
}

/// One thing that mock-litellm does wrong, to which requests, and how often.
package struct FaultRule: Sendable {
  package enum Action: Sendable {
    /// An answer of the given status; without a body one that LiteLLM would give for it.
    case answer(status: Int, type: String?, message: String?, body: JSONValue?)
    /// The usual answer with the last bytes of its body missing, then the end of the connection.
    case truncate(bytes: Int)
    /// The usual head with a body that is no JSON.
    case malformed
    /// The request is read and never answered.
    case hang
    /// The connection is reset after the request was read.
    case reset
    /// The connection is reset as soon as it is made, before a byte is read.
    case refuseConnection
    /// Nothing listens, for the given time or until the mock is reset.
    case refuseListening(for: Duration?)
    /// The usual answer; for rules that only delay.
    case serve
  }

  package let on: RequestPattern
  package let action: Action
  /// How often it happens; nil for always.
  package let times: Int?
  /// Matching requests that are served first.
  package let after: Int
  /// How likely it is for each matching request, drawn from the seed of the mock.
  package let probability: Double
  /// Waited before the action.
  package let delay: Duration?
  package let headers: [(name: String, value: String)]
  /// The rule as it was given, for journals.
  package let source: JSONValue
}

/// Why a rule cannot be armed, and at which member.
package struct FaultRuleError: Error, CustomStringConvertible {
  package let pointer: JSONPointer
  package let message: String
  package var description: String { pointer.tokens.isEmpty ? message : "\(pointer): \(message)" }
}

extension FaultRule {
  private static let keys = [
    "fault", "on", "times", "after", "probability", "delay", "headers", "retry_after", "status", "type",
    "message", "body", "truncate", "malformed", "hang", "reset", "refuse", "for",
  ]

  /// Reads a rule as transcripts, scenarios and the admin API give it.
  ///
  /// - Parameter spec: where the faults that `fault:` names are defined.
  package init(_ value: JSONValue, spec: Specification) throws(FaultRuleError) {
    guard case .object(var members) = value else {
      throw FaultRuleError(pointer: JSONPointer(), message: "a rule must be an object")
    }
    if let name = members["fault"] {
      guard let known = name.string.flatMap(spec.fault(named:)) else {
        let all = spec.faults.map(\.name).joined(separator: ", ")
        throw FaultRuleError(
          pointer: JSONPointer(tokens: ["fault"]), message: "there is no fault \(name), known are \(all)")
      }
      for (key, value) in known.arm where !members.contains(key) { members[key] = value }
    }
    let reader = FaultRuleReader(members: members)
    if let unknown = members.keys.first(where: { !Self.keys.contains($0) }) {
      throw reader.error(unknown, "no such key, known are \(Self.keys.joined(separator: ", "))")
    }
    source = value
    times = try reader.int("times", atLeast: 1)
    after = try reader.int("after", atLeast: 0) ?? 0
    probability = try reader.number("probability", in: 0...1) ?? 1
    delay = try reader.duration("delay")
    on = try reader.pattern("on")
    headers = try reader.headers()
    action = try reader.action(times: times)
  }
}

/// Reads the members of a rule with errors that name them.
private struct FaultRuleReader {
  let members: JSONObject

  func error(_ key: String, _ message: String) -> FaultRuleError {
    FaultRuleError(pointer: JSONPointer(tokens: [key]), message: message)
  }

  func int(_ key: String, atLeast minimum: Int) throws(FaultRuleError) -> Int? {
    guard let value = members[key] else { return nil }
    guard let int = value.int, int >= minimum else {
      throw error(key, "a whole number of at least \(minimum) is expected, not \(value)")
    }
    return int
  }

  func number(_ key: String, in range: ClosedRange<Double>) throws(FaultRuleError) -> Double? {
    guard let value = members[key] else { return nil }
    guard let number = value.double, range.contains(number) else {
      throw error(
        key, "a number from \(range.lowerBound) to \(range.upperBound) is expected, not \(value)")
    }
    return number
  }

  func duration(_ key: String) throws(FaultRuleError) -> Duration? {
    guard let value = members[key] else { return nil }
    guard let duration = value.string.flatMap(parseDuration) else {
      throw error(key, "a duration such as 250ms or 2s is expected, not \(value)")
    }
    return duration
  }

  func flag(_ key: String) throws(FaultRuleError) -> Bool {
    guard let value = members[key] else { return false }
    guard let flag = value.bool else { throw error(key, "true or false is expected, not \(value)") }
    return flag
  }

  func text(_ key: String) throws(FaultRuleError) -> String? {
    guard let value = members[key] else { return nil }
    guard let text = value.string else { throw error(key, "a text is expected, not \(value)") }
    return text
  }

  func pattern(_ key: String) throws(FaultRuleError) -> RequestPattern {
    guard let text = try text(key) else { return .any }
    guard let pattern = RequestPattern(text) else {
      throw error(key, "METHOD /path, /path or * is expected, not \(text)")
    }
    return pattern
  }

  func headers() throws(FaultRuleError) -> [(name: String, value: String)] {
    var headers: [(name: String, value: String)] = []
    if let given = members["headers"] {
      guard let object = given.object else { throw error("headers", "an object is expected") }
      for (name, value) in object {
        let text = value.string ?? value.description
        let isClean = !name.isEmpty && !(name + text).utf8.contains { $0 < 0x20 || $0 == 0x7F }
        guard isClean, !name.contains(":"), !name.contains(" ") else {
          throw error("headers", "\(JSONValue.string(name)) is no header line")
        }
        headers.append((name, text))
      }
    }
    if let value = members["retry_after"] {
      guard let text = value.string ?? value.number?.text, !text.utf8.contains(where: { $0 < 0x20 }) else {
        throw error("retry_after", "seconds or an HTTP date is expected, not \(value)")
      }
      headers.append(("retry-after", text))
    }
    return headers
  }

  func action(times: Int?) throws(FaultRuleError) -> FaultRule.Action {
    var actions: [(key: String, action: FaultRule.Action)] = []
    if let status = try int("status", atLeast: 200) {
      guard status <= 599 else {
        throw error("status", "a status from 200 to 599 is expected, not \(status)")
      }
      actions.append(
        (
          "status",
          .answer(status: status, type: try text("type"), message: try text("message"), body: members["body"])
        ))
    } else if let body = members["body"] {
      actions.append(("body", .answer(status: 200, type: nil, message: nil, body: body)))
    }
    if let bytes = try int("truncate", atLeast: 1) { actions.append(("truncate", .truncate(bytes: bytes))) }
    if try flag("malformed") { actions.append(("malformed", .malformed)) }
    if try flag("hang") { actions.append(("hang", .hang)) }
    if try flag("reset") { actions.append(("reset", .reset)) }
    if try flag("refuse") { actions.append(("refuse", try refusal(times: times))) }
    if actions.count > 1 {
      throw error(actions[1].key, "\(actions[1].key) and \(actions[0].key) exclude each other")
    }
    return actions.first?.action ?? .serve
  }

  /// A closed port cannot count who knocks, so a counted refusal resets each connection as it is made.
  private func refusal(times: Int?) throws(FaultRuleError) -> FaultRule.Action {
    if members.contains("on") { throw error("on", "a refused connection has no request to match") }
    let time = try duration("for")
    guard times != nil else { return .refuseListening(for: time) }
    if time != nil { throw error("for", "for and times exclude each other") }
    return .refuseConnection
  }
}
