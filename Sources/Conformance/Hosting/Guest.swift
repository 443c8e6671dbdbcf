package import Transport
package import Wire

/// A client as the runner's server sees it, whatever carries its messages.
package protocol Guest: AnyObject, Sendable {
  /// What it asked for first.
  var request: HTTPRequestHead { get }
  /// Why that is nothing that can be accepted; nil if it can.
  var problem: String? { get }
  /// Whether it speaks MCP and nothing else.
  var speaksMCP: Bool { get }
  /// Whether it asked for something else than to speak: whoever looks whether the server is there.
  var isOther: Bool { get }
  @discardableResult
  func accept(subprotocol: String?, headers: HTTPHeaders) -> Bool
  /// Answers its first request with something else; nothing more comes of it.
  func refuse(status: Int, headers: HTTPHeaders, body: String)
  /// Sends a message, or a ping whose pong comes as an event.
  func send(_ opcode: WebSocketOpcode, _ bytes: [UInt8], fin: Bool)
  /// Sends bytes as they are, where that makes sense.
  func sendRaw(_ bytes: [UInt8])
  /// Begins to end the connection; its end comes as an event.
  func close(code: UInt16?, reason: String)
  /// Cuts it; nothing is told of it any more.
  func drop(reset: Bool)
}

extension Guest {
  func refuse(status: Int) { refuse(status: status, headers: [], body: "") }
  func send(_ opcode: WebSocketOpcode, _ bytes: [UInt8]) { send(opcode, bytes, fin: true) }
}

/// What happens where clients connect.
package enum GuestEvent: Sendable {
  /// Waits for `accept` or `refuse`.
  case arrived(any Guest)
  case received(any Guest, WebSocketClient.Event, at: ContinuousClock.Instant)
  /// A client broke a requirement of `Spec/client.yaml` beside its messages.
  case breach(requirement: String, String)
}

/// Where clients that are judged connect.
package protocol GuestHost: AnyObject, Sendable {
  var transport: PlayTransport { get }
  var port: UInt16 { get }
  /// What happens next; nil when nothing does within `limit`.
  func next(within limit: Duration) async -> GuestEvent?
  /// Gives the port up.
  func close()
}

extension GuestHost {
  /// Where clients connect.
  package var url: String {
    transport == .http ? "http://127.0.0.1:\(port)\(HTTPHost.path)" : "ws://127.0.0.1:\(port)"
  }
}

/// Opens the port for a transport; over stdio it is where the relay connects that the client starts.
package enum GuestHosts {
  package static func open(
    _ transport: PlayTransport, loop: EventLoop, port: UInt16 = 0
  ) throws(TransportError) -> any GuestHost {
    switch transport {
    case .http: try HTTPHost(loop: loop, port: port)
    case .ws, .stdio: SocketHost(try WebSocketHost(loop: loop, port: port), transport)
    }
  }
}

/// Clients over WebSocket, or over stdio by way of a relay.
package final class SocketHost: GuestHost {
  private let host: WebSocketHost
  package let transport: PlayTransport

  package init(_ host: WebSocketHost, _ transport: PlayTransport = .ws) {
    self.host = host
    self.transport = transport
  }

  package var port: UInt16 { host.port }

  package func next(within limit: Duration) async -> GuestEvent? {
    switch await host.next(within: limit) {
    case .arrived(let guest)?: .arrived(guest)
    case .received(let guest, let event, let at)?: .received(guest, event, at: at)
    case nil: nil
    }
  }

  package func close() { host.close() }
}

extension WebSocketGuest: Guest {
  package var speaksMCP: Bool { WebSocketHandshake.offeredSubprotocols(request).contains("mcp") }
  package var isOther: Bool { request.headers["Upgrade"] == nil && request.method == "GET" }
}
