/// How many tasks run, and how many may: in all, in each lane, and while an upstream that has come back shows
/// that it bears them.
struct Places: Sendable {
  private let most: Int
  private let mostOfModel: Int
  private let mostOfExecutor: [String: Int]
  private let slowStart: Int
  /// As many as may run now; `most` but for the time after an outage.
  private(set) var window: Int
  private var holders: [String: (task: QueuedTask, lane: Lane)] = [:]
  private var taken: [Lane: Int] = [:]

  /// - Parameters:
  ///   - most: tasks that may run in all.
  ///   - mostOfModel: tasks that one model may do.
  ///   - mostOfExecutor: tasks that an executor may do, by its name.
  ///   - slowStart: tasks that may run at first after an outage.
  init(most: Int, mostOfModel: Int, mostOfExecutor: [String: Int] = [:], slowStart: Int) {
    self.most = most
    self.mostOfModel = mostOfModel
    self.mostOfExecutor = mostOfExecutor
    self.slowStart = min(slowStart, most)
    window = most
  }

  func isFree(_ lane: Lane) -> Bool {
    // Even in a small window one slow lane leaves place for the others.
    let bound = window < most ? min(bound(of: lane), (window + 1) / 2) : bound(of: lane)
    return holders.count < window && taken[lane, default: 0] < bound
  }

  private func bound(of lane: Lane) -> Int {
    switch lane {
    case .model: mostOfModel
    case .executor(let name): mostOfExecutor[name] ?? 0
    }
  }

  /// The lane in which the task has its place.
  func lane(of id: String) -> Lane? { holders[id]?.lane }

  /// The next time the task is queued it is in `lane`.
  mutating func redirect(_ id: String, to lane: Lane) {
    guard let holder = holders[id] else { return }
    holders[id]?.task = QueuedTask(id: id, lane: lane, client: holder.task.client)
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
