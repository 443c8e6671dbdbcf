import Conformance
import Foundation
import ProtocolSpec
import Synchronization
import Testing
import Transport
import YAML

/// Which cases are played when, how often, and what that makes of the verdicts.
@Suite("Plans of a run")
struct RunPlanTests {
  private static let ping = "[{client: {id: 1, method: ping}}, {server: {id: 1, result: {}}}]"

  /// A file of cases: id, and the members beside its steps.
  private static func file(_ cases: [(id: String, more: String)], steps: String = ping) -> String {
    "format: 1\nsuite: t\ndialect: jsonrpc\ncases:\n"
      + cases.map { "- {id: \($0.id), covers: [method:ping], \($0.more) steps: \(steps)}\n" }.joined()
  }

  private static func alone(_ cases: [TranscriptCase], sharesTarget: Bool) -> [String] {
    Schedule(cases, sharesTarget: sharesTarget).alone.map { cases[$0].name }
  }

  @Test("what judges time is played alone, and what looks beyond itself too where the target is shared")
  func schedule() throws {
    let mock = "arm: {litellm: [{status: 500, times: 1}]},"
    let cases = try Kit.cases(
      Self.file([
        ("plain", ""), ("said", "alone: true,"), ("fresh", "fresh: true,"), ("mock", mock),
        ("configured", "environment: {A: b},"),
      ])
        + """
        - {id: quiet, covers: [method:ping], steps: [{client: 1}, {quiet: {from: server, for: 300ms}}]}
        - {id: early, covers: [method:ping], steps: [{client: 1}, {server: {id: 1}, notBefore: 1s}]}
        - {id: quick, covers: [method:ping], steps: [{client: 1}, {server: {id: 1}, within: 200ms}]}
        - {id: listing, covers: [method:ping], steps: [{client: {id: 1, method: list_tasks}}]}
        - {id: restarting, covers: [method:ping], steps: [{restart: {signal: KILL}}]}
        - {id: spaced, covers: [method:ping], steps: [{client: 1}], observe: {litellm: {path: /x, spacing: {atLeast: 1s}}}}

        """)
    let timed = ["said", "quiet", "early", "quick", "spaced"]
    #expect(Self.alone(cases, sharesTarget: false) == timed)
    #expect(
      Self.alone(cases, sharesTarget: true)
        == cases.map(\.name).filter { $0 != "plain" })
  }

  @Test("equal environments follow each other, behind what is fresh and before what is plain")
  func order() throws {
    let cases = try Kit.cases(
      Self.file([
        ("a", ""), ("b", "environment: {X: '1'}, fresh: false,"),
        ("c", "environment: {X: '2'}, fresh: false,"),
        ("d", "environment: {X: '1'}, fresh: false,"), ("e", "environment: {X: '1'},"),
      ]))
    #expect(Schedule(cases, sharesTarget: false).beside.map { cases[$0].name } == ["e", "b", "d", "c", "a"])
  }

  @Test("cases run at one time, and their results come in the order of the file")
  func lanes() async throws {
    let number = Atomic(0)
    // Nobody is answered before three wait; the one that came first is answered last.
    let peer = try Peer(behaviour: { text, _ in
      let place = number.add(1, ordering: .relaxed).oldValue
      let replies = Peer.wellBehaved(text, 1)
      return [.together(3, place == 0 ? [.later(.milliseconds(50), replies)] : replies)]
    })
    var plan = RunPlan()
    plan.lanes = 3
    let told = Lock.Box<[String]>([])
    let result = try await Kit.run(
      Self.file([("a", ""), ("b", ""), ("c", "")]), against: peer.url, plan: plan,
      progress: { if case .ended(let result) = $0 { told.change { $0.append(result.transcript.name) } } })
    #expect(result.counts[.pass] == 3)
    #expect(result.results.map(\.transcript.name) == ["a", "b", "c"])
    #expect(told.value == ["a", "b", "c"])
  }

  @Test("what holds only now and then is flaky, and fails the run")
  func repeats() async throws {
    let number = Atomic(0)
    let peer = try Peer(behaviour: { text, _ in
      number.add(1, ordering: .relaxed).oldValue == 1
        ? [.text(#"{"jsonrpc":"2.0","id":1,"result":1}"#)] : Peer.wellBehaved(text, 1)
    })
    var plan = RunPlan()
    plan.times = 3
    let result = try await Kit.run(
      Kit.file(
        "- client: {id: 1, method: ping}\n- server: {id: 1, result: {}}"), against: peer.url, plan: plan)
    #expect(result.exitCode == 1)
    #expect(result.counts.text == "0 passed, 0 failed, 0 set-up errors, 1 flaky, 0 not applicable")
    let flaky = try #require(result.results.first)
    #expect(flaky.verdict == .flaky)
    let lines = FailureText(result.info).block(flaky).split(separator: "\n")
    #expect(lines[0].hasPrefix("FLAKY  t/case        Fixtures/server/t.yaml:5        MUST"))
    #expect(lines[1] == "      passed 2 of 3 times")
    #expect(lines.last?.hasSuffix("--run t/case --seed 4021 --repeat 3") == true)
  }

  @Test("with fail-fast no case begins behind one that failed")
  func failFast() async throws {
    let peer = try Peer(behaviour: Peer.answers([.text("1")]))
    var plan = RunPlan()
    plan.stopsEarly = true
    let result = try await Kit.run(
      Self.file([("a", ""), ("b", ""), ("c", "")]), against: peer.url, plan: plan)
    #expect(result.results.map(\.transcript.name) == ["a"])
    #expect(result.exitCode == 1)
  }

  @Test("the parts of a run are all cases, each once, and a case stays in its part")
  func shards() throws {
    let ids = (0..<200).map { "suite/case-\($0)" }
    let parts = (1...4).compactMap { Shard("\($0)/4") }.map { shard in ids.filter(shard.includes) }
    #expect(parts.count == 4)
    #expect(parts.flatMap(\.self).sorted() == ids.sorted())
    #expect(parts.allSatisfy { $0.count > 20 })
    for text in ["", "1", "0/4", "5/4", "1/0", "a/4", "1/4/2", "-1/4", "1/"] { #expect(Shard(text) == nil) }
  }

  @Test("a child hears the signals that its parent's thread blocks")
  func signals() async throws {
    func start() throws -> ChildProcess {
      var all = sigset_t()
      var before = sigset_t()
      sigfillset(&all)
      pthread_sigmask(SIG_SETMASK, &all, &before)
      defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
      return try ChildProcess(["sleep", "60"], environment: ["PATH": "/usr/bin:/bin"], children: Children())
    }
    let child = try start()
    #expect(await child.stop(SIGTERM) == .signalled(SIGTERM))
  }
}

extension Lock {
  /// A value behind a lock.
  final class Box<Value: Sendable>: @unchecked Sendable {
    // Invariant: `held` is touched under `lock`.
    private let lock = Lock()
    private var held: Value
    init(_ value: Value) { held = value }
    var value: Value { lock.withLock { held } }
    func change(_ body: (inout Value) -> Void) { lock.withLock { body(&held) } }
  }
}
