import JSON
import ProtocolSpec
import YAML

/// What LiteLLM is configured to: its deployments and how they fail, its router, and its keys.
///
/// ```yaml
/// gateway:
///   num_retries: 2
///   retry_pause: 500ms
///   cooldown: 5s
///   timeout: 6s
///   boot: 3s
///   deployments:
///     gpt-4o-mini:
///     - {faults: [{status: 429, retry_after: 2, times: 1}]}
///     - {}
///   fallbacks: {gpt-4o-mini: [claude-3-5-haiku]}
///   keys:
///     sk-small: {rpm: 2, tpm: 1000, parallel: 1, budget: 0.01}
/// ```
struct GatewaySettings: Sendable {
  struct Limits: Sendable {
    /// Requests and tokens of a minute, requests at a time; nil for any number.
    var requests: Int?
    var tokens: Int?
    var parallel: Int?
    /// Dollars.
    var budget: Double?
    var spend = 0.0
  }

  /// Tries after the first, where a request does not say it itself.
  var retries = 2
  /// Before the first retry, twice as long before the next.
  var retryPause = Duration.zero
  /// How long a deployment rests that does not say it itself.
  var cooldown = Duration.seconds(5)
  /// When a deployment that hangs is given up.
  var timeout = Duration.seconds(6)
  /// The rule for the time after the start in which nothing listens.
  var boot: FaultRule?
  /// The faults of each deployment of a model; a model that is not here has one that works.
  var deployments: [String: [[FaultRule]]] = [:]
  var fallbacks: [String: [String]] = [:]
  var keys: [String: Limits] = [:]

  /// - Throws: the place of the first fault below `value`.
  init(_ value: JSONValue, spec: Specification) throws(ArmingError) {
    let reader = try GatewayReader(
      value, JSONPointer(),
      keys: [
        "num_retries", "retry_pause", "cooldown", "timeout", "boot", "deployments", "fallbacks", "keys",
      ])
    retries = try reader.int("num_retries") ?? retries
    retryPause = try reader.duration("retry_pause") ?? retryPause
    cooldown = try reader.duration("cooldown") ?? cooldown
    timeout = try reader.duration("timeout") ?? timeout
    if let time = value["boot"] {
      do throws(FaultRuleError) {
        boot = try FaultRule(["refuse": true, "for": time], spec: spec)
      } catch {
        throw ArmingError(pointer: reader.place.appending("boot"), message: error.message)
      }
    }
    for (model, list) in try reader.members("deployments") {
      let place = reader.place.appending("deployments").appending(model)
      guard let entries = list.array, !entries.isEmpty else {
        throw ArmingError(pointer: place, message: "a list of deployments is expected, such as [{}]")
      }
      var all: [[FaultRule]] = []
      for (index, entry) in entries.enumerated() {
        let deployment = try GatewayReader(entry, place.appending(index), keys: ["faults"])
        all.append(try deployment.rules("faults", spec))
      }
      deployments[model] = all
    }
    for (model, list) in try reader.members("fallbacks") {
      guard let names = list.array?.map(\.string), !names.contains(nil) else {
        let place = reader.place.appending("fallbacks").appending(model)
        throw ArmingError(pointer: place, message: "a list of models is expected")
      }
      fallbacks[model] = names.compactMap { $0 }
    }
    for (key, limits) in try reader.members("keys") {
      let limited = try GatewayReader(
        limits, reader.place.appending("keys").appending(key),
        keys: ["rpm", "tpm", "parallel", "budget", "spend"])
      keys[key] = Limits(
        requests: try limited.int("rpm"), tokens: try limited.int("tpm"),
        parallel: try limited.int("parallel"), budget: try limited.number("budget"),
        spend: try limited.number("spend") ?? 0)
    }
  }
}

/// Reads one object of the settings with errors that name the place.
private struct GatewayReader {
  let place: JSONPointer
  private let object: JSONObject

  init(_ value: JSONValue, _ place: JSONPointer, keys: [String]) throws(ArmingError) {
    guard let object = value.object else {
      throw ArmingError(pointer: place, message: "an object is expected, not \(value)")
    }
    if let key = object.keys.first(where: { !keys.contains($0) }) {
      throw ArmingError(
        pointer: place.appending(key), message: "no such key, known are \(keys.joined(separator: ", "))")
    }
    self.place = place
    self.object = object
  }

  private func error(_ key: String, _ expected: String) -> ArmingError {
    ArmingError(
      pointer: place.appending(key), message: "\(expected) is expected, not \(object[key] ?? .null)")
  }

  func int(_ key: String) throws(ArmingError) -> Int? {
    guard let value = object[key] else { return nil }
    guard let int = value.int, int >= 0 else { throw error(key, "a whole number of at least 0") }
    return int
  }

  func number(_ key: String) throws(ArmingError) -> Double? {
    guard let value = object[key] else { return nil }
    guard let number = value.double, number >= 0 else { throw error(key, "a number of at least 0") }
    return number
  }

  func duration(_ key: String) throws(ArmingError) -> Duration? {
    guard let value = object[key] else { return nil }
    guard let time = value.string.flatMap(parseDuration) else {
      throw error(key, "a duration such as 250ms or 2s")
    }
    return time
  }

  func members(_ key: String) throws(ArmingError) -> JSONObject {
    guard let value = object[key] else { return JSONObject() }
    guard let members = value.object else { throw error(key, "an object") }
    return members
  }

  func rules(_ key: String, _ spec: Specification) throws(ArmingError) -> [FaultRule] {
    guard let value = object[key] else { return [] }
    guard let list = value.array else { throw error(key, "a list of rules") }
    var rules: [FaultRule] = []
    for (index, element) in list.enumerated() {
      do throws(FaultRuleError) {
        rules.append(try FaultRule(element, spec: spec))
      } catch {
        let tokens = place.appending(key).appending(index).tokens + error.pointer.tokens
        throw ArmingError(pointer: JSONPointer(tokens: tokens), message: error.message)
      }
    }
    return rules
  }
}
