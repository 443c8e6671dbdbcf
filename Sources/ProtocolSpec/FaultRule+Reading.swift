package import JSON
internal import YAML

extension FaultRule {
  /// What says which requests a rule is about and when; an entry of a sequence has none of it.
  private static let selectors = ["on", "times", "after", "probability", "at", "for", "at_a_time", "repeat"]
  private static let keys =
    ["fault"] + selectors + [
      "delay", "headers", "retry_after", "retry_after_date", "status", "type", "message", "body", "truncate",
      "malformed", "hang", "reset", "close", "refuse", "raw", "stream", "events", "sequence", "completion",
      "first_token", "tokens_per_second", "jitter", "bytes_per_second",
    ]

  /// Reads a rule as transcripts, scenarios and the admin API give it.
  ///
  /// - Parameter spec: where the faults that `fault:` names are defined.
  package init(_ value: JSONValue, spec: Specification) throws(FaultRuleError) {
    try self.init(value, faults: spec.faults)
  }

  /// - Parameters:
  ///   - faults: those that `fault:` may name.
  ///   - isEntry: it stands in a sequence, which says itself what it is about.
  init(_ value: JSONValue, faults: [FaultSpec], isEntry: Bool = false) throws(FaultRuleError) {
    guard case .object(var members) = value else {
      throw FaultRuleError(pointer: JSONPointer(), message: "a rule must be an object")
    }
    if let name = members["fault"] {
      guard let known = faults.first(where: { .string($0.name) == name }) else {
        let all = faults.map(\.name).joined(separator: ", ")
        throw FaultRuleError(
          pointer: JSONPointer(tokens: ["fault"]), message: "there is no fault \(name), known are \(all)")
      }
      for (key, value) in known.arm where !members.contains(key) { members[key] = value }
    }
    let reader = FaultRuleReader(members: members)
    let keys = isEntry ? Self.keys.filter { !Self.selectors.contains($0) } : Self.keys
    if let unknown = members.keys.first(where: { !keys.contains($0) }) {
      throw reader.error(unknown, "no such key, known are \(keys.joined(separator: ", "))")
    }
    source = value
    after = try reader.int("after", atLeast: 0) ?? 0
    probability = try reader.number("probability", in: 0...1) ?? 1
    at = try reader.duration("at")
    lasting = try reader.duration("for")
    delay = try reader.duration("delay")
    atATime = try reader.int("at_a_time", atLeast: 1)
    on = try reader.pattern("on")
    headers = try reader.headers()
    retryAfterDate = try reader.duration("retry_after_date")
    completion = try reader.completion()
    pace = try reader.pace()
    let sequence = try reader.sequence(faults)
    let times = try reader.int("times", atLeast: 1)
    action = try reader.action(times: times, sequence: sequence)
    if case .sequence(let entries, repeats: false)? = sequence {
      self.times = min(times ?? entries.count, entries.count)
    } else {
      self.times = times
    }
  }
}

/// Reads the members of a rule with errors that name them.
struct FaultRuleReader {
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

  func flag(_ key: String, default fallback: Bool = false) throws(FaultRuleError) -> Bool {
    guard let value = members[key] else { return fallback }
    guard let flag = value.bool else { throw error(key, "true or false is expected, not \(value)") }
    return flag
  }

  func text(_ key: String) throws(FaultRuleError) -> String? {
    guard let value = members[key] else { return nil }
    guard let text = value.string else { throw error(key, "a text is expected, not \(value)") }
    return text
  }

  func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, _: Choice.Type
  ) throws(FaultRuleError) -> Choice? where Choice.RawValue == String {
    guard let value = members[key] else { return nil }
    guard let choice = value.string.flatMap(Choice.init(rawValue:)) else {
      let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw error(key, "one of \(known) is expected, not \(value)")
    }
    return choice
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

  func pace() throws(FaultRuleError) -> AnswerPace {
    var pace = AnswerPace()
    pace.firstToken = try duration("first_token") ?? .zero
    pace.tokensPerSecond = try number("tokens_per_second", in: 0.001...1_000_000)
    pace.jitter = try number("jitter", in: 0...1) ?? 0
    pace.bytesPerSecond = try int("bytes_per_second", atLeast: 1)
    return pace
  }

  /// The most white space that may be asked for; the answer is built in memory.
  private static let mostPadding = 256 << 20
  private static let mostTokens = 1_000_000

  func completion() throws(FaultRuleError) -> CompletionChange {
    var change = CompletionChange()
    guard let value = members["completion"] else { return change }
    guard let given = value.object else { throw error("completion", "an object is expected, not \(value)") }
    let known = [
      "text", "tokens", "model", "finish_reason", "tool_call", "choices", "content", "usage", "padding",
    ]
    let reader = FaultRuleReader(members: given)
    do throws(FaultRuleError) {
      if let key = given.keys.first(where: { !known.contains($0) }) {
        throw reader.error(key, "no such key, known are \(known.joined(separator: ", "))")
      }
      change.text = try reader.text("text")
      change.tokens = try reader.int("tokens", atLeast: 0).map { min($0, Self.mostTokens) }
      change.model = try reader.text("model")
      change.finishReason = try reader.text("finish_reason")
      change.hasChoices = try reader.flag("choices", default: true)
      change.hasContent = try reader.flag("content", default: true)
      change.hasUsage = try reader.flag("usage", default: true)
      change.padding = min(try reader.int("padding", atLeast: 0) ?? 0, Self.mostPadding)
      if let call = given["tool_call"] {
        guard let name = call["name"]?.string, let arguments = call["arguments"]?.string else {
          throw reader.error("tool_call", "name and arguments are expected, both texts")
        }
        change.toolCall = CompletionChange.ToolCall(name: name, arguments: arguments)
      }
    } catch {
      throw FaultRuleError(
        pointer: JSONPointer(tokens: ["completion"] + error.pointer.tokens), message: error.message)
    }
    return change
  }
}
