import Synchronization
internal import Wire

/// What a `WebSocketClient` does on its loop.
final class WebSocketClientCore: ChannelDelegate, @unchecked Sendable {
  // Invariant: every var is used only on `loop`, `reported` is atomic and `inbox` locks itself.
  let loop: EventLoop
  private let url: HTTPURL
  private let options: WebSocketClientOptions
  private let subprotocols: [String]
  private let headers: HTTPHeaders
  private let key = WebSocketHandshake.newKey()
  private let reported = Atomic<Bool>(false)
  private(set) var inbox: Inbox<WebSocketClient.Received>

  private enum Phase { case connecting, handshake, open, over }
  private var phase = Phase.connecting
  private var completion: ((Result<WebSocketClient, WebSocketClientError>) -> Void)?
  private var connector: Connector?
  private var channel: Channel?
  private var parser: HTTPResponseParser
  private var rejection: (head: HTTPResponseHead, body: [UInt8])?
  private var machine: WebSocketMachine
  private let deadline: Deadline

  private static let maxRejectionBytes = 64 * 1024
  /// How long a server may take to end the connection behind the closing handshake.
  private static let serverCloses = Duration.seconds(2)

  init(
    _ loop: EventLoop, _ url: HTTPURL, _ subprotocols: [String], _ headers: HTTPHeaders,
    _ options: WebSocketClientOptions
  ) {
    self.loop = loop
    self.url = url
    self.subprotocols = subprotocols
    self.headers = headers
    self.options = options
    parser = HTTPResponseParser(limits: HTTPLimits(bodyBytes: Self.maxRejectionBytes))
    machine = WebSocketMachine(
      role: .client, maxMessageBytes: options.maxMessageBytes, autoPong: options.autoPong)
    deadline = Deadline(loop)
    let room = Weak()
    inbox = Inbox(loop: loop, limit: options.maxQueuedBytes) {
      loop.submit { room.core?.channel?.resumeReading() }
    }
    room.core = self
  }

  private final class Weak: @unchecked Sendable {
    // Invariant: written once in init, before anything else can see it; read on the loop.
    weak var core: WebSocketClientCore?
  }

  var hasReportedEnd: Bool {
    get { reported.load(ordering: .relaxed) }
    set { reported.store(newValue, ordering: .relaxed) }
  }

  // MARK: Connecting

  func connect(
    within limit: Duration,
    completion: @escaping (Result<WebSocketClient, WebSocketClientError>) -> Void
  ) {
    // Cancelled before it began.
    guard phase == .connecting else { return completion(.failure(.cancelled)) }
    self.completion = completion
    deadline.whenPassed { [weak self] in self?.fail(.timeout(limit)) }
    deadline.set(limit)
    let connector = Connector(url.host, url.port, on: loop) { [weak self] in self?.connected($0) }
    self.connector = connector
    connector.start(url.host, url.port)
  }

  private func connected(_ result: Result<Channel, ConnectFailure>) {
    connector = nil
    switch result {
    case .failure(.resolve(let text)): fail(.resolve(text))
    case .failure(.refused(let text)): fail(.refused(text))
    case .failure(.failed(let text)), .failure(.reset(let text)): fail(.failed(text))
    case .success(let channel):
      self.channel = channel
      phase = .handshake
      guard channel.start(self) else { return }
      let request = WebSocketHandshake.request(
        host: url.hostField, target: url.target, key: key, subprotocols: subprotocols, headers: headers)
      channel.withOutput { HTTPEncoder.append(request, to: &$0) }
    }
  }

  /// Ends an attempt that has not succeeded.
  func fail(_ error: WebSocketClientError) {
    guard phase == .connecting || phase == .handshake else { return }
    phase = .over
    deadline.end()
    connector?.cancel()
    connector = nil
    channel?.reset()
    channel = nil
    let completion = completion
    self.completion = nil
    completion?(.failure(error))
  }

  private func shakeHands(_ bytes: UnsafeMutableRawBufferPointer) {
    var offset = 0
    do {
      while phase == .handshake, let event = try parser.next(UnsafeRawBufferPointer(bytes), &offset) {
        switch event {
        case .head(let head): answered(head)
        case .body(let piece): rejection?.body.append(contentsOf: piece)
        case .end: rejected("the server answered \(rejection?.head.status ?? 0), not 101")
        }
      }
    } catch {
      if rejection != nil { return rejected(error.message) }
      return fail(.failed(error.message))
    }
    if phase == .open { receive(UnsafeMutableRawBufferPointer(rebasing: bytes[offset...])) }
  }

