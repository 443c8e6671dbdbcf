package import Transport

/// How messages reach a target.
package enum PlayTransport: String, Sendable, CaseIterable {
  case ws, http, stdio

  /// For people.
  package var words: String {
    switch self {
    case .ws: "WebSocket"
    case .http: "Streamable HTTP"
    case .stdio: "stdio"
    }
  }
}

/// One connection to a target, whatever carries its messages: messages are said on it, and what comes
/// is taken from it in the order in which it came.
package protocol MessageChannel: AnyObject, Sendable {
  /// Sends one message, which need not be JSON; returns once nothing that is said next can overtake it
  /// where the transport promises that.
  func say(_ bytes: [UInt8]) async
  /// The same with fields of the HTTP request that carries it; nil leaves one out.
  func say(_ bytes: [UInt8], headers: [(name: String, value: String?)]) async
  /// The next event, nil when none comes within `limit`. Nothing comes behind `.ended`.
  func next(within limit: Duration) async -> ChannelReceived?
  /// Asks the server for a sign of life, which comes as `.pong(mark)` behind all that it has sent before.
  func ask(_ mark: [UInt8])
  /// Begins to end the connection in order; the end comes as `.ended`.
  func close(code: UInt16?, reason: String)
  /// Ends the connection in order and returns when that is done or has taken too long.
  func hangUp() async
  /// What the other side wrote last beside its messages.
  var notes: [String] { get }
}

extension MessageChannel {
  package var notes: [String] { [] }
  package func say(_ bytes: [UInt8], headers: [(name: String, value: String?)]) async { await say(bytes) }
}

/// What comes on a connection.
package enum ChannelEvent: Sendable {
  /// A message, and the status of the HTTP answer that brought it.
  case message([UInt8], status: Int?)
  /// Of WebSocket, where messages are texts.
  case binary([UInt8])
  case ping([UInt8])
  case pong([UInt8])
  /// The server did what the transport forbids; the connection goes on. The status is that of an HTTP answer
  /// which brought no message to a request.
  case breach(String, status: Int? = nil)
  case ended(Ending)
}

package struct ChannelReceived: Sendable {
  package let event: ChannelEvent
  package let at: ContinuousClock.Instant

  package init(_ event: ChannelEvent, at: ContinuousClock.Instant = .now) {
    self.event = event
    self.at = at
  }
}

/// How a connection ended.
package struct Ending: Sendable, Equatable {
  /// Of WebSocket. Nil: no Close frame, or one without a code.
  package let code: UInt16?
  package let text: String
  /// What of its transport the server broke, where that ended it.
  package let breach: String?

  package init(code: UInt16? = nil, text: String, breach: String? = nil) {
    self.code = code
    self.text = text
    self.breach = breach
  }

  package init(_ event: WebSocketClient.Event) {
    guard case .closed(let code, let reason, _, let how) = event else {
      self.init(text: "")
      return
    }
    switch how {
    case .closeFrame:
      let text = "close \(code.map(String.init) ?? "without a code")" + (reason.isEmpty ? "" : " \(reason)")
      self.init(code: code, text: text)
    case .eof: self.init(text: "end of stream")
    case .reset(let cause): self.init(text: "reset: \(cause)")
    case .protocolError(let cause): self.init(text: "against RFC 6455: \(cause)", breach: cause)
    case .local: self.init(text: "ended by the runner")
    }
  }
}
