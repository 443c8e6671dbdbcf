import Testing
import Transport
import Wire

/// Runs a body with a client and a server whose exchanges `handler` answers.
private func withClient(
  serving handler: @escaping @Sendable (HTTPExchange) -> Void,
  _ body: (HTTPClient, String, HTTPServer) async throws -> Void
) async throws {
  try await withLoop { loop in
    try await withServer(loop, handler: handler) { server in
      try await body(HTTPClient(loop: loop), "http://127.0.0.1:\(server.port)", server)
    }
  }
}

/// The error a call ends with.
private func failure(
  _ client: HTTPClient, _ request: HTTPClientRequest, _ deadlines: Deadlines = Deadlines()
) async -> HTTPClientError? {
  do {
    let got = try await client.send(request, deadlines: deadlines)
    Issue.record("answered \(got.status)")
    return nil
  } catch { return error }
}

/// A port on which nobody listens.
private func closedPort(_ loop: EventLoop) throws -> UInt16 {
  let listener = try Listener(loop: loop, host: "127.0.0.1", port: 0)
  defer { listener.close() }
  return listener.port
}

private let short = Duration.milliseconds(40)

@Suite("HTTP client", .bothBackends)
struct HTTPClientTests {
  @Test("sends a body and gets the answer, over one kept connection")
  func roundTrip() async throws {
    let remotes = Mailbox<String>()
    let handler: @Sendable (HTTPExchange) -> Void = { exchange in
      remotes.post(exchange.remote)
      exchange.respond(status: 201, headers: ["X": "y"], body: exchange.request.body)
    }
    try await withClient(serving: handler) { client, url, _ in
      var seen: Set<String> = []
      for size in [0, 1, 70_000, 1 << 20] {
        let body = [UInt8](repeating: 7, count: size)
        let got = try await client.send(HTTPClientRequest(method: "POST", url: url + "/p?q", body: body))
        #expect(got.status == 201)
        #expect(got.headers["x"] == "y")
        #expect(got.body == body)
        seen.insert(try await remotes.next())
      }
      #expect(seen.count == 1)
    }
  }

  @Test("chunked bodies both ways, read as they come")
  func streaming() async throws {
    let handler: @Sendable (HTTPExchange) -> Void = { exchange in
      exchange.begin(status: 200)
      for byte in exchange.request.body { exchange.write([byte]) }
      exchange.finish()
    }
    try await withClient(serving: handler) { client, url, _ in
      var request = HTTPClientRequest(method: "POST", url: url, headers: ["Transfer-Encoding": "chunked"])
      request.body = Array("3\r\nabc\r\n0\r\n\r\n".utf8)
      let stream = try await client.stream(request)
      #expect(stream.status == 200)
      var body: [UInt8] = []
      for try await piece in stream.body { body += piece }
      #expect(body == Array("abc".utf8))
    }
  }

  @Test("a reader that waits makes the server wait, and loses nothing")
  func backpressure() async throws {
    let handler: @Sendable (HTTPExchange) -> Void = { exchange in
      exchange.respond(status: 200, body: [UInt8](repeating: 1, count: 6 << 20))
    }
    try await withClient(serving: handler) { client, url, _ in
      let stream = try await client.stream(HTTPClientRequest(url: url))
      var count = 0
      for try await piece in stream.body { count += piece.count }
      #expect(count == 6 << 20)
    }
  }

  @Test("each deadline has its own error")
  func deadlines() async throws {
    let handler: @Sendable (HTTPExchange) -> Void = { exchange in
      switch exchange.request.head.target {
      case "/head": break
      case "/body":
        exchange.begin(status: 200)
        exchange.write([1])
      default:
        exchange.begin(status: 200)
        @Sendable func drip() {
          exchange.write([1])
          exchange.loop.schedule(after: .milliseconds(5), drip)
        }
        exchange.onClose {}
        drip()
      }
    }
    try await withClient(serving: handler) { client, url, _ in
      let silent = await failure(client, .init(url: url + "/head"), Deadlines(firstByte: short))
      #expect(silent == .firstByteTimeout(short))
      let stalled = await failure(client, .init(url: url + "/body"), Deadlines(idle: short))
      #expect(stalled == .idleTimeout(short))
      let endless = await failure(client, .init(url: url + "/drip"), Deadlines(total: short))
      #expect(endless == .totalTimeout(short))
    }
  }

  @Test("a connection that is not accepted times out")
  func connectTimeout() async throws {
    try await withLoop { loop in
      // A full backlog that nobody accepts from lets further SYNs go unanswered.
      let listener = try Listener(loop: loop, host: "127.0.0.1", port: 0, backlog: 0)
      defer { listener.close() }
      let client = HTTPClient(loop: loop)
      let url = "http://127.0.0.1:\(listener.port)/"
      let limit = Duration.milliseconds(300)
      var errors: [HTTPClientError?] = []
      await withTaskGroup(of: HTTPClientError?.self) { group in
        for _ in 0..<6 {
          group.addTask {
            await failure(client, .init(url: url), Deadlines(connect: limit, firstByte: .seconds(1)))
          }
        }
        for await error in group { errors.append(error) }
      }
      #expect(errors.contains(.connectTimeout(limit)))
    }
  }

