import JSON
import Synchronization
import Testing
import Transport
import Wire

@testable import Conformance

/// The load generator against small servers. What is asserted are counts and lower bounds that hold
/// on any machine, however slow.
@Suite("bench: real runs")
struct BenchRunTests {
  private static func plan(
    _ peer: Peer, _ mix: String = "ping=1", _ change: (inout BenchPlan) -> Void = { _ in }
  ) throws -> BenchPlan {
    var plan = BenchPlan(url: try HTTPURL(peer.url), mix: try RequestMix(mix))
    plan.connections = 3
    // Long enough for one answer on a machine that does much else.
    plan.duration = .seconds(1)
    plan.warmup = .milliseconds(20)
    change(&plan)
    return plan
  }

  /// Answers all three methods; tasks are known by their ids.
  private static func orchestrator() -> Peer.Behaviour {
    let known = Mutex<Set<String>>([])
    return { text, _ in
      guard let request = try? JSONParser.parse(text), let id = request["id"] else { return [] }
      let result: String
      switch request["method"] {
      case "create_task":
        guard request["params"]?["wait"] == false else { return [] }
        let task = known.withLock { known in
          let task = "task-\(known.count)"
          known.insert(task)
          return task
        }
        result = #"{ "task_id" : "\#(task)", "status": "idle"}"#
      case "get_task_status":
        guard let task = request["params"]?["task_id"]?.string, known.withLock({ $0.contains(task) }) else {
          return [.text(#"{"jsonrpc":"2.0","id":\#(id),"error":{"code":1001,"message":"Task not found"}}"#)]
        }
        result = #"{"description": "task_id", "task_id":"\#(task)","state":"failed","error":"x"}"#
      default: result = "{}"
      }
      return [.text(#"{"jsonrpc":"2.0","id":\#(id),"result":\#(result)}"#)]
    }
  }

  /// Every request of the window is accounted for.
  private static func expectComplete(_ tally: BenchTally, _ place: SourceLocation = #_sourceLocation) {
    #expect(tally.sent == tally.answered + tally.failed + tally.unanswered, sourceLocation: place)
  }

  @Test("a closed loop asks and counts, on one loop or several", arguments: [1, 2])
  func closedLoop(_ loops: Int) async throws {
    let peer = try Peer()
    let result = try await Bench(
      Self.plan(peer) {
        $0.pipeline = 5
        $0.loops = loops
      }
    ).run()
    #expect(result.tally.errors == [:])
    #expect(result.exitCode == 0)
    #expect(result.tally.answered > 0)
    #expect(result.tally.answered == result.tally.sent)
    #expect(result.tally.bytesReceived > 0 && result.tally.bytesSent > 0)
    #expect(!result.isCutShort)
    Self.expectComplete(result.tally)
  }

  @Test("bare answers are known by their order, with and without an id", arguments: [true, false])
  func bare(_ echoesID: Bool) async throws {
    let peer = try Peer(behaviour: { text, _ in
      guard let id = try? JSONParser.parse(text)["id"] else { return [] }
      return [.text(echoesID ? #"{"result":"pong","id":\#(id)}"# : #"{"result": "pong"}"#)]
    })
    let result = try await Bench(
      Self.plan(peer) {
        $0.dialect = .bare
        $0.pipeline = 4
      }
    ).run()
    #expect(result.tally.errors == [:])
    #expect(result.tally.answered > 0)
    Self.expectComplete(result.tally)
  }

  @Test("a mix asks only for tasks of this run")
  func mixed() async throws {
    let peer = try Peer(behaviour: Self.orchestrator())
    let result = try await Bench(
      Self.plan(peer, "ping=2,create_task=1,get_task_status=1") { $0.pipeline = 8 }
    ).run()
    #expect(result.tally.errors == [:])
    for method in BenchMethod.allCases { #expect(result.tally.latencies[method.rawValue].count > 0) }
    Self.expectComplete(result.tally)
  }

  @Test("answers out of order are matched by their id")
  func outOfOrder() async throws {
    let held = Mutex<[String]>([])
    let peer = try Peer(behaviour: { text, _ in
      let answer =
        (try? JSONParser.parse(text)["id"]).flatMap { $0 }.map { #"{"id":\#($0),"result":{}}"# } ?? ""
      return held.withLock { held in
        held.append(answer)
        guard held.count == 3 else { return [] }
        defer { held = [] }
        return held.reversed().map(Peer.Reply.text)
      }
    })
    let result = try await Bench(
      Self.plan(peer) {
        $0.connections = 1
        $0.pipeline = 3
      }
    ).run()
    #expect(result.tally.errors == [:])
    #expect(result.tally.answered > 0)
    Self.expectComplete(result.tally)
  }

  @Test(
    "a server that answers wrongly is noticed",
    arguments: [
      (
        #"{"jsonrpc":"2.0","id":ID,"error":{"code":-32603,"message":"Internal error"}}"#,
        "ping: error -32603"
      ),
      (#"{"jsonrpc":"2.0","id":ID,"result":"pong"}"#, "ping: a wrong result"),
      (#"{"jsonrpc":"2.0","id":ID}"#, "ping: neither result nor error"),
      (#"{"id":ID,"error":"no \u0000"}"#, #"ping: error "no \u0000""#),
      (#"{"jsonrpc":"2.0","id":1,"result":{}}"#, "an answer to nothing that was asked"),
      (#"{"jsonrpc":"2.0","id":"ID","result":{}}"#, "an answer to nothing that was asked"),
      (#"{"id":null,"error":{"code":-32700}}"#, "an answer to nothing that was asked: error -32700"),
      ("pong", "an answer that is no JSON object"),
    ])
  func wrongAnswer(_ answer: String, _ kind: String) async throws {
    // The second request is answered wrongly, then the connection ends: nothing waits in vain.
    let peer = try Peer(behaviour: { text, number in
      let id = (try? JSONParser.parse(text)["id"]).flatMap { $0 }.map { "\($0)" } ?? "0"
      if number == 1 { return [.text(#"{"jsonrpc":"2.0","id":\#(id),"result":{}}"#)] }
      return [.text(answer.replacing("ID", with: id)), .close(1000)]
    })
    let result = try await Bench(
      Self.plan(peer) {
        $0.connections = 1
        $0.warmup = .zero
        $0.duration = .seconds(20)
      }
    ).run()
    #expect(
      result.tally.errors == [kind: 1, "lost connection: closed by the server with code 1000": 1])
    #expect(result.exitCode == 1)
    #expect(result.tally.lostConnections == 1)
    #expect(result.tally.answered == 1)
    #expect(result.isCutShort)
    Self.expectComplete(result.tally)
  }

  @Test("an answer given twice, and bare answers out of order")
  func twice() async throws {
    let twice = try Peer(behaviour: { text, number in
      let id = (try? JSONParser.parse(text)["id"]).flatMap { $0 }.map { "\($0)" } ?? "0"
      let answer = Peer.Reply.text(#"{"jsonrpc":"2.0","id":\#(id),"result":{}}"#)
      return number == 2 ? [answer, answer, .close(nil)] : [answer]
    })
    let result = try await Bench(
      Self.plan(twice) {
        $0.connections = 1
        $0.duration = .seconds(20)
      }
    ).run()
    #expect(result.tally.errors["an answer to nothing that was asked"] == 1)
    let swapped = try Peer(behaviour: { _, _ in [.text(#"{"result":"pong","id":1000000000}"#), .reset] })
    let bare = try await Bench(
      Self.plan(swapped) {
        $0.connections = 1
        $0.dialect = .bare
        $0.duration = .seconds(20)
      }
    ).run()
    #expect(bare.exitCode == 1)
    #expect(bare.tally.lostConnections == 1)
  }

  @Test("a connection that is cut is told, and the others go on")
  func lost() async throws {
    let first = Atomic<Bool>(true)
    let peer = try Peer(behaviour: { text, number in
      if number == 3, first.exchange(false, ordering: .relaxed) { return [.reset] }
      return Peer.wellBehaved(text, number)
    })
    let result = try await Bench(Self.plan(peer) { $0.warmup = .zero }).run()
    #expect(result.exitCode == 1)
    #expect(result.tally.lostConnections == 1)
    #expect(result.tally.unanswered == 1)
    #expect(!result.isCutShort)
    Self.expectComplete(result.tally)
  }

  @Test("nobody is there, or who is there speaks no WebSocket")
  func unreachable() async throws {
    var plan = BenchPlan(url: try HTTPURL("ws://127.0.0.1:1"), mix: try RequestMix("ping"))
    await #expect {
      try await Bench(plan).run()
    } throws: {
      "\($0)" == "ws://127.0.0.1:1 cannot be reached: connection to 127.0.0.1:1 refused"
    }
    let peer = try Peer(pages: { _ in (401, [], "no") })
    plan.url = try HTTPURL(peer.url + "/x")
    await #expect {
      try await Bench(plan).run()
    } throws: {
      "\($0)" == "\(peer.url)/x cannot be reached: the server answered 401, not 101 (RFC 6455 §4.1)"
    }
  }

  // MARK: Open loop

  @Test("an open loop sends by schedule, and a server that stalls shows in every latency")
  func stalled() async throws {
    // Nothing is answered until the last of 200 requests is there. They are due a millisecond
    // apart, so the first waits for at least 199 ms, the next for 198, and so on.
    let held = Mutex<[Peer.Reply]>([])
    let peer = try Peer(behaviour: { text, number in
      held.withLock { held in
        held += Peer.wellBehaved(text, number)
        return number == 200 ? held : []
      }
    })
    let result = try await Bench(
      Self.plan(peer) {
        $0.connections = 1
        $0.pipeline = BenchPlan.openLoopPipeline
        $0.rate = 1000
        $0.duration = .milliseconds(200)
        $0.warmup = .zero
      }
    ).run()
    #expect(result.tally.errors == [:])
    #expect(result.tally.sent == 200 && result.tally.answered == 200 && result.tally.notSent == 0)
    let latencies = result.tally.allLatencies
    #expect(latencies.longest >= 199_000_000)
    #expect(latencies.percentile(0.5) >= 99_000_000)
  }

  @Test("what a full connection holds up counts from when it was due")
  func omission() async throws {
    // One request in flight at a time, and the first answer takes 100 ms at least: the requests due
    // meanwhile have not even been sent, yet those of the first half waited for 50 ms or more.
    let peer = try Peer(delay: { number in number == 1 ? .milliseconds(100) : nil })
    let result = try await Bench(
      Self.plan(peer) {
        $0.connections = 1
        $0.pipeline = 1
        $0.rate = 1000
        $0.duration = .milliseconds(200)
        $0.warmup = .zero
      }
    ).run()
    #expect(result.tally.errors == [:])
    #expect(result.tally.sent + result.tally.notSent == 200)
    // Had nothing been sent after the stall, only the first would be there; each that was is late.
    let late = result.tally.allLatencies.count(atLeast: 50_000_000)
    #expect(late >= min(50, result.tally.answered))
    Self.expectComplete(result.tally)
  }

  @Test("requests that could not be sent are counted, those never answered too")
  func neverAnswered() async throws {
    let peer = try Peer(behaviour: { _, number in number == 2 ? [.close(1001)] : [] })
    let result = try await Bench(
      Self.plan(peer) {
        $0.connections = 1
        $0.pipeline = 2
        $0.rate = 1000
        $0.duration = .milliseconds(200)
        $0.warmup = .zero
      }
    ).run()
    #expect(result.tally.sent == 2 && result.tally.unanswered == 2)
    #expect(result.tally.lostConnections == 1)
    Self.expectComplete(result.tally)
  }

  @Test("an interruption ends the measuring, and what was measured is told")
  func interrupted() async throws {
    let begun = AsyncStream<Void>.makeStream()
    let peer = try Peer(behaviour: { text, number in
      if number == 50 { begun.continuation.yield() }
      return Peer.wellBehaved(text, number)
    })
    let bench = try Bench(
      Self.plan(peer) {
        $0.warmup = .zero
        $0.duration = .seconds(60)
      })
    async let running = bench.run()
    for await _ in begun.stream { break }
    bench.interrupt()
    let result = try await running
    #expect(result.isCutShort)
    #expect(result.tally.answered >= 50)
    #expect(result.tally.errors == [:])
  }
}
