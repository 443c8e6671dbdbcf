internal import JSON
internal import ProtocolSpec
internal import YAML

/// All that a case has to notice, from one play of it in which everything held.
struct MutationPlan {
  private(set) var mutations: [Mutation] = []
  let transcript: TranscriptCase
  let recording: PlayRecording
  let spec: Specification
  /// Whether results and the texts of errors must be as `Spec/` says; the deployed endpoint is judged by its answers alone.
  let knowsResults: Bool
  private let transport: PlayTransport
  private var ids: Set<String> = []

  init(
    _ transcript: TranscriptCase, _ recording: PlayRecording, spec: Specification, knowsResults: Bool,
    transport: PlayTransport = .ws
  ) {
    self.transport = transport
    self.transcript = transcript
    self.recording = recording
    self.spec = spec
    self.knowsResults = knowsResults
    for heard in recording.heard where transcript.steps.indices.contains(heard.step) {
      addFrame(heard, in: transcript.steps[heard.step])
    }
    addSwaps()
    addAnswers()
    addCalls()
    addExits()
  }

  mutating func add(
    _ kind: MutationKind, step: Int, detail: String = "", at place: SourcePlace? = nil,
    _ change: Mutation.Change
  ) {
    let stepPlace =
      transcript.steps.indices.contains(step) ? transcript.steps[step].place : transcript.place
    var mutation = Mutation(
      kind: kind, step: step, detail: detail, place: place ?? stepPlace, change: change)
    while !ids.insert(mutation.id).inserted { mutation.variant += 1 }
    mutations.append(mutation)
  }

  // MARK: Frames

  private mutating func addFrame(_ heard: PlayRecording.Heard, in step: Step) {
    func frame(_ change: FrameChange) -> Mutation.Change { .frame(heard.place, change) }
    let number = heard.step
    switch step.action {
    case .expect(let expected): addMessage(heard, expected.matcher, step)
    case .unordered: addMessage(heard, nil, step)
    case .poll(let poll):
      addMessage(heard, poll.last?.matcher, step, poll)
    case .pong(let bytes):
      add(.pongChanged, step: number, frame(.bytes(bytes + [33])))
      add(.pongMissing, step: number, frame(.drop))
    case .closed(let codes):
      guard transport == .ws else {
        add(.closeLate, step: number, frame(.wait(MutationStage.tooLate)))
        add(.frameForClose, step: number, frame(.addBefore(Self.notification)))
        return
      }
      let known: [UInt16] = [1000, 1011, 1008, 4000]
      let other = known.first { !codes.contains($0) } ?? 4001
      add(.closeCodeChanged, step: number, detail: String(other), frame(.close(other)))
      add(.closeLate, step: number, frame(.wait(MutationStage.tooLate)))
      add(.frameForClose, step: number, frame(.addBefore(Self.notification)))
    default: break
    }
  }

  private static let notification: JSONValue = [
    "jsonrpc": "2.0", "method": "task_changed", "params": .object(JSONObject()),
  ]

  private mutating func addMessage(
    _ heard: PlayRecording.Heard, _ matcher: Matcher?, _ step: Step, _ poll: Poll? = nil
  ) {
    let number = heard.step
    func frame(_ change: FrameChange) -> Mutation.Change { .frame(heard.place, change) }
    add(.frameMissing, step: number, frame(.drop))
    add(.frameLate, step: number, frame(.wait(MutationStage.tooLate)))
    add(.frameTwice, step: number, frame(.twice))
    add(.frameAdded, step: number, frame(.addBehind(Self.notification)))
    add(.textCut, step: number, frame(.cutText))
    add(.endForFrame, step: number, frame(.end))
    if transport == .ws {
      add(.frameCut, step: number, frame(.cutFrame))
      add(.binaryForText, step: number, frame(.binary))
      add(.closeForFrame, step: number, frame(.close(1011)))
    }
    if transport == .http, let status = step.status { addStatus(status, heard, step) }
    guard let value = try? JSONParser.parse(heard.bytes) else { return }
    var edits = ValueMutations()
    if let matcher { edits.add(matcher, value, at: JSONPointer()) }
    if let poll {
      edits.add(poll.allow ?? poll.until, value[poll.pointer], at: poll.pointer)
      edits.add(poll.until, value[poll.pointer], at: poll.pointer)
    }
    var envelope = EnvelopeMutations(self, heard)
    envelope.add(value)
    var known: Set<String> = []
    for mutation in envelope.list + edits.list {
      // The same edit may be called for by the envelope, the transcript and the specification.
      let result = mutation.edit.edited(value)
      guard result != value, known.insert(JSONWriter.text(result)).inserted,
        !(poll?.goesOn(after: result) ?? false)
      else { continue }
      add(
        mutation.kind, step: number, detail: mutation.place.description,
        at: matcher?.deepestPlace(mutation.place.tokens[...]), frame(.edit(mutation.edit)))
    }
  }

  private mutating func addStatus(_ matcher: Matcher, _ heard: PlayRecording.Heard, _ step: Step) {
    var bindings = Bindings()
    for status in [200, 400, 500] where !matcher.match(.int(status), &bindings).isEmpty {
      add(
        .statusChanged, step: heard.step, detail: String(status), at: matcher.place,
        .frame(heard.place, .status(status)))
    }
  }

