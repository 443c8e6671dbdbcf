import Conformance
import Foundation
import JSON
import ProtocolSpec
import Testing
import Transport
import Wire
import YAML

/// A client of one's choice, and what the runner says of it as its server.
enum JudgedClient {
  typealias Script = @Sendable (_ url: String, _ loop: EventLoop) async throws -> Void

  static func judge(
    _ steps: String, dialect: String = "raw", more: String = "play: server",
    description: ClientDescription = ClientDescription(exec: nil), within: Duration = .seconds(10),
    script: @escaping Script
  ) async throws -> CaseResult {
    let cases = try Kit.cases(Kit.file(steps, dialect: dialect, more: "level: must\n\(more)"))
    let loop = try EventLoop(name: "judge")
    loop.start()
    defer { loop.stop() }
    let host = SocketHost(try WebSocketHost(loop: loop))
    defer { host.close() }
    let children = Children()
    defer { children.killAll() }
    let runner = ClientRunner(
      spec: Kit.spec, info: Kit.info("client"), description: description, loop: loop,
      settings: PlaySettings(seed: 4021), children: children, inherited: [:], comesWithin: within)
    let client = Task { try await script("ws://127.0.0.1:\(host.port)", loop) }
    let result = await runner.run(cases, host: host)
    client.cancel()
    _ = try? await client.value
    return try #require(result.results.first)
  }

  /// Connects, says these texts, and gives everything that it hears to `heard` until it is cancelled.
  static func says(
    _ texts: String...,
    then heard: @escaping @Sendable (WebSocketClient, WebSocketClient.Event) -> Void = { _, _ in }
  ) -> Script {
    { url, loop in
      let client = try await WebSocketClient.connect(url: url, on: loop)
      for text in texts { client.send(text: text) }
      while let received = try await client.next(within: .seconds(20)) {
        heard(client, received.event)
        if case .closed = received.event { return }
      }
    }
  }
}

@Suite("the server of a client")
struct HostPlayerTests {
  private static let ping = #"{"jsonrpc":"2.0","id":"p-1","method":"ping"}"#
  private static let awaited = "- await-request: {method: ping}\n- answer: {}\n"

  @Test("a client that asks, understands and leaves has nothing to fear")
  func good() async throws {
    let result = try await JudgedClient.judge(
      Self.awaited + "- goes-on: {}", script: JudgedClient.says(Self.ping) { client, _ in client.close() })
    #expect(result.verdict == .pass, "\(String(describing: result.failure))")
  }

