import Conformance
import Foundation
import JSON
import ProtocolSpec
import Testing
import YAML

@Suite("Lint")
struct LintTests {
  /// What is found in a folder of these files.
  static func lint(_ files: [String: String], paths: [String] = [""]) throws -> (LintReport, folder: String) {
    let folder = FileManager.default.temporaryDirectory.appending(path: "lint-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    for (name, text) in files {
      let file = folder.appending(path: name)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    var linter = Linter()
    try linter.check(paths: paths.map { $0.isEmpty ? folder.path : folder.appending(path: $0).path })
    return (linter.report, folder.path)
  }

  /// Findings of one transcript: `error 10:5 text`.
  static func findings(_ text: String) throws -> [String] {
    try lint(["t.yaml": text]).0.findings.map {
      "\($0.severity.rawValue) \($0.source.place.line):\($0.source.place.column) \($0.source.message)"
    }
  }

  static func file(_ steps: String, more: String = "level: must") -> String {
    Kit.file(steps, more: more).replacing("[method:ping]", with: "[req:ping.object]")
  }

  @Test("what is inside the program is clean")
  func embedded() throws {
    var linter = Linter()
    try linter.checkEmbedded()
    #expect(linter.report.findings.map(\.description) == [])
    #expect(linter.report.files > 40)
  }

  @Test("all mistakes of a case are told, with place and caret")
  func allMistakes() throws {
    let text = Self.file(
      "- clint: {id: 1}\n- client: {id: {$next: int}}\n- server: {id: {$typ: int}}\n- server: {id: {$ref: x}, result: {}}",
      more: "frsh: true\nneeds: [restrat]")
    let (report, folder) = try Self.lint(["t.yaml": text])
    #expect(
      report.findings.map { "\($0.source.place.line) \($0.source.message)" } == [
        "8 unknown key \"frsh\", did you mean \"fresh\"?",
        "9 unknown capability \"restrat\", did you mean \"restart\"?",
        "11 unknown key \"clint\", did you mean \"client\"?",
        "13 unknown key \"$typ\", did you mean \"$type\"?",
        "14 unknown capture \"x\"",
      ])
    #expect(
      report.findings.first?.description == """
        \(folder)/t.yaml:8:3: unknown key "frsh", did you mean "fresh"?
           8 |   frsh: true
             |   ^
        """)
    #expect(report.verdict == "1 file, 5 errors, 0 warnings")
  }

  @Test("a broken capture is not blamed for its references")
  func brokenCapture() throws {
    let found = try Self.findings(
      Self.file("- server: {id: 1, result: {$as: x, $typ: int}}\n- server: {id: 1, result: {$ref: x}}"))
    #expect(found == ["error 10:38 unknown key \"$typ\", did you mean \"$type\"?"])
  }

  @Test(
    "what is odd is a warning",
    arguments: [
      ("- server: {id: 1, result: {a: {$as: x}}}", "10:39 the capture x is never used"),
      ("- server: {id: 1}", "10:13 any answer matches: say something of its result or error"),
      (
        "- server: {id: 1, result: {a: {$regex: '.*'}}}",
        "10:42 every text matches this pattern: {$type: string} says so"
      ),
      (
        "- server: {id: 1, result: {$oneOf: [{}, {a: 1}]}}",
        "10:43 never reached: {} before it matches all of it"
      ),
      (
        "- server: {id: 1, result: {a: {$oneOf: [{$type: string}, x, {$type: uuid}, 1]}}}",
        "10:60 never reached: {$type: string} before it matches all of it"
      ),
      (
        "- server: {id: 1, result: {a: {$oneOf: [x]}}}",
        "10:42 one alternative is no choice: write the value itself"
      ),
    ])
  func remark(_ step: String, _ expected: String) throws {
    let found = try Self.findings(Self.file(step))
    #expect(found.first == "warning \(expected)")
  }

  @Test("a case without title, requirement or rule for its fault")
  func remarks() throws {
    let text = Kit.file("- server: {id: 1, result: {}}").replacing("  title: it holds\n", with: "")
      .replacing("[method:ping]", with: "[fault:http-500]")
    #expect(
      try Self.findings(text) == [
        "warning 5:3 the case has no title: one sentence that says what holds",
        "warning 6:12 the case covers no requirement, so a failure cannot name what is broken",
        "warning 6:12 nothing is armed, so the fault cannot happen",
      ])
  }

  @Test("all mistakes of a specification are told, the reader's and the schema's")
  func specification() throws {
    var files: [String: String] = [:]
    for path in SpecFiles.embedded.paths {
      files["Spec/" + path] = try String(
        contentsOf: Self.root.appending(path: "Spec/" + path), encoding: .utf8)
    }
    files["Spec/limits.yaml"]?.replace(
      "unit: bytes, past: \"close 1009\"", with: "unt: bytes, past: \"close 1009\"")
    files["Spec/methods/ping.yaml"]?.replace("errors: []", with: "errors: [no_such]")
    let (report, folder) = try Self.lint(files)
    #expect(
      report.findings.map { $0.source.place.file.replacing(folder, with: "") } == [
        "/Spec/limits.yaml", "/Spec/methods/ping.yaml",
      ])
    #expect(report.findings.first?.source.message == "unknown key \"unt\", did you mean \"unit\"?")
    #expect(report.findings.allSatisfy { $0.severity == .error })
  }

  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  @Test("other YAML of a folder is left alone, but not what is named")
  func otherFiles() throws {
    let files = ["compose.yaml": "services: {}\n", "target.yaml": "url: tcp://a\n", "k.yaml": "cases: []\n"]
    let (all, folder) = try Self.lint(files)
    #expect(
      all.findings.map { $0.source.message } == [
        "the key \"format\" is missing",
        "an address such as ws://127.0.0.1:18765 or http://127.0.0.1:18765/mcp is expected, or stdio",
      ])
    #expect(folder.hasPrefix("/"))
    let (named, _) = try Self.lint(files, paths: ["compose.yaml", "absent.yaml"])
    #expect(named.count(.error) == 2)
  }

  @Test("GitHub's form is one line, with the characters that would end it escaped")
  func github() {
    let place = SourcePlace(file: "a,b.yaml", line: 3, column: 7)
    let finding = LintFinding(
      severity: .warning, source: SourceError(place: place, message: "50 %\nodd", sourceLine: "x"))
    #expect(finding.githubLine == "::warning file=a%2Cb.yaml,line=3,col=7::50 %25%0Aodd")
  }
}