  @Test("refused, reset, cut short, garbage, too large and unusable are told apart")
  func failures() async throws {
    let handler: @Sendable (HTTPExchange) -> Void = { exchange in
      switch exchange.request.head.target {
      case "/reset": exchange.reset()
      case "/close": exchange.close()
      case "/cut":
        exchange.writeRaw(Array("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab".utf8))
        exchange.close()
      case "/chunk":
        exchange.begin(status: 200)
        exchange.write([1])
        exchange.close()
      case "/garbage":
        exchange.writeRaw(Array("220 hello\r\n".utf8))
        exchange.close()
      default: exchange.respond(status: 200, body: [UInt8](repeating: 0, count: 100))
      }
    }
    try await withClient(serving: handler) { client, url, server in
      func isReset(_ path: String) async -> Bool {
        if case .reset = await failure(client, .init(url: url + path)) { true } else { false }
      }
      #expect(await isReset("/reset"))
      #expect(await isReset("/close"))
      let cut = HTTPClientError.truncated("the connection ended inside the response (RFC 9112 §8)")
      #expect(await failure(client, .init(url: url + "/cut")) == cut)
      #expect(await failure(client, .init(url: url + "/chunk")) == cut)
      let garbage = await failure(client, .init(url: url + "/garbage"))
      #expect(garbage == .badResponse("\"220 hello\" is no status line (RFC 9112 §4)"))
      var small = HTTPClientRequest(url: url)
      small.maxBodyBytes = 99
      #expect(await failure(client, small) == .tooLarge(99))
      let port = try closedPort(server.listener.loop)
      let refused = await failure(client, .init(url: "http://127.0.0.1:\(port)/"))
      #expect(refused == .refused("connection to 127.0.0.1:\(port) refused"))
      if case .badURL(let text) = await failure(client, .init(url: "https://a/")) {
        #expect(text.contains("TLS"))
      } else {
        Issue.record("https was taken")
      }
      if case .resolve = await failure(client, .init(url: "http://no-such-host.invalid/")) {
      } else {
        Issue.record("an unknown host was resolved")
      }
    }
  }

  @Test("cancelling a task closes its socket", arguments: [true, false])
  func cancellation(_ isStream: Bool) async throws {
    let began = Mailbox<Void>()
    let left = Mailbox<Void>()
    let handler: @Sendable (HTTPExchange) -> Void = { exchange in
      exchange.onClose { left.post(()) }
      if isStream { exchange.begin(status: 200) }
      began.post(())
    }
    try await withClient(serving: handler) { client, url, _ in
      let task = Task {
        if isStream {
          for try await _ in try await client.stream(HTTPClientRequest(url: url)).body {}
        } else {
          _ = try await client.send(HTTPClientRequest(url: url))
        }
      }
      try await began.next()
      task.cancel()
      try await left.next()
      await #expect(throws: HTTPClientError.cancelled) { try await task.value }
    }
  }

  @Test("a stream may be dropped as soon as it is there")
  func droppedStream() async throws {
    let handler: @Sendable (HTTPExchange) -> Void = { exchange in
      exchange.begin(status: 200)
      exchange.write([1])
    }
    try await withClient(serving: handler) { client, url, _ in
      // Whose hold is the last, the task's or the loop's, is a matter of chance.
      for _ in 0..<500 {
        let status = try await client.stream(HTTPClientRequest(url: url)).status
        #expect(status == 200)
      }
    }
  }

  @Test("a kept connection that dies is tried again only when asked")
  func retry() async throws {
    let handler: @Sendable (HTTPExchange) -> Void = { $0.respond(status: 200) }
    try await withClient(serving: handler) { client, url, server in
      _ = try await client.send(HTTPClientRequest(url: url))
      // The server ends the kept connection; the client sees that before or after it sends again.
      await server.stop(within: .zero)
      let port = server.port
      let listener = try Listener(loop: client.loop, host: "127.0.0.1", port: port)
      let second = HTTPServer(listener: listener) { $0.respond(status: 204) }
      second.start()
      var request = HTTPClientRequest(url: url)
      request.retriesOnKeptConnection = true
      let got = try await client.send(request)
      #expect(got.status == 204)
      await second.stop(within: .zero)
    }
  }

  @Test(
    "URLs",
    arguments: [
      ("http://a", "a", 80, "/"), ("http://a:81/b?c#d", "a", 81, "/b?c"), ("ws://[::1]:9?x", "::1", 9, "/?x"),
      ("HTTP://A:/", "A", 80, "/"),
    ] as [(String, String, UInt16, String)])
  func urls(_ text: String, _ host: String, _ port: UInt16, _ target: String) throws {
    let url = try HTTPURL(text)
    #expect(url.host == host && url.port == port && url.target == target)
  }

  @Test(
    "what is no URL",
    arguments: [
      "", "a", "ftp://a", "http://", "http://a:0", "http://a:99999", "http://a:x", "http://u:p@a",
      "http://a b",
      "http://[::1", "http://[::1]x", "http://a/\r\nX: y",
    ])
  func badURLs(_ text: String) {
    #expect(throws: HTTPURL.Invalid.self) { try HTTPURL(text) }
  }
}