  @Test("what the case is not about is answered as the specification says, in the dialect of the request")
  func background() async throws {
    let result = try await JudgedClient.judge(
      Self.awaited, within: .seconds(2),
      script: JudgedClient.says(
        #"{"method":"create_task","params":{"description":"hi","wait":false}}"#,
        #"{"method":"get_task_status","params":{"task_id":"t-404"}}"#,
        #"{"jsonrpc":"2.0","id":0,"method":"get_task_status","params":{"task_id":"t-404"}}"#,
        #"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"nothing"}]"#,
        #"{"jsonrpc":"2.0","id":3,"method":"system_status"}"#, #"{"jsonrpc":"2.0","method":"ping"}"#)
    )
    #expect(result.verdict == .notApplicable)
    #expect(result.reason == "the client never asked for ping")

    let wire = try await JudgedClient.judge(
      "- await-request: {method: cancel_task}\n- answer: {}\n- client: {no: never}\n  within: 10ms",
      script: JudgedClient.says(
        #"{"method":"create_task","params":{"description":"hi","wait":false}}"#,
        #"{"method":"get_task_status","params":{"task_id":"t-404"}}"#,
        #"{"jsonrpc":"2.0","id":0,"method":"get_task_status","params":{"task_id":"t-404"}}"#,
        #"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"nothing"}]"#,
        #"{"jsonrpc":"2.0","id":4,"method":"cancel_task","params":{"task_id":"a"}}"#)
    ).failure?.wire.filter { $0.direction == .toClient }.map(\.text)
    let answers = try #require(wire).map { try JSONParser.parse($0) }
    #expect(answers.count == 5)
    #expect(answers[0]["result"]?["status"] == "idle")
    #expect(answers[1] == ["result": ["error": "Task not found"]])
    #expect(answers[2]["error"]?["code"] == 1001)
    #expect(answers[3][0] == ["jsonrpc": "2.0", "id": 1, "result": .object([:])])
    #expect(answers[3][1]?["error"]?["code"] == -32601)
    #expect(answers[4]["result"]?["state"] == "cancelled")
    #expect(answers[4]["result"]?["task_id"] == "a")
  }

  @Test(
    "a broken rule is named at the line of the step, with its requirement",
    arguments: [
      ("{", "client.json", "the text is no JSON: "), ("[]", "client.json", "the batch is empty"),
      ("7", "client.json", "the text is no request"), (#"{"id":1}"#, "client.json", "neither a request"),
      (#"{"method":1}"#, "client.json", "the method is no text"),
      (#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, "client.version", "another version"),
      (#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, "client.ids", "the id is none"),
      (
        #"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, "client.ids",
        "another request of this id waits for its answer"
      ),
      (
        #"{"method":"get_task_status","params":{"task_id":7}}"#, "client.params",
        "the params of get_task_status do not fit its schema"
      ),
      (#"{"method":"create_task"}"#, "client.params", "the params of create_task do not fit its schema"),
    ])
  func rules(_ text: String, _ requirement: String, _ message: String) async throws {
    let result = try await JudgedClient.judge(Self.awaited, script: JudgedClient.says(text))
    #expect(result.verdict == .fail)
    let failure = try #require(result.failure)
    #expect(failure.place.line == 11)
    #expect(failure.title == Kit.spec.requirements[requirement]?.text)
    #expect(failure.message.hasPrefix(message), "\(failure.message)")
    #expect(failure.message.hasSuffix("(\(requirement))"))
  }

  @Test("more requests than may be in flight are a flood")
  func flood() async throws {
    var rules = ClientRules(Kit.spec)
    for _ in 0..<Kit.spec.limits.inFlight {
      #expect(rules.check(Array(#"{"method":"ping"}"#.utf8)).breach == nil)
    }
    #expect(rules.check(Array(#"{"method":"ping"}"#.utf8)).breach?.requirement == "client.in-flight")
    rules.answered(nil)
    rules.answered(nil)
    #expect(rules.check(Array(#"{"method":"ping"}"#.utf8)).breach == nil)
  }

  @Test(
    "frames against RFC 6455 name its requirement",
    arguments: [
      ([0x81, 2, 0x7B, 0x7D] as [UInt8], "client.rfc6455-5.1"),
      ([0x81, 0x81, 0, 0, 0, 0, 0xFF], "client.rfc6455-8.1"),
    ])
  func frames(_ bytes: [UInt8], _ requirement: String) async throws {
    let result = try await JudgedClient.judge(Self.awaited) { url, loop in
      let client = try await WebSocketClient.connect(url: url, on: loop)
      client.sendRaw(bytes)
      _ = try await client.next(within: .seconds(20))
    }
    #expect(result.verdict == .fail)
    #expect(result.failure?.message.hasSuffix("(\(requirement))") == true)
  }

  @Test(
    "an answer is wrong in the way that is asked for",
    arguments: [
      ("{}", #"{"jsonrpc":"2.0","id":"7","result":{}}"#),
      ("{result: {a: 1}, with: {b: [x]}}", #"{"jsonrpc":"2.0","id":"7","result":{"a":1,"b":["x"]}}"#),
      ("{id: other-type}", #"{"jsonrpc":"2.0","id":7,"result":{}}"#),
      ("{id: foreign}", #"{"jsonrpc":"2.0","id":"no-such-request","result":{}}"#),
      ("{malformed: true}", #"{"jsonrpc":"2.0","id":"7","result":{}"#),
      ("{fragments: 1}", #"{"jsonrpc":"2.0","id":"7","result":{}}"#),
      ("{bytes: 60}", #"{"jsonrpc":"2.0","id":"7","result":{"padding":"xxxxxxxxx"}}"#),
      (
        "{error: internal_error, data: false}",
        #"{"jsonrpc":"2.0","id":"7","error":{"code":-32603,"message":"Internal error"}}"#
      ),
    ])
  func answers(_ answer: String, _ text: String) async throws {
    let (heard, tell) = AsyncStream.makeStream(of: WebSocketClient.Event.self)
    let result = try await JudgedClient.judge(
      "- await-request: {method: ping}\n- answer: \(answer)",
      script: JudgedClient.says(#"{"jsonrpc":"2.0","id":"7","method":"ping"}"#) { _, event in
        tell.yield(event)
      })
    tell.finish()
    #expect(result.verdict == .pass)
    var events = heard.makeAsyncIterator()
    #expect(await events.next() == .message(.text, Array(text.utf8)))
  }

  @Test("a request that comes too early, or again, fails the silence")
  func silence() async throws {
    let again = try await JudgedClient.judge(
      "- await-request: {method: ping}\n- quiet: {again: asked, for: 10s}",
      script: JudgedClient.says(#"{"method":"system_status"}"#, #"{"method":"ping"}"#, #"{"method":"ping"}"#))
    #expect(again.failure?.place.line == 12)
    #expect(again.failure?.message.hasPrefix("ping was asked again after ") == true)
    let other = try await JudgedClient.judge(
      "- await-request: {method: ping}\n- quiet: {methods: [cancel_task], for: 50ms}",
      script: JudgedClient.says(#"{"method":"ping"}"#, #"{"method":"ping"}"#))
    #expect(other.verdict == .pass)
  }

  @Test("a client that answers no close frame, or hangs, is seen")
  func hanging() async throws {
    let script: JudgedClient.Script = { url, loop in
      let client = try await WebSocketClient.connect(url: url, on: loop)
      client.send(text: Self.ping)
      while let received = try await client.next(within: .seconds(20)) {
        if case .message = received.event { client.shutdownWrite() }
      }
    }
    let result = try await JudgedClient.judge(
      "- await-request: {method: ping}\n- answer: {}\n- closed: {by: client, frame: true}", script: script)
    #expect(result.failure?.message == "the connection ended without a close frame: end of stream")
    let busy = try ClientDescription(YAMLKit.node("idles: false"), spec: Kit.spec)
    let hangs = try await JudgedClient.judge(
      Self.awaited + "- goes-on: {}\n  within: 50ms", description: busy, script: JudgedClient.says(Self.ping))
    #expect(hangs.failure?.message.hasPrefix("the client hangs: it asked nothing within 50ms") == true)
  }

  @Test("handshakes are looked at, refused and counted")
  func handshakes() async throws {
    let steps = """
      - connect: {headers: {X-Name: bot}}
        refused: {status: 503, headers: {Retry-After: "1"}}
      - connects: {atMost: 1, for: 10s}
      """
    let result = try await JudgedClient.judge(steps) { url, loop in
      for _ in 0..<3 {
        do throws(WebSocketClientError) {
          _ = try await WebSocketClient.connect(url: url, headers: ["X-Name": "bot"], on: loop)
        } catch .rejected(let status, let headers, _, _) {
          #expect(status == 503)
          #expect(headers["Retry-After"] == "1")
        }
      }
    }
    #expect(result.failure?.message == "2 handshakes within 10s, at most 1 are expected")
    let other = try await JudgedClient.judge(
      "- connect: {headers: {X-Name: bot}}\n  accepted: {}", script: JudgedClient.says(Self.ping))
    #expect(other.failure?.differences.first?.expected == "headers/X-Name: bot")
  }

  @Test("a tool of MCP is a method of the protocol")
  func tools() async throws {
    let (heard, tell) = AsyncStream.makeStream(of: WebSocketClient.Event.self)
    let result = try await JudgedClient.judge(
      "- await-request: {method: get_task_status}\n- answer: {error: task_not_found}",
      script: JudgedClient.says(
        #"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}"#,
        #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_task_status","arguments":{"task_id":"x"}}}"#
      ) { _, event in tell.yield(event) })
    tell.finish()
    #expect(result.verdict == .pass)
    var answers: [JSONValue] = []
    for await case .message(_, let bytes) in heard { answers.append(try JSONParser.parse(bytes)) }
    #expect(answers.first?["result"]?["protocolVersion"] == "2025-06-18")
    #expect(answers.last?["result"]?["isError"] == true)
  }

  @Test("what must be asked for fails where it is not, and is not applicable otherwise")
  func neverAsked() async throws {
    let script = JudgedClient.says(#"{"method":"ping"}"#)
    let steps = "- await-request: {method: cancel_task}\n  within: 50ms"
    let may = try await JudgedClient.judge(steps, within: .seconds(2), script: script)
    #expect(may.reason == "the client never asked for cancel_task")
    let must = try ClientDescription(YAMLKit.node("methods: [cancel_task]"), spec: Kit.spec)
    let result = try await JudgedClient.judge(
      steps, description: must, within: .seconds(2), script: script)
    #expect(result.failure?.message == "the client never asked for cancel_task, asked before: ping")
  }

  @Test("cases of the kit that play both ways hold word for word between its own two sides")
  func bothWays() async throws {
    let loop = try EventLoop(name: "both")
    loop.start()
    defer { loop.stop() }
    let cases = try FixtureSet(.embedded, folders: ["server"], spec: Kit.spec).cases
    let settings = PlaySettings(seed: 7, slack: 10)
    var count = 0
    for transcript in cases where transcript.play == .either {
      let host = SocketHost(try WebSocketHost(loop: loop))
      defer { host.close() }
      let runner = ClientRunner(
        spec: Kit.spec, info: Kit.info("client"), description: ClientDescription(exec: nil), loop: loop,
        settings: settings, children: Children(), inherited: [:])
      guard runner.inapplicable(transcript) == nil else { continue }
      count += 1
      let target = FixedTarget(url: "ws://127.0.0.1:\(host.port)")
      async let client = Player(transcript, target: target, mock: nil, loop: loop, settings: settings).play()
      let server = await runner.run([transcript], host: host).results.first
      #expect(server?.verdict == .pass, "\(transcript.id): \(String(describing: server?.failure?.message))")
      if case .failed(let failure, _) = await client { Issue.record("\(transcript.id): \(failure.message)") }
    }
    #expect(count >= 50)
  }

  private struct FixedTarget: LiveTarget {
    let url: String
    func restart(_ signal: RestartSignal) async throws(TargetProblem) -> Int? { nil }
  }
}
