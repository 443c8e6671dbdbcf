/// What a loop has received for a task to take. Bounded by weight: past it the producer is asked
/// to pause, and to go on when half of it is taken.
package final class Inbox<Element: Sendable>: @unchecked Sendable {
  // Invariant: every var is touched under `lock`.
  private struct Waiter {
    let number: Int
    let timer: ScheduledTimer?
    let continuation: CheckedContinuation<Element?, Never>
  }

  private let lock = Lock()
  private let loop: EventLoop
  private let limit: Int
  /// Called from any thread when there is room again.
  private let onRoom: @Sendable () -> Void
  private var queue: [(element: Element, weight: Int)] = []
  private var taken = 0
  private var weight = 0
  private var isFull = false
  private var waiters: [Waiter] = []
  private var lastNumber = 0

  package init(loop: EventLoop, limit: Int, onRoom: @escaping @Sendable () -> Void) {
    self.loop = loop
    self.limit = limit
    self.onRoom = onRoom
  }

  /// Adds an element; false asks the producer to pause until `onRoom`.
  package func push(_ element: Element, weight added: Int) -> Bool {
    let (waiter, goesOn): (Waiter?, Bool) = lock.withLock {
      if !waiters.isEmpty { return (waiters.removeFirst(), true) }
      queue.append((element, added))
      weight += added
      if weight > limit { isFull = true }
      return (nil, !isFull)
    }
    waiter?.timer?.cancel()
    waiter?.continuation.resume(returning: element)
    return goesOn
  }

  /// The next element; nil when none comes within `limit` or the task is cancelled.
  package func next(within limit: Duration?) async -> Element? {
    if let element = takeNow() { return element }
    if let limit, limit <= .zero { return nil }
    let number = lock.withLock {
      lastNumber += 1
      return lastNumber
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let (element, isAnswered) = lock.withLock { () -> (Element?, Bool) in
          if let element = pop() { return (element, true) }
          // Checked under the lock: a cancellation after this finds the waiter.
          if Task.isCancelled { return (nil, true) }
          let timer = limit.map { loop.schedule(after: $0) { self.giveUp(number) } }
          waiters.append(Waiter(number: number, timer: timer, continuation: continuation))
          return (nil, false)
        }
        if isAnswered {
          makeRoom()
          continuation.resume(returning: element)
        }
      }
    } onCancel: {
      giveUp(number)
    }
  }

  /// Drops what waits to be taken, which may hold who pushed it, and lets nobody wait any more.
  package func close() {
    let (waiters, dropped) = lock.withLock { () -> ([Waiter], [(element: Element, weight: Int)]) in
      defer { (self.waiters, queue, taken, weight) = ([], [], 0, 0) }
      return (self.waiters, queue)
    }
    _ = dropped
    for waiter in waiters {
      waiter.timer?.cancel()
      waiter.continuation.resume(returning: nil)
    }
  }

  private func takeNow() -> Element? {
    let element = lock.withLock { pop() }
    makeRoom()
    return element
  }

  private func pop() -> Element? {
    guard taken < queue.count else { return nil }
    let (element, itsWeight) = queue[taken]
    weight -= itsWeight
    taken += 1
    if taken == queue.count {
      queue.removeAll(keepingCapacity: queue.count < 256)
      taken = 0
    } else if taken > 256 && taken > queue.count / 2 {
      queue.removeFirst(taken)
      taken = 0
    }
    return element
  }

  private func makeRoom() {
    let hasRoom = lock.withLock {
      guard isFull, weight <= limit / 2 else { return false }
      isFull = false
      return true
    }
    if hasRoom { onRoom() }
  }

  private func giveUp(_ number: Int) {
    let waiter = lock.withLock { () -> Waiter? in
      guard let place = waiters.firstIndex(where: { $0.number == number }) else { return nil }
      return waiters.remove(at: place)
    }
    waiter?.timer?.cancel()
    waiter?.continuation.resume(returning: nil)
  }
}
