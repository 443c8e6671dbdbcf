package import Wire

/// A request with its whole body.
package struct HTTPRequest: Sendable {
  package let head: HTTPRequestHead
  package let body: [UInt8]
}

/// One request and the answer to it. Every method may be called from any thread; the answer's
/// parts go out in the order of the calls of one thread.
package final class HTTPExchange: @unchecked Sendable {
  // Invariant: `request`, `remote` and `loop` never change; the rest is used only on `loop`.
  package let request: HTTPRequest
  package let remote: String
  package let loop: EventLoop

  private enum State { case waiting, chunked, plain, raw, done }
  private var state = State.waiting {
    didSet {
      guard state == .done, oldValue != .done else { return }
      let handlers = endHandlers
      endHandlers = []
      for handler in handlers { handler(status) }
    }
  }
  /// Of the answer that was begun.
  private var status: Int?
  private var endHandlers: [@Sendable (Int?) -> Void] = []
  private var connection: HTTPConnection?
  private var leftHandlers: [@Sendable () -> Void] = []
  private var hasLeft = false

  init(_ request: HTTPRequest, on connection: HTTPConnection) {
    self.request = request
    self.connection = connection
    remote = connection.channel.remote
    loop = connection.channel.loop
  }

  /// Connections of the server that are open; to be called on `loop`.
  package var openConnections: Int { connection?.server.connectionCount ?? 0 }

  /// Answers with a whole body. Content-Length, Date and Connection are added.
  package func respond(status: Int, headers: HTTPHeaders = [], body: [UInt8] = []) {
    hop { $0.respondHere(status, headers, body) }
  }

  package func respond(status: Int, headers: HTTPHeaders = [], text: String) {
    var headers = headers
    if headers["Content-Type"] == nil { headers.append("Content-Type", "text/plain; charset=utf-8") }
    respond(status: status, headers: headers, body: Array(text.utf8))
  }

  /// Begins an answer of unknown length, chunked unless `headers` names a Content-Length.
  package func begin(status: Int, headers: HTTPHeaders = []) {
    hop { $0.beginHere(status, headers) }
  }

  /// Sends a piece of the body begun.
  package func write(_ bytes: [UInt8]) {
    hop { $0.writeHere(bytes) }
  }

  /// Ends the body begun, or what `writeRaw` wrote; the connection goes on to the next request.
  package func finish() {
    hop { $0.finishHere() }
  }

  /// Sends bytes as they are, with no regard to HTTP; end with `finish`, `close` or `reset`.
  package func writeRaw(_ bytes: [UInt8]) {
    hop {
      guard $0.state != .done, let channel = $0.connection?.channel else { return }
      $0.state = .raw
      channel.write(bytes)
    }
  }

  /// Closes the connection after what was written, whatever the answer lacks.
  package func close() {
    hop {
      $0.state = .done
      $0.connection?.channel.close()
    }
  }

  /// Cuts the connection with RST.
  package func reset() {
    hop {
      $0.state = .done
      $0.connection?.channel.reset()
    }
  }

  /// Calls `handler` on the loop if the peer goes away, or sends its last byte, before the answer
  /// is complete; at once if it already has.
  package func onClose(_ handler: @escaping @Sendable () -> Void) {
    hop {
      if $0.hasLeft { return handler() }
      if $0.state != .done { $0.leftHandlers.append(handler) }
    }
  }

  /// Calls `handler` on the loop with the status of the answer when nothing more of it will be sent: it
  /// is complete, or the connection was closed, reset or upgraded. Nil: no answer was begun. At once if
  /// that is so already.
  package func onEnd(_ handler: @escaping @Sendable (_ status: Int?) -> Void) {
    hop {
      if $0.state == .done { return handler($0.status) }
      $0.endHandlers.append(handler)
    }
  }

  /// Whether this request asks to become a WebSocket, rightly or wrongly.
  package var isWebSocketUpgrade: Bool { WebSocketHandshake.isUpgrade(request.head) }

  /// Answers 101 and makes the connection a WebSocket, or answers why not and gives nil.
  ///
  /// `subprotocol` counts only if it was offered. `handler` is called on the loop and makes what
  /// is told of the connection from its first frame on.
  @discardableResult
  package func upgradeToWebSocket(
    subprotocol: String? = nil, options: WebSocketOptions = WebSocketOptions(),
    handler: @escaping @Sendable (WebSocketConnection) -> any WebSocketHandler
  ) -> WebSocketConnection? {
    switch WebSocketHandshake.decide(request.head, choose: { _ in subprotocol }) {
    case .refuse(let refusal):
      respond(status: refusal.status, headers: refusal.headers, text: refusal.text)
      return nil
    case .accept(let head, let chosen):
      let webSocket = WebSocketConnection(
        loop: loop, remote: remote, subprotocol: chosen, options: options)
      hop {
        guard $0.state == .waiting, let connection = $0.connection, connection.channel.isOpen else {
          return webSocket.neverBegan(handler(webSocket))
        }
        $0.state = .done
        $0.connection = nil
        connection.channel.withOutput { HTTPEncoder.append(head, to: &$0) }
        webSocket.attach(connection.channel)
        webSocket.adopt(handler(webSocket))
        connection.upgrade($0, to: webSocket)
      }
      return webSocket
    }
  }

  // MARK: On the loop

  private func hop(_ action: @escaping @Sendable (HTTPExchange) -> Void) {
    if loop.isCurrent { action(self) } else { loop.submit { action(self) } }
  }

  private func respondHere(_ status: Int, _ headers: HTTPHeaders, _ body: [UInt8]) {
    guard state == .waiting, let connection else { return }
    self.status = status
    let keepsAlive = keepsAlive(headers)
    connection.channel.withOutput { output in
      appendHead(status, headers, keepsAlive: keepsAlive, to: &output)
      if !HTTPStatus.hasNoBody(status) {
        if headers["Content-Length"] == nil {
          HTTPEncoder.field("Content-Length", String(body.count), to: &output)
        }
        HTTPEncoder.endOfLine(&output)
        if request.head.method != "HEAD" { output.append(contentsOf: body) }
      } else {
        HTTPEncoder.endOfLine(&output)
      }
    }
    done(keepsAlive: keepsAlive)
  }

  private func beginHere(_ status: Int, _ headers: HTTPHeaders) {
    guard state == .waiting, let connection else { return }
    self.status = status
    let isChunked =
      headers["Content-Length"] == nil && request.head.minorVersion >= 1 && !HTTPStatus.hasNoBody(status)
    state = isChunked ? .chunked : .plain
    closesAfter = !keepsAlive(headers) || (!isChunked && headers["Content-Length"] == nil)
    hasBody = request.head.method != "HEAD" && !HTTPStatus.hasNoBody(status)
    connection.channel.withOutput { output in
      appendHead(status, headers, keepsAlive: !closesAfter, to: &output)
      if isChunked { HTTPEncoder.field("Transfer-Encoding", "chunked", to: &output) }
      HTTPEncoder.endOfLine(&output)
    }
  }

  private var closesAfter = false
  private var hasBody = true

  private func writeHere(_ bytes: [UInt8]) {
    guard let connection, hasBody, state == .chunked || state == .plain else { return }
    let channel = connection.channel
    if state == .chunked {
      channel.withOutput { output in bytes.withUnsafeBytes { HTTPEncoder.appendChunk($0, to: &output) } }
    } else {
      channel.write(bytes)
    }
    let limit = connection.server.options.maxUnsentBytes
    if channel.unsent > limit { channel.flushNow() }
    if channel.unsent > limit {
      state = .done
      channel.reset()
    }
  }

  private func finishHere() {
    guard let connection else { return }
    switch state {
    case .waiting, .done: return
    case .chunked:
      if hasBody { connection.channel.withOutput { HTTPEncoder.appendLastChunk(to: &$0) } }
      done(keepsAlive: !closesAfter)
    case .plain: done(keepsAlive: !closesAfter)
    case .raw: done(keepsAlive: request.head.keepsAlive)
    }
  }

  private func keepsAlive(_ headers: HTTPHeaders) -> Bool {
    request.head.keepsAlive && !headers.contains(token: "close", in: "Connection")
  }

  private func appendHead(
    _ status: Int, _ headers: HTTPHeaders, keepsAlive: Bool, to output: inout [UInt8]
  ) {
    HTTPEncoder.statusLine(status, HTTPStatus.reason(status), to: &output)
    HTTPEncoder.fields(headers, to: &output)
    if headers["Date"] == nil { HTTPEncoder.field("Date", loop.httpDate.current, to: &output) }
    // Beside what the caller says there: a list may stand in several fields (RFC 9110 §5.3).
    if !keepsAlive {
      if !headers.contains(token: "close", in: "Connection") {
        HTTPEncoder.field("Connection", "close", to: &output)
      }
    } else if request.head.minorVersion == 0, headers["Connection"] == nil {
      HTTPEncoder.field("Connection", "keep-alive", to: &output)
    }
  }

  private func done(keepsAlive: Bool) {
    state = .done
    leftHandlers = []
    let connection = connection
    self.connection = nil
    connection?.finished(self, keepsAlive: keepsAlive)
  }

  /// The peer sends no more, or is gone.
  func peerLeft() {
    guard !hasLeft else { return }
    hasLeft = true
    let handlers = leftHandlers
    leftHandlers = []
    for handler in handlers { handler() }
  }
}