  private func answered(_ head: HTTPResponseHead) {
    guard head.status == 101 else {
      rejection = (head, [])
      return
    }
    do {
      let chosen = try WebSocketHandshake.verify(head, key: key, offered: subprotocols)
      phase = .open
      deadline.clear()
      let completion = completion
      self.completion = nil
      completion?(.success(WebSocketClient(self, head, chosen)))
    } catch {
      fail(.rejected(status: head.status, headers: head.headers, body: [], reason: error.text))
    }
  }

  private func rejected(_ reason: String) {
    guard let rejection else { return }
    fail(
      .rejected(
        status: rejection.head.status, headers: rejection.head.headers, body: rejection.body, reason: reason))
  }

  // MARK: Receiving

  func channelRead(_ bytes: UnsafeMutableRawBufferPointer) {
    switch phase {
    case .handshake: shakeHands(bytes)
    case .open: receive(bytes)
    case .connecting, .over: break
    }
  }

  private func receive(_ bytes: UnsafeMutableRawBufferPointer) {
    var offset = 0
    var answer: [UInt8] = []
    while phase == .open {
      let event = machine.next(bytes, &offset, output: &answer)
      if !answer.isEmpty {
        channel?.write(answer)
        answer.removeAll(keepingCapacity: true)
      }
      guard let event else { break }
      handle(event)
    }
    // A peer that does not read our answers gets no more of them.
    if let channel, channel.unsent > options.maxQueuedBytes { channel.pauseReading() }
  }

  private func handle(_ event: WebSocketMachine.Event) {
    switch event {
    case .message(let kind, let bytes):
      if let reply = options.reply?(kind, bytes) {
        send(kind == .text ? .text : .binary, reply, fin: true)
      } else {
        report(.message(kind, Array(bytes)), weight: bytes.count + 64)
      }
    case .ping(let bytes):
      if options.reportsPings { report(.ping(Array(bytes)), weight: bytes.count + 64) }
    case .pong(let bytes): report(.pong(Array(bytes)), weight: bytes.count + 64)
    case .close(let code, let reason):
      end(.closed(code: code, reason: reason, clean: true, how: .closeFrame))
      // The server ends the connection first (RFC 6455 §7.1.1).
      deadline.whenPassed { [weak self] in self?.channel?.close() }
      deadline.set(Self.serverCloses)
    case .failure(let failure):
      end(
        .closed(
          code: failure.code, reason: failure.message, clean: false, how: .protocolError(failure.message)))
      channel?.close()
    }
  }

  private func report(_ event: WebSocketClient.Event, weight: Int) {
    if !inbox.push(.init(event: event, at: .now), weight: weight) { channel?.pauseReading() }
  }

  private func end(_ event: WebSocketClient.Event) {
    guard phase == .open else { return }
    phase = .over
    channel?.resumeReading()
    report(event, weight: 0)
  }

  func channelEOF() {
    if phase == .handshake {
      if rejection != nil, (try? parser.finish()) == true {
        return rejected("the server answered \(rejection?.head.status ?? 0), not 101")
      }
      return fail(.failed("the server closed the connection during the handshake"))
    }
    end(.closed(code: nil, reason: "", clean: false, how: .eof))
    channel?.close()
  }

  func channelDrained() { channel?.resumeReading() }

  func channelClosed(_ cause: ChannelEnd) {
    channel = nil
    switch cause {
    case .closed:
      fail(.failed("the connection was closed during the handshake"))
      end(.closed(code: nil, reason: "", clean: false, how: .local))
    case .reset(let text):
      fail(.failed("the connection broke during the handshake: \(text)"))
      end(.closed(code: nil, reason: "", clean: false, how: .reset(text)))
    }
    deadline.end()
  }

  // MARK: Sending

  func send(_ opcode: WebSocketOpcode, _ bytes: [UInt8], fin: Bool) {
    channel?.withOutput { output in
      bytes.withUnsafeBytes { _ = machine.send(opcode, $0, fin: fin, to: &output) }
    }
  }

  func sendRaw(_ bytes: [UInt8]) { channel?.write(bytes) }

  func close(_ code: UInt16?, _ reason: String) {
    channel?.withOutput { machine.sendClose(code: code, reason: reason, to: &$0) }
  }

  func abort() { channel?.reset() }

  func shutdownWrite() { channel?.shutdownWrite() }

  /// Nobody can see events any more.
  func abandon() {
    guard let channel else { return }
    if phase == .over { channel.close() } else { channel.reset() }
  }
}
