import Conformance
import JSON
import JSONSchema
import ProtocolSpec
import Testing
import YAML

/// Reports are functions of the file of results; what they must withstand came over a wire.
@Suite("Reports")
struct ReportTests {
  private static let hostile = #"</script><script>alert(1)</script>"><img src=x onerror=alert(1)> %25,:#\"#

  /// A run of one passed, one failed, one not applicable and one expected to fail.
  static func document(_ edit: (inout JSONObject) -> Void = { _ in }) throws -> JSONValue {
    let text = #"""
      {"format": 1,
       "run": {"version": "1.0.0", "revision": "1.0", "profile": "reference", "target": "ws://127.0.0.1:18765",
        "seed": 7, "slack": 1, "capabilities": ["bare"], "duration_ms": 1500, "exit_code": 1,
        "rerun": "omni-conformance run --target ws://127.0.0.1:18765"},
       "counts": {"pass": 1, "fail": 1, "setup-error": 0, "not-applicable": 1, "not-testable": 0},
       "sets": [{"name": "1.0", "level": "must", "held": 0, "broken": 1, "total": 2}],
       "requirements": [
        {"id": "ping.object", "level": "must", "text": "An object is answered.",
         "file": "Spec/methods/ping.yaml", "line": 4, "sets": ["1.0"], "status": "broken", "cases": ["t/bad"]}],
       "cases": [GOOD, BAD, SKIPPED, KNOWN]}
      """#
    let failure = #"""
      "requirement": {"id": "ping.object", "level": "must", "file": "Spec/methods/ping.yaml"},
      "failure": {"file": "Fixtures/server/t.yaml", "line": 11, "title": "it holds", "level": "must",
       "message": "the frame differs",
       "diff": [{"path": "/result", "expected": "result: {}", "got": "HOSTILE"}],
       "wire": [
        {"at_ms": 0.5, "direction": "client", "connection": "a", "text": "{\"id\":1,\"method\":\"ping\"}"},
        {"at_ms": 300, "direction": "server", "connection": "a", "text": "HOSTILE"}]},
      "trace": {"steps": [
       {"line": 11, "what": "the server answers", "began_ms": 1, "took_ms": 301, "within_ms": 2000}]}
      """#
    let whole =
      text
      .replacing("GOOD", with: entry("good", "pass"))
      .replacing("BAD", with: entry("bad", "fail", milliseconds: 302, more: failure))
      .replacing(
        "SKIPPED",
        with: entry(
          "skipped", "not-applicable", more: #""reason": "needs faults, which the target does not offer""#)
      )
      .replacing(
        "KNOWN",
        with: entry(
          "known", "expected-failure",
          more: #""known": {"list": "failing", "reason": "work is under way"}"#)
      )
      .replacing("\"HOSTILE\"", with: JSONWriter.text(.string(hostile)))
    guard case .object(var document) = try JSONParser.parse([UInt8](whole.utf8)) else {
      throw ReportError("the sample is no object")
    }
    edit(&document)
    return .object(document)
  }

  private static func entry(
    _ name: String, _ verdict: String, milliseconds: Int = 2, more: String = #""reason": """#
  ) -> String {
    #"""
    {"id": "t/\#(name)", "suite": "t", "title": "it is \#(name)", "file": "Fixtures/server/t.yaml", "line": 5,
     "level": "must", "covers": ["req:ping.object"], "verdict": "\#(verdict)", "duration_ms": \#(milliseconds),
     \#(more)}
    """#
  }

  private static func cases(_ verdicts: [(name: String, verdict: String, milliseconds: Int)]) throws
    -> RunReport
  {
    let failure = #"""
      "failure": {"file": "f", "line": 1, "title": "t", "level": "must", "message": "it differs", "diff": [], "wire": []}
      """#
    let cases = verdicts.map { name, verdict, milliseconds in
      entry(
        name, verdict, milliseconds: milliseconds, more: verdict == "fail" ? failure : #""reason": """#)
    }
    let list = try JSONParser.parse([UInt8]("[\(cases.joined(separator: ","))]".utf8))
    return try RunReport(document { $0["cases"] = list })
  }

