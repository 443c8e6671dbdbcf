import Synchronization
import Testing
import Transport
import Wire

/// Answers with the method, the target and the body.
private let reflect: @Sendable (HTTPExchange) -> Void = { exchange in
  let request = exchange.request
  exchange.respond(
    status: 200,
    text: "\(request.head.method) \(request.head.target) \(String(decoding: request.body, as: UTF8.self))")
}

/// What a server sends to these bytes until it closes.
private func answer(
  to text: String, options: HTTPServerOptions = HTTPServerOptions(),
  handler: @escaping @Sendable (HTTPExchange) -> Void = reflect
) async throws -> String {
  try await withLoop { loop in
    try await withServer(loop, options: options, handler: handler) { server in
      let raw = try await RawClient.connect(server.port, on: loop)
      raw.send(text)
      return String(decoding: try await raw.readToEnd(), as: UTF8.self)
    }
  }
}

private func statuses(_ text: String) -> [String] {
  text.ranges(of: "HTTP/1.1 ").map { String(text[$0.upperBound...].prefix(3)) }
}

@Suite("HTTP server", .bothBackends)
struct HTTPServerTests {
  @Test("pipelined requests are answered in order, also when the answers come late")
  func pipelining() async throws {
    let text =
      (0..<5).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined()
      + "POST /5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"
    let got = try await answer(to: text) { exchange in
      if exchange.request.head.target == "/1" || exchange.request.head.target == "/4" {
        exchange.loop.schedule(after: .milliseconds(10)) { reflect(exchange) }
      } else {
        reflect(exchange)
      }
    }
    #expect(statuses(got) == Array(repeating: "200", count: 6))
    let bodies = got.split(separator: "\r\n\r\n").dropFirst().map { $0.prefix { $0 != "H" } }
    #expect(bodies.joined() == "GET /0 GET /1 GET /2 GET /3 GET /4 POST /5 hi")
    #expect(got.contains("Connection: close"))
  }

