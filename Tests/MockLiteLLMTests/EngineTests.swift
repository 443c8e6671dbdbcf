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
      guard let rule = engine.fault(for: FaceRequest(method: "GET", path: path), on: .litellm)?.rule else {
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
    let posted = engine.fault(for: FaceRequest(method: "POST", path: "/b/c"), on: .litellm)
    let direct = engine.fault(for: FaceRequest(method: "GET", path: "/b/c"), on: .direct)
    #expect(posted?.rule == nil && direct?.rule == nil)
  }

  @Test("a rule draws the same whatever stands beside it on other faces")
  func drawing() throws {
    var alone = try engine(#"{"status":500,"probability":0.3}"#, seed: 9)
    var again = try engine(#"{"status":500,"probability":0.3}"#, seed: 9)
    again.arm(try FaultRule(["status": 400, "probability": 0.5], spec: specification.get()), on: .direct)
    for _ in 0..<10 { _ = again.fault(for: FaceRequest(method: "GET", path: "/"), on: .direct) }
    let marks = run(&alone, 200)
    let marksAgain = run(&again, 200)
    #expect(marksAgain == marks)
    #expect((30...90).contains(marks.count { $0 == "5" }))
  }

  @Test("a sequence goes on with every matching request, and repeats if it is told to")
  func sequences() throws {
    var once = try engine(#"{"sequence":[{"status":500},"ok",{"status":429}]}"#)
    let marks = run(&once, 5)
    #expect(marks == "5.4..")
    #expect(once.pending.isEmpty)
    var again = try engine(#"{"sequence":[{"status":500},"ok"],"repeat":true,"after":1,"times":4}"#)
    let repeated = run(&again, 7)
    #expect(repeated == ".5.5...")
    // What a sequence serves as usual, no later rule takes.
    var ahead = try engine(#"{"sequence":["ok",{"status":500}]}"#, #"{"status":400}"#)
    let marksAhead = run(&ahead, 3)
    #expect(marksAhead == ".54")
  }

  @Test("a rule is in force from its time on, for its time")
  func windows() throws {
    var engine = try engine(#"{"status":500,"at":"2s","for":"3s"}"#)
    func status(_ seconds: Int) -> Bool {
      engine.fault(for: FaceRequest(method: "GET", path: "/"), on: .litellm, now: .seconds(seconds)) != nil
    }
    let seen = (0..<7).map(status)
    #expect(seen == [false, false, true, true, true, false, false])
    var armed = FaultEngine(seed: 1)
    let rule = try FaultRule(["status": 500, "for": "2s"], spec: specification.get())
    armed.arm(rule, on: .litellm, now: .seconds(10))
    let times = [9, 10, 11, 12].map {
      armed.fault(for: FaceRequest(method: "GET", path: "/"), on: .litellm, now: .seconds($0)) != nil
    }
    #expect(times == [false, true, true, false])
    armed.restartClock()
    let begun = armed.fault(for: FaceRequest(method: "GET", path: "/"), on: .litellm, now: .seconds(1)) != nil
    #expect(begun)
  }

  @Test("a port closes at its time on the clock")
  func closings() throws {
    var engine = try engine(#"{"refuse":true,"at":"2s","for":"3s"}"#)
    let ahead = engine.closings(on: .litellm, now: .seconds(1))
    #expect(ahead.map(\.wait) == [.seconds(1)] && ahead.map(\.lasting) == [.seconds(3)])
    #expect(engine.closings(on: .litellm, now: .seconds(1)).isEmpty)
    engine.restartClock()
    let late = engine.closings(on: .litellm, now: .seconds(4))
    #expect(late.map(\.wait) == [.zero] && late.map(\.lasting) == [.seconds(1)])
    engine.restartClock()
    #expect(engine.closings(on: .litellm, now: .seconds(9)).isEmpty)
  }

  @Test("a queue lets so many in, in their order, and all when it is opened")
  func queue() {
    let queue = AnswerQueue(limit: 2)
    var begun: [Int] = []
    for number in 1...5 { queue.enter { begun.append(number) } }
    #expect(begun == [1, 2])
    queue.leave()
    #expect(begun == [1, 2, 3])
    queue.open()
    #expect(begun == [1, 2, 3, 4, 5])
  }

  @Test(
    "rules that make no sense are refused at their member",
    arguments: [
      (#"{"sequence":[]}"#, "/sequence: a list of 1 to 10000 rules is expected"),
      (#"{"sequence":[{"status":500,"times":2}]}"#, "/sequence/0/times: no such key"),
      (#"{"sequence":["no"]}"#, "/sequence/0: a rule or ok is expected, not \"no\""),
      (#"{"sequence":[{"refuse":true}]}"#, "/sequence/0: a refused connection or a sequence cannot"),
      (#"{"status":500,"repeat":true}"#, "/repeat: repeat is for a sequence"),
      (#"{"hang":"accept"}"#, "/hang: a connection that was accepted"),
      (#"{"reset":"nowhere"}"#, "/reset: one of accept, request, status, head, body, middle is expected"),
      (#"{"stream":"odd"}"#, "/stream: one of error, malformed"),
      (#"{"status":500,"events":2}"#, "/events: events is for a stream"),
      (#"{"completion":{"txt":"a"}}"#, "/completion/txt: no such key, known are text"),
      (#"{"completion":{"tool_call":{}}}"#, "/completion/tool_call: name and arguments"),
      (#"{"jitter":2}"#, "/jitter: a number from 0.0 to 1.0 is expected"),
    ])
  func refused(text: String, message: String) throws {
    let spec = try specification.get()
    let value = try JSONParser.parse(text)
    #expect { try FaultRule(value, spec: spec) } throws: { "\($0)".hasPrefix(message) }
  }

  @Test("rules with times left are pending")
  func pending() throws {
    var engine = try engine(#"{"status":500,"times":2}"#, #"{"hang":true}"#, #"{"refuse":true,"times":1}"#)
    _ = engine.fault(for: FaceRequest(method: "GET", path: "/"), on: .litellm)
    #expect(
      engine.pending == [
        ["face": "litellm", "rule": ["status": 500, "times": 2], "left": 1],
        ["face": "litellm", "rule": ["refuse": true, "times": 1], "left": 1],
      ])
    let refusals = (0..<2).map { _ in engine.refusal(on: .litellm) }
    #expect(refusals == [.reset, nil])
  }
}
