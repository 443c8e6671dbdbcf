import Foundation
import JSON
import Testing
import YAML

@testable import ProtocolSpec

/// The files of the embedded specification with some replaced.
func specFiles(replacing changes: [String: (String) -> String] = [:], without removed: [String] = [])
  -> SpecFiles
{
  var texts = Dictionary(EmbeddedSpec.files.map { ($0.path, $0.text) }) { first, _ in first }
  for (path, change) in changes { texts[path] = change(texts[path] ?? "") }
  for path in removed { texts[path] = nil }
  return SpecFiles(texts: texts, prefix: "Spec/")
}

func message(_ files: SpecFiles) -> String {
  do throws(SourceError) {
    _ = try Specification(files: files)
    return "no error"
  } catch {
    return error.description
  }
}

@Suite("The specification")
struct SpecificationTests {
  let spec: Specification

  init() throws { spec = try Specification.load() }

  @Test("the built-in copy is that of Spec/")
  func embedded() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    for file in EmbeddedSpec.files where file.path.hasSuffix(".yaml") {
      #expect(try String(contentsOf: root.appending(path: "Spec/\(file.path)"), encoding: .utf8) == file.text)
    }
  }

  @Test("has the methods, errors and states of the contract")
  func contents() {
    #expect(
      spec.methods.map(\.name) == [
        "cancel_task", "create_task", "get_task_status", "get_task_timeline", "list_tasks", "ping",
        "subscribe", "system_status", "unsubscribe",
      ])
    #expect(spec.errors[.taskNotFound].code == 1001)
    #expect(spec.taskStates.final == [.completed, .failed, .cancelled])
    #expect(spec.systemStates.allows(.brainstem, .normal))
    #expect(!spec.systemStates.allows(.normal, .brainstem))
    #expect(spec.limits.messageBytes == 1_048_576)
    #expect(spec.requirements["create_task.durable"]?.level == .must)
  }

  @Test("codes of the application stay out of what JSON-RPC and MCP reserve")
  func codes() {
    for error in spec.errors.all {
      // The last four are those of MCP itself.
      let isStandard = [-32700, -32600, -32601, -32602, -32603, -32002, -32020, -32021, -32022]
        .contains(error.code)
      #expect(isStandard || !(-32768 ... -32000).contains(error.code))
    }
  }

  @Test("a missing file is named")
  func missingFile() {
    #expect(
      message(specFiles(without: ["errors.yaml"]))
        == "Spec/errors.yaml:1:1: this file of the specification is missing")
  }

  @Test("an unknown key is shown with a caret and what was probably meant")
  func unknownKey() {
    let text = message(
      specFiles(replacing: ["methods/ping.yaml": { $0.replacing("bare_result:", with: "bare_reslt:") }]))
    #expect(
      text == """
        Spec/methods/ping.yaml:6:1: unknown key "bare_reslt", did you mean "bare_result"?
           6 | bare_reslt: {const: pong}
             | ^
        """)
  }

  @Test("a fault in a schema is shown where it is")
  func badSchema() {
    let text = message(
      specFiles(replacing: ["methods/ping.yaml": { $0.replacing("{type: object}", with: "{type: objekt}") }]))
    #expect(text.hasPrefix("Spec/methods/ping.yaml:4:"))
    #expect(text.contains("objekt"))
  }

  @Test(
    "what does not fit together is refused",
    arguments: [
      ("errors.yaml", "name: queue_full", "name: queue_ful", "queue_ful"),
      ("errors.yaml", "code: 1002", "code: 1001", "stands twice"),
      ("states/task.yaml", "{from: idle, to: dispatching", "{from: completed, to: idle", "final"),
      ("limits.yaml", "name: json_depth", "name: json_dept", "json_depth is missing"),
      ("limits.yaml", "value: 64,", "value: many,", "expected an integer"),
      ("methods/create_task.yaml", "level: should", "level: must", "frozen as should"),
      ("failures.yaml", "name: timeout", "name: time", "time"),
      ("protocol.yaml", "format: 1", "format: 2", "format 2 is not known"),
      ("faults/http.yaml", "class: auth", "class: autth", "autth"),
      ("faults/time.yaml", "{hang: true}", "{hang: maybe}", "one of accept, request"),
    ])
  func inconsistent(file: String, old: String, new: String, hint: String) {
    let text = message(specFiles(replacing: [file: { $0.replacing(old, with: new) }]))
    #expect(text.hasPrefix("Spec/"))
    #expect(text.contains(hint), "\(text)")
  }

  @Test("a folder without a specification is one clear error")
  func noFolder() {
    #expect(
      message(SpecFiles(directory: "/dev/null/spec"))
        == "/dev/null/spec:1:1: there is no specification here: the folder cannot be read")
  }
}

@Suite("Routing")
struct RoutingTests {
  let routing: RoutingSpec

  init() throws { routing = try Specification.load().routing }

  @Test(
    "complexity",
    arguments: [
      ("hi", 0, 50), ("list the files", 0, 30), ("LIST, show: what?", 0, 0), ("how many files", 0, 30),
      ("how much, and many", 0, 50), ("implement it", 0, 75), ("implement, implement", 0, 75),
      ("implementation", 0, 50), (String(repeating: "x", count: 51), 0, 65),
      (String(repeating: "x", count: 101), 0, 80), ("hi", 3, 65), ("hi", 6, 80),
      ("implement the design of a distributed architecture", 0, 100), ("How\t many \nfiles", 0, 30),
      ("how naïve many", 0, 50), ("naïve DESIGN", 0, 75), ("designé", 0, 50), ("", 0, 50), ("?!", 0, 50),
    ])
  func complexity(description: String, history: Int, expected: Int) {
    #expect(routing.complexity(of: description, historyCount: history) == expected)
  }

  @Test(
    "executors",
    arguments: [
      ("general", "say hi", "openclaw"), ("general", "fix the bug", "claude_code"),
      ("programming", "say hi", "claude_code"), ("24/7", "watch it", "moltworker"),
      ("24/7", "debug it", "moltworker"), ("general", "capital of France", "openclaw"),
    ])
  func executors(type: String, description: String, expected: String) {
    #expect(routing.executor(type: type, description: description) == expected)
  }
}

@Suite("Times")
struct TimestampTests {
  @Test(
    "are RFC 3339 with milliseconds",
    arguments: [
      (0, "1970-01-01T00:00:00.000Z"), (1_771_574_400_123, "2026-02-20T08:00:00.123Z"),
      (951_782_399_999, "2000-02-28T23:59:59.999Z"), (-1, "1969-12-31T23:59:59.999Z"),
    ] as [(Int64, String)])
  func text(milliseconds: Int64, expected: String) {
    #expect(Timestamp(milliseconds: milliseconds).text == expected)
  }
}
