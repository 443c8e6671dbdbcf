internal import Foundation
package import ProtocolSpec
package import Transport

/// Plays cases as the server and gathers what they tell about a client.
package struct ClientRunner: Sendable {
  private let spec: Specification
  private let info: RunInfo
  private let description: ClientDescription
  private let loop: EventLoop
  private let settings: PlaySettings
  private let children: Children
  private let inherited: [String: String]
  private let comesWithin: Duration
  private let relay: [String]
  private let plan: RunPlan
  private let progress: @Sendable (Runner.Progress) -> Void

  /// - Parameters:
  ///   - inherited: the environment that its processes start from.
  ///   - comesWithin: how long a client may take to connect.
  ///   - relay: the words of a command that relays lines to the WebSocket whose address comes behind them.
  ///   - plan: its lanes count where the runner starts the client; nothing is played twice.
  package init(
    spec: Specification, info: RunInfo, description: ClientDescription, loop: EventLoop,
    settings: PlaySettings, children: Children, inherited: [String: String],
    comesWithin: Duration = .seconds(10), relay: [String] = [], plan: RunPlan = RunPlan(),
    progress: @escaping @Sendable (Runner.Progress) -> Void = { _ in }
  ) {
    self.spec = spec
    self.info = info
    self.description = description
    self.loop = loop
    self.settings = settings
    self.children = children
    self.inherited = inherited
    self.comesWithin = comesWithin
    self.relay = relay
    self.plan = plan
    self.progress = progress
  }

  /// What becomes of one case; the problem is that no client came.
  private struct Judgement: Sendable {
    let number: Int
    let result: CaseResult
    let problem: TargetProblem?
  }

  /// - Parameter host: where a client connects that the runner does not start.
  package func run(_ cases: [TranscriptCase], host: (any GuestHost)? = nil) async -> RunResult {
    let start = ContinuousClock.now
    var results: [Int: CaseResult] = [:]
    var problems: [TargetProblem] = []
    await withTaskGroup(of: Judgement.self) { group in
      var next = 0
      func begin() {
        // Where no client comes at all, none is waited for in every case.
        let isHopeless = !problems.isEmpty && problems.count == results.count
        let isStopped = plan.stopsEarly && results.values.contains { $0.verdict.isBad }
        guard next < cases.count, !isHopeless, !isStopped else { return }
        let (number, transcript) = (next, cases[next])
        next += 1
        progress(.begins(transcript, number: number + 1, of: cases.count))
        group.addTask { await judge(transcript, number, host) }
      }
      for _ in 0..<(description.exec == nil ? 1 : plan.lanes) { begin() }
      for await judgement in group {
        let result = plan.baseline.judged(judgement.result)
        results[judgement.number] = result
        if let problem = judgement.problem { problems.append(problem) }
        progress(.ended(result))
        begin()
      }
    }
    let unreachable = problems.count == results.count ? problems.first : nil
    return RunResult(
      info: info, results: results.sorted { $0.key < $1.key }.map(\.value), duration: .now - start,
      unreachable: results.isEmpty ? nil : unreachable,
      unmatched: plan.baseline.unmatched(among: plan.known ?? cases))
  }

  private func judge(_ transcript: TranscriptCase, _ number: Int, _ host: (any GuestHost)?) async -> Judgement
  {
    let start = ContinuousClock.now
    func judgement(
      _ verdict: Verdict, reason: String? = nil, failure: CaseFailure? = nil, remarks: [CaseFailure] = [],
      problem: TargetProblem? = nil
    ) -> Judgement {
      let result = CaseResult(
        transcript: transcript, requirement: transcript.requirement.flatMap { spec.requirements[$0] },
        verdict: verdict, duration: .now - start, reason: reason, failure: failure, remarks: remarks)
      return Judgement(number: number, result: result, problem: problem)
    }
    if let reason = inapplicable(transcript) { return judgement(.notApplicable, reason: reason) }
    let outcome: HostOutcome
    do throws(TargetProblem) {
      outcome = try await play(transcript, host)
    } catch {
      return judgement(.setupError, reason: error.description, problem: error)
    }
    switch outcome {
    case .notApplicable(let reason): return judgement(.notApplicable, reason: reason)
    case .nobody(let reason):
      return judgement(.setupError, reason: reason, problem: TargetProblem(reason))
    case .played(.passed(let remarks)): return judgement(.pass, remarks: remarks)
    case .played(.failed(let failure, let remarks)):
      return judgement(.fail, failure: failure, remarks: remarks)
    case .played(.setup(let reason)): return judgement(.setupError, reason: reason)
    case .played(.notTestable(let reason)): return judgement(.notTestable, reason: reason)
    }
  }

  private func play(_ transcript: TranscriptCase, _ given: (any GuestHost)?) async throws(TargetProblem)
    -> HostOutcome
  {
    var host = given
    var client: ChildProcess?
    if description.exec != nil {
      do throws(TransportError) {
        // One of its own: cases are played at the same time.
        host = try GuestHosts.open(description.transport, loop: loop)
      } catch {
        throw TargetProblem(error.description)
      }
    }
    guard let host else { throw TargetProblem("there is no port where a client could connect") }
    defer { if given == nil { host.close() } }
    if let command = description.command(for: transcript.id, url: host.url, relay: relay) {
      var environment = inherited
      for (name, value) in description.environment { environment[name] = value }
      client = try ChildProcess(["/bin/sh", "-c", command], environment: environment, children: children)
    }
    let player = HostPlayer(
      transcript, spec: spec, host: host, client: client, description: description,
      comesWithin: comesWithin * settings.slack, settings: settings)
    let outcome = await player.play()
    // Its whole group: what a shell has started goes with it.
    client?.signalGroup(SIGKILL)
    _ = await client?.wait(within: .seconds(5))
    return outcome
  }

  /// Why a case cannot be played with the runner as the server; nil if it can.
  package func inapplicable(_ transcript: TranscriptCase) -> String? {
    if transcript.play == .client { return "checks a server" }
    guard transcript.transports.contains(description.transport) else {
      let names = transcript.transports.map(\.words).joined(separator: " and ")
      return "is of \(names), and the client speaks over \(description.transport.words)"
    }
    if let capabilities = description.capabilities {
      let missing = transcript.needs.filter { !capabilities.contains($0) }
      guard missing.isEmpty else {
        return "needs \(missing.map(\.rawValue).joined(separator: ", ")), which the client does not offer"
      }
    }
    guard transcript.play == .either else { return nil }
    if transcript.begins, transcript.dialect.hasHandshake {
      return "leaves initialize to the player of the client"
    }
    let onlyOfServers: [Capability] = [.faults, .restart, .environment, .http]
    let needs = transcript.needs.filter(onlyOfServers.contains)
    if !needs.isEmpty {
      return "needs \(needs.map(\.rawValue).joined(separator: ", ")), as only a server does"
    }
    for step in transcript.steps {
      switch step.action {
      case .say, .close, .closed, .quiet, .connect, .raw(.text): continue
      case .poll(let poll):
        if poll.last?.matcher.firstUnspeakable() != nil {
          return "has lines of the server that give no value to say"
        }
      case .expect(let line):
        if line.matcher.firstUnspeakable() != nil {
          return "has lines of the server that give no value to say"
        }
      case .unordered(let lines):
        if lines.contains(where: { $0.frame.matcher.firstUnspeakable() != nil }) {
          return "has lines of the server that give no value to say"
        }
      default: return "has steps that only check a server"
      }
    }
    return nil
  }
}
