import Synchronization
import Testing
import Transport
import Wire

/// Where messages begin and end on a real connection (RFC 9112 §6, §9).
@Suite("HTTP messages on a connection", .bothBackends)
struct HTTPMessageTests {
  /// What a server sends to these bytes until it closes, and how many requests it saw.
  private func answer(to text: String, halfCloses: Bool = false) async throws -> (text: String, seen: Int) {
    let seen = Atomic<Int>(0)
    return try await withLoop { loop in
      let handler: @Sendable (HTTPExchange) -> Void = { exchange in
        seen.wrappingAdd(1, ordering: .relaxed)
        exchange.respond(status: 200, body: exchange.request.body)
      }
      return try await withServer(loop, handler: handler) { server in
        let raw = try await RawClient.connect(server.port, on: loop)
        raw.send(text)
        if halfCloses { raw.shutdownWrite() }
        let text = String(decoding: try await raw.readToEnd(), as: UTF8.self)
        return (text, seen.load(ordering: .relaxed))
      }
    }
  }

  private static let next = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

  @Test(
    "nothing behind a request that is refused is looked at",
    arguments: [
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0;a\nb\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\n b\r\n\r\n",
      "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: b\rGET /x HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\n",
    ])
  func refused(_ text: String) async throws {
    let got = try await answer(to: text + Self.next + Self.next)
    #expect(got.text.hasPrefix("HTTP/1.1 400 "))
    #expect(got.text.ranges(of: "HTTP/1.1 ").count == 1)
    #expect(got.text.contains("\r\nConnection: close\r\n"))
    #expect(got.seen == 0)
  }

  static let lives: [(String, String, Int, String?)] = [
    ("1.1", "", 2, nil), ("1.1", "Connection: keep-alive\r\n", 2, nil),
    ("1.1", "Connection: close\r\n", 1, "close"), ("1.1", "Connection: x, CLOSE\r\n", 1, "close"),
    ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", 1, "close"),
    ("1.1", "Proxy-Connection: close\r\n", 2, nil), ("1.0", "", 1, "close"),
    ("1.0", "Connection: Keep-Alive\r\n", 2, "keep-alive"),
    ("1.0", "Connection: keep-alive, close\r\n", 1, "close"),
  ]

