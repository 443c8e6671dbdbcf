package import ProtocolSpec
package import Transport
internal import Wire
internal import YAML

/// How a case met one mutation.
package struct MutationResult: Sendable {
  package enum Verdict: String, Sendable {
    /// The case failed, as it should.
    case noticed
    /// The case passed all the same.
    case survived
    /// The case ended before the mutation could happen.
    case notReached = "not-reached"
  }

  package let mutation: Mutation
  package let verdict: Verdict
  /// What the case complained of, or why it ended early.
  package let message: String?
}

/// How a case met all that was done to it.
package struct CaseProof: Sendable {
  package let transcript: TranscriptCase
  package internal(set) var results: [MutationResult] = []
  /// Why it was left out: it does not pass as it is.
  package internal(set) var failure: CaseFailure?
  /// Why it was left out otherwise.
  package internal(set) var reason: String?
}

/// Which mutations are played.
package struct ProofPlan: Sendable {
  /// Of the mutations' names; none for all.
  package var patterns: [String] = []
  /// About how many, chosen by the seed; nil for all.
  package var sample: Int?
  /// Whether results must be as the schemas of the specification say.
  package var knowsResults = true

  package init() {}
}

/// Plays each case once as it is, and then once more for everything in it that could be wrong, with
/// a proxy before the target that makes it wrong.
package struct Prover: Sendable {
  package enum Progress: Sendable {
    case played(CaseProof, MutationResult)
    case ended(CaseProof)
  }

  private let spec: Specification
  private let stands: [ProofStand]
  private let seed: UInt64
  private let plan: ProofPlan
  private let progress: @Sendable (Progress) -> Void
  /// Mutations of one case in a sample, so that it is of many cases.
  private static let sampledOfCase = 8

  package init(
    spec: Specification, info: RunInfo, stands: [Stand], plan: ProofPlan, loop: EventLoop,
    settings: PlaySettings, progress: @escaping @Sendable (Progress) -> Void = { _ in }
  ) {
    self.spec = spec
    let offers = MCPOffers()
    self.stands = stands.map {
      ProofStand($0, info: info, loop: loop, settings: settings, offers: offers)
    }
    seed = settings.seed
    self.plan = plan
    self.progress = progress
  }

  /// The proofs in the order of the cases; throws if the target is not to be had.
  package func prove(_ cases: [TranscriptCase]) async throws(TargetProblem) -> [CaseProof] {
    if let stand = stands.first { try await stand.reach(cases) }
    var cases = cases
    if plan.sample != nil {
      var random = SeededGenerator(seed: seed, stream: "prove")
      cases.shuffle(using: &random)
    }
    let queue = ProofQueue(cases, limit: plan.sample)
    await withTaskGroup { group in
      for stand in stands {
        group.addTask {
          while let transcript = await queue.next() { await queue.ended(prove(transcript, at: stand)) }
        }
      }
    }
    return await queue.proofs
  }

  private func prove(_ transcript: TranscriptCase, at stand: ProofStand) async -> CaseProof {
    var proof = CaseProof(transcript: transcript)
    defer { progress(.ended(proof)) }
    if let reason = stand.missing(transcript) {
      proof.reason = reason
      return proof
    }
    var recording: PlayRecording?
    // A machine that was busy for a moment is no reason to leave a case out.
    for _ in 0..<2 where recording == nil {
      let stage = MutationStage(transcript, mutation: nil)
      switch await stand.play(transcript, stage) {
      case .passed: recording = stage.recording
      case .failed(let failure, _): proof.failure = failure
      case .setup(let reason), .notTestable(let reason): proof.reason = reason
      }
    }
    guard let recording else { return proof }
    (proof.failure, proof.reason) = (nil, nil)
    for mutation in chosen(transcript, recording, stand.transport) {
      let result = await result(of: mutation, transcript, at: stand)
      proof.results.append(result)
      progress(.played(proof, result))
    }
    return proof
  }

  private func chosen(
    _ transcript: TranscriptCase, _ recording: PlayRecording, _ transport: PlayTransport
  ) -> [Mutation] {
    let all = MutationPlan(
      transcript, recording, spec: spec, knowsResults: plan.knowsResults, transport: transport
    ).mutations
    let wanted = all.filter { mutation in
      plan.patterns.isEmpty || plan.patterns.contains { Selection.matches(mutation.id, $0) }
    }
    guard plan.sample != nil else { return wanted }
    var random = SeededGenerator(seed: seed, stream: transcript.id)
    return Array(wanted.shuffled(using: &random).prefix(Self.sampledOfCase))
  }

  private func result(of mutation: Mutation, _ transcript: TranscriptCase, at stand: ProofStand) async
    -> MutationResult
  {
    var message: String?
    for _ in 0..<3 {
      let stage = MutationStage(transcript, mutation: mutation)
      switch await stand.play(transcript, stage) {
      case .passed:
        if stage.isApplied { return MutationResult(mutation: mutation, verdict: .survived, message: nil) }
      case .failed(let failure, _):
        message = failure.message
        if stage.isApplied || mutation.isAbsence && stage.isReached {
          return MutationResult(mutation: mutation, verdict: .noticed, message: message)
        }
      case .setup(let reason), .notTestable(let reason): message = reason
      }
    }
    return MutationResult(mutation: mutation, verdict: .notReached, message: message)
  }
}

