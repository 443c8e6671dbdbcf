package import Wire

/// A port on which clients are judged: who comes, and everything that each of them does, is told in
/// one order.
package final class WebSocketHost: Sendable {
  package enum Event: Sendable {
    /// A request for a WebSocket, or another, has been read and waits for `accept` or `refuse`.
    case arrived(WebSocketGuest)
    case received(WebSocketGuest, WebSocketClient.Event, at: ContinuousClock.Instant)
  }

  private let listener: Listener
  private let inbox: Inbox<Event>
  /// Received bytes that wait to be taken before nobody is read further.
  private static let queuedBytes = 32 << 20

  package var port: UInt16 { listener.port }

  package init(loop: EventLoop, port: UInt16 = 0, maxMessageBytes: Int = 16 << 20) throws(TransportError) {
    listener = try Listener(loop: loop, host: "127.0.0.1", port: port)
    let waiting = Waiting()
    let inbox = Inbox<Event>(loop: loop, limit: Self.queuedBytes) {
      loop.submit { waiting.goOn() }
    }
    self.inbox = inbox
    listener.accept { fd, remote in
      let guest = WebSocketGuest(
        Channel(fd, loop: loop, remote: remote), number: waiting.nextNumber(),
        maxMessageBytes: maxMessageBytes
      ) { guest, event, weight in
        if !inbox.push(event, weight: weight) { waiting.add(guest) }
      }
      guest.start()
    }
  }

  /// Events hold guests, and guests hold the inbox that the events wait in.
  deinit {
    listener.close()
    inbox.close()
  }

  /// Who is not read at the moment.
  private final class Waiting: @unchecked Sendable {
    // Invariant: used only on the host's loop.
    private var guests: [WebSocketGuest] = []
    private var lastNumber = 0

    func nextNumber() -> Int {
      lastNumber += 1
      return lastNumber
    }

    func add(_ guest: WebSocketGuest) {
      guest.pause()
      guests.append(guest)
    }

    func goOn() {
      let all = guests
      guests = []
      for guest in all { guest.resume() }
    }
  }

  /// What happens next; nil when nothing does within `limit`.
  package func next(within limit: Duration) async -> Event? { await inbox.next(within: limit) }

  /// Gives the port up; connecting is refused from now on.
  package func close() { listener.close() }
}

