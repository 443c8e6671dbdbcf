package import Wire

/// Why no WebSocket came about, or none is there any more.
package enum WebSocketClientError: Error, Sendable, Equatable, CustomStringConvertible {
  case badURL(String)
  case resolve(String)
  case refused(String)
  /// The connection failed before the handshake was done.
  case failed(String)
  case timeout(Duration)
  /// The server answered something else than a valid 101.
  case rejected(status: Int, headers: HTTPHeaders, body: [UInt8], reason: String)
  case cancelled
  /// `.closed` was already received.
  case ended

  package var description: String {
    switch self {
    case .badURL(let text), .resolve(let text), .refused(let text), .failed(let text): text
    case .timeout(let limit): "no websocket within \(limit)"
    case .rejected(_, _, _, let reason): reason
    case .cancelled: "cancelled"
    case .ended: "the connection has ended"
    }
  }
}

package struct WebSocketClientOptions: Sendable {
  package var maxMessageBytes = 16 << 20
  /// Whether pings are answered.
  package var autoPong = true
  /// Whether pings are reported as events.
  package var reportsPings = false
  /// Received bytes that wait to be taken, or bytes that wait to be sent, before the connection is
  /// not read further.
  package var maxQueuedBytes = 16 << 20
  /// Called on the loop for each message, before the next frame is looked at: what it gives goes
  /// back at once as a message of that kind, and the message is not reported; nil reports it.
  package var reply: (@Sendable (WebSocketMessageKind, UnsafeRawBufferPointer) -> [UInt8]?)?

  package init() {}
}

/// A WebSocket as a client sees it, for checking the other side: everything is reported with its
/// time, and anything may be sent. Usable from any thread.
package final class WebSocketClient: Sendable {
  package enum Ending: Sendable, Equatable {
    case closeFrame
    /// The peer ended the connection without a Close.
    case eof
    case reset(String)
    /// The peer broke RFC 6455; we have failed the connection.
    case protocolError(String)
    /// By our own `abort`.
    case local
  }

  package enum Event: Sendable, Equatable {
    case message(WebSocketMessageKind, [UInt8])
    case ping([UInt8])
    case pong([UInt8])
    /// The last event. `clean`: both Close frames were exchanged.
    case closed(code: UInt16?, reason: String, clean: Bool, how: Ending)
  }

  package struct Received: Sendable {
    package let event: Event
    package let at: ContinuousClock.Instant
  }

  package let loop: EventLoop
  package let subprotocol: String?
  /// The server's 101.
  package let response: HTTPResponseHead
  private let core: WebSocketClientCore

  init(_ core: WebSocketClientCore, _ response: HTTPResponseHead, _ subprotocol: String?) {
    self.core = core
    self.response = response
    self.subprotocol = subprotocol
    loop = core.loop
  }

  /// Drops the connection with whoever held it.
  deinit {
    let core = core
    loop.submit { core.abandon() }
  }

  /// Connects to `ws://host:port/path?query` and shakes hands.
  package static func connect(
    url text: String, subprotocols: [String] = [], headers: HTTPHeaders = [],
    deadline: Duration = .seconds(10), options: WebSocketClientOptions = WebSocketClientOptions(),
    on loop: EventLoop
  ) async throws(WebSocketClientError) -> WebSocketClient {
    let url: HTTPURL
    do { url = try HTTPURL(text) } catch { throw .badURL(error.description) }
    guard url.scheme == "ws" || url.scheme == "http" else {
      throw .badURL("\"\(text)\" needs TLS, which this client does not speak: put a proxy before it")
    }
    let core = WebSocketClientCore(loop, url, subprotocols, headers, options)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isTaken = loop.submit { core.connect(within: deadline) { continuation.resume(returning: $0) } }
        if !isTaken { continuation.resume(returning: .failure(.failed("the event loop has ended"))) }
      }
    } onCancel: {
      loop.submit { core.fail(.cancelled) }
    }
    return try result.get()
  }

  /// The next event, nil when none comes within `limit`; throws `.ended` behind `.closed`.
  package func next(within limit: Duration) async throws(WebSocketClientError) -> Received? {
    guard !core.hasReportedEnd else { throw .ended }
    let received = await core.inbox.next(within: limit)
    if case .closed = received?.event { core.hasReportedEnd = true }
    if received == nil && Task.isCancelled { throw .cancelled }
    return received
  }

  package func send(text: String) { send(.text, Array(text.utf8)) }
  package func send(text: [UInt8]) { send(.text, text) }
  package func send(binary: [UInt8]) { send(.binary, binary) }
  package func ping(_ bytes: [UInt8] = []) { send(.ping, bytes) }

  /// One frame of a fragmented message, or any other.
  package func send(_ opcode: WebSocketOpcode, _ bytes: [UInt8], fin: Bool = true) {
    loop.run { self.core.send(opcode, bytes, fin: fin) }
  }

  /// Sends bytes as they are.
  package func sendRaw(_ bytes: [UInt8]) {
    loop.run { self.core.sendRaw(bytes) }
  }

  /// Starts the closing handshake; the answer comes as `.closed`.
  package func close(code: UInt16? = 1000, reason: String = "") {
    loop.run { self.core.close(code, reason) }
  }

  /// Cuts the connection with RST.
  package func abort() {
    loop.run { self.core.abort() }
  }

  /// Ends our sending half without a Close.
  package func shutdownWrite() {
    loop.run { self.core.shutdownWrite() }
  }
}
