import Conformance
import JSON
import ProtocolSpec
import Testing
import YAML

@Suite("Results")
struct ResultTests {
  /// A run with one verdict of each kind, with fixed times.
  static func sample() throws -> RunResult {
    let text =
      Kit.file(
        "- client: {id: 1, method: ping}\n- server: {id: 1, result: {}}\n  why: ping answers an object"
      )
      .replacing("covers: [method:ping]", with: "covers: [method:ping, req:ping.object]")
      + "\n- {id: other, title: another holds, covers: [error:parse_error], fresh: true, steps: [{client: 1}]}\n"
    let cases = try Kit.cases(text)
    let failed = cases[0]
    let matcher = try MatcherTests.matcher("{result: {$type: string}}")
    var bindings = Bindings()
    let failure = CaseFailure(
      place: failed.steps[1].place, title: failed.steps[1].why ?? "", level: .must,
      message: "the frame differs",
      differences: matcher.match([:], &bindings),
      wire: [
        WireEntry(
          at: .zero, direction: .toServer, connection: "a", text: #"{"jsonrpc":"2.0","id":1,"method":"ping"}"#
        ),
        WireEntry(
          at: .milliseconds(4), direction: .toClient, connection: "a", text: #"{"jsonrpc":"2.0","id":1}"#),
      ])
    let results = [
      CaseResult(
        transcript: failed, requirement: Kit.spec.requirements["ping.object"], verdict: .fail,
        duration: .microseconds(4250), reason: nil, failure: failure, remarks: []),
      CaseResult(
        transcript: cases[1], requirement: nil, verdict: .notApplicable, duration: .zero,
        reason: "needs restart, which the target does not offer", failure: nil, remarks: []),
    ]
    return RunResult(
      info: Kit.info("ws://127.0.0.1:18765", capabilities: [.bare, .jsonrpc]), results: results,
      duration: .milliseconds(4200), unreachable: nil)
  }

  @Test("a failure is printed with its diff, its wire and how to play it again")
  func block() throws {
    let run = try Self.sample()
    #expect(
      FailureText(run.info).block(run.results[0]) == """
        FAIL  t/case        Fixtures/server/t.yaml:5        MUST  Spec/methods/ping.yaml#ping.object
              ping answers an object
              line 11: the frame differs
            - result: {$type: string}
            + (absent)
              0.000 c→s  {"jsonrpc":"2.0","id":1,"method":"ping"}
              0.004 s→c  {"jsonrpc":"2.0","id":1}
              rerun: omni-conformance run --target ws://127.0.0.1:18765 --run t/case --seed 4021
        """)
    #expect(
      FailureText(run.info).block(run.results[1]) == """
        N/A  t/other        Fixtures/server/t.yaml:13        MUST
              another holds
              needs restart, which the target does not offer
        """)
  }

  @Test("counts in one line")
  func counts() throws {
    #expect(try Self.sample().counts.text == "0 passed, 1 failed, 0 set-up errors, 1 not applicable")
  }

  @Test("the file of results keeps its form")
  func document() throws {
    #expect(JSONWriter.indented(try Self.sample().document) == Self.golden)
  }

  @Test(
    "patterns select by suite and case",
    arguments: [
      ("tasks/create", "tasks/create", true), ("tasks/create", "tasks/*", true), ("tasks/create", "*", true),
      ("tasks/create-500", "*500*", true), ("tasks/create", "create", false),
      ("tasks/create", "task?/cr*e", true),
      ("tasks/create", "*a*a*a*", false), ("", "*", true), ("a", "", false),
    ])
  func patterns(_ id: String, _ pattern: String, _ expected: Bool) {
    #expect(Selection.matches(id, pattern) == expected)
  }

  @Test("what a target says is shown without what a terminal or GitHub would obey")
  func hostileTarget() throws {
    let run = try Self.sample()
    let evil = "a\u{1B}]0;title\u{7}\r::error::x\n  ::add-mask::y\u{9B}31m\u{202E}##[group]z"
    let old = run.results[0]
    let place = old.transcript.steps[1].place
    let failure = CaseFailure(
      place: place, title: "ping", level: .must, message: evil, differences: [],
      wire: [WireEntry(at: .zero, direction: .toClient, connection: "a", text: evil)], targetLines: [evil])
    let result = CaseResult(
      transcript: old.transcript, requirement: old.requirement, verdict: .fail, duration: .zero, reason: nil,
      failure: failure, remarks: [])
    let text = FailureText(run.info).block(result)
    #expect(text.contains("a\\u{1b}]0;title\\u{7}\\u{d}::error::x"))
    let isPlain = text.unicodeScalars.allSatisfy {
      $0 == "\n" || ($0.value >= 0x20 && $0.value < 0x7F) || $0 == "→"
    }
    #expect(isPlain)
    #expect(!text.contains("##["))
    let starts = text.split(separator: "\n").map { $0.drop { $0 == " " }.prefix(2) }
    #expect(starts.count > 7 && !starts.contains("::"))
  }

  @Test("a key is masked with an accent behind it")
  func maskedBehindAnAccent() {
    #expect(Masking(secrets: ["hunter22"]).masked("say hunter22\u{301}!") == "say ***\u{301}!")
  }

  @Test(
    "keys are masked wherever they stand",
    arguments: [
      ("key sk-abc123-x, done", "key sk-***, done"), ("Bearer abcd.efgh", "Bearer ***"),
      ("task-12345", "task-12345"), ("mcp.auth.secret1", "mcp.auth.***"),
      ("say hunter22 twice: hunter22", "say *** twice: ***"),
    ])
  func masking(_ text: String, _ expected: String) {
    #expect(Masking(secrets: ["hunter22", "s"]).masked(text) == expected)
  }
}
