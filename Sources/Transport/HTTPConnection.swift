internal import Wire

/// One HTTP connection of a server: reads requests and has them answered in order. Belongs to its
/// loop.
final class HTTPConnection: ChannelDelegate, ServedConnection {
  let channel: Channel
  let server: HTTPServer
  private let shard: HTTPServerShard
  private var parser: HTTPRequestParser
  private var head: HTTPRequestHead?
  private var body: [UInt8] = []
  /// The request being answered; the next one waits for its end.
  private(set) var exchange: HTTPExchange?
  /// What took the connection over; this object is given up then.
  private var webSocket: WebSocketConnection?
  var isRefused = false
  /// Input that came while a request was being answered, or while answers waited to be read.
  private var held: [UInt8] = []
  private var isProcessing = false
  private var isWindingDown = false
  private var hasEOF = false

  private enum Wait { case head, body, next }
  private let deadline: Deadline
  private var wait = Wait.head

  /// How much pipelined input is held before the connection is not read further.
  private static let heldLimit = 64 * 1024
  /// Unsent bytes past which no further request of the connection is looked at.
  private static let unsentLimit = 256 * 1024

  init(_ channel: Channel, server: HTTPServer, shard: HTTPServerShard) {
    self.channel = channel
    self.server = server
    self.shard = shard
    parser = HTTPRequestParser(limits: server.options.limits)
    deadline = Deadline(channel.loop)
    deadline.whenPassed { [weak self] in self?.timeIsUp() }
  }

  func start() -> Bool {
    guard channel.start(self) else { return false }
    expect(.head, server.options.headTime)
    return true
  }

  // MARK: Input

  func channelRead(_ bytes: UnsafeMutableRawBufferPointer) {
    guard exchange == nil, held.isEmpty, !isProcessing else {
      held.append(contentsOf: bytes)
      if held.count > Self.heldLimit { channel.pauseReading() }
      return
    }
    process(bytes)
  }

  private func process(_ input: UnsafeMutableRawBufferPointer) {
    isProcessing = true
    defer { isProcessing = false }
    let bytes = UnsafeRawBufferPointer(input)
    var offset = 0
    do {
      while exchange == nil, webSocket == nil, channel.isOpen, !isChoked(),
        let event = try parser.next(bytes, &offset)
      { take(event) }
    } catch {
      return fail(error)
    }
    let rest = UnsafeMutableRawBufferPointer(rebasing: input[offset...])
    if let webSocket {
      // What is glued to the handshake is already frames.
      if !rest.isEmpty { webSocket.channelRead(rest) }
    } else if exchange != nil {
      held.append(contentsOf: rest)
    } else if isChoked(), !rest.isEmpty {
      held.append(contentsOf: rest)
      expect(.next, server.options.idleTime)
    } else {
      waitForMore()
    }
  }

  /// Whether the peer asks without reading the answers; when it has read them, `channelDrained`
  /// goes on.
  private func isChoked() -> Bool {
    guard channel.unsent > Self.unsentLimit else { return false }
    channel.flushNow()
    return channel.unsent > Self.unsentLimit
  }

  private func take(_ event: HTTPRequestParser.Event) {
    switch event {
    case .head(let head):
      self.head = head
      if let expectation = head.headers["Expect"] { answer(expectation, of: head) }
    case .body(let bytes):
      body.append(contentsOf: bytes)
    case .end:
      guard let head else { return }
      deadline.clear()
      wait = .next
      let request = HTTPRequest(head: head, body: body)
      self.head = nil
      body = []
      let exchange = HTTPExchange(request, on: self)
      self.exchange = exchange
      server.handler(exchange)
    }
  }

  /// Expect: 100-continue (RFC 9110 §10.1.1).
  private func answer(_ expectation: String, of head: HTTPRequestHead) {
    guard expectation.lowercased() == "100-continue" else {
      return fail(HTTPError(417, "unknown expectation (RFC 9110 §10.1.1)"))
    }
    guard head.minorVersion >= 1 else { return }
    channel.write(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
  }

  private func waitForMore() {
    guard channel.isOpen else { return }
    if hasEOF { return channel.close() }
    if head != nil {
      expect(.body, server.options.bodyTime)
    } else if parser.isMidMessage {
      if wait != .head { expect(.head, server.options.headTime) }
    } else if wait != .head {
      expect(.next, server.options.idleTime)
    }
  }

  /// Called when the current exchange is answered.
  func finished(_ exchange: HTTPExchange, keepsAlive: Bool) {
    guard self.exchange === exchange else { return }
    self.exchange = nil
    guard keepsAlive, !isWindingDown, channel.isOpen else { return channel.close() }
    guard !isProcessing else { return }
    processHeld()
  }

  private func processHeld() {
    var input = held
    held = []
    channel.resumeReading()
    input.withUnsafeMutableBytes { process($0) }
  }

  /// Makes the connection a WebSocket; frames that came with the request follow.
  func upgrade(_ exchange: HTTPExchange, to webSocket: WebSocketConnection) {
    self.exchange = nil
    self.webSocket = webSocket
    deadline.end()
    channel.delegate = webSocket
    channel.resumeReading()
    shard.connections[ObjectIdentifier(channel)] = webSocket
    webSocket.begin(in: shard)
    guard !isProcessing else { return }
    var input = held
    held = []
    if !input.isEmpty { input.withUnsafeMutableBytes { webSocket.channelRead($0) } }
    if hasEOF { webSocket.channelEOF() }
  }

  // MARK: Refusals and ends

  private func fail(_ error: HTTPError) {
    respondAndClose(error.status, error.message, [])
  }

  func refuse(_ why: String) {
    respondAndClose(503, why, ["Retry-After": "\(server.options.retryAfter)"])
  }

  private func respondAndClose(_ status: Int, _ text: String, _ headers: HTTPHeaders) {
    server.refused(status)
    channel.withOutput { output in
      var head = HTTPResponseHead(status: status, headers: headers)
      head.headers.append("Content-Type", "text/plain; charset=utf-8")
      head.headers.append("Content-Length", "\(text.utf8.count + 1)")
      head.headers.append("Date", channel.loop.httpDate.current)
      head.headers.append("Connection", "close")
      HTTPEncoder.append(head, to: &output)
      // What is refused may be known to be a HEAD, which never has a body (RFC 9110 §9.3.2).
      if self.head?.method != "HEAD" { output.append(contentsOf: (text + "\n").utf8) }
    }
    channel.close()
  }

  var isIdle: Bool { exchange == nil }

  func windDown() {
    isWindingDown = true
    if exchange == nil { channel.close() }
  }

  func reset() { channel.reset() }

  func channelEOF() {
    hasEOF = true
    if let exchange { return exchange.peerLeft() }
    if held.isEmpty { channel.close() }
  }

  func channelDrained() {
    if exchange == nil, !held.isEmpty { processHeld() }
  }

  func channelClosed(_ end: ChannelEnd) {
    deadline.end()
    let last = exchange
    exchange = nil
    last?.peerLeft()
    shard.ended(channel)
  }

  // MARK: Time limits

  private func expect(_ what: Wait, _ limit: Duration) {
    wait = what
    deadline.set(limit)
  }

  private func timeIsUp() {
    guard exchange == nil, webSocket == nil, channel.isOpen else { return }
    switch wait {
    case .next: channel.close()
    case .head:
      fail(HTTPError(408, "no complete request head within \(server.options.headTime) (RFC 9110 §15.5.9)"))
    case .body:
      fail(HTTPError(408, "no more of the request body within \(server.options.bodyTime) (RFC 9110 §15.5.9)"))
    }
  }
}
