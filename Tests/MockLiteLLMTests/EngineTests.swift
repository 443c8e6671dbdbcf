import JSON
import ProtocolSpec
import Testing

@testable import mock_litellm

@Suite("the fault engine")
struct EngineTests {
  private func engine(_ rules: String..., seed: UInt64 = 1) throws -> FaultEngine {
    var engine = FaultEngine(seed: seed)
    let spec = try specification.get()
    for text in rules { engine.arm(try FaultRule(JSONParser.parse(text), spec: spec), on: .litellm) }
    return engine
  }

  private func run(_ engine: inout FaultEngine, _ count: Int, path: String = "/a") -> String {
    var marks = ""
    for _ in 0..<count {
      guard let rule = engine.fault(method: "GET", path: path, on: .litellm) else {
        marks += "."
        continue
      }
      guard case .answer(let status, _, _, _) = rule.action else {
        marks += "?"
        continue
      }
      marks += String(status / 100)
    }
    return marks
  }

  @Test("rules happen in order, each as often as told")
  func order() throws {
    var engine = try engine(#"{"status":500,"times":2}"#, #"{"status":429,"times":1}"#)
    let marks = run(&engine, 5)
    #expect(marks == "554..")
    #expect(engine.pending.isEmpty)
  }

  @Test("after lets matching requests pass first")
  func after() throws {
    var engine = try engine(#"{"status":500,"after":2,"times":1}"#)
    let marks = run(&engine, 5)
    #expect(marks == "..5..")
  }

  @Test("a request that a rule took does not count for the after of the next")
  func afterBehindAnother() throws {
    var engine = try engine(#"{"status":500,"times":1}"#, #"{"status":400,"after":1,"times":1}"#)
    let marks = run(&engine, 4)
    #expect(marks == "5.4.")
  }

  @Test("only matching requests are met, and other faces never")
  func matching() throws {
    var engine = try engine(#"{"on":"GET /b/*","status":500}"#)
    let marks = run(&engine, 2) + run(&engine, 2, path: "/b/c")
    #expect(marks == "..55")
    let posted = engine.fault(method: "POST", path: "/b/c", on: .litellm)
    let direct = engine.fault(method: "GET", path: "/b/c", on: .direct)
    #expect(posted == nil && direct == nil)
  }

  @Test("a rule draws the same whatever stands beside it on other faces")
  func drawing() throws {
    var alone = try engine(#"{"status":500,"probability":0.3}"#, seed: 9)
    var again = try engine(#"{"status":500,"probability":0.3}"#, seed: 9)
    again.arm(try FaultRule(["status": 400, "probability": 0.5], spec: specification.get()), on: .direct)
    for _ in 0..<10 { _ = again.fault(method: "GET", path: "/", on: .direct) }
    let marks = run(&alone, 200)
    let marksAgain = run(&again, 200)
    #expect(marksAgain == marks)
    #expect((30...90).contains(marks.count { $0 == "5" }))
  }

  @Test("rules with times left are pending")
  func pending() throws {
    var engine = try engine(#"{"status":500,"times":2}"#, #"{"hang":true}"#, #"{"refuse":true,"times":1}"#)
    _ = engine.fault(method: "GET", path: "/", on: .litellm)
    #expect(
      engine.pending == [
        ["face": "litellm", "rule": ["status": 500, "times": 2], "left": 1],
        ["face": "litellm", "rule": ["refuse": true, "times": 1], "left": 1],
      ])
    let refusals = (0..<2).map { _ in engine.refusesConnection(on: .litellm) }
    #expect(refusals == [true, false])
  }
}
