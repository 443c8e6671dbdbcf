import Testing
import Transport
import Wire

/// A client's frame with a key of zeros.
private func frame(_ opcode: UInt8, _ text: String) -> [UInt8] {
  [0x80 | opcode, 0x80 | UInt8(text.utf8.count), 0, 0, 0, 0] + Array(text.utf8)
}

private let goodbye = frame(8, "")
private let frames = frame(1, "hi") + goodbye
/// What an echo server sends to them.
private let echoed: [UInt8] = [0x81, 2, 0x68, 0x69, 0x88, 0]

private func upgrade(_ fields: String = "", version: String = "1.1", key: String = "dGhlIHNhbXBsZSBub25jZQ==")
  -> [UInt8]
{
  Array(
    ("GET /up HTTP/\(version)\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      + "Sec-WebSocket-Key: \(key)\r\nSec-WebSocket-Version: 13\r\n\(fields)\r\n").utf8)
}

private let get = Array("GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8)

private let first = Array("GET /first HTTP/1.1\r\nHost: a\r\n\r\n".utf8)

private let serve: @Sendable (HTTPExchange) -> Void = { exchange in
  if exchange.isWebSocketUpgrade {
    exchange.upgradeToWebSocket { _ in EchoHandler() }
  } else {
    exchange.respond(status: 200, text: exchange.request.head.target)
  }
}

/// What a server sends to these bytes until it closes.
private func answer(
  to bytes: [UInt8], handler: @escaping @Sendable (HTTPExchange) -> Void = serve
) async throws -> [UInt8] {
  try await withLoop { loop in
    try await withServer(loop, handler: handler) { server in
      let raw = try await RawClient.connect(server.port, on: loop)
      raw.send(bytes)
      return try await raw.readToEnd()
    }
  }
}

private func statuses(_ bytes: [UInt8]) -> [String] {
  let text = String(decoding: bytes, as: UTF8.self)
  return text.ranges(of: "HTTP/1.1 ").map { String(text[$0.upperBound...].prefix(3)) }
}

@Suite("Upgrade to WebSocket", .bothBackends)
struct UpgradeTests {
  @Test("frames glued to the handshake, cut at each place, are served", arguments: 0...frames.count)
  func glued(_ count: Int) async throws {
    try await withLoop { loop in
      try await withServer(loop, handler: serve) { server in
        let raw = try await RawClient.connect(server.port, on: loop)
        raw.send(upgrade() + frames.prefix(count))
        // With both frames whole the answers may come at once with the 101.
        let head = count < 8 ? try await raw.read(until: "\r\n\r\n") : ""
        raw.send(Array(frames.dropFirst(count)))
        let rest = try await raw.readToEnd()
        #expect((Array(head.utf8) + rest).starts(with: "HTTP/1.1 101 Switching Protocols\r\n".utf8))
        #expect(rest.suffix(6) == echoed)
      }
    }
  }

  @Test(
    "a body of the handshake is no frame, what is behind it is",
    arguments: [
      (["Content-Length: 8\r\n"], frame(1, "no")), (["Content-Length: 0\r\n"], []),
      (
        ["Transfer-Encoding: chunked\r\n"], Array("8\r\n".utf8) + frame(1, "no") + Array("\r\n0\r\n\r\n".utf8)
      ),
    ] as [([String], [UInt8])])
  func body(_ fields: [String], _ body: [UInt8]) async throws {
    let got = try await answer(to: upgrade(fields[0]) + body + frames)
    #expect(statuses(got) == ["101"])
    #expect(got.suffix(10) == Array("\r\n\r\n".utf8) + echoed)
  }

  @Test(
    "a request that is refused is never a handshake",
    arguments: [
      ("Content-Length: 1\r\nContent-Length: 2\r\n", "400"), ("Content-Length: 99999999\r\n", "413"),
      ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "400"), ("Host: b\r\n", "400"),
      ("Sec-WebSocket-Version : 13\r\n", "400"), ("X: a\rb\r\n", "400"), ("X: a\n b\r\n", "400"),
      ("Expect: tea\r\n", "417"),
    ])
  func refused(_ fields: String, _ status: String) async throws {
    let got = try await answer(to: upgrade(fields) + frames)
    #expect(statuses(got) == [status])
    #expect(got.suffix(6) != echoed)
  }

  @Test("behind an upgrade that is refused comes the next request, and no frame")
  func pipelined() async throws {
    #expect(statuses(try await answer(to: upgrade(key: "short") + get)) == ["400", "200"])
    #expect(
      statuses(try await answer(to: upgrade("Sec-WebSocket-Extensions: a;\r\n") + get)) == ["400", "200"])
    let got = try await answer(to: upgrade(key: "short") + frames + Array("\r\n".utf8))
    #expect(statuses(got) == ["400", "400"])
    #expect(got.suffix(6) != echoed)
  }

  @Test("frames wait behind a request that is answered late")
  func behindAnother() async throws {
    let got = try await answer(to: first + upgrade() + frames) { exchange in
      if exchange.isWebSocketUpgrade { return serve(exchange) }
      exchange.loop.schedule(after: .milliseconds(5)) { serve(exchange) }
    }
    #expect(statuses(got) == ["200", "101"])
    #expect(got.suffix(6) == echoed)
  }

  @Test("frames wait for an upgrade that is decided late")
  func decidedLate() async throws {
    let got = try await answer(to: upgrade() + frames) { exchange in
      exchange.loop.schedule(after: .milliseconds(5)) { serve(exchange) }
    }
    #expect(statuses(got) == ["101"])
    #expect(got.suffix(6) == echoed)
  }

  @Test("Upgrade in HTTP/1.0 is no more than a field (RFC 9110 §7.8)")
  func old() async throws {
    let got = try await answer(to: upgrade(version: "1.0"))
    #expect(statuses(got) == ["200"])
    #expect(got.suffix(3) == Array("/up".utf8))
  }

  @Test("Connection: close beside Upgrade does not keep it from being one")
  func closing() async throws {
    let got = try await answer(to: upgrade("Connection: close\r\n") + frames)
    #expect(statuses(got) == ["101"])
    #expect(got.suffix(6) == echoed)
  }

  @Test("a client that half-closes behind its frames still gets the answers")
  func halfClose() async throws {
    try await withLoop { loop in
      let ended = Mailbox<String>()
      try await withServer(
        loop,
        handler: { exchange in
          exchange.upgradeToWebSocket { _ in
            EchoHandler { code, _, clean in ended.post("\(code.map(String.init) ?? "none") \(clean)") }
          }
        }
      ) { server in
        let raw = try await RawClient.connect(server.port, on: loop)
        raw.send(upgrade() + frame(1, "hi"))
        raw.shutdownWrite()
        let got = try await raw.readToEnd()
        #expect(got.suffix(4) == echoed.prefix(4))
        #expect(try await ended.next() == "none false")
      }
    }
  }
}

@Suite("WebSocket client", .bothBackends)
struct WebSocketClientFramingTests {
  /// Connects to a server that answers with 101 and then sends `bytes`.
  private func withServer(
    sending bytes: [UInt8], _ body: (WebSocketClient) async throws -> Void
  ) async throws {
    try await withLoop { loop in
      let handler: @Sendable (HTTPExchange) -> Void = { exchange in
        let key = exchange.request.head.headers["Sec-WebSocket-Key"] ?? ""
        let head =
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          + "Sec-WebSocket-Accept: \(WebSocketHandshake.accept(for: key))\r\n\r\n"
        exchange.writeRaw(Array(head.utf8) + bytes)
      }
      try await TransportTests.withServer(loop, handler: handler) { server in
        try await body(
          try await WebSocketClient.connect(url: "ws://127.0.0.1:\(server.port)", on: loop))
      }
    }
  }

  @Test("a frame glued to the 101 is told")
  func glued() async throws {
    try await withServer(sending: [0x81, 2, 0x68, 0x69]) { client in
      try await client.expect(.message(.text, [0x68, 0x69]))
    }
  }

  @Test(
    "a server that breaks the rules is failed",
    arguments: [
      (frame(1, "hi"), 1002), ([0xC1, 0], 1002), ([0x83, 0], 1002), ([0x80, 0], 1002), ([0x09, 0], 1002),
      ([0x81, 1, 0xFF], 1007), ([0x88, 1, 3], 1002), ([0x88, 2, 3, 0xED], 1002),
      ([0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], 1002),
    ] as [([UInt8], UInt16)])
  func violation(_ bytes: [UInt8], _ code: UInt16) async throws {
    try await withServer(sending: bytes) { client in
      guard case .closed(code, _, false, .protocolError) = try await client.take() else {
        Issue.record("not failed with \(code)")
        return
      }
    }
  }
}
