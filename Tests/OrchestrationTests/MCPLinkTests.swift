import Diagnostics
import Foundation
import JSON
import ProtocolSpec
import Synchronization
import Testing
import Transport
import Wire
import YAML

@testable import Orchestration

private let patience = Duration.seconds(60)

/// An MCP server as small as can be: what it answers to a message.
private func answer(to message: JSONValue) -> JSONValue? {
  guard let id = message["id"] else { return nil }
  let result: JSONValue
  switch message["method"]?.string {
  case "initialize":
    result = [
      "protocolVersion": "2025-06-18", "capabilities": ["tools": [:]],
      "serverInfo": ["name": "small", "version": "1"],
    ]
  case "tools/list": result = ["tools": [["name": "execute_task", "inputSchema": [:]]]]
  default:
    let text = message["params"]?["arguments"]?["description"]?.string ?? ""
    result = ["content": [["type": "text", "text": .string("did \(text)")]]]
  }
  return ["jsonrpc": "2.0", "id": id, "result": result]
}

/// Links over real sockets and processes, each with an executor of its own.
@Suite("Links with executors")
struct MCPLinkTests {
  let spec: Specification
  let sink = MemorySink()

  init() throws { spec = try Specification.load() }

  /// A loop and an executor on it, both ended with the test, in this order.
  private func withExecutor<R>(
    _ loop: EventLoop, _ entry: String, _ body: (Executor) async throws -> R
  ) async throws -> R {
    let settings = Settings(
      try Configuration(
        file: .parse("mcp_servers: {openclaw: {\(entry)}}"), environment: [:], keys: spec.configuration))
    let context = ExecutorContext(
      spec: spec, log: Log(level: .debug, sink: sink), version: "1", client: HTTPClient(loop: loop),
      environment: ProcessInfo.processInfo.environment, connectTimeout: patience)
    let executor = Executor(try #require(settings.executors.first), context, seed: 1)
    await executor.start {}
    do {
      let result = try await body(executor)
      await executor.stop()
      return result
    } catch {
      await executor.stop()
      throw error
    }
  }

  private func withLoop<R>(_ body: (EventLoop) async throws -> R) async throws -> R {
    let loop = try EventLoop(name: "links")
    loop.start()
    defer { loop.stop() }
    return try await body(loop)
  }

  private func execute(_ executor: Executor, _ description: String) async throws -> String {
    try await executor.execute(["description": .string(description)], for: "id").text
  }

  private func expect(
    _ executor: Executor, _ description: String, _ result: String, _ place: SourceLocation = #_sourceLocation
  ) async throws {
    let text = try await execute(executor, description)
    #expect(text == result, sourceLocation: place)
  }

  // MARK: - WebSocket

  private func hear(_ host: WebSocketHost) async throws -> WebSocketHost.Event {
    try #require(await host.next(within: patience), "nothing came within \(patience)")
  }

  /// Serves until a guest has closed, which gives nil, or until it `isEnough` what one says.
  private func serve(
    _ host: WebSocketHost, until isEnough: (JSONValue) -> Bool = { _ in false }
  ) async throws -> WebSocketGuest? {
    while true {
      switch try await hear(host) {
      case .arrived(let guest):
        #expect(guest.request.headers["Sec-WebSocket-Protocol"] == "mcp")
        guest.accept(subprotocol: "mcp")
      case .received(let guest, .message(_, let bytes), _):
        let message = try JSONParser.parse(bytes)
        if isEnough(message) { return guest }
        if let answer = answer(to: message) { guest.send(.text, JSONWriter.bytes(answer)) }
      case .received(_, .closed, _): return nil
      case .received: break
      }
    }
  }

  @Test("over a WebSocket a task is done, and the link is closed in order")
  func webSocket() async throws {
    try await withLoop { loop in
      let host = try WebSocketHost(loop: loop)
      defer { host.close() }
      async let served = serve(host)
      try await withExecutor(loop, #"url: "ws://127.0.0.1:\#(host.port)""#) { executor in
        try await expect(executor, "this", "did this")
        #expect(executor.shown.isConnected)
      }
      #expect(try await served == nil)
    }
  }

  @Test("a connection that is lost during a call fails the call, and is made again")
  func lost() async throws {
    try await withLoop { loop in
      let host = try WebSocketHost(loop: loop)
      defer { host.close() }
      try await withExecutor(loop, #"url: "ws://127.0.0.1:\#(host.port)""#) { executor in
        async let result = execute(executor, "this")
        let guest = try #require(try await serve(host) { $0["method"] == "tools/call" })
        guest.drop(reset: true)
        do {
          _ = try await result
          Issue.record("it was done")
        } catch let failure as Executor.Failure {
          #expect(failure.cause.name == .executorUnavailable)
          #expect(failure.wasBegun)
        }
        // The end of the first comes before the second.
        while try await serve(host, until: { $0["method"] == "tools/list" }) == nil {}
      }
      #expect(sink.lines.contains { $0.contains("executor lost") })
    }
  }

  @Test("a cancelled task is told to the tool, whose late answer is of no matter")
  func cancelled() async throws {
    try await withLoop { loop in
      let host = try WebSocketHost(loop: loop)
      defer { host.close() }
      try await withExecutor(loop, #"url: "ws://127.0.0.1:\#(host.port)""#) { executor in
        let task = Task { try await execute(executor, "this") }
        let call = Mutex<JSONValue?>(nil)
        let served = try await serve(host) { message in
          guard message["method"] == "tools/call" else { return false }
          call.withLock { $0 = message }
          return true
        }
        let guest = try #require(served)
        task.cancel()
        let cancelled = Mutex<JSONValue?>(nil)
        _ = try await serve(host) { message in
          cancelled.withLock { $0 = message["params"]?["requestId"] }
          return message["method"] == "notifications/cancelled"
        }
        let message = try #require(call.withLock { $0 })
        #expect(cancelled.withLock { $0 } == message["id"])
        await #expect(throws: Executor.Failure.self) { try await task.value }
        guest.send(.text, JSONWriter.bytes(try #require(answer(to: message))))
        async let next = execute(executor, "another")
        async let closed = serve(host)
        #expect(try await next == "did another")
        guest.close()
        #expect(try await closed == nil, "it was closed")
      }
    }
  }

  @Test("whoever does not listen is unavailable at once, without a wait")
  func refused() async throws {
    try await withLoop { loop in
      let host = try WebSocketHost(loop: loop)
      host.close()
      try await withExecutor(loop, #"url: "ws://127.0.0.1:\#(host.port)""#) { executor in
        await #expect(throws: Executor.Failure.self) { try await execute(executor, "this") }
        #expect(executor.shown.failures > 0)
      }
    }
  }

  // MARK: - Programs

  private static let program = """
    read -r a; echo '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2024-11-05"}}'; read -r b; read -r c; \
    echo '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"execute_task"}]}}'; read -r d; \
    echo '{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"by a shell"}]}}'; \
    echo finished >&2; read -r e
    """

  private func entry(_ script: String) -> String {
    "command: sh, args: \(JSONWriter.text(["-c", .string(script)]))"
  }

  @Test("over standard input and output a task is done")
  func process() async throws {
    try await withLoop { loop in
      try await withExecutor(loop, entry(Self.program)) { executor in
        try await expect(executor, "this", "by a shell")
      }
    }
  }

  @Test("a program that ends is started again")
  func restarted() async throws {
    try await withLoop { loop in
      try await withExecutor(loop, entry("echo one more >&2; exit 3")) { executor in
        let end = ContinuousClock.now + patience
        while sink.lines.count(where: { $0.contains("one more") }) < 2 {
          try #require(.now < end, "it was not started again")
          await Task.yield()
        }
        await #expect(throws: Executor.Failure.self) { try await execute(executor, "this") }
      }
      #expect(sink.lines.contains { $0.contains("it ended with exit code 3") })
    }
  }

  // MARK: - HTTP

  /// What an HTTP server was asked, and the sessions it knows.
  private final class Sessions: Sendable {
    struct State {
      var begun = 0
      var isForgotten = false
      var requests: [String] = []
    }
    let state = Mutex(State())

    func serve(_ exchange: HTTPExchange, asStream: Bool) {
      let request = exchange.request
      let message = try? JSONParser.parse(request.body)
      let method = message?["method"]?.string ?? request.head.method
      let session = request.head.headers["Mcp-Session-Id"]
      let revision = request.head.headers["MCP-Protocol-Version"]
      let (isKnown, current) = state.withLock { state in
        state.requests.append("\(method) \(session ?? "-") \(revision ?? "-")")
        if method == "initialize" { state.begun += 1 }
        if method == "tools/call", state.isForgotten {
          state.isForgotten = false
          return (false, "")
        }
        return (true, "s\(state.begun)")
      }
      guard isKnown else { return exchange.respond(status: 404) }
      guard let message, let answer = answer(to: message) else { return exchange.respond(status: 202) }
      let text = JSONWriter.text(answer)
      var headers: HTTPHeaders = ["Content-Type": asStream ? "text/event-stream" : "application/json"]
      if method == "initialize" { headers.append("Mcp-Session-Id", current) }
      exchange.respond(
        status: 200, headers: headers, text: asStream ? "event: message\r\ndata: \(text)\r\n\r\n" : text)
    }
  }

  @Test(
    "over HTTP a task is done, and done again in a new session where the old one is forgotten",
    arguments: [false, true])
  func http(asStream: Bool) async throws {
    try await withLoop { loop in
      let sessions = Sessions()
      let server = HTTPServer(
        listener: try Listener(loop: loop, host: "127.0.0.1", port: 0), options: HTTPServerOptions(),
        onConnect: { _ in .serve }, handler: { sessions.serve($0, asStream: asStream) })
      server.start()
      try await withExecutor(loop, #"url: "http://127.0.0.1:\#(server.port)/mcp""#) { executor in
        try await expect(executor, "this", "did this")
        sessions.state.withLock { $0.isForgotten = true }
        try await expect(executor, "that", "did that")
      }
      await server.stop(within: .zero)
      let first = [
        "initialize - -", "notifications/initialized s1 2025-06-18", "tools/list s1 2025-06-18",
        "tools/call s1 2025-06-18", "tools/call s1 2025-06-18", "DELETE s1 2025-06-18",
      ]
      let second = [
        "initialize - -", "notifications/initialized s2 2025-06-18", "tools/list s2 2025-06-18",
        "tools/call s2 2025-06-18", "DELETE s2 2025-06-18",
      ]
      #expect(sessions.state.withLock { $0.requests } == first + second)
    }
  }

  @Test("an HTTP server that says no is quoted")
  func httpError() async throws {
    try await withLoop { loop in
      let server = HTTPServer(
        listener: try Listener(loop: loop, host: "127.0.0.1", port: 0), options: HTTPServerOptions(),
        onConnect: { _ in .serve },
        handler: { $0.respond(status: 401, text: #"{"error":{"message":"who are you?"}}"#) })
      server.start()
      try await withExecutor(loop, #"url: "http://127.0.0.1:\#(server.port)/mcp""#) { executor in
        do {
          _ = try await execute(executor, "this")
          Issue.record("it was done")
        } catch let failure as Executor.Failure {
          #expect(failure.cause.detail == "openclaw: the server answers 401: who are you?")
          #expect(!failure.wasBegun)
        }
      }
      await server.stop(within: .zero)
    }
  }
}

extension YAMLNode {
  fileprivate static func parse(_ text: String) throws -> YAMLNode {
    try YAMLParser.parse(text, file: "config.yaml")
  }
}

@Suite("Pauses and lines")
struct BackoffTests {
  @Test("pauses grow up to the cap, with full jitter")
  func backoff() {
    var backoff = Backoff(base: .milliseconds(100), cap: .seconds(1), SeededGenerator(seed: 1))
    for failures in 1...200 {
      let limit = min(Duration.seconds(1), .milliseconds(100) * (1 << min(failures - 1, 30)))
      let pause = backoff.pause(afterFailures: failures)
      #expect(pause >= .zero && pause < limit)
    }
  }

  @Test("a program fills the log only so far, and gets a new share with the time")
  func notes() {
    var budget = NoteBudget(lines: 2, window: .seconds(10))
    let begin = ContinuousClock.now
    #expect((0..<4).map { _ in budget.take(at: begin) } == [.write, .write, .last, .drop])
    #expect(budget.take(at: begin + .seconds(10)) == .write)
  }
}

@Suite("Places of executors")
struct ExecutorPlaceTests {
  @Test(
    "the forms of a place",
    arguments: [
      ("ws://a:1", nil, [], .webSocket(url: "ws://a:1")),
      ("https://a/mcp", nil, [], .http(url: "https://a/mcp")),
      ("stdio:claude mcp serve", nil, [], .program(["claude", "mcp", "serve"])),
      ("stdio", "claude", ["mcp", "serve"], .program(["claude", "mcp", "serve"])),
      ("", "claude", [], .program(["claude"])),
      ("stdio", nil, [], nil), ("stdio", nil, ["x"], nil), ("", nil, [], nil), ("stdio:", nil, [], nil),
    ] as [(String, String?, [String], ExecutorSettings.Place?)])
  func forms(url: String, command: String?, arguments: [String], expected: ExecutorSettings.Place?) {
    #expect(ExecutorSettings.Place(url: url, command: command, arguments: arguments) == expected)
  }

  @Test("arguments keep their commas and spaces in a list, and are words in a text")
  func words() {
    #expect(ConfigurationKey.words(#"["--a, b","c"]"#) == ["--a, b", "c"])
    #expect(ConfigurationKey.words("--a b") == ["--a", "b"])
    #expect(ConfigurationKey.words("") == [])
  }
}
