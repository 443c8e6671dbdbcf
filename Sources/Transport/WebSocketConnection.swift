package import Wire

/// What the owner of a WebSocket is told, on the connection's loop.
package protocol WebSocketHandler: AnyObject {
  /// A whole message. The bytes are valid during the call only.
  func onMessage(
    _ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer, on connection: WebSocketConnection)
  /// A pong, asked for or not.
  func onPong(_ bytes: UnsafeRawBufferPointer, on connection: WebSocketConnection)
  /// Told once, when nothing more will come. `code` is the peer's, or ours where we failed the
  /// connection; nil without a Close frame. `clean` says that both Close frames were exchanged.
  func onClose(code: UInt16?, reason: String, clean: Bool, on connection: WebSocketConnection)
}

extension WebSocketHandler {
  package func onPong(_ bytes: UnsafeRawBufferPointer, on connection: WebSocketConnection) {}
}

package struct WebSocketOptions: Sendable {
  package var maxMessageBytes = 1 << 20
  /// Unsent bytes past which the connection is closed with 1008.
  package var maxUnsentBytes = 8 << 20
  /// A peer silent for so long is pinged; nil for never.
  package var pingInterval: Duration? = .seconds(30)
  /// How long it may then be silent still.
  package var pongTimeout = Duration.seconds(10)
  /// How long the peer may take to answer our Close.
  package var closeTimeout = Duration.seconds(5)

  package init() {}
}