  @Test(
    "refuses and closes",
    arguments: [
      ("GET / HTTP/1.1\r\n\r\n", "400"), ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", "505"),
      ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", "413"),
      ("POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\nx", "417"),
      ("GET /" + String(repeating: "a", count: 17_000), "414"),
      ("GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 17_000), "431"),
    ])
  func refuses(_ text: String, _ status: String) async throws {
    let got = try await answer(to: text)
    #expect(statuses(got) == [status])
    #expect(got.contains("Connection: close\r\n"))
  }

  @Test(
    "an incomplete head or body is answered 408 in time",
    arguments: [
      ("GET / HT", "head"), ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", "body"),
      ("", "head"),
    ])
  func late(_ text: String, _ part: String) async throws {
    var options = HTTPServerOptions()
    options.headTime = .milliseconds(40)
    options.bodyTime = .milliseconds(40)
    let got = try await answer(to: text, options: options)
    #expect(statuses(got) == ["408"])
    #expect(got.contains("request \(part) within"))
  }

  @Test(
    "a head has its time once, however often a byte of it comes",
    arguments: ["", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"])
  func drip(_ before: String) async throws {
    var patient = HTTPServerOptions()
    patient.headTime = .milliseconds(100)
    let options = patient
    try await withLoop { loop in
      try await withServer(loop, options: options, handler: reflect) { server in
        let raw = try await RawClient.connect(server.port, on: loop)
        raw.send(before)
        let dripping = Task {
          while !Task.isCancelled {
            raw.send("x")
            try await Task.sleep(for: .milliseconds(5))
          }
        }
        let got = String(decoding: try await raw.readToEnd(), as: UTF8.self)
        dripping.cancel()
        #expect(statuses(got).last == "408")
      }
    }
  }

  @Test("an idle connection is closed without a word")
  func idle() async throws {
    var options = HTTPServerOptions()
    options.idleTime = .milliseconds(40)
    #expect(statuses(try await answer(to: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", options: options)) == ["200"])
  }

  @Test("Expect: 100-continue is answered before the body")
  func expectation() async throws {
    try await withLoop { loop in
      try await withServer(loop, handler: reflect) { server in
        let raw = try await RawClient.connect(server.port, on: loop)
        raw.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        let interim = try await raw.read(until: "\r\n\r\n")
        #expect(interim == "HTTP/1.1 100 Continue\r\n\r\n")
        raw.send("hi")
        let rest = try await raw.read(until: "POST / hi")
        #expect(rest.hasPrefix("HTTP/1.1 200 OK\r\n"))
      }
    }
  }

  @Test("who asks without reading is not answered further, until it reads", arguments: [true, false])
  func slowReader(_ halfCloses: Bool) async throws {
    let count = 4000
    let answered = Atomic<Int>(0)
    let text = String(repeating: "x", count: 10_000)
    try await withLoop { loop in
      try await withServer(
        loop,
        handler: { exchange in
          answered.wrappingAdd(1, ordering: .relaxed)
          exchange.respond(status: 200, text: text)
        }
      ) { server in
        let raw = try await RawClient.connect(server.port, on: loop)
        raw.pause()
        raw.send(String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: count - 1))
        raw.send("GET / HTTP/1.1\r\nHost: a\r\n\(halfCloses ? "" : "Connection: close\r\n")\r\n")
        if halfCloses { raw.shutdownWrite() }
        // Another client is served as often as it takes for the server to have read all it reads.
        let client = HTTPClient(loop: loop)
        for _ in 0..<50 {
          let got = try await client.send(HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/"))
          #expect(got.status == 200)
        }
        #expect(answered.load(ordering: .relaxed) < count)
        raw.resume()
        let got = String(decoding: try await raw.readToEnd(), as: UTF8.self)
        #expect(statuses(got).count == count)
      }
    }
  }

  @Test("HEAD, 204 and HTTP/1.0")
  func special() async throws {
    let got = try await answer(
      to: "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\nGET /old HTTP/1.0\r\n\r\n"
    ) { exchange in
      if exchange.request.head.target == "/none" { exchange.respond(status: 204) } else { reflect(exchange) }
    }
    #expect(statuses(got) == ["200", "204", "200"])
    #expect(got.contains("Content-Length: 8\r\n"))
    #expect(got.hasSuffix("GET /old "))
    #expect(got.components("Content-Length") == 2)
    #expect(got.components("Date: ") == 3)
  }

  @Test("a stream is chunked in HTTP/1.1 and ends with the connection in 1.0")
  func streaming() async throws {
    let stream: @Sendable (HTTPExchange) -> Void = { exchange in
      exchange.begin(status: 200, headers: ["Content-Type": "text/event-stream"])
      exchange.write(Array("data: 1\n\n".utf8))
      exchange.loop.schedule(after: .milliseconds(5)) {
        exchange.write([])
        exchange.write(Array("data: 2\n\n".utf8))
        exchange.finish()
      }
    }
    let new = try await answer(to: "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", handler: stream)
    #expect(new.hasSuffix("\r\n\r\n9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n"))
    let old = try await answer(to: "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", handler: stream)
    #expect(old.hasSuffix("\r\n\r\ndata: 1\n\ndata: 2\n\n"))
    #expect(old.contains("Connection: close"))
  }

  @Test("a client that half-closes is answered; one that leaves is noticed")
  func leaving() async throws {
    let left = Mailbox<String>()
    try await withLoop { loop in
      try await withServer(
        loop,
        handler: { exchange in
          exchange.onClose {
            left.post(exchange.request.head.target)
            exchange.respond(status: 200, text: "late")
          }
        }
      ) { server in
        let half = try await RawClient.connect(server.port, on: loop)
        half.send("GET /half HTTP/1.1\r\nHost: a\r\n\r\n")
        half.shutdownWrite()
        #expect(try await left.next() == "/half")
        let got = String(decoding: try await half.readToEnd(), as: UTF8.self)
        #expect(got.hasSuffix("late"))
        let gone = try await RawClient.connect(server.port, on: loop)
        gone.send("GET /gone HTTP/1.1\r\nHost: a\r\n\r\n")
        loop.schedule(after: .milliseconds(30)) { gone.reset() }
        #expect(try await left.next() == "/gone")
      }
    }
  }

  @Test("the end of an answer is told once with its status, however it ends")
  func ends() async throws {
    let ended = Mailbox<String>()
    try await withLoop { loop in
      try await withServer(
        loop,
        handler: { exchange in
          let target = exchange.request.head.target
          let tell: @Sendable (Int?) -> Void = { ended.post("\(target) \($0.map(String.init) ?? "none")") }
          exchange.onEnd(tell)
          switch target {
          case "/whole": exchange.respond(status: 201, text: "x")
          case "/reset": exchange.reset()
          default:
            exchange.begin(status: 200)
            exchange.write([1])
            if target == "/cut" { exchange.close() } else { exchange.finish() }
          }
          exchange.onEnd(tell)
        }
      ) { server in
        for (target, status) in [("whole", "201"), ("stream", "200"), ("cut", "200"), ("reset", "none")] {
          let raw = try await RawClient.connect(server.port, on: loop)
          raw.send("GET /\(target) HTTP/1.1\r\nHost: a\r\n\r\n")
          for _ in 0..<2 { #expect(try await ended.next() == "/\(target) \(status)") }
          raw.reset()
        }
      }
    }
  }

  @Test("raw bytes, early close and reset for faults")
  func faults() async throws {
    let raw = try await answer(to: "GET / HTTP/1.1\r\nHost: a\r\n\r\n") { exchange in
      exchange.writeRaw(Array("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab".utf8))
      exchange.close()
    }
    #expect(raw == "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
    #expect(try await answer(to: "GET / HTTP/1.1\r\nHost: a\r\n\r\n") { $0.reset() } == "")
  }

  @Test("past the connection limit 503, and the hook may refuse or reset")
  func connectionLimit() async throws {
    try await withLoop { loop in
      var options = HTTPServerOptions()
      options.maxConnections = 1
      options.retryAfter = 7
      try await withServer(loop, options: options, handler: reflect) { server in
        let first = try await RawClient.connect(server.port, on: loop)
        first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try await first.read(until: "GET / ")
        let second = try await RawClient.connect(server.port, on: loop)
        let refused = String(decoding: try await second.readToEnd(), as: UTF8.self)
        #expect(statuses(refused) == ["503"])
        #expect(refused.contains("Retry-After: 7\r\n"))
        #expect(server.connectionCount >= 1)
      }
      try await withServer(loop, onConnect: { $0.number == 1 ? .reset : .refuse }, handler: reflect) {
        server in
        let client = HTTPClient(loop: loop)
        let error = await #expect(throws: HTTPClientError.self) {
          try await client.send(HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/"))
        }
        guard case .reset = error else {
          Issue.record("\(String(describing: error))")
          return
        }
        let second = try await RawClient.connect(server.port, on: loop)
        let refused = String(decoding: try await second.readToEnd(), as: UTF8.self)
        #expect(statuses(refused) == ["503"])
      }
    }
  }

  @Test("who is refused holds no place, however long it stays, and every one is told")
  func refusedStay() async throws {
    var small = HTTPServerOptions()
    small.maxConnections = 1
    let options = small
    let ended = Mailbox<Void>()
    try await withLoop { loop in
      let serve: @Sendable (HTTPExchange) -> Void = { exchange in
        guard exchange.isWebSocketUpgrade else { return reflect(exchange) }
        exchange.upgradeToWebSocket { _ in EchoHandler { _, _, _ in ended.post(()) } }
      }
      try await withServer(loop, options: options, handler: serve) { server in
        let first = try await WebSocketClient.connect(url: "ws://127.0.0.1:\(server.port)", on: loop)
        var refused: [RawClient] = []
        // More than may take their time.
        for _ in 0..<80 {
          let raw = try await RawClient.connect(server.port, on: loop, stays: true)
          let got = try await raw.read(until: "too many connections\n")
          #expect(statuses(got) == ["503"])
          refused.append(raw)
        }
        #expect(server.connectionCount == 1)
        first.abort()
        try await ended.next()
        // The place is given back by the time the next job runs.
        try await loop.turns { true }
        let next = try await HTTPClient(loop: loop).send(
          HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/"))
        #expect(next.status == 200)
        #expect(refused.count == 80)
      }
    }
  }

  @Test("stopping waits for what runs")
  func stopping() async throws {
    try await withLoop { loop in
      let begun = Mailbox<HTTPExchange>()
      try await withServer(loop, handler: { begun.post($0) }) { server in
        let raw = try await RawClient.connect(server.port, on: loop)
        raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        let exchange = try await begun.next()
        async let stopped: Void = server.stop(within: patience)
        exchange.loop.schedule(after: .milliseconds(30)) { exchange.respond(status: 200, text: "done") }
        let got = String(decoding: try await raw.readToEnd(), as: UTF8.self)
        #expect(got.hasSuffix("done"))
        await stopped
        #expect(server.connectionCount == 0)
      }
    }
  }

  @Test("connections spread over several loops, each served by one of them")
  func loops() async throws {
    try await withLoop(name: "one") { one in
      try await withLoop(name: "two") { two in
        let listener = try Listener(loop: one, host: "127.0.0.1", port: 0)
        let server = HTTPServer(listener: listener, loops: [one, two]) { exchange in
          exchange.respond(status: exchange.loop.isCurrent ? 200 : 500, text: exchange.loop.name)
        }
        server.start()
        var names: [String: Int] = [:]
        let client = HTTPClient(loop: two)
        for number in 0..<20 {
          let got = try await client.send(
            HTTPClientRequest(
              url: "http://127.0.0.1:\(server.port)/\(number)", headers: ["Connection": "close"]))
          #expect(got.status == 200)
          names[String(decoding: got.body, as: UTF8.self), default: 0] += 1
        }
        #expect(names == ["one": 10, "two": 10])
        await server.stop(within: patience)
      }
    }
  }
}

extension String {
  /// How often `part` occurs.
  fileprivate func components(_ part: String) -> Int { ranges(of: part).count }
}
