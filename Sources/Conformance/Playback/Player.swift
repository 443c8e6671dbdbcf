internal import JSON
package import ProtocolSpec
package import Transport
package import Wire
internal import YAML

/// What holds for every case of a run.
package struct PlaySettings: Sendable {
  package let seed: UInt64
  /// Every `within` is multiplied by it: the one place where slow machines get more time.
  package let slack: Double
  /// Failures weaker than this are remarks.
  package let threshold: RequirementLevel
  package let secrets: [String: String]
  package let masking: Masking
  package let traces: TracePolicy

  package init(
    seed: UInt64, slack: Double = 1, threshold: RequirementLevel = .should, secrets: [String: String] = [:],
    masking: Masking = Masking(secrets: []), traces: TracePolicy = .failures
  ) {
    self.traces = traces
    self.seed = seed
    self.slack = slack
    self.threshold = threshold
    self.secrets = secrets
    self.masking = masking
  }
}

/// Plays the client's side of one case against a server.
package actor Player {
  let transcript: TranscriptCase
  let settings: PlaySettings
  let target: any LiveTarget
  let mock: MockBackend?
  let http: HTTPClient
  let loop: EventLoop
  let watch: (any PlayWatch)?
  var bindings: Bindings
  var connections: [PlayedConnection] = []
  var log: WireLog
  var remarks: [CaseFailure] = []
  var step: Step
  private var timings: [StepTiming] = []
  private var stepBegan = ContinuousClock.now

  package init(
    _ transcript: TranscriptCase, target: any LiveTarget, mock: MockBackend?, loop: EventLoop,
    settings: PlaySettings, watch: (any PlayWatch)? = nil
  ) {
    self.watch = watch
    self.transcript = transcript
    self.settings = settings
    self.target = target
    self.mock = mock
    self.loop = loop
    http = HTTPClient(loop: loop, keptPerHost: 0)
    bindings = Bindings(seed: settings.seed, secrets: settings.secrets)
    // The values of a case are its own, whatever other cases run with it.
    bindings.random = SeededGenerator(seed: settings.seed ^ StableHash.of(transcript.id.utf8))
    log = WireLog(start: .now, masking: settings.masking)
    step = Step(
      place: transcript.place, connection: "", within: .seconds(2), notBefore: nil, level: transcript.level,
      why: nil, action: .quiet(.zero))
  }

  package func play() async -> PlayOutcome {
    let outcome: PlayOutcome
    do throws(Halt) {
      if !transcript.arm.isEmpty { try await arm(transcript.arm) }
      try await playSteps()
      outcome = .passed(remarks: remarks)
    } catch {
      switch error {
      case .failed(var failure):
        await drain()
        failure.wire = log.entries
        failure.targetLines += notes.map(settings.masking.masked)
        outcome = .failed(failure, remarks: remarks)
      case .setup(let reason): outcome = .setup(reason)
      case .notTestable(let reason): outcome = .notTestable(reason)
      }
    }
    await hangUp()
    return outcome
  }

  private func playSteps() async throws(Halt) {
    for (place, step) in transcript.steps.enumerated() {
      self.step = step
      stepBegan = .now
      defer { noteTime(of: step) }
      watch?.begins(place)
      do throws(Halt) {
        try await play(step)
      } catch {
        guard try isRemark(error) else { return }
      }
    }
    watch?.begins(transcript.steps.count)
    do throws(Halt) {
      try await finish()
    } catch {
      _ = try isRemark(error)
    }
  }

  private func noteTime(of step: Step) {
    timings.append(
      StepTiming(
        place: step.place, what: step.words, began: stepBegan - log.start, took: .now - stepBegan,
        within: step.limit(slack: settings.slack)))
  }

  /// Of what has been played so far.
  package var trace: CaseTrace { CaseTrace(steps: timings, wire: log.entries) }

  /// Keeps a failure that does not count; true if the case goes on behind it.
  private func isRemark(_ halt: Halt) throws(Halt) -> Bool {
    guard case .failed(var failure) = halt, settings.threshold < failure.level else { throw halt }
    failure.wire = log.entries
    remarks.append(failure)
    // What follows a weak case's failure would fail for the same reason.
    return !(settings.threshold < transcript.level)
  }

  private func play(_ step: Step) async throws(Halt) {
    switch step.action {
    case .say(let matcher): try await say(matcher, on: step.connection)
    case .expect(let frame): try await expect(frame)
    case .unordered(let frames): try await expect(unordered: frames)
    case .raw(let message): try await send(message)
    case .pong(let bytes): try await expect(pong: bytes)
    case .close(let code, let reason): try await close(code, reason)
    case .closed(let codes): try await expect(closed: codes)
    case .poll(let poll): try await play(poll)
    case .quiet(let time): try await expectQuiet(time)
    case .connect(let connect): try await play(connect)
    case .http(let exchange): try await play(exchange)
    case .restart(let signal, let exit): try await restart(signal, exit)
    case .arm(let faces): try await arm(faces)
    case .await(let faces): try await observe(faces, within: limit)
    case .host: throw .notTestable("this step is for a case that plays the server")
    }
  }

  /// What holds behind the last step: no frame that nobody declared, and the calls of the mock.
  func finish() async throws(Halt) {
    for connection in connections where !connection.isFromBeforeRestart && connection.ending == nil {
      step = barrierStep(connection.name)
      try await barrier(connection.name)
    }
    if transcript.usesMock, mock != nil {
      step = barrierStep("")
      try await observe(transcript.observe, within: limit)
      try await checkRulesAreUsedUp()
    }
  }

  private func barrierStep(_ connection: String) -> Step {
    Step(
      place: transcript.place, connection: connection, within: transcript.steps.last?.within ?? .seconds(2),
      notBefore: nil, level: transcript.level, why: nil, action: .quiet(.zero))
  }

  /// `within` of the current step, with the slack of the run.
  var limit: Duration {
    let limit = step.within * settings.slack
    return watch?.limit(limit) ?? limit
  }

  // MARK: Failing

  func failure(_ message: String, _ differences: [Difference] = [], at place: SourcePlace? = nil) -> Halt {
    .failed(
      CaseFailure(
        place: place ?? step.place, title: step.why ?? transcript.title, level: step.level,
        message: settings.masking.masked(message),
        differences: differences.map { $0.masked(settings.masking) }, wire: []))
  }
}

