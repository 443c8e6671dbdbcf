internal import JSON
internal import ProtocolSpec
internal import YAML

/// Why a sequence failed, and the transcript of it up to there.
package struct SequenceFailure: Sendable {
  package let failure: CaseFailure
  package let steps: Int
  package let dialect: TranscriptDialect
  let lines: [JSONValue]
  package let usesMock: Bool
}

package enum SequenceOutcome: Sendable {
  case passed
  case failed(SequenceFailure)
  /// The kit could not do its part.
  case impossible(String)
}

/// Plays one plan: asks, holds each answer against what the model allows, and follows the answer.
struct SequenceRun {
  let player: Player
  let plan: SequencePlan
  let hasMock: Bool
  var model = TaskModel()
  private(set) var lines: [JSONValue] = []
  private(set) var usesMock = false
  private var reader: MatcherReader
  private let script: Script
  private var lastID = 0

  static let completions = "/v1/chat/completions"

  init(_ plan: SequencePlan, player: Player, hasMock: Bool, spec: Specification) {
    self.plan = plan
    self.player = player
    self.hasMock = hasMock
    script = Script(plan.isBare ? .bare : .jsonrpc, spec: spec)
    reader = MatcherReader(spec: spec, dialect: script.speech.dialect)
  }

  mutating func play() async -> SequenceOutcome {
    var taken = 0
    do throws(Halt) {
      for step in plan.steps {
        taken += 1
        try await take(step)
      }
      try await end()
      await player.hangUp()
      return .passed
    } catch {
      await player.drain()
      await player.hangUp()
      switch error {
      case .failed(let failure):
        return .failed(
          SequenceFailure(
            failure: failure, steps: taken, dialect: script.speech.dialect, lines: lines, usesMock: usesMock))
      case .setup(let reason), .notTestable(let reason): return .impossible(reason)
      }
    }
  }

  // MARK: Saying and hearing

  /// One answer that is allowed, and what it means.
  struct Choice {
    let outcome: Outcome
    var end: TaskState?

    init(_ outcome: Outcome, end: TaskState? = nil) {
      self.outcome = outcome
      self.end = end
    }
  }

  static func name(_ connection: Int) -> String { ["a", "b", "c"][connection % SequencePlan.connections] }

  /// A connection on which an answer can be expected at once: bare requests queue behind one that waits.
  func free(_ connection: Int, except other: Int? = nil) -> Int {
    let blocked = plan.isBare ? model.waiting.flatMap { model.tasks[$0].waiter?.connection } : nil
    for step in 0..<SequencePlan.connections {
      let candidate = (connection + step) % SequencePlan.connections
      if candidate != blocked && candidate != other { return candidate }
    }
    return connection
  }

  /// - Returns: the place of the choice that the answer is.
  @discardableResult
  mutating func ask(
    _ method: String, _ params: JSONValue?, on connection: Int, _ choices: [Choice]
  ) async throws(Halt) -> Int {
    let id = try await say(method, params, on: connection)
    return try await hear(id, on: connection, choices)
  }

  mutating func say(_ method: String, _ params: JSONValue?, on connection: Int) async throws(Halt) -> Int {
    lastID += 1
    try await send(request(method, params, id: lastID), on: connection)
    return lastID
  }

  func request(_ method: String, _ params: JSONValue?, id: Int?) -> JSONValue {
    var request = JSONObject()
    if !plan.isBare, let id { request["id"] = .int(id) }
    request["method"] = .string(method)
    request["params"] = params
    return .object(request)
  }

  mutating func send(_ value: JSONValue, on connection: Int) async throws(Halt) {
    write("client", value, on: connection)
    try await player.say(spoken(compile(value)), on: Self.name(connection))
  }

  mutating func hear(_ id: Int, on connection: Int, _ choices: [Choice]) async throws(Halt) -> Int {
    try await hear(choices.map { answer(id, $0.outcome) }, on: connection)
  }

  /// The transcript says what was allowed, or, once that is known, which of it came.
  mutating func hear(_ answers: [JSONValue], on connection: Int) async throws(Halt) -> Int {
    write("server", answers.count == 1 ? answers[0] : ["$oneOf": .array(answers)], on: connection)
    var frames: [FrameMatcher] = []
    for value in answers { frames.append(FrameMatcher(try compile(value), dialect: script.speech.dialect)) }
    let place = try await player.hear(frames, on: Self.name(connection))
    if answers.count > 1 {
      lines.removeLast()
      write("server", answers[place], on: connection)
    }
    return place
  }

