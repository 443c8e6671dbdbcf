#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A bound port that accepts connections on a loop.
///
/// `suspend` stops listening but keeps the port: the kernel answers ECONNREFUSED until `resume`.
package final class Listener: PollSource, @unchecked Sendable {
  // Invariant: `host`, `port` and `loop` never change; the rest is used only on the loop, or in init.
  package let host: String
  package let port: UInt16
  package let loop: EventLoop
  private let address: SocketAddress
  private let backlog: Int32
  /// Bound, never listening: it keeps the port while suspended.
  private var holder: Int32
  private var fd: Int32
  private var token: UInt64?
  private var isClosed = false
  private var onAccept: ((Int32, String) -> Void)?
  /// Given up for a moment to refuse a connection when descriptors have run out.
  private var spare: Int32
  private var backOff: ScheduledTimer?

  private static let acceptsPerEvent = 64
  private static let backOffTime: Int64 = 100_000_000

  /// Binds and listens; connections queue in the kernel until someone accepts them. Port 0 takes
  /// any free one. A name that is not an address is looked up, which may take a while.
  package init(
    loop: EventLoop, host: String, port: UInt16, backlog: Int32 = 1024
  ) throws(TransportError) {
    var found = SocketAddress.immediate(host, port: port)
    if found.isEmpty { found = SocketAddress.lookUp(host, port: port, numeric: false).addresses }
    guard let first = found.first else {
      throw TransportError(kind: .badHost, description: "cannot listen on \(host): no such host")
    }
    let holder = try Self.bound(first, host: host, port: port)
    var address = first
    address.port = Sys.localAddress(holder).port
    do {
      fd = try Self.listening(address, host: host, backlog: backlog)
    } catch {
      Sys.close(holder)
      throw error
    }
    self.holder = holder
    self.loop = loop
    self.host = host
    self.port = address.port
    self.address = address
    self.backlog = backlog
    spare = Sys.spareDescriptor()
  }

  deinit { giveBack() }

  private static func bound(
    _ address: SocketAddress, host: String, port: UInt16
  ) throws(TransportError) -> Int32 {
    let result = Sys.streamSocket(address.family)
    guard result >= 0 else { throw TransportError.system("make a socket", -result) }
    let fd = Int32(result)
    Sys.set(fd, SOL_SOCKET, SO_REUSEADDR, 1)
    #if canImport(Darwin)
      Sys.set(fd, SOL_SOCKET, SO_REUSEPORT, 1)
    #endif
    let code = Sys.bind(fd, address)
    guard code >= 0 else {
      Sys.close(fd)
      throw TransportError.binding(host, port, -code)
    }
    return fd
  }

  private static func listening(
    _ address: SocketAddress, host: String, backlog: Int32
  ) throws(TransportError) -> Int32 {
    let fd = try bound(address, host: host, port: address.port)
    let code = Sys.listen(fd, backlog: backlog)
    guard code >= 0 else {
      Sys.close(fd)
      throw TransportError.binding(host, address.port, -code)
    }
    return fd
  }

  /// Hands each new socket to `handler`, on the loop, with the peer's address.
  func accept(_ handler: @escaping @Sendable (Int32, String) -> Void) {
    loop.run {
      self.onAccept = handler
      self.watch()
    }
  }

  /// Stops listening and keeps the port. When it returns connecting is refused.
  package func suspend() {
    loop.runAndWait { self.stopListening() }
  }

  /// Listens again after `suspend`.
  package func resume() throws(TransportError) {
    let result = loop.runAndWait { () -> Result<Void, TransportError> in
      guard !self.isClosed, self.fd < 0 else { return .success(()) }
      return Result { () throws(TransportError) in
        self.fd = try Self.listening(self.address, host: self.host, backlog: self.backlog)
        self.watch()
      }
    }
    try result?.get()
  }

  /// Gives the port up.
  package func close() {
    loop.runAndWait { self.giveBack() }
  }

  private func watch() {
    guard !isClosed, fd >= 0, token == nil, onAccept != nil else { return }
    token = loop.register(fd, self, .readable)
  }

  private func unwatch() {
    if let token { loop.deregister(fd, token: token) }
    token = nil
  }

  private func stopListening() {
    backOff?.cancel()
    backOff = nil
    unwatch()
    if fd >= 0 { Sys.close(fd) }
    fd = -1
  }

  private func giveBack() {
    guard !isClosed else { return }
    isClosed = true
    stopListening()
    onAccept = nil
    Sys.close(holder)
    if spare >= 0 { Sys.close(spare) }
  }

  func loopEnds() { giveBack() }

  func pollReady(_ ready: Readiness) {
    for _ in 0..<Self.acceptsPerEvent {
      guard fd >= 0 else { return }
      var remote = SocketAddress()
      let result = Sys.retry { loop.kernel.accept(fd, &remote) }
      if result >= 0 {
        onAccept?(Int32(result), remote.description)
      } else if Sys.isAgain(result) {
        return
      } else if [Int(EMFILE), Int(ENFILE), Int(ENOBUFS), Int(ENOMEM)].contains(-result) {
        return descriptorsRanOut()
      }
      // Anything else (ECONNABORTED and the like) concerns the one connection that is gone.
    }
  }

  /// Refuses one connection with the spare descriptor, so that it does not hang, and rests.
  private func descriptorsRanOut() {
    if spare >= 0 {
      Sys.close(spare)
      var remote = SocketAddress()
      let result = Sys.retry { loop.kernel.accept(fd, &remote) }
      if result >= 0 {
        Sys.setAbort(Int32(result))
        Sys.close(Int32(result))
      }
    }
    spare = Sys.spareDescriptor()
    unwatch()
    backOff = loop.scheduleHere(nanoseconds: Self.backOffTime) { [weak self] in
      self?.backOff = nil
      self?.watch()
    }
  }
}

extension EventLoop {
  /// Runs `body` on the loop and waits for it; nil when the loop has ended. On a loop that was
  /// never started, or on the loop itself, it runs at once.
  @discardableResult
  func runAndWait<R: Sendable>(_ body: @escaping @Sendable () -> R) -> R? {
    guard isRunning, !isCurrent else { return body() }
    let result = Handover<R>()
    guard submit({ result.give(body()) }) else { return nil }
    return result.take()
  }
}

/// One value handed from one thread to another.
private final class Handover<R: Sendable>: @unchecked Sendable {
  // Invariant: `value` is written once before the gate opens and read only after.
  private let gate = Condition()
  private var value: R?

  func give(_ value: R) {
    self.value = value
    gate.open()
  }

  func take() -> R? {
    gate.wait()
    return value
  }
}
