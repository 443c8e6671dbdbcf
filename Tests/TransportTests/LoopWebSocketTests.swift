import Testing
import Transport
import Wire

/// Posts what it is told.
private final class Listening: LoopWebSocketHandler, @unchecked Sendable {
  // Invariant: only lets, and what they are posts from any thread.
  let told = Mailbox<String>()

  func onOpen() { told.post("open") }
  func onReadable(at now: Int64, count: Int) { told.post("\(count) bytes") }
  func onMessage(_ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer) {
    told.post(String(decoding: bytes, as: UTF8.self))
  }
  func onRead() { told.post("read") }
  func onEnd(_ reason: String) { told.post(reason) }
}

@Suite("WebSocket client on one loop", .bothBackends)
struct LoopWebSocketTests {
  private func connect(_ loop: EventLoop, _ port: UInt16, _ handler: Listening) throws -> LoopBound<
    LoopWebSocket
  > {
    let url = try HTTPURL("ws://127.0.0.1:\(port)/")
    let socket = LoopBound(LoopWebSocket(url: url, on: loop), on: loop)
    loop.submit { socket.value.connect(within: patience, handler) }
    return socket
  }

  @Test("opens, tells messages by the read, and the server's close")
  func echo() async throws {
    try await withLoop { loop in
      let serve: @Sendable (HTTPExchange) -> Void = { exchange in
        exchange.upgradeToWebSocket { _ in EchoHandler() }
      }
      try await withServer(loop, handler: serve) { server in
        let handler = Listening()
        let socket = try connect(loop, server.port, handler)
        #expect(try await handler.told.next() == "open")
        var frames: [UInt8] = []
        FrameEncoder.append(.text, Array("one".utf8), mask: 0x0102_0304, to: &frames)
        FrameEncoder.append(.text, Array("two".utf8), mask: 0x0506_0708, to: &frames)
        FrameEncoder.appendClose(code: 1000, mask: 0, to: &frames)
        let sent = frames
        loop.submit { sent.withUnsafeBytes { socket.value.write($0) } }
        #expect(try await handler.told.next() == "14 bytes")
        #expect(try await handler.told.next() == "one")
        #expect(try await handler.told.next() == "two")
      }
    }
  }

  @Test("a handshake that is refused, and nobody there")
  func refused() async throws {
    try await withLoop { loop in
      try await withServer(loop, handler: { $0.respond(status: 503, text: "later") }) { server in
        let handler = Listening()
        _ = try connect(loop, server.port, handler)
        #expect(try await handler.told.next() == "the server answered 503, not 101 (RFC 6455 §4.1)")
      }
      let handler = Listening()
      _ = try connect(loop, 1, handler)
      #expect(try await handler.told.next() == "connection to 127.0.0.1:1 refused")
    }
  }

  @Test("a fine timer fires once for each arming, never early")
  func fineTimer() async throws {
    try await withLoop { loop in
      let fired = Mailbox<Int64>()
      let made = Mailbox<LoopBound<FineTimer>>()
      loop.submit {
        guard let timer = try? FineTimer(on: loop, { fired.post($0) }) else { return }
        made.post(LoopBound(timer, on: loop))
      }
      let timer = try await made.next()
      for delay: Int64 in [0, 50_000, 2_000_000] {
        let due = EventLoop.clock + delay
        loop.submit { timer.value.arm(at: due) }
        #expect(try await fired.next() >= due)
      }
      loop.submit { timer.value.cancel() }
    }
  }
}