/// The server's side of a WebSocket. Every method may be called from any thread; on the loop it
/// acts at once, and what is sent during one readable event leaves in one system call.
///
/// There may be thousands that only wait, so it is small: what the handshake needed is gone, bytes
/// come in the loop's buffer, and it waits in the loop's heap of timers itself.
package final class WebSocketConnection: TimedEvent, ChannelDelegate, ServedConnection, @unchecked Sendable {
  // Invariant: the lets never change; everything else is used only on `loop`.
  package let loop: EventLoop
  package let remote: String
  package let subprotocol: String?

  private let maxUnsentBytes: Int
  /// Nanoseconds; `pingInterval` is 0 for never.
  private let pingInterval: Int64
  private let pongTimeout: Int64
  private let closeTimeout: Int64
  private var channel: Channel?
  private var machine: WebSocketMachine
  private var handler: (any WebSocketHandler)?
  private var shard: HTTPServerShard?
  private var isPaused = false
  private var isReading = false
  /// Input that came before a pause and has not been looked at.
  private var held: [UInt8] = []
  private var lastHeard: Int64 = 0
  /// When a silent peer was pinged; 0 if it was not.
  private var pinged: Int64 = 0

  init(loop: EventLoop, remote: String, subprotocol: String?, options: WebSocketOptions) {
    self.loop = loop
    self.remote = remote
    self.subprotocol = subprotocol
    maxUnsentBytes = options.maxUnsentBytes
    pingInterval = options.pingInterval?.nanoseconds ?? 0
    pongTimeout = options.pongTimeout.nanoseconds
    closeTimeout = options.closeTimeout.nanoseconds
    machine = WebSocketMachine(role: .server, maxMessageBytes: options.maxMessageBytes)
  }

  func adopt(_ handler: any WebSocketHandler) { self.handler = handler }

  /// The peer left before the handshake was answered.
  func neverBegan(_ handler: any WebSocketHandler) {
    handler.onClose(code: nil, reason: "the peer left before the handshake", clean: false, on: self)
  }

  /// From here on what is sent goes out behind the 101.
  func attach(_ channel: Channel) { self.channel = channel }

  func begin(in shard: HTTPServerShard) {
    self.shard = shard
    lastHeard = loop.now
    if isPaused { channel?.pauseReading() }
    watchSilence()
  }

  // MARK: Sending

  package func send(text bytes: [UInt8]) { send(.text, bytes) }
  package func send(binary bytes: [UInt8]) { send(.binary, bytes) }
  package func ping(_ bytes: [UInt8] = []) { send(.ping, bytes) }

  private func send(_ opcode: WebSocketOpcode, _ bytes: [UInt8]) {
    guard loop.isCurrent else {
      loop.submit { self.send(opcode, bytes) }
      return
    }
    bytes.withUnsafeBytes { queue(opcode, $0) }
  }

  /// Sends a message from the loop without a copy of its own.
  package func sendHere(_ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer) {
    precondition(loop.isCurrent, "sendHere is for the connection's loop")
    switch kind {
    case .text: queue(.text, bytes)
    case .binary: queue(.binary, bytes)
    }
  }

  /// Sends a text message of `count` bytes from the loop; `fill` writes all of them where they are
  /// sent from.
  package func sendHere(count: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) {
    precondition(loop.isCurrent, "sendHere is for the connection's loop")
    guard let channel else { return }
    channel.withOutput { machine.send(.text, count: count, to: &$0, fill: fill) }
    checkUnsent(channel)
  }

  private func queue(_ opcode: WebSocketOpcode, _ bytes: UnsafeRawBufferPointer) {
    guard let channel, !machine.hasSentClose else { return }
    channel.withOutput { _ = machine.send(opcode, bytes, to: &$0) }
    checkUnsent(channel)
  }

  /// Gives up on a peer that does not read what is sent to it.
  private func checkUnsent(_ channel: Channel) {
    guard channel.unsent > maxUnsentBytes else { return }
    channel.flushNow()
    guard channel.unsent > maxUnsentBytes else { return }
    let reason = "more than \(maxUnsentBytes) bytes unsent"
    channel.withOutput { machine.sendClose(code: 1008, reason: reason, to: &$0) }
    end(code: 1008, reason: reason, clean: false)
    channel.close()
  }

  /// Bytes queued and not yet taken by the kernel; for the loop.
  package var unsent: Int { channel?.unsent ?? 0 }

  /// Starts the closing handshake; the socket closes when the peer has answered, or has not in time.
  package func close(code: UInt16? = 1000, reason: String = "") {
    loop.run {
      guard let channel = self.channel, channel.isOpen, !self.machine.hasSentClose else { return }
      channel.withOutput { self.machine.sendClose(code: code, reason: reason, to: &$0) }
      // The peer's Close must get through.
      self.resumeReading()
      self.loop.timers.insert(self, due: self.loop.now + self.closeTimeout)
    }
  }

  var isIdle: Bool { true }
  var isRefused: Bool { false }

  func windDown() { close(code: 1001, reason: "server is shutting down") }

  /// Cuts the connection with RST.
  package func reset() {
    loop.run { self.channel?.reset() }
  }

  /// Stops telling of messages, and soon the kernel's buffer fills and the peer waits.
  package func pauseReading() {
    loop.run {
      self.isPaused = true
      self.channel?.pauseReading()
    }
  }

  package func resumeReading() {
    loop.run {
      guard self.isPaused else { return }
      self.isPaused = false
      // The pong of a ping sent meanwhile may have come and not been read.
      self.lastHeard = self.loop.now
      self.channel?.resumeReading()
      guard !self.held.isEmpty, !self.isReading else { return }
      var input = self.held
      self.held = []
      input.withUnsafeMutableBytes { self.read($0) }
    }
  }

  // MARK: Receiving

  func channelRead(_ bytes: UnsafeMutableRawBufferPointer) {
    lastHeard = loop.now
    if isPaused { return held.append(contentsOf: bytes) }
    read(bytes)
  }

  private func read(_ bytes: UnsafeMutableRawBufferPointer) {
    isReading = true
    defer { isReading = false }
    var offset = 0
    var answer: [UInt8] = []
    while !isPaused, channel != nil {
      let event = machine.next(bytes, &offset, output: &answer)
      if !answer.isEmpty, let channel {
        channel.write(answer)
        answer.removeAll(keepingCapacity: true)
        // Pongs count too; a Close is the last thing sent anyway.
        if !machine.hasSentClose { checkUnsent(channel) }
      }
      guard let event else { return }
      handle(event)
    }
    if isPaused { held.append(contentsOf: bytes[offset...]) }
  }

  private func handle(_ event: WebSocketMachine.Event) {
    switch event {
    case .message(let kind, let bytes):
      if !machine.hasSentClose { handler?.onMessage(kind, bytes, on: self) }
    case .ping: break
    case .pong(let bytes): handler?.onPong(bytes, on: self)
    case .close(let code, let reason):
      end(code: code, reason: reason, clean: true)
      channel?.close()
    case .failure(let failure):
      end(code: failure.code, reason: failure.message, clean: false)
      channel?.close()
    }
  }

  func channelEOF() {
    end(code: nil, reason: "the connection ended without a close frame", clean: false)
    channel?.close()
  }

  func channelDrained() {}

  func channelClosed(_ cause: ChannelEnd) {
    var reason = "the connection was closed"
    if case .reset(let cut) = cause { reason = cut }
    end(code: nil, reason: reason, clean: false)
    if let channel { shard?.ended(channel) }
    channel = nil
    shard = nil
  }

  private func end(code: UInt16?, reason: String, clean: Bool) {
    loop.timers.remove(self)
    let handler = handler
    self.handler = nil
    handler?.onClose(code: code, reason: reason, clean: clean, on: self)
  }

  // MARK: Silence

  private func watchSilence() {
    // Closed by its handler before it began: the time for the answer runs already.
    guard pingInterval > 0, !machine.hasSentClose else { return }
    let due = pinged > 0 ? pinged + pongTimeout : lastHeard + pingInterval
    loop.timers.insert(self, due: max(due, loop.now))
  }

  /// The peer has been silent for a time, or has not answered our Close.
  override func isDue() {
    guard let channel, channel.isOpen else { return }
    if machine.hasSentClose {
      end(code: nil, reason: "close was not answered in time", clean: false)
      return channel.close()
    }
    if pinged > 0, lastHeard <= pinged, !isPaused {
      let reason = "no answer to ping within \(Duration.nanoseconds(pongTimeout))"
      channel.withOutput { machine.sendClose(code: 1011, reason: reason, to: &$0) }
      end(code: nil, reason: reason, clean: false)
      return channel.close()
    }
    pinged = 0
    if loop.now - lastHeard >= pingInterval {
      pinged = loop.now
      queue(.ping, UnsafeRawBufferPointer(start: nil, count: 0))
    }
    watchSilence()
  }
}