  func answer(_ id: Int, _ outcome: Outcome) -> JSONValue {
    var answer = JSONObject()
    if !plan.isBare { answer["id"] = .int(id) }
    let (key, value) = script.body(outcome)
    answer[key] = value
    return .object(answer)
  }

  private mutating func compile(_ value: JSONValue) throws(Halt) -> Matcher {
    do throws(SourceError) {
      return try reader.matcher(YAMLParser.parse(TranscriptText.flow(value), file: "sequence"))
    } catch {
      throw .setup("a line of a sequence cannot be read: \(error)")
    }
  }

  private func spoken(_ matcher: Matcher) -> Matcher {
    plan.isBare ? matcher : StepReader.versioned(matcher)
  }

  // MARK: Writing down

  mutating func write(_ key: String, _ value: JSONValue, on connection: Int? = nil) {
    var step = JSONObject([(key, value)])
    if let connection, connection % SequencePlan.connections != 0 {
      step["conn"] = .string(Self.name(connection))
    }
    lines.append(.object(step))
  }

  // MARK: Beside the wire

  /// Makes the next call of LiteLLM fail, once nothing else can call.
  mutating func arm(_ fault: String) async throws(Halt) {
    try await settleAll()
    let rule: JSONValue = ["fault": .string(fault), "on": .string("POST \(Self.completions)"), "times": 1]
    usesMock = true
    write("arm", ["litellm": [rule]])
    try await player.arm([ArmedFace(face: .litellm, rules: [rule])])
  }

  mutating func awaitCalls() async throws(Halt) {
    guard let calls = model.calls, let path = RequestPattern("POST \(Self.completions)") else { return }
    write("await", ["litellm": ["method": "POST", "path": .string(Self.completions), "count": .int(calls)]])
    let place = SourcePlace(file: "sequence", line: 1, column: 1)
    let count = Matcher(place: place, source: .int(calls), rule: .exactly)
    let observation = Observation(
      place: place, path: path, count: count, body: nil, headers: [], spacing: nil)
    try await player.observe(
      [ObservedFace(face: .litellm, expectations: [observation])], within: .seconds(5),
      every: .milliseconds(1))
  }

  mutating func settleAll() async throws(Halt) {
    for place in model.unsettled { try await settle(place, on: free(0)) }
  }

  /// Asks until the task has ended.
  mutating func settle(_ place: Int, on connection: Int) async throws(Halt) {
    let task = model.tasks[place]
    guard !task.isSettled else { return }
    let params: JSONValue = ["task_id": task.reference]
    var said = request("get_task_status", params, id: nil).object ?? JSONObject()
    if !plan.isBare { said["id"] = ["$next": "int"] }
    let until = TaskState.completed
    let allowed = JSONValue.array(task.possible.filter { $0 != until }.map { .string($0.rawValue) })
    let how: JSONValue = [
      "every": "5ms", "for": "5s", "at": "/result/state", "allow": allowed, "until": .string(until.rawValue),
    ]
    write("poll", how, on: connection)
    if var step = lines.popLast()?.object {
      step["client"] = .object(said)
      lines.append(.object(step))
    }
    let poll = Poll(
      request: spoken(try compile(.object(said))), every: .milliseconds(2), limit: .seconds(5),
      pointer: JSONPointer(tokens: ["result", "state"]), allow: try compile(["$oneOf": allowed]),
      until: try compile(.string(until.rawValue)), last: nil)
    try await player.poll(poll, on: Self.name(connection))
    model.update(place) { $0.end = until }
  }
}

extension Player {
  /// The next frame of a connection; gives the place of the first that it is.
  func hear(_ frames: [FrameMatcher], on name: String) async throws(Halt) -> Int {
    focus(on: name)
    let value = try await frame(on: name)
    var closest: [Difference]?
    for (place, frame) in frames.enumerated() {
      let differences = frame.match(value, &bindings)
      if differences.isEmpty { return place }
      if differences.count < closest?.count ?? .max { closest = differences }
    }
    let text =
      frames.count == 1
      ? "the frame differs" : "the frame is none of the \(frames.count) allowed; the closest differs"
    throw failure(text, closest ?? [])
  }

  func poll(_ poll: Poll, on name: String) async throws(Halt) {
    focus(on: name)
    try await play(poll)
  }

  /// Makes a connection the one that the next step is about.
  func focus(on name: String) {
    step = Step(
      place: step.place, connection: name, within: step.within, notBefore: nil, level: step.level, why: nil,
      action: .quiet(.zero))
  }
}
