internal import ProtocolSpec
internal import Transport

/// A target and the mock that is its backend: one place at which cases are played.
package struct Stand: Sendable {
  package let target: Target
  package let mock: MockBackend?

  package init(target: Target, mock: MockBackend?) {
    self.target = target
    self.mock = mock
  }
}

/// Plays single cases at one stand and says how they went.
actor Judge {
  private let spec: Specification
  private let info: RunInfo
  private let target: Target
  private let mock: MockBackend?
  private let loop: EventLoop
  private let settings: PlaySettings
  private let offers: MCPOffers
  /// The mock may hold rules and calls of a case that is over.
  private var isMockUsed = true

  init(
    spec: Specification, info: RunInfo, stand: Stand, loop: EventLoop, settings: PlaySettings,
    offers: MCPOffers
  ) {
    self.spec = spec
    self.info = info
    target = stand.target
    mock = stand.mock
    self.loop = loop
    self.settings = settings
    self.offers = offers
  }

  /// Whether anybody is there, and what they declare to clients of MCP.
  func reach(_ cases: [TranscriptCase]) async throws(TargetProblem) {
    try await target.prepare(fresh: false, environment: [])
    if let reason = await target.isReachable() {
      throw TargetProblem("\(await target.name) cannot be reached: \(reason)", lines: await target.lines())
    }
    await offers.ask(cases, target, loop: loop, within: .seconds(10) * settings.slack)
  }

  /// Keys do not belong into results, also where the target wrote them.
  nonisolated func masked(_ problem: TargetProblem) -> TargetProblem {
    TargetProblem(
      settings.masking.masked(problem.description), lines: problem.lines.map(settings.masking.masked))
  }

  private func lines(of end: (text: String, lines: [String])) -> [String] {
    ([end.text] + end.lines).map(settings.masking.masked)
  }

  /// Why a case is not applicable; nil if it is.
  nonisolated func missing(_ transcript: TranscriptCase) -> String? {
    let missing = transcript.needs.filter { !info.capabilities.contains($0) }
    if missing.isEmpty && transcript.isFresh && !target.ownsProcess {
      return "needs to start anew, and the runner does not start the target"
    }
    guard missing.isEmpty else {
      return "needs \(missing.map(\.rawValue).joined(separator: ", ")), which the target does not offer"
    }
    return transcript.missing(over: target.transport) ?? offers.missing(transcript)
  }

  /// Plays a case `times` times, fewer once it has failed where `stopsEarly`; a problem ends the run.
  func judge(_ transcript: TranscriptCase, times: Int, stopsEarly: Bool) async -> (CaseResult, TargetProblem?)
  {
    var rounds: [CaseResult] = []
    var problem: TargetProblem?
    repeat {
      let (result, gone) = await judge(transcript)
      rounds.append(result)
      problem = gone
      if result.verdict == .notApplicable || result.verdict == .setupError { break }
      if stopsEarly && result.verdict.isBad { break }
    } while problem == nil && rounds.count < times
    return (CaseResult.merged(rounds), problem)
  }

  private func judge(_ transcript: TranscriptCase) async -> (CaseResult, TargetProblem?) {
    let start = ContinuousClock.now
    func result(
      _ verdict: Verdict, reason: String? = nil, failure: CaseFailure? = nil, remarks: [CaseFailure] = [],
      trace: CaseTrace? = nil
    ) -> CaseResult {
      CaseResult(
        transcript: transcript, requirement: transcript.requirement.flatMap { spec.requirements[$0] },
        verdict: verdict, duration: .now - start, reason: reason, failure: failure, remarks: remarks,
        trace: trace)
    }
    if let reason = missing(transcript) { return (result(.notApplicable, reason: reason), nil) }
    if transcript.usesMock && mock == nil {
      return (result(.notTestable, reason: "the target declares faults, but no mock is given (--mock)"), nil)
    }
    do throws(TargetProblem) {
      // Before the start, so that a new process meets none of the rules of the case before, and
      // behind it, for the old one may have called the mock until it ended.
      if let problem = await setUp(transcript) { return (result(.setupError, reason: problem), nil) }
      let isNew = try await target.prepare(fresh: transcript.isFresh, environment: transcript.environment)
      if isNew, let problem = await setUp(transcript) { return (result(.setupError, reason: problem), nil) }
    } catch {
      let problem = masked(error)
      let reason = ([problem.description] + problem.lines).joined(separator: "\n        ")
      return (result(.setupError, reason: reason), transcript.environment.isEmpty ? error : nil)
    }
    let player = Player(transcript, target: target, mock: mock, loop: loop, settings: settings)
    let outcome = await player.play()
    let trace = await player.trace
    switch outcome {
    case .passed(let remarks):
      guard let end = await target.unexpectedEnd(within: .zero) else {
        return (result(.pass, remarks: remarks, trace: settings.traces == .all ? trace.bounded : nil), nil)
      }
      let failure = CaseFailure(
        place: transcript.place, title: transcript.title, level: transcript.level,
        message: "the target ended and no step asked for that", differences: [], wire: trace.wire,
        targetLines: lines(of: end))
      return (result(.fail, failure: failure, remarks: remarks, trace: trace.stepsOnly), nil)
    case .failed(var failure, let remarks):
      let problem = await aftermath(&failure)
      return (result(.fail, failure: failure, remarks: remarks, trace: trace.stepsOnly), problem)
    case .setup(let reason): return (result(.setupError, reason: reason), nil)
    case .notTestable(let reason): return (result(.notTestable, reason: reason), nil)
    }
  }

  /// The mock forgets the case before; nil if that worked. A case without the mock leaves calls
  /// behind that only one with it would look at.
  private func setUp(_ transcript: TranscriptCase) async -> String? {
    guard let mock, isMockUsed || transcript.usesMock else { return nil }
    do throws(MockBackend.Problem) {
      try await mock.reset()
      isMockUsed = transcript.usesMock
      return nil
    } catch {
      return error.description
    }
  }

  /// What is left of the target behind a failed case.
  private func aftermath(_ failure: inout CaseFailure) async -> TargetProblem? {
    await target.spoil()
    if target.ownsProcess {
      // A broken connection is noticed before the end of the process.
      if let end = await target.unexpectedEnd(within: .milliseconds(50)) {
        failure.targetLines = lines(of: end)
      }
      return nil
    }
    return await deathProblem()
  }

  /// Nobody restarts a target that the runner does not own: the run ends when it is gone.
  private func deathProblem() async -> TargetProblem? {
    guard !target.ownsProcess, let reason = await target.isReachable() else { return nil }
    return TargetProblem("\(await target.name) cannot be reached any more: \(reason)")
  }
}

extension CaseResult {
  /// One result of several rounds of a case, of which there is at least one. It is flaky when it
  /// held and did not hold.
  static func merged(_ rounds: [CaseResult]) -> CaseResult {
    let worst = rounds.first { $0.verdict.isBad } ?? rounds[0]
    guard rounds.count > 1 else { return worst }
    let passed = rounds.count { $0.verdict == .pass }
    let isMixed = passed > 0 && passed < rounds.count && worst.verdict != .setupError
    return CaseResult(
      transcript: worst.transcript, requirement: worst.requirement,
      verdict: isMixed ? .flaky : worst.verdict, duration: rounds.reduce(.zero) { $0 + $1.duration },
      reason: worst.reason, failure: worst.failure, remarks: worst.remarks,
      trace: worst.trace, repeats: Repeats(passed: passed, failed: rounds.count - passed))
  }
}
