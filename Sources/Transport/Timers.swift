/// What waits for its time on a loop. Belongs to the loop; a subclass says what happens then.
package class TimedEvent: @unchecked Sendable {
  // Invariant: everything here is touched only on the loop in whose heap it waits, or before.
  /// Nanoseconds of `EventLoop.clock`.
  fileprivate(set) final var due: Int64 = 0
  /// The place in the loop's heap, -1 outside it.
  fileprivate final var place = -1

  /// Called on the loop when the time has come; the event is out of the heap then.
  func isDue() {}
}

/// A job that waits for its time on a loop.
package final class ScheduledTimer: TimedEvent, @unchecked Sendable {
  // Invariant: `job` is touched only on `loop`.
  private unowned let loop: EventLoop
  private var job: (() -> Void)?

  init(_ loop: EventLoop, _ job: @escaping () -> Void) {
    self.loop = loop
    self.job = job
  }

  /// The job will not run, unless it is running or has run. Off the loop it may still run once.
  package func cancel() {
    if loop.isCurrent { remove() } else { loop.submit { self.remove() } }
  }

  var isCancelled: Bool { job == nil }

  private func remove() {
    job = nil
    loop.timers.remove(self)
  }

  override func isDue() {
    let job = job
    self.job = nil
    job?()
  }
}

/// What waits on a loop, soonest first: a binary heap in which each event knows its place.
struct TimerHeap {
  private var heap: [TimedEvent] = []

  var soonest: Int64? { heap.first?.due }

  /// Puts `event` in, or in another place if it is in already.
  mutating func insert(_ event: TimedEvent, due: Int64) {
    remove(event)
    event.due = due
    event.place = heap.count
    heap.append(event)
    rise(event.place)
  }

  mutating func remove(_ event: TimedEvent) {
    let place = event.place
    guard place >= 0 else { return }
    swap(place, heap.count - 1)
    heap.removeLast()
    event.place = -1
    guard place < heap.count else { return }
    rise(place)
    sink(place)
  }

  /// The first event if its time has come.
  mutating func popDue(_ now: Int64) -> TimedEvent? {
    guard let first = heap.first, first.due <= now else { return nil }
    remove(first)
    return first
  }

  /// What is left will not happen.
  mutating func removeAll() {
    for event in heap { event.place = -1 }
    heap.removeAll()
  }

  private mutating func swap(_ a: Int, _ b: Int) {
    guard a != b else { return }
    heap.swapAt(a, b)
    heap[a].place = a
    heap[b].place = b
  }

  private mutating func rise(_ start: Int) {
    var place = start
    while place > 0 {
      let parent = (place - 1) / 2
      guard heap[place].due < heap[parent].due else { return }
      swap(place, parent)
      place = parent
    }
  }

  private mutating func sink(_ start: Int) {
    var place = start
    while true {
      var least = place
      for child in [2 * place + 1, 2 * place + 2]
      where child < heap.count && heap[child].due < heap[least].due {
        least = child
      }
      guard least != place else { return }
      swap(place, least)
      place = least
    }
  }
}

extension Duration {
  /// Whole nanoseconds, clamped to about 29 years.
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    guard seconds < 900_000_000 else { return 900_000_000_000_000_000 }
    guard seconds > -900_000_000 else { return 0 }
    return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
  }
}