  @Test("how long a connection lives (RFC 9112 §9.3)", arguments: lives)
  func life(_ version: String, _ fields: String, _ answers: Int, _ said: String?) async throws {
    let request = "GET / HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n"
    let got = try await answer(to: request + "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(got.seen == answers)
    let first = got.text.prefix(upTo: got.text.firstRange(of: "\r\n\r\n")?.lowerBound ?? got.text.endIndex)
    for word in ["close", "keep-alive"] {
      #expect(first.contains("Connection: \(word)") == (word == said), "\(first)")
    }
  }

  @Test("every framing of a request, one behind the other; the half-closed end is answered")
  func framings() async throws {
    let text =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none\r\n\r\n"
      + "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\nt\r\n2\r\nwo\r\n0\r\nContent-Length: 9\r\n\r\n"
      + "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"
    let got = try await answer(to: text, halfCloses: true)
    #expect(got.seen == 3)
    let bodies = got.text.split(separator: "\r\n\r\n", omittingEmptySubsequences: false).dropFirst()
    #expect(bodies.map { $0.prefix { $0 != "H" } } == ["one", "two", ""])
  }

  @Test("a request cut short by a half-close is not served")
  func cut() async throws {
    for text in [
      "GET / HTTP/1.1\r\nHost: a\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab",
    ] {
      let got = try await answer(to: text, halfCloses: true)
      #expect(got.seen == 0)
      #expect(!got.text.contains("200"))
    }
  }

  @Test("Expect: what is too long is refused without 100, and HTTP/1.0 gets none (RFC 9110 §10.1.1)")
  func expectation() async throws {
    let long = try await answer(
      to: "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
    #expect(long.text.hasPrefix("HTTP/1.1 413 "))
    let old = try await answer(
      to: "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi")
    #expect(old.text.hasPrefix("HTTP/1.1 200 ") && old.text.hasSuffix("\r\n\r\nhi"))
    let any = try await answer(
      to:
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"
    )
    #expect(any.text.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "))
  }

  @Test(
    "a HEAD that is refused gets no body (RFC 9110 §9.3.2)",
    arguments: [
      "HEAD / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n",
      "HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    ])
  func refusedHead(_ text: String) async throws {
    let got = try await answer(to: text)
    #expect(got.text.hasPrefix("HTTP/1.1 4"))
    #expect(got.text.hasSuffix("\r\n\r\n"))
  }

  @Test("a refused upgrade that ends the connection says so (RFC 9112 §9.6)")
  func refusedUpgradeCloses() async throws {
    try await withLoop { loop in
      let handler: @Sendable (HTTPExchange) -> Void = { exchange in
        exchange.upgradeToWebSocket { _ in EchoHandler() }
      }
      try await withServer(loop, handler: handler) { server in
        let raw = try await RawClient.connect(server.port, on: loop)
        raw.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let got = String(decoding: try await raw.readToEnd(), as: UTF8.self)
        #expect(got.hasPrefix("HTTP/1.1 426 "))
        #expect(got.contains("close"))
      }
    }
  }

  // MARK: - The client

  struct Answer: Sendable, CustomTestStringConvertible {
    let name: String
    let method: String
    let text: String
    let status: Int
    let body: String
    /// Whether the next request goes over the same connection.
    let keeps: Bool
    var testDescription: String { name }
    init(
      _ name: String, _ text: String, _ status: Int, _ body: String, method: String = "GET",
      keeps: Bool = true
    ) {
      (self.name, self.method, self.text) = (name, method, text)
      (self.status, self.body, self.keeps) = (status, body, keeps)
    }
  }

  static let answers = [
    Answer("length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi"),
    Answer("chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 200, "hi"),
    Answer("ended by the connection", "HTTP/1.1 200 OK\r\n\r\nhi", 200, "hi", keeps: false),
    Answer(
      "interim answers",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
      200, ""),
    Answer("204", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
    Answer("304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, ""),
    Answer("HEAD with a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "", method: "HEAD"),
    Answer("HEAD, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, "", method: "HEAD"),
    Answer(
      "close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 200, "", keeps: false),
    Answer("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", keeps: false),
    Answer(
      "HTTP/1.0 kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", 200, ""),
    // A body where none may be would be taken for the answer to the next request.
    Answer(
      "204 with a body", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", 204, "", keeps: false),
    Answer("304 with a body", "HTTP/1.1 304 Not Modified\r\n\r\nhi", 304, "", keeps: false),
    Answer(
      "HEAD with a body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "", method: "HEAD",
      keeps: false),
    Answer(
      "an answer nobody asked for",
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", 200,
      "", keeps: false),
  ]

  @Test("where an answer ends, and whether its connection is used again (RFC 9112 §6.3)", arguments: answers)
  func answered(_ answer: Answer) async throws {
    let endsHere = answer.name == "ended by the connection"
    try await withLoop { loop in
      let remotes = Mailbox<String>()
      let handler: @Sendable (HTTPExchange) -> Void = { exchange in
        remotes.post(exchange.remote)
        guard exchange.request.head.path == "/raw" else { return exchange.respond(status: 200, text: "next") }
        exchange.writeRaw(Array(answer.text.utf8))
        if endsHere { exchange.close() } else { exchange.finish() }
      }
      try await withServer(loop, handler: handler) { server in
        let client = HTTPClient(loop: loop)
        let url = "http://127.0.0.1:\(server.port)"
        let got = try await client.send(HTTPClientRequest(method: answer.method, url: url + "/raw"))
        #expect(got.status == answer.status)
        #expect(String(decoding: got.body, as: UTF8.self) == answer.body)
        let next = try await client.send(HTTPClientRequest(url: url + "/next"))
        #expect(next.body == Array("next".utf8))
        let isSame = try await remotes.next() == remotes.next()
        #expect(isSame == answer.keeps)
      }
    }
  }

  @Test("a request names its host first (RFC 9110 §7.2)")
  func hostFirst() async throws {
    try await withLoop { loop in
      let handler: @Sendable (HTTPExchange) -> Void = { exchange in
        exchange.respond(status: 200, text: exchange.request.head.headers.map(\.name).joined(separator: " "))
      }
      try await withServer(loop, handler: handler) { server in
        let got = try await HTTPClient(loop: loop).send(
          HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/", headers: ["A": "b"]))
        #expect(got.body == Array("Host A".utf8))
      }
    }
  }

  @Test("an event stream, read as it comes (HTML Living Standard §9.2)")
  func events() async throws {
    try await withLoop { loop in
      let handler: @Sendable (HTTPExchange) -> Void = { exchange in
        exchange.begin(status: 200, headers: ["Content-Type": "text/event-stream"])
        for number in 0..<3 {
          var bytes: [UInt8] = []
          ServerSentEventEncoder.appendComment("keep-alive", to: &bytes)
          ServerSentEventEncoder.append(data: "a\n\(number)".utf8, event: "tick", id: "\(number)", to: &bytes)
          for byte in bytes { exchange.write([byte]) }
        }
        exchange.finish()
      }
      try await withServer(loop, handler: handler) { server in
        let stream = try await HTTPClient(loop: loop).stream(
          HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/"))
        var parser = ServerSentEventParser()
        var told: [ServerSentEvent] = []
        for try await piece in stream.body {
          var offset = 0
          try piece.withUnsafeBytes { bytes in
            while let event = try parser.next(bytes, &offset) {
              if case .message(let message) = event { told.append(message) }
            }
          }
        }
        #expect(told == (0..<3).map { ServerSentEvent(type: "tick", data: "a\n\($0)", lastEventID: "\($0)") })
        #expect(parser.lastEventID == "2")
      }
    }
  }
}
