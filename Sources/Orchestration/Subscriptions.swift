package import JSON
package import ProtocolSpec
import Synchronization
package import TaskStore
package import Transport

/// A change of the state of the system.
package struct SystemChange: Sendable {
  package let from: SystemState
  package let to: SystemState
  /// When it was entered.
  package let since: Timestamp
}

/// A task in the state that it has gone to, as the subscribers of one loop are told of it.
package final class TaskStep {
  /// Its JSON text, made once, when the first of them wants it.
  package private(set) lazy var text = JSONWriter.bytes(json)
  package private(set) lazy var json = task.json
  private let task: StoredTask

  package var id: String { task.id }
  package var state: TaskState { task.state }

  init(_ task: StoredTask) { self.task = task }
}

/// What a subscriber is told.
package enum News {
  case task(TaskStep)
  case system(SystemChange)
  /// There are tasks that were not there before.
  case newTasks
  /// A list of MCP has changed, such as `tools`.
  case list(String)
}

/// What somebody on a loop wants to be told, until it is removed. Confined to that loop.
package final class Subscription {
  package enum Subject: Hashable, Sendable {
    case allTasks
    case task(id: String)
    case newTasks
    case system
    case list(String)
  }

  let subjects: Set<Subject>
  /// Whether news are told already.
  package var isActive = false
  private let tell: (News) -> Void

  /// - Parameter tell: called on the loop.
  package init(_ subjects: Set<Subject>, tell: @escaping (News) -> Void) {
    self.subjects = subjects
    self.tell = tell
  }

  func hear(_ news: News) {
    if isActive { tell(news) }
  }
}

/// Brings what the writer of the store commits, and changes of the system, to the loops whose
/// connections have subscribed to it. While nobody has, a commit costs one look at a number.
package final class Subscriptions: CommitWatch {
  /// What the subscriptions of one loop are about, each with their number.
  private typealias Interest = [Subscription.Subject: Int]

  private let loops: [LoopBound<LoopSubscriptions>]
  /// In the order of `loops`.
  private let interests: Mutex<[Interest]>
  /// Subscriptions to tasks, and all.
  private let toSteps = Atomic<Int>(0)
  private let toAnything = Atomic<Int>(0)

  package init(loops: [EventLoop]) {
    self.loops = loops.map { LoopBound(LoopSubscriptions(), on: $0) }
    interests = Mutex(Array(repeating: [:], count: loops.count))
  }

  // MARK: - On the loops

  /// What is committed later is told to `subscription`. Of a transaction that is open now, only some may
  /// be: whoever wants to miss nothing activates it when `TaskStore.settle` has answered.
  package func add(_ subscription: Subscription, on loop: EventLoop) {
    change(subscription, by: 1, on: loop)
    place(of: loop).map { loops[$0].value.add(subscription) }
  }

  /// From here on `subscription` is told nothing.
  package func remove(_ subscription: Subscription, on loop: EventLoop) {
    guard let place = place(of: loop), loops[place].value.remove(subscription) else { return }
    change(subscription, by: -1, on: loop)
  }

  /// There are as many loops as cores, so they are looked through.
  private func place(of loop: EventLoop) -> Int? { loops.firstIndex { $0.loop === loop } }

  private func change(_ subscription: Subscription, by number: Int, on loop: EventLoop) {
    guard let place = place(of: loop) else { return }
    interests.withLock { interests in
      for subject in subscription.subjects {
        let count = interests[place][subject, default: 0] + number
        interests[place][subject] = count == 0 ? nil : count
      }
    }
    // The writer sees it in the transaction that `settle` waits for, if not before.
    if subscription.subjects.contains(where: \.isSteps) { toSteps.add(number, ordering: .relaxed) }
    // Before whoever subscribes reads the store; the writer looks at it after each commit.
    toAnything.add(number, ordering: .sequentiallyConsistent)
  }

  // MARK: - What happens

  package var wantsSteps: Bool { toSteps.load(ordering: .relaxed) > 0 }

  package func committed(_ changes: CommittedChanges) {
    guard toAnything.load(ordering: .sequentiallyConsistent) > 0 else { return }
    for (loop, wanted) in zip(loops, interests.withLock { $0 }) {
      let hasNew = changes.hasNewTasks && wanted[.newTasks] != nil
      let steps =
        wanted[.allTasks] != nil
        ? changes.steps : changes.steps.filter { wanted[.task(id: $0.id)] != nil }
      guard hasNew || !steps.isEmpty else { continue }
      loop.loop.submit {
        for step in steps { loop.value.tell(step) }
        if hasNew { loop.value.tell(.newTasks, to: .newTasks) }
      }
    }
  }

  func changed(_ change: SystemChange) {
    for (loop, wanted) in zip(loops, interests.withLock { $0 }) where wanted[.system] != nil {
      loop.loop.submit { loop.value.tell(.system(change), to: .system) }
    }
  }

  /// Tells who listens that a list of MCP has changed.
  package func changed(list: String) {
    for (loop, wanted) in zip(loops, interests.withLock { $0 }) where wanted[.list(list)] != nil {
      loop.loop.submit { loop.value.tell(.list(list), to: .list(list)) }
    }
  }
}

extension Subscription.Subject {
  fileprivate var isSteps: Bool {
    switch self {
    case .allTasks, .task: true
    case .newTasks, .system, .list: false
    }
  }
}

/// The subscriptions of the connections of one loop; confined to it.
private final class LoopSubscriptions {
  private var bySubject: [Subscription.Subject: [ObjectIdentifier: Subscription]] = [:]

  func add(_ subscription: Subscription) {
    for subject in subscription.subjects {
      bySubject[subject, default: [:]][ObjectIdentifier(subscription)] = subscription
    }
  }

  /// Whether it was there.
  func remove(_ subscription: Subscription) -> Bool {
    // It may be removed while it or another is being told.
    subscription.isActive = false
    var wasThere = false
    for subject in subscription.subjects {
      if bySubject[subject]?.removeValue(forKey: ObjectIdentifier(subscription)) != nil { wasThere = true }
      if bySubject[subject]?.isEmpty == true { bySubject[subject] = nil }
    }
    return wasThere
  }

  func tell(_ task: StoredTask) {
    let step = TaskStep(task)
    tell(.task(step), to: .allTasks)
    tell(.task(step), to: .task(id: task.id))
  }

  func tell(_ news: News, to subject: Subscription.Subject) {
    // A copy: who is told may subscribe, or end.
    for subscription in (bySubject[subject] ?? [:]).values { subscription.hear(news) }
  }
}
