package import ProtocolSpec
package import Transport
internal import YAML

/// How the cases of a run are played.
package struct RunPlan: Sendable {
  /// How many are played at one time against a target that is shared.
  package var lanes = 1
  /// How often each is played.
  package var times = 1
  /// No case begins once one has failed.
  package var stopsEarly = false
  package var baseline = Baseline()
  /// All cases that the baseline may name, selected or not; nil: those that are played.
  package var known: [TranscriptCase]?

  package init() {}
}

/// Plays cases, as many at a time as there are stands, and gathers the verdicts in their order.
package struct Runner: Sendable {
  package enum Progress: Sendable {
    case begins(TranscriptCase, number: Int, of: Int)
    case ended(CaseResult)
  }

  private let judges: [Judge]
  private let ownsProcess: Bool
  private let info: RunInfo
  private let plan: RunPlan
  private let progress: @Sendable (Progress) -> Void

  package init(
    spec: Specification, info: RunInfo, stands: [Stand], plan: RunPlan = RunPlan(), loop: EventLoop,
    settings: PlaySettings, progress: @escaping @Sendable (Progress) -> Void = { _ in }
  ) {
    let offers = MCPOffers()
    judges = stands.map {
      Judge(spec: spec, info: info, stand: $0, loop: loop, settings: settings, offers: offers)
    }
    ownsProcess = stands.contains { $0.target.ownsProcess }
    self.info = info
    self.plan = plan
    self.progress = progress
  }

  /// What a target offers when its description does not say.
  package static func capabilities(of description: TargetDescription, hasMock: Bool) -> [Capability] {
    if let declared = description.capabilities { return declared }
    var capabilities: [Capability] = [.bare, .jsonrpc, .http]
    if hasMock { capabilities.append(.faults) }
    if description.start != nil { capabilities += [.restart, .environment] }
    return capabilities + [.idempotency, .subscriptions, .resources]
  }

  package func run(_ cases: [TranscriptCase]) async -> RunResult {
    let start = ContinuousClock.now
    let round = Round(cases, plan: plan, progress: progress)
    await reach(cases, round)
    let schedule = Schedule(cases, sharesTarget: !ownsProcess)
    let workers = ownsProcess ? judges : judges.flatMap { Array(repeating: $0, count: plan.lanes) }
    await round.queue(schedule.beside)
    await withTaskGroup { group in
      for judge in workers.prefix(schedule.beside.count) { group.addTask { await work(judge, round) } }
    }
    await round.queue(schedule.alone)
    if let judge = judges.first { await work(judge, round) }
    let (results, gone) = await round.finish()
    return RunResult(
      info: info, results: results, duration: .now - start, unreachable: gone,
      unmatched: plan.baseline.unmatched(among: plan.known ?? cases))
  }

  /// Whether anybody is there is asked before anything is played.
  private func reach(_ cases: [TranscriptCase], _ round: Round) async {
    guard let judge = judges.first, cases.contains(where: { judge.missing($0) == nil }) else { return }
    do throws(TargetProblem) {
      try await judge.reach(cases)
    } catch {
      await round.stop(judge.masked(error))
    }
  }

  private func work(_ judge: Judge, _ round: Round) async {
    while let (place, transcript) = await round.next() {
      let (result, problem) = await judge.judge(
        transcript, times: plan.times, stopsEarly: plan.stopsEarly)
      await round.ended(place, result)
      if let problem { await round.stop(judge.masked(problem)) }
    }
  }
}

/// What the workers of one run share: the cases to play, and the results, which are told in the
/// order of the cases whatever ended first.
private actor Round {
  private let cases: [TranscriptCase]
  private let plan: RunPlan
  private let progress: @Sendable (Runner.Progress) -> Void
  private var waiting: ArraySlice<Int> = []
  private var results: [CaseResult?]
  private var begun = 0
  /// All before have been told.
  private var told = 0
  private var isStopped = false
  private var gone: TargetProblem?

  init(_ cases: [TranscriptCase], plan: RunPlan, progress: @escaping @Sendable (Runner.Progress) -> Void) {
    self.cases = cases
    self.plan = plan
    self.progress = progress
    results = Array(repeating: nil, count: cases.count)
  }

  func queue(_ places: [Int]) { waiting = places[...] }

  func next() -> (place: Int, transcript: TranscriptCase)? {
    guard !isStopped, let place = waiting.popFirst() else { return nil }
    begun += 1
    progress(.begins(cases[place], number: begun, of: cases.count))
    return (place, cases[place])
  }

  func ended(_ place: Int, _ result: CaseResult) {
    let result = plan.baseline.judged(result)
    results[place] = result
    while told < results.count, let next = results[told] {
      progress(.ended(next))
      told += 1
    }
    if plan.stopsEarly && result.verdict.isBad { isStopped = true }
  }

  func stop(_ problem: TargetProblem) {
    isStopped = true
    gone = gone ?? problem
  }

  /// The results of all cases that were played, in their order.
  func finish() -> ([CaseResult], TargetProblem?) {
    for case let result? in results.dropFirst(told) { progress(.ended(result)) }
    told = results.count
    return (results.compactMap(\.self), gone)
  }
}
