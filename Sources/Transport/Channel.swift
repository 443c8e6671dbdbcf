/// How a connection ended.
package enum ChannelEnd: Sendable, Equatable {
  /// In order: everything was sent and the peer has closed too, or did not within the time.
  case closed
  /// By RST or another error of the network.
  case reset(String)
}

/// What a connection's owner is told, on the loop.
protocol ChannelDelegate: AnyObject {
  /// Bytes came; they are the loop's buffer and may be changed, but not kept.
  func channelRead(_ bytes: UnsafeMutableRawBufferPointer)
  /// The peer sends no more; it may still read.
  func channelEOF()
  /// Everything queued is with the kernel, after some of it had to wait.
  func channelDrained()
  /// The descriptor is closed. Told once; the channel forgets its delegate then.
  func channelClosed(_ end: ChannelEnd)
}

/// One connected socket. Belongs to its loop: every member is used only there.
///
/// What is written during a readable event is sent when its delegate returns, what is written
/// otherwise at the end of the turn: one send for all of it.
package final class Channel: PollSource {
  private enum State { case open, closing, lingering, closed }

  package let loop: EventLoop
  package let remote: String
  var delegate: (any ChannelDelegate)?
  private let fd: Int32
  private var token: UInt64?
  private var state = State.open

  private var output: [UInt8] = []
  private var sent = 0
  /// Whether the kernel's buffer is full and we wait for it.
  private var isBlocked = false
  /// Whether a flush is on its way: at the end of the event or of the turn.
  private var isFlushDue = false

  private var isReading = true
  private var hasEOF = false
  private var wantsShutdown = false
  private var isShutdown = false
  private var lingerTimer: ScheduledTimer?

  /// How long a closing connection may take to send the rest and see the peer's end.
  private static let lingerTime: Int64 = 3_000_000_000

  /// Takes over `fd`, a connected non-blocking socket.
  init(_ fd: Int32, loop: EventLoop, remote: String) {
    self.fd = fd
    self.loop = loop
    self.remote = remote
    Sys.setNoDelay(fd)
  }

  /// Starts reading; false, with the socket closed, when the system refuses.
  func start(_ delegate: any ChannelDelegate) -> Bool {
    self.delegate = delegate
    token = loop.register(fd, self, .readable)
    if token == nil { finish(.reset("the descriptor cannot be watched")) }
    return token != nil
  }

  /// Bytes queued and not yet taken by the kernel.
  package var unsent: Int { output.count - sent }
  package var isOpen: Bool { state == .open }

  // MARK: Writing

  package func write(_ bytes: [UInt8]) {
    withOutput { $0.append(contentsOf: bytes) }
  }

  package func write(_ bytes: UnsafeRawBufferPointer) {
    withOutput { $0.append(contentsOf: bytes) }
  }

  /// Lets `body` append to the queue, without a buffer between. Nothing is taken after `close`.
  func withOutput<R>(_ body: (inout [UInt8]) -> R) -> R {
    guard state == .open, !wantsShutdown else {
      var dropped: [UInt8] = []
      return body(&dropped)
    }
    if output.capacity == 0 { output = loop.takeBuffer() }
    defer {
      if !isFlushDue && !isBlocked && unsent > 0 {
        isFlushDue = true
        loop.flushLater(self)
      }
    }
    return body(&output)
  }

  /// Called by the loop for a channel that asked with `flushLater`.
  func flushQueued() {
    isFlushDue = false
    flush()
  }

  /// Sends what the kernel takes at once; for a writer that is about to give up on the peer.
  func flushNow() {
    guard state == .open else { return }
    flush()
  }

  private func flush() {
    guard state != .closed, !isBlocked else { return }
    if unsent > 0 {
      let result = output.withUnsafeBytes { bytes in
        Sys.retry { loop.kernel.send(fd, UnsafeRawBufferPointer(rebasing: bytes[sent...])) }
      }
      if result >= 0 {
        sent += result
      } else if !Sys.isAgain(result) {
        return finish(.reset(Sys.describe(-result)))
      }
      guard unsent == 0 else {
        isBlocked = true
        compact()
        return watch()
      }
      sent = 0
      loop.giveBack(output)
      output = []
    }
    afterFlush()
  }

  /// Forgets what is sent once that is the larger part, so each byte moves a bounded number of times.
  private func compact() {
    guard sent > output.count / 2 else { return }
    output.removeFirst(sent)
    sent = 0
  }

  private func afterFlush() {
    if state == .closing { return linger() }
    guard wantsShutdown, !isShutdown else { return }
    isShutdown = true
    Sys.shutdownWrite(fd)
    if hasEOF { finish(.closed) }
  }

  // MARK: Reading

  package func pauseReading() {
    guard isReading else { return }
    isReading = false
    watch()
  }

  package func resumeReading() {
    guard !isReading else { return }
    isReading = true
    if token == nil, state != .closed {
      token = loop.register(fd, self, interest)
    } else {
      watch()
    }
  }

  private var interest: Readiness {
    var interest: Readiness = []
    if !hasEOF && (isReading || state != .open) { interest.insert(.readable) }
    if isBlocked { interest.insert(.writable) }
    return interest
  }

  private func watch() {
    guard let token, state != .closed else { return }
    loop.change(fd, token: token, interest)
  }

  func pollReady(_ ready: Readiness) {
    if ready.contains(.writable), isBlocked {
      isBlocked = false
      flush()
      guard state != .closed else { return }
      if !isBlocked {
        watch()
        if state == .open { delegate?.channelDrained() }
      }
    }
    if ready.contains(.readable), interest.contains(.readable) { return read() }
    if ready.contains(.failed) { failed() }
  }

  private func read() {
    let result = Sys.retry { loop.kernel.receive(fd, loop.readBuffer) }
    if result > 0 {
      guard state == .open else { return }
      // Held over the delegate's call, so that what it writes is sent once, below.
      let ownsFlush = !isFlushDue
      if ownsFlush { isFlushDue = true }
      delegate?.channelRead(UnsafeMutableRawBufferPointer(rebasing: loop.readBuffer[..<result]))
      if ownsFlush, state != .closed {
        isFlushDue = false
        if unsent > 0 || state == .closing || wantsShutdown { flush() }
      }
    } else if result == 0 {
      hasEOF = true
      guard state == .open else { return state == .closing ? watch() : finish(.closed) }
      watch()
      delegate?.channelEOF()
      if isShutdown { finish(.closed) }
    } else if !Sys.isAgain(result) {
      finish(.reset(Sys.describe(-result)))
    }
  }

  private func failed() {
    let code = loop.kernel.pendingError(fd)
    guard code == 0 else { return finish(.reset(Sys.describe(code))) }
    if hasEOF || state == .lingering { return finish(.closed) }
    // Hung up on both sides with bytes unread while reading is paused: look again when it is
    // resumed, since the event would come back at once.
    if let token {
      loop.deregister(fd, token: token)
      self.token = nil
    }
  }

  // MARK: Ending

  /// Sends the end of the stream behind what is queued; reading goes on.
  package func shutdownWrite() {
    guard state == .open, !wantsShutdown else { return }
    wantsShutdown = true
    scheduleFlush()
  }

  /// Closes after what is queued is sent, then reads on for a while without looking, so that the
  /// kernel does not cut our last bytes off with a RST (RFC 9112 §9.6).
  package func close() {
    guard state == .open else { return }
    state = .closing
    // The loop's time is that of the turn, which a long handler may have begun seconds ago.
    let late = Sys.now() - loop.now
    lingerTimer = loop.scheduleHere(nanoseconds: late + Self.lingerTime) { [weak self] in
      self?.lingerEnds()
    }
    if token == nil { token = loop.register(fd, self, interest) } else { watch() }
    scheduleFlush()
  }

  private func scheduleFlush() {
    guard !isFlushDue, !isBlocked else { return }
    isFlushDue = true
    loop.flushLater(self)
  }

  private func linger() {
    state = .lingering
    if hasEOF { return finish(.closed) }
    if !isShutdown { Sys.shutdownWrite(fd) }
    isShutdown = true
    watch()
  }

  private func lingerEnds() {
    if unsent > 0 { Sys.setAbort(fd) }
    finish(.closed)
  }

  /// Closes at once with RST; what is queued is dropped.
  package func reset() {
    guard state != .closed else { return }
    Sys.setAbort(fd)
    finish(.closed)
  }

  func loopEnds() { closeNow() }

  /// Sends what the kernel takes at once and closes. What the peer has sent and we have not read may
  /// cost it our last bytes.
  func closeNow() {
    if unsent > 0 { flush() }
    finish(.closed)
  }

  private func finish(_ end: ChannelEnd) {
    guard state != .closed else { return }
    state = .closed
    lingerTimer?.cancel()
    lingerTimer = nil
    if let token { loop.deregister(fd, token: token) }
    token = nil
    Sys.close(fd)
    output = []
    sent = 0
    let delegate = delegate
    self.delegate = nil
    delegate?.channelClosed(end)
  }

  deinit {
    // Never started, or lost by its owner while unwatched.
    if state != .closed { Sys.close(fd) }
  }
}
