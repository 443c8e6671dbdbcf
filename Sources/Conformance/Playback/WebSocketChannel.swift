internal import Transport
internal import Wire

/// Messages as text frames of a WebSocket.
final class WebSocketChannel: MessageChannel {
  let client: WebSocketClient

  init(_ client: WebSocketClient) { self.client = client }

  func say(_ bytes: [UInt8]) async { client.send(text: bytes) }

  func next(within limit: Duration) async -> ChannelReceived? {
    guard let received = (try? await client.next(within: limit)) ?? nil else { return nil }
    return ChannelReceived(ChannelEvent(received.event), at: received.at)
  }

  /// A server answers pings in their turn, behind what it has sent (RFC 6455 §5.5.2).
  func ask(_ mark: [UInt8]) { client.ping(mark) }

  func close(code: UInt16?, reason: String) { client.close(code: code, reason: reason) }

  func hangUp() async {
    client.close(code: 1000)
    // A moment for the closing handshake: a reset would be noise in the target's log.
    let deadline = ContinuousClock.now + .milliseconds(200)
    while ContinuousClock.now < deadline {
      guard let received = (try? await client.next(within: .milliseconds(200))) ?? nil else { break }
      if case .closed = received.event { break }
    }
  }
}

extension ChannelEvent {
  init(_ event: WebSocketClient.Event) {
    switch event {
    case .message(.text, let bytes): self = .message(bytes, status: nil)
    case .message(_, let bytes): self = .binary(bytes)
    case .ping(let bytes): self = .ping(bytes)
    case .pong(let bytes): self = .pong(bytes)
    case .closed: self = .ended(Ending(event))
    }
  }
}