  /// Two answers in bare that may not change their places: they have nothing else to tell them apart.
  private mutating func addSwaps() {
    guard transcript.dialect == .bare else { return }
    let steps = transcript.steps
    for (heard, next) in zip(recording.heard, recording.heard.dropFirst()) {
      guard next.step == heard.step + 1, steps.indices.contains(next.step), heard.bytes != next.bytes,
        case .expect = steps[heard.step].action, case .expect = steps[next.step].action,
        heard.place.connection == next.place.connection, heard.place.kind == .message
      else { continue }
      add(.framesSwapped, step: heard.step, .frame(heard.place, .swapWithNext))
    }
  }

  // MARK: The backend and the process

  private mutating func addCalls() {
    for (number, step) in transcript.steps.enumerated() {
      if case .await(let faces) = step.action { addCalls(faces, in: number) }
    }
    let end = transcript.steps.count
    addCalls(transcript.observe, in: end)
    var armed = transcript.arm
    for case .arm(let faces) in transcript.steps.map(\.action) { armed += faces }
    guard let face = armed.first(where: { $0.rules.contains { $0["times"] != nil } }) else { return }
    let change = CallsChange(face: face.face, observation: nil, change: .leaveRuleUnused)
    add(.faultUnused, step: end, .calls(change))
  }

  private mutating func addCalls(_ faces: [ObservedFace], in step: Int) {
    let journal = recording.journals[step] ?? .object(JSONObject())
    for face in faces {
      for observation in face.expectations { addCalls(face.face, observation, journal, in: step) }
    }
  }

  private mutating func addCalls(
    _ face: MockFace, _ observation: Observation, _ journal: JSONValue, in step: Int
  ) {
    let subject = "\(face.rawValue) \(observation.path)"
    func change(_ change: CallsChange.Change) -> Mutation.Change {
      .calls(CallsChange(face: face, observation: observation, change: change))
    }
    let any = CallsChange(face: face, observation: observation, change: .removeAll)
    let calls = (journal["calls"]?.array ?? []).filter(any.isMeant)
    func isAllowed(_ count: Int) -> Bool {
      var bindings = Bindings()
      return observation.count?.match(.int(count), &bindings).isEmpty ?? (count > 0)
    }
    if !calls.isEmpty, !isAllowed(0) {
      add(.callMissing, step: step, detail: subject, at: observation.place, change(.removeAll))
    }
    if observation.count != nil, let more = (1...1000).first(where: { !isAllowed(calls.count + $0) }) {
      // In an await a call that is invented would come before those that are waited for.
      let added = CallsChange.Change.add(more, invents: calls.isEmpty)
      add(.callAdded, step: step, detail: subject, at: observation.place, change(added))
    }
    guard let call = calls.first else { return }
    if let body = observation.body {
      var edits = ValueMutations()
      edits.add(body, call["body"], at: JSONPointer(tokens: ["body"]))
      for mutation in edits.list {
        add(
          .callChanged, step: step, detail: "\(subject) \(mutation.kind.rawValue) \(mutation.place)",
          at: observation.place, change(.edit(mutation.edit)))
      }
    }
    for member in observation.headers {
      let absent = member.matcher.isAbsent
      let value = absent ? "something" : nil
      add(
        .callChanged, step: step, detail: "\(subject) \(member.key)", at: observation.place,
        change(.header(member.key, value)))
    }
    if observation.spacing != nil, calls.count > 1 {
      add(.callsTooClose, step: step, detail: subject, at: observation.place, change(.sameTime))
    }
  }

  private mutating func addExits() {
    for (number, step) in transcript.steps.enumerated() {
      if case .restart(_, .some) = step.action { add(.exitChanged, step: number, .exit) }
    }
  }
}

extension Poll {
  /// Whether an answer is one on the way to the last.
  fileprivate func goesOn(after answer: JSONValue) -> Bool {
    var bindings = Bindings()
    guard !until.match(answer[pointer], &bindings).isEmpty else { return false }
    return allow?.match(answer[pointer], &bindings).isEmpty ?? true
  }
}

extension Matcher {
  /// Where in the transcript a value is spoken of, or the nearest around it.
  func deepestPlace(_ tokens: ArraySlice<String>) -> SourcePlace {
    guard let token = tokens.first else { return place }
    switch rule {
    case .object(let members):
      return members.first { $0.key == token }?.matcher.deepestPlace(tokens.dropFirst()) ?? place
    case .all(let checks, _):
      for case .members(let members) in checks {
        for member in members where member.key == token {
          return member.matcher.deepestPlace(tokens.dropFirst())
        }
      }
      return place
    case .array(let elements):
      guard let number = Int(token), elements.indices.contains(number) else { return place }
      return elements[number].deepestPlace(tokens.dropFirst())
    case .exactly: return place
    }
  }

  /// Whether there is no number that is too large for it.
  var isOpenAbove: Bool {
    var bindings = Bindings()
    return match(1_000_000_000, &bindings).isEmpty
  }
}