extension Difference {
  func masked(_ masking: Masking) -> Difference {
    Difference(path: path, expectedText: masking.masked(expected), gotText: masking.masked(got))
  }
}

/// The server that cases are played against.
package protocol LiveTarget: Sendable {
  /// How it is spoken with.
  var transport: PlayTransport { get }
  /// Of the WebSocket, or of the endpoint of HTTP.
  var url: String { get async }
  /// Fields that every request needs because of the way to the target.
  var headers: HTTPHeaders { get }
  /// Ends the process and starts it again on the same data; gives its exit code, nil if the signal
  /// ended it.
  func restart(_ signal: RestartSignal) async throws(TargetProblem) -> Int?
  /// Starts the process that one connection is spoken with over its standard input and output.
  func process() async throws(TargetProblem) -> LineProcess
}

extension LiveTarget {
  package var transport: PlayTransport { .ws }
  package func process() async throws(TargetProblem) -> LineProcess {
    throw TargetProblem("the target is not spoken with over stdio")
  }
  package var headers: HTTPHeaders { [] }
}

/// Why a target is not to be had.
package struct TargetProblem: Error, Sendable, CustomStringConvertible {
  package let description: String
  /// What the process wrote last.
  package let lines: [String]

  package init(_ description: String, lines: [String] = []) {
    self.description = description
    self.lines = lines
  }
}
