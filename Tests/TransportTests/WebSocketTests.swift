import Testing
import Transport
import Wire

private func serveEcho(
  _ options: WebSocketOptions = WebSocketOptions(), ended: Mailbox<String> = Mailbox()
) -> @Sendable (HTTPExchange) -> Void {
  { exchange in
    exchange.upgradeToWebSocket(subprotocol: "mcp", options: options) { _ in
      EchoHandler { code, reason, clean in
        ended.post("\(code.map { "\($0)" } ?? "none") \(clean ? "clean" : "unclean") \(reason)")
      }
    }
  }
}

/// Connects to an echo server made for the test.
private func withEcho(
  _ options: WebSocketOptions = WebSocketOptions(), client: WebSocketClientOptions = WebSocketClientOptions(),
  _ body: (WebSocketClient, Mailbox<String>) async throws -> Void
) async throws {
  let ended = Mailbox<String>()
  try await withLoop { loop in
    try await withServer(loop, handler: serveEcho(options, ended: ended)) { server in
      try await body(
        try await WebSocketClient.connect(
          url: "ws://127.0.0.1:\(server.port)/a?b", subprotocols: ["mcp"], options: client, on: loop), ended)
    }
  }
}

@Suite("WebSocket over sockets", .bothBackends)
struct WebSocketTests {
  @Test("echoes messages of every size")
  func echo() async throws {
    try await withEcho { client, _ in
      #expect(client.subprotocol == "mcp")
      for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let bytes = [UInt8](repeating: 0x61, count: size)
        client.send(text: bytes)
        try await client.expect(.message(.text, bytes))
      }
      client.send(binary: [0, 255])
      try await client.expect(.message(.binary, [0, 255]))
    }
  }

  @Test("fragments with a ping between, and a thousand messages at once")
  func fragments() async throws {
    try await withEcho { client, _ in
      client.send(.text, Array("Hel".utf8), fin: false)
      client.ping([1, 2])
      client.send(.continuation, Array("lo".utf8))
      try await client.expect(.pong([1, 2]))
      try await client.expect(.message(.text, Array("Hello".utf8)))
      for number in 0..<1000 { client.send(text: "\(number)") }
      for number in 0..<1000 {
        try await client.expect(.message(.text, Array("\(number)".utf8)))
      }
    }
  }

  @Test("the client closes")
  func clientCloses() async throws {
    try await withEcho { client, ended in
      client.close(code: 3001, reason: "done")
      try await client.expect(.closed(code: 3001, reason: "", clean: true, how: .closeFrame))
      #expect(try await ended.next() == "3001 clean done")
      await #expect(throws: WebSocketClientError.ended) { try await client.next(within: patience) }
    }
  }

  @Test("the server closes")
  func serverCloses() async throws {
    let ended = Mailbox<String>()
    try await withLoop { loop in
      try await withServer(
        loop,
        handler: { exchange in
          let connection = exchange.upgradeToWebSocket { _ in
            EchoHandler { code, _, clean in ended.post("\(code ?? 0) \(clean)") }
          }
          connection?.send(text: Array("bye".utf8))
          connection?.close(code: 1001, reason: "going")
        }
      ) { server in
        let client = try await WebSocketClient.connect(url: "ws://127.0.0.1:\(server.port)", on: loop)
        try await client.expect(.message(.text, Array("bye".utf8)))
        try await client.expect(.closed(code: 1001, reason: "going", clean: true, how: .closeFrame))
        #expect(try await ended.next() == "1001 true")
      }
    }
  }

  @Test("a handler may speak first, from where it is made")
  func speaksFirst() async throws {
    try await withLoop { loop in
      try await withServer(
        loop,
        handler: { exchange in
          exchange.upgradeToWebSocket { connection in
            connection.send(text: Array("welcome".utf8))
            return EchoHandler()
          }
        }
      ) { server in
        let client = try await WebSocketClient.connect(url: "ws://127.0.0.1:\(server.port)", on: loop)
        try await client.expect(.message(.text, Array("welcome".utf8)))
      }
    }
  }

  @Test(
    "a close that is not answered ends in time, also one from where the handler is made",
    arguments: [false, true])
  func unansweredClose(_ isEarly: Bool) async throws {
    let ended = Mailbox<String>()
    try await withLoop { loop in
      var patient = WebSocketOptions()
      patient.closeTimeout = .milliseconds(50)
      let options = patient
      try await withServer(
        loop,
        handler: { exchange in
          let connection = exchange.upgradeToWebSocket(options: options) { connection in
            if isEarly { connection.close() }
            return EchoHandler { _, reason, clean in ended.post("\(clean) \(reason)") }
          }
          if !isEarly { connection?.close() }
        }
      ) { server in
        let raw = try await RawClient.connect(server.port, on: loop)
        raw.send(upgradeRequest)
        #expect(try await ended.next() == "false close was not answered in time")
        #expect(try await raw.readToEnd().suffix(4) == [0x88, 2, 0x03, 0xE8])
      }
    }
  }

  @Test(
    "a violation closes with its code",
    arguments: [
      ([0x81, 0x01, 0x61], 1002), ([0x81, 0x81, 0, 0, 0, 0, 0xFF], 1007),
      ([0x82, 0xFF, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0], 1009), ([0xC1, 0x80, 0, 0, 0, 0], 1002),
    ] as [([UInt8], UInt16)])
  func violation(_ bytes: [UInt8], _ code: UInt16) async throws {
    try await withEcho { client, ended in
      client.sendRaw(bytes)
      guard case .closed(code, _, true, .closeFrame) = try await client.take() else {
        Issue.record("not closed with \(code)")
        return
      }
      #expect(try await ended.next().hasPrefix("\(code) unclean"))
    }
  }

  @Test("a frame glued to the handshake is served")
  func glued() async throws {
    try await withLoop { loop in
      try await withServer(loop, handler: serveEcho()) { server in
        let raw = try await RawClient.connect(server.port, on: loop)
        raw.send(upgradeRequest + [0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69, 0x88, 0x80, 0, 0, 0, 0])
        let answer = try await raw.readToEnd()
        #expect(answer.starts(with: "HTTP/1.1 101 ".utf8))
        #expect(answer.suffix(6) == [0x81, 2, 0x68, 0x69, 0x88, 0])
      }
    }
  }

  @Test("a peer that does not read is closed with 1008", arguments: ["messages", "pongs"])
  func slowReader(_ unread: String) async throws {
    var options = WebSocketOptions()
    options.maxUnsentBytes = 1 << 20
    let limited = options
    let ended = Mailbox<String>()
    try await withLoop { loop in
      try await withServer(
        loop,
        handler: { exchange in
          let connection = exchange.upgradeToWebSocket(options: limited) { _ in
            EchoHandler { code, reason, _ in ended.post("\(code ?? 0) \(reason)") }
          }
          let block = [UInt8](repeating: 0, count: 1 << 18)
          if unread == "messages" { for _ in 0..<200 { connection?.send(binary: block) } }
        }
      ) { server in
        let raw = try await RawClient.connect(server.port, on: loop)
        raw.pause()
        raw.send(upgradeRequest)
        if unread == "pongs" {
          let ping = [0x89, 0xFD, 0, 0, 0, 0] + [UInt8](repeating: 0x70, count: 125)
          raw.send(Array(repeating: ping, count: 100_000).flatMap(\.self))
        }
        #expect(try await ended.next() == "1008 more than 1048576 bytes unsent")
      }
    }
  }

  @Test("what the kernel takes at once is not unsent")
  func longMessage() async throws {
    var options = WebSocketOptions()
    options.maxUnsentBytes = 100
    try await withEcho(options) { client, _ in
      let bytes = [UInt8](repeating: 0x61, count: 4000)
      for _ in 0..<3 {
        client.send(text: bytes)
        try await client.expect(.message(.text, bytes))
      }
    }
  }

  @Test("a silent peer is pinged, then closed")
  func silence() async throws {
    var options = WebSocketOptions()
    options.pingInterval = .milliseconds(30)
    options.pongTimeout = .milliseconds(30)
    var client = WebSocketClientOptions()
    client.autoPong = false
    client.reportsPings = true
    try await withEcho(options, client: client) { client, ended in
      try await client.expect(.ping([]))
      guard case .closed(1011, _, _, _) = try await client.take() else {
        Issue.record("not closed with 1011")
        return
      }
      #expect(try await ended.next().contains("no answer to ping"))
    }
  }

  @Test("a client that vanishes is noticed", arguments: [true, false])
  func vanishes(_ byReset: Bool) async throws {
    try await withEcho { client, ended in
      if byReset { client.abort() } else { client.shutdownWrite() }
      #expect(try await ended.next().hasPrefix("none unclean"))
      guard case .closed(nil, _, false, let how) = try await client.take() else {
        Issue.record("not closed")
        return
      }
      #expect(how == (byReset ? .local : .eof))
    }
  }

  @Test("pausing holds messages back, resuming gives them in order")
  func pausing() async throws {
    final class Pausing: WebSocketHandler {
      func onMessage(
        _ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer, on connection: WebSocketConnection
      ) {
        connection.sendHere(kind, bytes)
        connection.pauseReading()
        connection.loop.schedule(after: .milliseconds(1)) { connection.resumeReading() }
      }
      func onClose(code: UInt16?, reason: String, clean: Bool, on connection: WebSocketConnection) {}
    }
    try await withLoop { loop in
      try await withServer(loop, handler: { $0.upgradeToWebSocket { _ in Pausing() } }) { server in
        let client = try await WebSocketClient.connect(url: "ws://127.0.0.1:\(server.port)", on: loop)
        for number in 0..<30 { client.send(text: "\(number)") }
        for number in 0..<30 {
          try await client.expect(.message(.text, Array("\(number)".utf8)))
        }
      }
    }
  }

  @Test("a refusal carries status, headers and body")
  func refusal() async throws {
    try await withLoop { loop in
      try await withServer(
        loop, handler: { $0.respond(status: 401, headers: ["X": "y"], text: "token needed") }
      ) { server in
        let error = await #expect(throws: WebSocketClientError.self) {
          try await WebSocketClient.connect(url: "ws://127.0.0.1:\(server.port)", on: loop)
        }
        guard case .rejected(let status, let headers, let body, _) = error else {
          Issue.record("\(String(describing: error))")
          return
        }
        #expect(status == 401)
        #expect(headers["X"] == "y")
        #expect(body == Array("token needed".utf8))
      }
      try await withServer(loop, handler: serveEcho()) { server in
        _ = await #expect(throws: WebSocketClientError.self) {
          try await WebSocketClient.connect(
            url: "ws://127.0.0.1:\(server.port)", headers: ["Sec-WebSocket-Version": "8"], on: loop)
        }
      }
    }
  }

  @Test("a server that says nothing is given up")
  func handshakeDeadline() async throws {
    try await withLoop { loop in
      try await withServer(loop, handler: { _ in }) { server in
        _ = await #expect(throws: WebSocketClientError.timeout(.milliseconds(50))) {
          try await WebSocketClient.connect(
            url: "ws://127.0.0.1:\(server.port)", deadline: .milliseconds(50), on: loop)
        }
      }
    }
  }

  @Test("nothing within the time is nil")
  func nothing() async throws {
    try await withEcho { client, _ in
      let none = try await client.next(within: .milliseconds(20))
      #expect(none == nil)
      client.send(text: "a")
      try await client.expect(.message(.text, [0x61]))
    }
  }
}
