/// Who wants to hear what the writer commits.
package protocol CommitWatch: Sendable {
  /// Whether the steps of tasks are wanted; asked at every write, so it has to be cheap.
  var wantsSteps: Bool { get }

  /// A transaction was committed and its calls have been answered. On the thread of the writer, which
  /// must not be kept waiting.
  ///
  /// - Parameter changes: not empty.
  func committed(_ changes: CommittedChanges)
}

/// What one transaction did.
package struct CommittedChanges: Sendable {
  /// The task after every step it went, in the order of the steps; without its history. Of a
  /// transaction during which somebody began to want them, the first may be missing.
  package internal(set) var steps: [StoredTask] = []
  /// Whether there are tasks that were not there before.
  package internal(set) var hasNewTasks = false

  var isEmpty: Bool { steps.isEmpty && !hasNewTasks }
}

/// Told on the thread of the writer how long a transaction took, how many jobs it had, and whether it was
/// committed.
package typealias CommitMeasure = @Sendable (_ time: Duration, _ jobs: Int, _ succeeded: Bool) -> Void
