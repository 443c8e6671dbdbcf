#if canImport(Glibc)
  internal import CLinux
  internal import Glibc
#else
  internal import Darwin
#endif

/// A mutual exclusion lock that thread sanitizers understand.
package final class Lock: @unchecked Sendable {
  // Invariant: the mutex is initialised once here, stays at one address, and is only used through
  // pthread calls, which are safe from any thread.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>

  package init() {
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  package func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }
}

/// Starting and waiting for threads.
enum Threads {
  fileprivate final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(_ name: String, _ body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// Identifies the calling thread among the running ones.
  @inline(__always)
  static var current: UInt {
    #if canImport(Glibc)
      UInt(pthread_self())
    #else
      UInt(bitPattern: pthread_self())
    #endif
  }

  /// Starts a detached thread; false if the system has none left.
  static func spawn(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
    let start = Unmanaged.passRetained(Start(name, body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    #if canImport(Glibc)
      var thread = pthread_t()
      let code = pthread_create(&thread, &attributes, startThread, start.toOpaque())
    #else
      var thread: pthread_t?
      let code = pthread_create(&thread, &attributes, { startThread($0) }, start.toOpaque())
    #endif
    if code != 0 { start.release() }
    return code == 0
  }
}

/// What a new thread runs first; its argument is a retained `Threads.Start`.
private func startThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument else { return nil }
  let start = Unmanaged<Threads.Start>.fromOpaque(argument).takeRetainedValue()
  #if canImport(Glibc)
    linux_name_thread(String(start.name.prefix(15)))
  #else
    pthread_setname_np(start.name)
  #endif
  start.body()
  return nil
}