/// A client as the server sees it, for judging it: anything may be sent to it. Usable from any thread.
package final class WebSocketGuest: ChannelDelegate, @unchecked Sendable {
  // Invariant: the lets never change, `request` is written before anybody else sees this; everything
  // else is used only on `loop`.
  typealias Report = @Sendable (WebSocketGuest, WebSocketHost.Event, _ weight: Int) -> Void

  private enum Phase { case head, waiting, open, over }

  /// Counts the host's connections from 1.
  package let number: Int
  /// What it asked for.
  package private(set) var request = HTTPRequestHead(method: "", target: "")
  private let loop: EventLoop
  private let report: Report
  private var channel: Channel?
  private var phase = Phase.head
  private var parser = HTTPRequestParser(limits: HTTPLimits())
  private var machine: WebSocketMachine
  /// What came behind the request, before it was answered.
  private var held: [UInt8] = []

  init(_ channel: Channel, number: Int, maxMessageBytes: Int, report: @escaping Report) {
    self.channel = channel
    self.number = number
    self.report = report
    loop = channel.loop
    machine = WebSocketMachine(role: .server, maxMessageBytes: maxMessageBytes)
  }

  func start() { _ = channel?.start(self) }
  func pause() { channel?.pauseReading() }
  func resume() { channel?.resumeReading() }

  // MARK: The handshake

  /// Why the request is no proper one (RFC 6455 §4.2.1); nil if it is.
  package var problem: String? {
    guard case .refuse(let refusal) = WebSocketHandshake.decide(request) else { return nil }
    return refusal.text
  }

  /// Answers 101; false where the request is none that this can be the answer to.
  @discardableResult
  package func accept(subprotocol: String? = nil, headers: HTTPHeaders = []) -> Bool {
    guard case .accept(var head, _) = WebSocketHandshake.decide(request) else { return false }
    if let subprotocol { head.headers.append("Sec-WebSocket-Protocol", subprotocol) }
    head.headers.append(contentsOf: headers)
    let answer = head
    loop.run {
      guard self.phase == .waiting else { return }
      self.phase = .open
      self.channel?.withOutput { HTTPEncoder.append(answer, to: &$0) }
      var input = self.held
      self.held = []
      input.withUnsafeMutableBytes { self.receive($0) }
    }
    return true
  }

  /// Answers something else, and ends the connection.
  package func refuse(status: Int, headers: HTTPHeaders = [], body: String = "") {
    loop.run {
      guard self.phase == .waiting, let channel = self.channel else { return }
      self.phase = .over
      channel.withOutput { output in
        var head = HTTPResponseHead(status: status, headers: headers)
        head.headers.append("Content-Length", "\(body.utf8.count)")
        head.headers.append("Connection", "close")
        HTTPEncoder.append(head, to: &output)
        output.append(contentsOf: body.utf8)
      }
      channel.close()
    }
  }

  private func readHead(_ bytes: UnsafeMutableRawBufferPointer) {
    var offset = 0
    do {
      while phase == .head, let event = try parser.next(UnsafeRawBufferPointer(bytes), &offset) {
        switch event {
        case .head(let head): request = head
        case .body: break
        case .end:
          phase = .waiting
          held.append(contentsOf: bytes[offset...])
          report(self, .arrived(self), 256)
        }
      }
    } catch {
      phase = .over
      channel?.withOutput {
        HTTPEncoder.append(
          HTTPResponseHead(status: error.status, headers: ["Content-Length": "0", "Connection": "close"]),
          to: &$0)
      }
      channel?.close()
    }
  }

  // MARK: Receiving

  func channelRead(_ bytes: UnsafeMutableRawBufferPointer) {
    switch phase {
    case .head: readHead(bytes)
    case .waiting: held.append(contentsOf: bytes)
    case .open: receive(bytes)
    case .over: break
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
      guard let event else { return }
      switch event {
      case .message(let kind, let bytes): tell(.message(kind, Array(bytes)), bytes.count + 64)
      case .ping(let bytes): tell(.ping(Array(bytes)), bytes.count + 64)
      case .pong(let bytes): tell(.pong(Array(bytes)), bytes.count + 64)
      case .close(let code, let reason):
        end(.closed(code: code, reason: reason, clean: true, how: .closeFrame))
        channel?.close()
      case .failure(let failure):
        let how = WebSocketClient.Ending.protocolError(failure.message)
        end(.closed(code: failure.code, reason: failure.message, clean: false, how: how))
        channel?.close()
      }
    }
  }

  private func tell(_ event: WebSocketClient.Event, _ weight: Int) {
    report(self, .received(self, event, at: .now), weight)
  }

  private func end(_ event: WebSocketClient.Event) {
    guard phase == .open || phase == .waiting else { return }
    phase = .over
    tell(event, 64)
  }

  func channelEOF() {
    end(.closed(code: nil, reason: "", clean: false, how: .eof))
    channel?.close()
  }

  func channelDrained() {}

  func channelClosed(_ cause: ChannelEnd) {
    channel = nil
    switch cause {
    case .closed: end(.closed(code: nil, reason: "", clean: false, how: .eof))
    case .reset(let text): end(.closed(code: nil, reason: "", clean: false, how: .reset(text)))
    }
  }

  // MARK: Sending

  package func send(_ opcode: WebSocketOpcode, _ bytes: [UInt8], fin: Bool = true) {
    loop.run {
      self.channel?.withOutput { output in
        bytes.withUnsafeBytes { _ = self.machine.send(opcode, $0, fin: fin, to: &output) }
      }
    }
  }

  /// Sends bytes as they are.
  package func sendRaw(_ bytes: [UInt8]) { loop.run { self.channel?.write(bytes) } }

  /// Starts the closing handshake; the answer comes as `.closed`.
  package func close(code: UInt16? = 1000, reason: String = "") {
    loop.run { self.channel?.withOutput { self.machine.sendClose(code: code, reason: reason, to: &$0) } }
  }

  /// Ends the connection without a Close frame, by FIN or RST; nothing is told of it any more.
  package func drop(reset: Bool) {
    loop.run {
      self.phase = .over
      if reset { self.channel?.reset() } else { self.channel?.close() }
    }
  }
}
