import Conformance
import Foundation
import ProtocolSpec
import Testing
import YAML

/// What is known not to hold, and what that makes of the verdicts.
@Suite("Baselines")
struct BaselineTests {
  private static let ping = Kit.file("- client: {id: 1, method: ping}\n- server: {id: 1, result: {}}")

  private static func baseline(_ entries: String, as list: KnownFailure.List = .failing) throws -> Baseline {
    var baseline = Baseline()
    try baseline.add(YAMLParser.parse("format: 1\ncases:\n\(entries)\n", file: "known.yaml"), as: list)
    return baseline
  }

  private static func run(
    _ baseline: Baseline, wrong: Bool, times: Int = 1
  ) async throws -> (run: RunResult, result: CaseResult) {
    let always: Peer.Behaviour = { _, _ in [.text(#"{"jsonrpc":"2.0","id":1,"result":5}"#)] }
    let peer = try Peer(behaviour: wrong ? always : Peer.wellBehaved)
    var plan = RunPlan()
    plan.baseline = baseline
    plan.times = times
    let run = try await Kit.run(ping, against: peer.url, plan: plan)
    return (run, try #require(run.results.first))
  }

  private static func block(_ run: RunResult, _ result: CaseResult) -> String {
    FailureText(run.info).block(result).replacing(run.info.target, with: "ws://there")
  }

  @Test(
    "a known failure is expected, whole or at its check",
    arguments: ["{case: t/case, reason: it is old}", "{case: 't/case#2', reason: it is old}"])
  func expected(entry: String) async throws {
    let (run, result) = try await Self.run(Self.baseline("- " + entry), wrong: true)
    #expect(run.exitCode == 0)
    #expect(
      run.counts.text == "0 passed, 0 failed, 0 set-up errors, 1 expected failure, 0 not applicable")
    #expect(
      Self.block(run, result) == """
        EXPECTED FAILURE  t/case        Fixtures/server/t.yaml:5        MUST
              known to be failing: it is old
              line 11: the frame differs
        """)
  }

  @Test("a known failure that fails elsewhere is a failure")
  func elsewhere() async throws {
    let (run, result) = try await Self.run(
      Self.baseline("- {case: 't/case#1', reason: it is old}"), wrong: true)
    #expect(run.exitCode == 1)
    #expect(result.verdict == .fail)
  }

  @Test("a known failure that passes fails the run")
  func stale() async throws {
    let (run, result) = try await Self.run(
      Self.baseline("- {case: t/case, reason: it is old}"), wrong: false)
    #expect(run.exitCode == 1)
    #expect(
      run.counts.text
        == "0 passed, 0 failed, 0 set-up errors, 1 passed against expectation, 0 not applicable")
    #expect(
      Self.block(run, result) == """
        UNEXPECTED PASS  t/case        Fixtures/server/t.yaml:5        MUST
              known to be failing: it is old
        """)
  }

  @Test("a known flaky case may pass and may fail", arguments: [true, false])
  func flaky(isWrong: Bool) async throws {
    let baseline = try Self.baseline("- {case: t/case, reason: races}", as: .flaky)
    let (run, result) = try await Self.run(baseline, wrong: isWrong)
    #expect(run.exitCode == 0)
    #expect(result.verdict == (isWrong ? .expectedFailure : .pass))
  }

  @Test("a set-up error is never expected")
  func setUp() async throws {
    let peer = try Peer()
    var plan = RunPlan()
    plan.baseline = try Self.baseline("- {case: t/case, reason: it is old}")
    let result = try await Kit.run(
      Kit.file(
        "- client: {id: 1, method: ping}\n- server: {id: 1, result: {}}",
        more: "arm: {litellm: [{status: 500, times: 1}]}"),
      against: peer.url, mock: "http://127.0.0.1:1", plan: plan)
    #expect(result.results.first?.verdict == .setupError)
    #expect(result.exitCode == 1)
  }

  @Test(
    "an entry that nothing is like fails the run",
    arguments: [
      ("t/cas", #"known.yaml:3:10: unknown case "t/cas", did you mean "t/case"?"#),
      ("other/thing", "known.yaml:3:10: there is no case other/thing"),
      ("t/case#3", "known.yaml:3:10: t/case has no check 3, only 1 to 2, observe and end"),
    ])
  func unmatched(name: String, message: String) async throws {
    let (run, _) = try await Self.run(Self.baseline("- {case: '\(name)', reason: it is old}"), wrong: false)
    #expect(run.exitCode == 1)
    #expect(run.unmatched.map { String($0.description.prefix { $0 != "\n" }) } == [message])
  }

  @Test(
    "a list that cannot be read names its place",
    arguments: [
      ("- {case: t/case}", #"known.yaml:3:3: the key "reason" is missing"#),
      ("- {case: t/case, reason: ' '}", "known.yaml:3:26: a reason is expected"),
      ("- {case: t/case, reason: a}\n- {case: t/case, reason: b}", "known.yaml:4:10: t/case is listed twice"),
      ("- {case: t/case, why: a}", #"known.yaml:3:18: unknown key "why", known: case, reason"#),
    ])
  func broken(entries: String, message: String) throws {
    let error = #expect(throws: SourceError.self) { try Self.baseline(entries) }
    #expect(error.map { String($0.description.prefix { $0 != "\n" }) } == message)
  }

  @Test("a written list is read again, and then the failures are expected")
  func written() async throws {
    let (run, _) = try await Self.run(Baseline(), wrong: true)
    let text = BaselineText(run).text.replacing(run.info.target, with: "ws://there")
    #expect(
      text == """
        # What ws://there is known to fail: read by --known-failing.
        format: 1
        cases:
        - case: "t/case#2"
          reason: "it holds: the frame differs"

        """)
    var baseline = Baseline()
    try baseline.add(YAMLParser.parse(text, file: "known.yaml"), as: .failing)
    let (again, _) = try await Self.run(baseline, wrong: true)
    #expect(again.exitCode == 0)
    #expect(
      BaselineText(again).text.hasSuffix(
        text.split(separator: "\n").dropFirst().joined(separator: "\n") + "\n"))
  }
}