  // MARK: The file of results

  /// The schema with nothing beside what it names.
  private static func strict(_ schema: JSONValue) -> JSONValue {
    switch schema {
    case .object(let object):
      var members = JSONObject(object.map { ($0.key, strict($0.value)) })
      if object["type"] == "object", object.contains("properties") { members["additionalProperties"] = false }
      return .object(members)
    case .array(let elements): return .array(elements.map(strict))
    default: return schema
    }
  }

  @Test("the published schema names every member that a run writes")
  func schema() throws {
    let schema = try JSONSchema(Self.strict(RunReport.schema()))
    var run = try ResultTests.sample()
    run.asked = AskedRequirements(Kit.spec, cases: run.results.map(\.transcript))
    #expect(schema.validate(run.document).map(\.description) == [])
    #expect(try schema.validate(Self.document()).map(\.description) == [])
  }

  @Test("the steps and frames of passing cases are kept when asked for, those of failures always")
  func traces() async throws {
    let text = Kit.file("- client: {id: 1, method: ping}\n- server: {id: 1, result: {}}")
    let peer = try Peer()
    let plain = try await Kit.run(text, against: peer.url)
    #expect(plain.results[0].trace == nil)
    let full = try await Kit.run(text, against: peer.url, traces: .all)
    let trace = try #require(full.results[0].trace)
    #expect(trace.steps.map(\.what) == ["the client sends a message", "the server answers"])
    #expect(trace.steps.map(\.within) == [nil, .seconds(20)])
    #expect(trace.wire.prefix(2).map(\.direction) == [.toServer, .toClient])
    let schema = try JSONSchema(Self.strict(RunReport.schema()))
    #expect(schema.validate(full.document).map(\.description) == [])

    let wrong = try Peer(behaviour: Peer.answers([.text(#"{"jsonrpc":"2.0","id":1,"result":"pong"}"#)]))
    let failed = try await Kit.run(text, against: wrong.url)
    #expect(failed.results[0].trace?.steps.map(\.place.line) == [10, 11])
    #expect(failed.results[0].trace?.wire == [])
    #expect(failed.results[0].failure?.wire.count == 2)
    #expect(schema.validate(failed.document).map(\.description) == [])
  }

  @Test("what is no file of results is refused with the place")
  func refusal() throws {
    let broken = try Self.document { $0["cases"] = [["id": "t/bad"]] }
    let error = #expect(throws: ReportError.self) { try RunReport(broken) }
    #expect(error?.description.hasPrefix("no results of a run: /cases/0") == true)
  }

  // MARK: Sets

  @Test("a requirement holds when every case that covers it passes")
  func scores() throws {
    let text = """
      format: 1
      suite: t
      dialect: jsonrpc
      cases:
      - {id: a, covers: [req:ping.object], steps: [{client: 1}]}
      - {id: b, covers: [req:ping.object, req:ping.bare], steps: [{client: 1}]}
      - {id: c, covers: [req:ping.bare], steps: [{client: 1}]}
      """
    let cases = try Kit.cases(text)
    func statuses(_ verdicts: [Verdict]) -> [String: RequirementStatus] {
      let results = zip(cases, verdicts).map { transcript, verdict in
        CaseResult(
          transcript: transcript, requirement: nil, verdict: verdict, duration: .zero, reason: nil,
          failure: nil, remarks: [])
      }
      var run = RunResult(
        info: Kit.info("ws://h"), results: results, duration: .zero, unreachable: nil)
      run.asked = AskedRequirements(Kit.spec, cases: cases)
      return Dictionary(uniqueKeysWithValues: zip(run.asked.entries.map(\.requirement.id), run.statuses))
    }
    #expect(statuses([.pass, .pass, .pass]) == ["ping.object": .held, "ping.bare": .held])
    #expect(statuses([.pass, .pass, .notApplicable]) == ["ping.object": .held, "ping.bare": .open])
    #expect(statuses([.pass, .pass]) == ["ping.object": .held, "ping.bare": .open])
    #expect(statuses([.fail, .pass, .pass]) == ["ping.object": .broken, "ping.bare": .held])
    #expect(statuses([.pass, .expectedFailure, .pass]) == ["ping.object": .broken, "ping.bare": .broken])
    #expect(statuses([.pass, .setupError, .pass]) == ["ping.object": .open, "ping.bare": .open])
    // Three cases say nothing about a set of a hundred.
    #expect(AskedRequirements(Kit.spec, cases: cases).sets.isEmpty)
  }

  @Test("the transcripts of the kit judge the whole frozen set")
  func frozenSet() throws {
    let cases = try FixtureSet(.embedded, folders: ["server"], spec: Kit.spec).cases
    let asked = AskedRequirements(Kit.spec, cases: cases)
    let set = try #require(asked.sets.first { $0.name == "1.0" })
    let covered = Set(asked.entries.filter { !$0.cases.isEmpty }.map(\.requirement.id))
    #expect(set.ids.filter { !covered.contains($0) } == [])
  }

  // MARK: Formats

  @Test("JUnit has a suite for each file, with what failed as text")
  func junit() throws {
    #expect(try ReportFormat.junit.text(of: Self.document()) == Self.junit)
  }

  @Test("TAP 14 says the same with YAML")
  func tap() throws {
    #expect(try ReportFormat.tap.text(of: Self.document()) == Self.tap)
  }

  @Test("annotations stand on the line of the transcript, and no text of a wire begins a command")
  func github() throws {
    let document = try Self.document { document in
      document["cases"] = document["cases"]?.replacing("got", with: "\n::error::taken\r")
    }
    let text = try ReportFormat.github.text(of: document)
    let lines = text.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(
      lines[0].hasPrefix(
        "::error file=Fixtures/server/t.yaml,line=11,title=t/bad::Fixtures/server/t.yaml:11%0Ait holds%0A"))
    #expect(lines[0].contains("%0A+ %0A::error::taken%0D%0AMUST ping.object: An object is answered.%0A"))
    #expect(
      lines[1]
        == "::warning file=Fixtures/server/t.yaml,line=5,title=t/known::known to be failing: work is under way"
    )
  }

  @Test("a badge names the set, the level and the score")
  func badge() throws {
    let text = try ReportFormat.badge.text(of: Self.document())
    #expect(text.contains("<title>omni 1.0: MUST 0/2</title>"))
    #expect(text.contains(##"fill="#b3261e""##))
    let whole = try ReportFormat.badge.text(
      of: Self.document {
        $0["sets"] = [["name": "1.0", "level": "must", "held": 2, "broken": 0, "total": 2]]
      })
    #expect(whole.contains("<title>omni 1.0: MUST 2/2</title>"))
    #expect(whole.contains(##"fill="#1a7f37""##))
  }

  @Test("a run is summed up in words")
  func markdown() throws {
    let text = try ReportFormat.markdown.text(of: Self.document())
    #expect(text.hasPrefix("## `ws://127.0.0.1:18765`: 1 of 3 cases fails\n"))
    #expect(text.contains("It breaks this: “An object is answered.”"))
    #expect(!text.contains("<script"))
    #expect(text.contains("    omni-conformance run --target ws://127.0.0.1:18765 --run t/bad --seed 7\n"))
  }

  @Test("JSON is the file of results as it was")
  func json() throws {
    let document = try Self.document { $0["later"] = "kept" }
    #expect(try JSONParser.parse([UInt8](ReportFormat.json.text(of: document).utf8)) == document)
  }

  @Test("the page shows hostile texts as text, and asks for nothing from elsewhere")
  func page() throws {
    var extras = ReportFormat.Extras()
    extras.old = try RunReport(Self.document())
    let text = try ReportFormat.html.text(of: Self.document(), extras)
    // Its own two.
    #expect(text.components(of: "<script").count == 3)
    #expect(!text.contains("<img"))
    #expect(text.contains("&lt;/script&gt;&lt;script&gt;alert(1)"))
    #expect(text.contains("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"))
    for outside in ["src=", "url(", "@import", "http://", "https://"] {
      #expect(!text.replacing("src=x", with: "").contains(outside), "\(outside)")
    }
    for id in ["t/good", "t/bad", "t/skipped", "t/known"] { #expect(text.contains("id=\"\(id)\"")) }
    #expect(text.contains("id=\"req:ping.object\""))
    #expect(text.contains("<h1 id=\"verdict\">1 of 3 cases fails</h1>"))
    #expect(text.contains("301ms of 2s"))
  }

  @Test("the page draws what coverage says, coloured by how the cases went")
  func heatMap() throws {
    var extras = ReportFormat.Extras()
    extras.coverage = [
      "sections": [
        [
          "name": "methods", "title": "Methods", "rows": ["ping"],
          "columns": ["answered", "refused", "late"],
          "cells": [
            [
              "id": "m", "row": "ping", "column": "answered", "mark": "covered",
              "cases": ["t/good", "t/bad"],
            ],
            [
              "id": "n", "row": "ping", "column": "refused", "mark": "excluded", "cases": [],
              "reason": "no <way>",
            ],
          ],
        ]
      ]
    ]
    extras.sources = "https://host/blob/main/"
    let text = try ReportFormat.html.text(of: Self.document(), extras)
    #expect(text.contains("<td class=\"bad\" title=\"t/good\nt/bad\">2<span"))
    #expect(text.contains("<td class=\"excluded\" title=\"excluded: no &lt;way&gt;\">"))
    #expect(text.contains("<td class=\"off\"></td>"))
    #expect(text.contains("href=\"https://host/blob/main/Fixtures/server/t.yaml#L11\""))
  }

  // MARK: Two runs

  @Test("two runs are compared case by case")
  func comparison() throws {
    let old = try Self.cases([
      ("a", "pass", 10), ("b", "fail", 10), ("c", "fail", 10), ("d", "pass", 10), ("e", "pass", 10),
      ("f", "pass", 10), ("g", "pass", 400),
    ])
    let new = try Self.cases([
      ("a", "fail", 10), ("b", "pass", 900), ("c", "fail", 10), ("d", "not-applicable", 0),
      ("f", "pass", 210),
      ("g", "pass", 500), ("h", "pass", 10),
    ])
    let comparison = RunComparison(old: old, new: new)
    #expect(comparison.newlyFailing.map(\.new.id) == ["t/a"])
    #expect(comparison.fixed.map(\.new.id) == ["t/b"])
    #expect(comparison.stillFailing.map(\.new.id) == ["t/c"])
    #expect(comparison.changed.map(\.new.id) == ["t/d"])
    #expect(comparison.gone.map(\.id) == ["t/e"])
    #expect(comparison.added.map(\.id) == ["t/h"])
    #expect(comparison.slower.map(\.slowdown) == [200])
    #expect(
      comparison.text
        == "1 newly failing, 1 fixed, 1 still failing, 1 otherwise changed, 1 new, 1 gone, 1 slower")
    #expect(RunComparison(old: old, new: old).text == "2 still failing")
    let good = try Self.cases([("a", "pass", 10)])
    #expect(RunComparison(old: good, new: good).text == "nothing has changed")
  }
}

extension JSONValue {
  /// With another text for every member of this name.
  fileprivate func replacing(_ name: String, with text: String) -> JSONValue {
    switch self {
    case .object(let object):
      .object(
        JSONObject(
          object.map { ($0.key, $0.key == name ? .string(text) : $0.value.replacing(name, with: text)) }))
    case .array(let elements): .array(elements.map { $0.replacing(name, with: text) })
    default: self
    }
  }
}

extension String {
  fileprivate func components(of text: String) -> [Substring] {
    split(separator: text, omittingEmptySubsequences: false)
  }
}
