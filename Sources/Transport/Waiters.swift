import Synchronization

/// A gate for tasks that opens once.
final class Waiters: Sendable {
  private struct State {
    var isOpen = false
    var last = 0
    var waiting: [Int: CheckedContinuation<Bool, Never>] = [:]
  }
  private let state = Mutex(State())

  func open() {
    let waiting = state.withLock { state in
      state.isOpen = true
      defer { state.waiting = [:] }
      return state.waiting.values
    }
    for waiter in waiting { waiter.resume(returning: true) }
  }

  func wait(within limit: Duration, _ loop: EventLoop) async -> Bool {
    await withCheckedContinuation { continuation in
      let number: Int? = state.withLock { state in
        guard !state.isOpen else { return nil }
        state.last += 1
        state.waiting[state.last] = continuation
        return state.last
      }
      guard let number else { return continuation.resume(returning: true) }
      let isTaken = loop.submit {
        loop.schedule(after: limit) { self.giveUp(number) }
      }
      if !isTaken { giveUp(number) }
    }
  }

  private func giveUp(_ number: Int) {
    let waiter = state.withLock { $0.waiting.removeValue(forKey: number) }
    waiter?.resume(returning: false)
  }
}
