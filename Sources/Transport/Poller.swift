#if canImport(Glibc)
  internal import CLinux
  internal import Glibc
#else
  internal import Darwin
#endif

/// What a descriptor is ready for, or asked to be watched for.
struct Readiness: OptionSet {
  let rawValue: UInt8
  static let readable = Readiness(rawValue: 1)
  static let writable = Readiness(rawValue: 2)
  /// Error or hang-up; always reported.
  static let failed = Readiness(rawValue: 4)
}

/// Waits for many descriptors at once. Level-triggered; `token` comes back with each event.
protocol Poller: AnyObject {
  func add(_ fd: Int32, token: UInt64, _ interest: Readiness) -> Int
  func change(_ fd: Int32, token: UInt64, _ interest: Readiness)
  func remove(_ fd: Int32)
  /// Waits up to `milliseconds` (-1 without end) and tells what is ready.
  func wait(milliseconds: Int32, _ tell: (UInt64, Readiness) -> Void)
}

#if canImport(Glibc)
  final class EpollPoller: Poller {
    private static let batch = 256
    private let epoll: Int32
    private let events: UnsafeMutableBufferPointer<epoll_event>
    private let kernel: Kernel

    init(_ kernel: Kernel) throws(TransportError) {
      self.kernel = kernel
      epoll = linux_epoll_create()
      guard epoll >= 0 else { throw TransportError.system("create an epoll descriptor", Int(errno)) }
      events = .allocate(capacity: Self.batch)
      events.initialize(repeating: epoll_event())
    }

    deinit {
      Sys.close(epoll)
      events.deallocate()
    }

    private func control(_ operation: Int32, _ fd: Int32, _ token: UInt64, _ interest: Readiness) -> Int {
      var mask: UInt32 = 0
      if interest.contains(.readable) { mask |= EPOLLIN.rawValue }
      if interest.contains(.writable) { mask |= EPOLLOUT.rawValue }
      var event = epoll_event(events: mask, data: epoll_data_t(u64: token))
      return Sys.retry { Sys.once(Int(epoll_ctl(epoll, operation, fd, &event))) }
    }

    func add(_ fd: Int32, token: UInt64, _ interest: Readiness) -> Int {
      control(EPOLL_CTL_ADD, fd, token, interest)
    }
    func change(_ fd: Int32, token: UInt64, _ interest: Readiness) {
      _ = control(EPOLL_CTL_MOD, fd, token, interest)
    }
    func remove(_ fd: Int32) { _ = control(EPOLL_CTL_DEL, fd, 0, []) }

    func wait(milliseconds: Int32, _ tell: (UInt64, Readiness) -> Void) {
      // Interrupted: the loop goes round and computes its timeout anew.
      let count = kernel.epollWait(epoll, events, milliseconds: milliseconds)
      guard count > 0 else { return }
      for index in 0..<count {
        let mask = events[index].events
        var ready: Readiness = []
        if mask & EPOLLIN.rawValue != 0 { ready.insert(.readable) }
        if mask & EPOLLOUT.rawValue != 0 { ready.insert(.writable) }
        if mask & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { ready.insert(.failed) }
        tell(events[index].data.u64, ready)
      }
    }
  }
#endif

/// The portable second backend, for systems without epoll.
final class PollPoller: Poller {
  private var entries: [pollfd] = []
  private var tokens: [UInt64] = []
  private var places: [Int32: Int] = [:]
  private let kernel: Kernel

  init(_ kernel: Kernel) { self.kernel = kernel }

  private static func mask(_ interest: Readiness) -> Int16 {
    (interest.contains(.readable) ? Int16(POLLIN) : 0) | (interest.contains(.writable) ? Int16(POLLOUT) : 0)
  }

  func add(_ fd: Int32, token: UInt64, _ interest: Readiness) -> Int {
    places[fd] = entries.count
    entries.append(pollfd(fd: fd, events: Self.mask(interest), revents: 0))
    tokens.append(token)
    return 0
  }

  func change(_ fd: Int32, token: UInt64, _ interest: Readiness) {
    guard let place = places[fd] else { return }
    entries[place].events = Self.mask(interest)
    tokens[place] = token
  }

  func remove(_ fd: Int32) {
    guard let place = places.removeValue(forKey: fd) else { return }
    entries.swapAt(place, entries.count - 1)
    tokens.swapAt(place, tokens.count - 1)
    entries.removeLast()
    tokens.removeLast()
    if place < entries.count { places[entries[place].fd] = place }
  }

  func wait(milliseconds: Int32, _ tell: (UInt64, Readiness) -> Void) {
    let count = entries.withUnsafeMutableBufferPointer { kernel.poll($0, milliseconds: milliseconds) }
    guard count > 0 else { return }
    // Telling may add and remove entries: what is ready is noted first.
    let ready = zip(entries, tokens).filter { $0.0.revents != 0 }
    for (entry, token) in ready {
      var what: Readiness = []
      if entry.revents & Int16(POLLIN) != 0 { what.insert(.readable) }
      if entry.revents & Int16(POLLOUT) != 0 { what.insert(.writable) }
      if entry.revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0 { what.insert(.failed) }
      tell(token, what)
    }
  }
}