extension Mutation {
  /// Whether it takes away something for which the step waits, so that the wait alone shows it.
  fileprivate var isAbsence: Bool {
    switch change {
    case .frame(_, .drop), .frame(_, .wait): true
    default: false
    }
  }
}

/// What the stands share: the cases that are left, and the proofs.
private actor ProofQueue {
  private var waiting: ArraySlice<TranscriptCase>
  private let order: [String]
  private var ended: [String: CaseProof] = [:]
  private var left: Int?

  init(_ cases: [TranscriptCase], limit: Int?) {
    order = cases.map(\.id)
    left = limit
    // The slow ones first: a start each.
    waiting = (limit == nil ? cases.sorted { $0.isFresh && !$1.isFresh } : cases)[...]
  }

  func next() -> TranscriptCase? {
    if let left, left <= 0 { return nil }
    return waiting.popFirst()
  }

  func ended(_ proof: CaseProof) {
    ended[proof.transcript.id] = proof
    left? -= proof.results.count
  }

  var proofs: [CaseProof] { order.compactMap { ended[$0] } }
}

/// A target with its mock, and a proxy before it for each play.
private actor ProofStand {
  private let target: Target
  private let mock: MockBackend?
  private let info: RunInfo
  private let loop: EventLoop
  private let settings: PlaySettings
  private let offers: MCPOffers

  init(_ stand: Stand, info: RunInfo, loop: EventLoop, settings: PlaySettings, offers: MCPOffers) {
    self.offers = offers
    target = stand.target
    mock = stand.mock
    self.info = info
    self.loop = loop
    self.settings = settings
  }

  func reach(_ cases: [TranscriptCase]) async throws(TargetProblem) {
    try await target.prepare(fresh: false, environment: [])
    if let reason = await target.isReachable() {
      throw TargetProblem("the target cannot be reached: \(reason)")
    }
    await offers.ask(cases, target, loop: loop, within: .seconds(10) * settings.slack)
  }

  nonisolated var transport: PlayTransport { target.transport }

  nonisolated func missing(_ transcript: TranscriptCase) -> String? {
    let missing = transcript.needs.filter { !info.capabilities.contains($0) }
    guard missing.isEmpty else { return "needs \(missing.map(\.rawValue).joined(separator: ", "))" }
    if transcript.isFresh && !target.ownsProcess { return "needs to start anew" }
    return transcript.missing(over: target.transport) ?? offers.missing(transcript)
  }

  func play(_ transcript: TranscriptCase, _ stage: MutationStage) async -> PlayOutcome {
    do throws(TargetProblem) {
      if let problem = await forget(transcript) { return .setup(problem) }
      if try await target.prepare(fresh: transcript.isFresh, environment: transcript.environment),
        let problem = await forget(transcript)
      {
        return .setup(problem)
      }
      // Over other transports the stage changes what comes in the channel itself.
      let proxy = target.transport == .ws ? try await proxy(stage) : nil
      defer { proxy?.stop() }
      let player = Player(
        transcript, target: ProxiedTarget(target: target, proxy: proxy, stage: stage), mock: mock, loop: loop,
        settings: settings, watch: stage)
      let outcome = await player.play()
      let isLeftBusy =
        if case .passed = outcome { false } else { transcript.usesMock || stage.mutation == nil }
      if isLeftBusy { await target.spoil() }
      return outcome
    } catch {
      return .setup(settings.masking.masked(error.description))
    }
  }

  private func proxy(_ stage: MutationStage) async throws(TargetProblem) -> Proxy {
    do {
      let proxy = try Proxy(target: HTTPURL(await target.url), on: loop) { number, _ in
        MutatingInterceptor(number, stage)
      }
      proxy.start()
      return proxy
    } catch {
      throw TargetProblem("no proxy before the target: \(error)")
    }
  }

  private func forget(_ transcript: TranscriptCase) async -> String? {
    guard let mock, transcript.usesMock else { return nil }
    do throws(MockBackend.Problem) {
      try await mock.reset()
      return nil
    } catch {
      return error.description
    }
  }
}

/// A target as it is seen through a proxy.
private struct ProxiedTarget: LiveTarget {
  let target: Target
  let proxy: Proxy?
  let stage: MutationStage

  var transport: PlayTransport { target.transport }
  var url: String {
    get async {
      if let proxy { return proxy.url }
      return await target.url
    }
  }
  var headers: HTTPHeaders { target.headers }

  func restart(_ signal: RestartSignal) async throws(TargetProblem) -> Int? {
    let status = try await target.restart(signal)
    return stage.exits() ? (status ?? 0) + 1 : status
  }

  func process() async throws(TargetProblem) -> LineProcess { try await target.process() }
}
