import Testing
import Wire

@testable import Transport

/// Does not read behind the first message, until it is told to.
private final class PausingHandler: WebSocketHandler {
  private let paused: Mailbox<WebSocketConnection>
  private let onEnd: @Sendable (String) -> Void
  private var isFirst = true

  init(_ paused: Mailbox<WebSocketConnection>, _ onEnd: @escaping @Sendable (String) -> Void) {
    self.paused = paused
    self.onEnd = onEnd
  }

  func onMessage(
    _ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer, on connection: WebSocketConnection
  ) {
    connection.sendHere(kind, bytes)
    guard isFirst else { return }
    isFirst = false
    connection.pauseReading()
    paused.post(connection)
  }

  func onClose(code: UInt16?, reason: String, clean: Bool, on connection: WebSocketConnection) {
    onEnd("\(code ?? 0) \(clean ? "clean" : reason)")
  }
}

@Suite("WebSockets that are not read", .bothBackends)
struct PausedConnectionTests {
  /// A server that has paused on the first message of the client.
  private func withPaused(
    _ options: WebSocketOptions = WebSocketOptions(),
    _ body: (EventLoop, WebSocketClient, WebSocketConnection, Mailbox<String>) async throws -> Void
  ) async throws {
    let paused = Mailbox<WebSocketConnection>()
    let ended = Mailbox<String>()
    let serve: @Sendable (HTTPExchange) -> Void = { exchange in
      exchange.upgradeToWebSocket(options: options) { _ in PausingHandler(paused) { ended.post($0) } }
    }
    var clientOptions = WebSocketClientOptions()
    clientOptions.reportsPings = true
    try await withLoop { loop in
      try await withServer(loop, handler: serve) { server in
        let client = try await WebSocketClient.connect(
          url: "ws://127.0.0.1:\(server.port)", options: clientOptions, on: loop)
        client.send(text: "first")
        // A server that is impatient on a slow machine pings before it answers.
        try await client.expect(behindPings: .message(.text, Array("first".utf8)))
        try await body(loop, client, try await paused.next(), ended)
      }
    }
  }

  private static var impatient: WebSocketOptions {
    var options = WebSocketOptions()
    options.pingInterval = .milliseconds(20)
    options.pongTimeout = .milliseconds(20)
    return options
  }

  @Test("are pinged, and not blamed for pongs that nobody reads")
  func pinged() async throws {
    try await withPaused(Self.impatient) { _, client, connection, _ in
      client.send(text: "second")
      for _ in 0..<4 { try await client.expect(.ping([])) }
      connection.resumeReading()
      try await client.expect(behindPings: .message(.text, Array("second".utf8)))
    }
  }

  @Test("are not blamed in the turn in which they are read again")
  func readAgain() async throws {
    try await withPaused(Self.impatient) { loop, client, connection, _ in
      try await client.expect(.ping([]))
      client.send(text: "second")
      loop.submit {
        // The time for the pong is up in the very turn that resumes: the pong is with the kernel.
        let end = Sys.now() + 60_000_000
        while Sys.now() < end {}
        loop.submit { connection.resumeReading() }
      }
      try await client.expect(behindPings: .message(.text, Array("second".utf8)))
    }
  }

  @Test("read the answer to our Close")
  func closed() async throws {
    try await withPaused { _, client, connection, ended in
      connection.close(code: 1001)
      guard case .closed(1001, _, clean: true, .closeFrame) = try await client.take() else {
        Issue.record("not closed with 1001")
        return
      }
      let end = try await ended.next()
      #expect(end == "1001 clean")
    }
  }
}
