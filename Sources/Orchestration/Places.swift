/// How many tasks run, and how many may: in all, in each lane, and while an upstream that has come back shows
/// that it bears them.
struct Places: Sendable {
  private let most: Int
  private let mostInLane: Int
  private let slowStart: Int
  /// As many as may run now; `most` but for the time after an outage.
  private(set) var window: Int
  private var holders: [String: (task: QueuedTask, lane: Lane)] = [:]
  private var taken: [Lane: Int] = [:]

  /// - Parameters:
  ///   - most: tasks that may run in all.
  ///   - mostInLane: tasks that one model or executor may do.
  ///   - slowStart: tasks that may run at first after an outage.
  init(most: Int, mostInLane: Int, slowStart: Int) {
    self.most = most
    self.mostInLane = min(mostInLane, most)
    self.slowStart = min(slowStart, most)
    window = most
  }

  func isFree(_ lane: Lane) -> Bool {
    // Even in a small window one slow lane leaves place for the others.
    let bound = window < most ? min(mostInLane, (window + 1) / 2) : mostInLane
    return holders.count < window && taken[lane, default: 0] < bound
  }

  /// - Parameter lane: where the task goes now, which may not be the one it is queued in.
  mutating func take(_ task: QueuedTask, in lane: Lane) {
    holders[task.id] = (task, lane)
    taken[lane, default: 0] += 1
  }

  /// Gives the task that had the place.
  mutating func free(_ id: String) -> QueuedTask? {
    guard let holder = holders.removeValue(forKey: id) else { return nil }
    taken[holder.lane, default: 0] -= 1
    if taken[holder.lane] == 0 { taken[holder.lane] = nil }
    return holder.task
  }

  /// An upstream has come back: few tasks first, that it is not overrun by all that waited for it.
  mutating func startSlowly() { window = slowStart }

  /// One place more for each task that ends well doubles them in the time of one call.
  mutating func noteSuccess() { window = min(window + 1, most) }
}
