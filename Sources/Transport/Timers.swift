/// A job that waits for its time on a loop.
package final class ScheduledTimer: @unchecked Sendable {
  // Invariant: everything mutable here is touched only on `loop`.
  private unowned let loop: EventLoop
  fileprivate(set) var due: Int64
  /// The place in the loop's heap, -1 outside it.
  fileprivate var place = -1
  fileprivate var job: (() -> Void)?

  init(_ loop: EventLoop, due: Int64, _ job: @escaping () -> Void) {
    self.loop = loop
    self.due = due
    self.job = job
  }

  /// The job will not run, unless it is running or has run. Off the loop it may still run once.
  package func cancel() {
    if loop.isCurrent { remove() } else { loop.submit { self.remove() } }
  }

  private func remove() {
    job = nil
    loop.timers.remove(self)
  }

  fileprivate func run() {
    let job = job
    self.job = nil
    job?()
  }

  fileprivate var isCancelled: Bool { job == nil }
}

/// The timers of a loop, soonest first: a binary heap in which each timer knows its place.
struct TimerHeap {
  private var heap: [ScheduledTimer] = []

  var soonest: Int64? { heap.first?.due }

  mutating func insert(_ timer: ScheduledTimer) {
    guard !timer.isCancelled else { return }
    timer.place = heap.count
    heap.append(timer)
    rise(timer.place)
  }

  mutating func remove(_ timer: ScheduledTimer) {
    let place = timer.place
    guard place >= 0 else { return }
    swap(place, heap.count - 1)
    heap.removeLast()
    timer.place = -1
    guard place < heap.count else { return }
    rise(place)
    sink(place)
  }

  /// The first timer if its time has come.
  mutating func popDue(_ now: Int64) -> ScheduledTimer? {
    guard let first = heap.first, first.due <= now else { return nil }
    remove(first)
    return first
  }

  mutating func removeAll() {
    for timer in heap {
      timer.place = -1
      timer.job = nil
    }
    heap.removeAll()
  }

  static func fire(_ timer: ScheduledTimer) { timer.run() }

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
