#if canImport(Glibc)
  internal import CLinux
  internal import Glibc
#else
  internal import Darwin
#endif

/// One timer of a loop that keeps to microseconds, where those of `schedule` keep to milliseconds.
/// Belongs to its loop. On systems without timerfd it is as coarse as the others.
package final class FineTimer: PollSource {
  private let loop: EventLoop
  private let fire: (Int64) -> Void
  #if canImport(Glibc)
    private var fd: Int32
    private var token: UInt64?
  #else
    private var timer: ScheduledTimer?
  #endif

  /// `fire` gets the time at which it is called.
  package init(on loop: EventLoop, _ fire: @escaping (Int64) -> Void) throws(TransportError) {
    self.loop = loop
    self.fire = fire
    #if canImport(Glibc)
      fd = linux_timerfd()
      guard fd >= 0 else { throw TransportError.system("create a timer descriptor", Int(errno)) }
      token = loop.register(fd, self, .readable)
    #endif
  }

  deinit {
    #if canImport(Glibc)
      if fd >= 0 { Sys.close(fd) }
    #endif
  }

  /// Fires once at `due`, in the nanoseconds of `EventLoop.clock`, or at once if that has passed;
  /// replaces what was armed before.
  package func arm(at due: Int64) {
    #if canImport(Glibc)
      // Zero would disarm it.
      _ = linux_timerfd_arm(fd, max(1, due))
    #else
      timer?.cancel()
      timer = loop.scheduleHere(nanoseconds: max(0, due - loop.now)) { [weak self] in self?.fire(Sys.now()) }
    #endif
  }

  /// Ends it; without that it lives as long as the loop.
  package func cancel() {
    #if canImport(Glibc)
      if let token { loop.deregister(fd, token: token) }
      token = nil
      if fd >= 0 { Sys.close(fd) }
      fd = -1
    #else
      timer?.cancel()
      timer = nil
    #endif
  }

  func pollReady(_ ready: Readiness) {
    #if canImport(Glibc)
      var expirations: UInt64 = 0
      guard withUnsafeMutableBytes(of: &expirations, { Sys.read(fd, $0) }) > 0 else { return }
      fire(Sys.now())
    #endif
  }

  func loopEnds() { cancel() }
}

extension EventLoop {
  /// Monotonic nanoseconds.
  package static var clock: Int64 { Sys.now() }

  /// Nanoseconds that the calling thread has spent on a core.
  package static var threadTime: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
