package import Transport
internal import Wire

/// Passes the lines of a client over stdio on as messages of a WebSocket, and messages back as lines.
package struct LineRelay: Sendable {
  private let lines: StandardLines
  private let socket: WebSocketClient
  private let complain: @Sendable (String) -> Void

  private static let connectTime = Duration.seconds(10)
  /// How long the other side may take to answer a Close frame.
  private static let grace = Duration.seconds(1)
  /// A client may be silent for long.
  private static let patience = Duration.seconds(3600)

  /// Connects, as a client of MCP does.
  package init(
    to url: String, on loop: EventLoop, complain: @escaping @Sendable (String) -> Void
  ) async throws(WebSocketClientError) {
    socket = try await WebSocketClient.connect(
      url: url, subprotocols: ["mcp"], deadline: Self.connectTime, on: loop)
    lines = StandardLines(on: loop)
    self.complain = complain
  }

  /// Until one side has ended; whether it ended in order.
  package func run() async -> Bool {
    await withTaskGroup(of: Bool.self) { group in
      group.addTask { await fromClient() }
      group.addTask { await fromServer() }
      let isInOrder = await group.next() ?? true
      group.cancelAll()
      return isInOrder
    }
  }

  private func fromClient() async -> Bool {
    while let event = await lines.next() {
      switch event {
      // An empty line says nothing.
      case .line(let line): if !line.isEmpty { socket.send(text: line) }
      case .ended(let problem):
        if let problem { complain("standard input: \(problem)") }
        socket.close()
        // The other task sees the answer, and ends this one.
        try? await Task.sleep(for: Self.grace)
        return problem == nil
      }
    }
    return true
  }

  private func fromServer() async -> Bool {
    while !Task.isCancelled {
      let received: WebSocketClient.Received?
      do throws(WebSocketClientError) {
        received = try await socket.next(within: Self.patience)
      } catch {
        return true
      }
      switch received?.event {
      case .message(.text, let bytes):
        // JSON has line breaks between its tokens only: a space does the same.
        let line = bytes.map { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") ? UInt8(ascii: " ") : $0 }
        guard lines.send(line) else { return true }
      case .message(_, let bytes): complain("a binary message of \(bytes.count) bytes is left out")
      case .closed(_, _, let clean, _): return clean
      case .ping, .pong, nil: continue
      }
    }
    return true
  }
}
