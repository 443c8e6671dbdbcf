#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Why no connection came about.
enum ConnectFailure: Error {
  case resolve(String)
  case refused(String)
  /// Accepted and cut off before we knew it.
  case reset(String)
  case failed(String)
}

/// Looks a host up and connects to the first of its addresses that answers. Belongs to its loop;
/// time limits are the caller's, by `cancel`.
final class Connector: PollSource, @unchecked Sendable {
  // Invariant: used only on `loop`; it crosses threads only to come back from the resolver.
  private let loop: EventLoop
  private let place: String
  private var addresses: [SocketAddress] = []
  private var fd: Int32 = -1
  private var token: UInt64?
  private var remote = ""
  private var last = ConnectFailure.resolve("no address")
  private var completion: ((Result<Channel, ConnectFailure>) -> Void)?

  /// Calls `completion` once, perhaps at once, unless cancelled before.
  init(
    _ host: String, _ port: UInt16, on loop: EventLoop,
    completion: @escaping (Result<Channel, ConnectFailure>) -> Void
  ) {
    self.loop = loop
    self.completion = completion
    place = "\(host):\(port)"
  }

  func start(_ host: String, _ port: UInt16) {
    addresses = SocketAddress.immediate(host, port: port)
    guard addresses.isEmpty else { return tryNext() }
    Resolver.look(up: host, port: port) { [self] found, reason in
      loop.submit {
        self.addresses = found
        self.last = .resolve("cannot resolve \(host): \(reason)")
        self.tryNext()
      }
    }
  }

  func cancel() {
    completion = nil
    giveBack()
  }

  private func tryNext() {
    while completion != nil {
      guard !addresses.isEmpty else { return finish(.failure(last)) }
      let address = addresses.removeFirst()
      remote = address.description
      let result = Sys.streamSocket(address.family)
      guard result >= 0 else {
        last = .failed("cannot make a socket: \(Sys.describe(-result))")
        continue
      }
      fd = Int32(result)
      let code = loop.kernel.connect(fd, address)
      if code == 0 { return connected() }
      // An interrupted connect goes on by itself (POSIX).
      guard code == -Int(EINPROGRESS) || code == -Int(EINTR) else {
        fail(-code)
        continue
      }
      token = loop.register(fd, self, .writable)
      if token != nil { return }
      fail(Int(ENOMEM))
    }
  }

  func pollReady(_ ready: Readiness) {
    let code = loop.kernel.pendingError(fd)
    if code == 0 { return connected() }
    fail(code)
    tryNext()
  }

  func loopEnds() {
    giveBack()
    finish(.failure(.failed("the event loop has ended")))
  }

  private func connected() {
    // A port nobody listens on may be the one the kernel chose for us, which then meets itself.
    guard Sys.localAddress(fd).description != remote else {
      fail(Int(ECONNREFUSED))
      return tryNext()
    }
    unwatch()
    let channel = Channel(fd, loop: loop, remote: remote)
    fd = -1
    finish(.success(channel))
  }

  private func fail(_ code: Int) {
    giveBack()
    last =
      switch Int32(code) {
      case ECONNREFUSED: .refused("connection to \(remote) refused")
      case ECONNRESET: .reset("connection to \(remote) was reset")
      default: .failed("cannot connect to \(remote): \(Sys.describe(code))")
      }
  }

  private func unwatch() {
    if let token { loop.deregister(fd, token: token) }
    token = nil
  }

  private func giveBack() {
    unwatch()
    if fd >= 0 { Sys.close(fd) }
    fd = -1
  }

  private func finish(_ result: Result<Channel, ConnectFailure>) {
    let completion = completion
    self.completion = nil
    completion?(result)
  }

  deinit { if fd >= 0 { Sys.close(fd) } }
}

/// Name resolution, which blocks, on threads of its own.
enum Resolver {
  private static let state = Pending()
  private static let maxThreads = 4
  private static let maxPending = 1024

  private typealias Job = @Sendable () -> Void

  private final class Pending: @unchecked Sendable {
    // Invariant: `jobs` and `threads` are touched under `lock`.
    let lock = Lock()
    var jobs: [Job] = []
    var threads = 0
  }

  /// Calls `completion` on some thread with what was found, or the reason for nothing.
  static func look(
    up host: String, port: UInt16, completion: @escaping @Sendable ([SocketAddress], String) -> Void
  ) {
    let job: Job = {
      let (found, reason) = SocketAddress.lookUp(host, port: port, numeric: false)
      completion(found, reason)
    }
    let (isTaken, needsThread) = state.lock.withLock {
      guard state.jobs.count < maxPending else { return (false, false) }
      state.jobs.append(job)
      guard state.threads < maxThreads else { return (true, false) }
      state.threads += 1
      return (true, true)
    }
    guard isTaken else { return completion([], "too many look-ups at once") }
    guard needsThread, !Threads.spawn("resolver", { work() }) else { return }
    state.lock.withLock { state.threads -= 1 }
    completion([], "no thread for it")
  }

  /// Works off what is pending, then ends.
  private static func work() {
    while true {
      let next: Job? = state.lock.withLock {
        guard !state.jobs.isEmpty else {
          state.threads -= 1
          return nil
        }
        return state.jobs.removeFirst()
      }
      guard let next else { return }
      next()
    }
  }
}
