package import Wire

/// Which way something goes through a proxy.
package enum ProxyDirection: Sendable, CaseIterable {
  case toServer, toClient

  package var opposite: ProxyDirection { self == .toServer ? .toClient : .toServer }
}

/// One message of a WebSocket, control frames too, or a frame that RFC 6455 does not allow.
package struct ProxyMessage: Sendable {
  package enum Content: Sendable, Equatable {
    case text([UInt8])
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    case close(code: UInt16?, reason: String)
    /// A frame against RFC 6455, and why; or bytes that are no whole frame.
    case invalid(String)
  }

  package let content: Content
  /// As it came: all its frames, header and payload.
  package let wire: [UInt8]
  /// More than one: it was fragmented.
  package let frames: Int
  /// When its last byte came.
  package let at: ContinuousClock.Instant

  package init(_ content: Content, wire: [UInt8], frames: Int = 1, at: ContinuousClock.Instant = .now) {
    self.content = content
    self.wire = wire
    self.frames = frames
    self.at = at
  }

  /// The bytes of a text message, nil of anything else.
  package var text: [UInt8]? { if case .text(let bytes) = content { bytes } else { nil } }
}

/// What becomes of a message; a list of none drops it. They are done one after the other, and what
/// comes behind the message waits for them.
package enum ProxyAction: Sendable {
  /// Passes the message on, byte for byte.
  case forward
  /// Sends another message in its stead, or beside it.
  case send(ProxyMessage.Content)
  /// Sends bytes as they are.
  case raw([UInt8])
  /// Does nothing for a time.
  case wait(Duration)
  /// Sends a Close frame; nothing more goes that way.
  case close(code: UInt16?, reason: String)
  /// Ends the stream that way without a Close.
  case end
  /// Cuts both connections with RST.
  case cut
}

/// An HTTP request that became no WebSocket, and what was answered.
package struct ProxiedExchange: Sendable {
  package let request: HTTPRequestHead
  package let requestBody: [UInt8]
  package let response: HTTPResponseHead
  package let responseBody: [UInt8]
  package let at: ContinuousClock.Instant
}

/// What watches one connection through a proxy, on the proxy's loop.
package protocol ProxyInterceptor: AnyObject {
  /// Whether messages this way wait until they are whole and `intercept` says what becomes of them.
  /// Others are passed on as their bytes come, and only shown to `intercept`.
  func holds(_ direction: ProxyDirection) -> Bool
  /// Whether answers in HTTP, that to an upgrade too, wait until they are whole and `rewritten` says
  /// what is passed on.
  var holdsAnswers: Bool { get }
  /// An answer as it is passed on, head and body; of an accepted upgrade the head.
  func rewritten(_ answer: [UInt8], to request: HTTPRequestHead) -> [UInt8]
  /// The upgrade was accepted.
  func opened(_ request: HTTPRequestHead, _ response: HTTPResponseHead)
  /// A request was answered in HTTP, an upgrade that was refused too.
  func answered(_ exchange: ProxiedExchange)
  func intercept(_ message: ProxyMessage, _ direction: ProxyDirection) -> [ProxyAction]
  /// The side from which `direction` comes sends no more; `cause` tells of a reset.
  func ended(_ direction: ProxyDirection, cause: String?)
  /// There was no connection to the target.
  func unreachable(_ reason: String)
  /// Both connections are gone; the last call.
  func finished()
}

extension ProxyInterceptor {
  package func holds(_ direction: ProxyDirection) -> Bool { true }
  package var holdsAnswers: Bool { false }
  package func rewritten(_ answer: [UInt8], to request: HTTPRequestHead) -> [UInt8] { answer }
  package func opened(_ request: HTTPRequestHead, _ response: HTTPResponseHead) {}
  package func answered(_ exchange: ProxiedExchange) {}
  package func intercept(_ message: ProxyMessage, _ direction: ProxyDirection) -> [ProxyAction] { [.forward] }
  package func ended(_ direction: ProxyDirection, cause: String?) {}
  package func unreachable(_ reason: String) {}
  package func finished() {}
}
