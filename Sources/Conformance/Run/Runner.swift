package import ProtocolSpec
package import Transport

/// Plays cases one after the other and gathers the verdicts.
package struct Runner: Sendable {
  package enum Progress: Sendable {
    case begins(TranscriptCase, number: Int, of: Int)
    case ended(CaseResult)
  }

  private let spec: Specification
  private let info: RunInfo
  private let target: Target
  private let mock: MockBackend?
  private let loop: EventLoop
  private let settings: PlaySettings
  private let progress: @Sendable (Progress) -> Void

  package init(
    spec: Specification, info: RunInfo, target: Target, mock: MockBackend?, loop: EventLoop,
    settings: PlaySettings,
    progress: @escaping @Sendable (Progress) -> Void = { _ in }
  ) {
    self.spec = spec
    self.info = info
    self.target = target
    self.mock = mock
    self.loop = loop
    self.settings = settings
    self.progress = progress
  }

  /// What a target offers when its description does not say.
  package static func capabilities(of description: TargetDescription, hasMock: Bool) -> [Capability] {
    if let declared = description.capabilities { return declared }
    var capabilities: [Capability] = [.bare, .jsonrpc, .http]
    if hasMock { capabilities.append(.faults) }
    if description.start != nil { capabilities += [.restart, .environment] }
    return capabilities + [.idempotency]
  }

  package func run(_ cases: [TranscriptCase]) async -> RunResult {
    let start = ContinuousClock.now
    var results: [CaseResult] = []
    var gone: TargetProblem?
    do throws(TargetProblem) {
      // Whether anybody is there is asked before anything is played.
      if cases.contains(where: { missing($0) == nil }) { try await reach() }
      for (index, transcript) in cases.enumerated() {
        progress(.begins(transcript, number: index + 1, of: cases.count))
        let (result, problem) = await judge(transcript)
        results.append(result)
        progress(.ended(result))
        if let problem { throw problem }
      }
    } catch {
      gone = masked(error)
    }
    return RunResult(info: info, results: results, duration: .now - start, unreachable: gone)
  }

  private func reach() async throws(TargetProblem) {
    try await target.prepare(fresh: false, environment: [])
    if let reason = await target.isReachable() {
      throw TargetProblem("\(await target.url) cannot be reached: \(reason)", lines: await target.lines())
    }
  }

  /// Keys do not belong into results, also where the target wrote them.
  private func masked(_ problem: TargetProblem) -> TargetProblem {
    TargetProblem(
      settings.masking.masked(problem.description), lines: problem.lines.map(settings.masking.masked))
  }

  private func lines(of end: (text: String, lines: [String])) -> [String] {
    ([end.text] + end.lines).map(settings.masking.masked)
  }

  /// Why a case is not applicable; nil if it is.
  private func missing(_ transcript: TranscriptCase) -> String? {
    let missing = transcript.needs.filter { !info.capabilities.contains($0) }
    if missing.isEmpty && transcript.isFresh && !target.ownsProcess {
      return "needs to start anew, and the runner does not start the target"
    }
    guard !missing.isEmpty else { return nil }
    return "needs \(missing.map(\.rawValue).joined(separator: ", ")), which the target does not offer"
  }

  /// Plays one case; the problem is one that ends the run.
  private func judge(_ transcript: TranscriptCase) async -> (CaseResult, TargetProblem?) {
    let start = ContinuousClock.now
    func result(
      _ verdict: Verdict, reason: String? = nil, failure: CaseFailure? = nil, remarks: [CaseFailure] = []
    ) -> CaseResult {
      CaseResult(
        transcript: transcript, requirement: transcript.requirement.flatMap { spec.requirements[$0] },
        verdict: verdict, duration: .now - start, reason: reason, failure: failure, remarks: remarks)
    }
    if let reason = missing(transcript) { return (result(.notApplicable, reason: reason), nil) }
    if transcript.usesMock && mock == nil {
      return (result(.notTestable, reason: "the target declares faults, but no mock is given (--mock)"), nil)
    }
    do throws(TargetProblem) {
      if let problem = await setUp() { return (result(.setupError, reason: problem), nil) }
      try await target.prepare(fresh: transcript.isFresh, environment: transcript.environment)
    } catch {
      let problem = masked(error)
      let reason = ([problem.description] + problem.lines).joined(separator: "\n        ")
      return (result(.setupError, reason: reason), transcript.environment.isEmpty ? error : nil)
    }
    let player = Player(transcript, target: target, mock: mock, loop: loop, settings: settings)
    switch await player.play() {
    case .passed(let remarks):
      guard let end = await target.unexpectedEnd(within: .zero) else {
        return (result(.pass, remarks: remarks), nil)
      }
      let failure = CaseFailure(
        place: transcript.place, title: transcript.title, level: transcript.level,
        message: "the target ended and no step asked for that", differences: [], wire: [],
        targetLines: lines(of: end))
      return (result(.fail, failure: failure, remarks: remarks), nil)
    case .failed(var failure, let remarks):
      let problem = await aftermath(&failure)
      return (result(.fail, failure: failure, remarks: remarks), problem)
    case .setup(let reason): return (result(.setupError, reason: reason), nil)
    case .notTestable(let reason): return (result(.notTestable, reason: reason), nil)
    }
  }

  /// The mock forgets the case before; nil if that worked.
  private func setUp() async -> String? {
    guard let mock else { return nil }
    do throws(MockBackend.Problem) {
      try await mock.reset()
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
    return TargetProblem("\(await target.url) cannot be reached any more: \(reason)")
  }
}
