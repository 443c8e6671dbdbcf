#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A lock with a condition that threads wait for; for threads that may block, which loops may not.
final class Monitor: @unchecked Sendable {
  // Invariant: the pthread objects stay at their addresses, and are only used through pthread calls.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    mutex.initialize(to: pthread_mutex_t())
    condition.initialize(to: pthread_cond_t())
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func withLock<R>(_ body: () -> R) -> R {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Runs `body` under the lock and wakes everybody who waits.
  func change(_ body: () -> Void) {
    withLock {
      body()
      pthread_cond_broadcast(condition)
    }
  }

  /// Waits until `condition` holds and runs `body`, both under the lock.
  func wait<R>(until isSo: @autoclosure () -> Bool, _ body: () -> R) -> R {
    withLock {
      while !isSo() { pthread_cond_wait(condition, mutex) }
      return body()
    }
  }
}
