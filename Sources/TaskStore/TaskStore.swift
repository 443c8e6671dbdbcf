package import JSON
package import ProtocolSpec

/// Tasks in SQLite: one writer that commits in groups, readers beside it.
///
/// Every answer of a writing call comes after its commit with `synchronous=FULL`, so what was
/// answered survives kill -9 and power loss.
package final class TaskStore: Sendable {
  let writer: Writer
  let states: StateMachine<TaskState>
  let health = StoreHealth()
  let path: String
  /// What was done to bring the store to this version, if something was.
  package let migration: Migration?
  /// Files of the store that others may read, because they are somebody else's.
  package let openFiles: [String]
  private let reader: Reader
  private let now: @Sendable () -> Timestamp
  private let maxUnfinished: Int
  private let pageBytes: Int

  /// Opens the store in `path`, creating what is missing.
  ///
  /// - Parameters:
  ///   - maxUnfinished: how many tasks may be unfinished before `create` answers `full`.
  ///   - now: the clock of `created_at` and `updated_at`.
  ///   - committed: told after each transaction, when its calls have been answered; on the thread
  ///     that answers them.
  ///   - watch: told after that what the transaction did.
  ///   - measured: told how each transaction went.
  package init(
    path: String, spec: Specification, maxUnfinished: Int,
    now: @escaping @Sendable () -> Timestamp = Timestamp.now,
    committed: @escaping @Sendable () -> Void = {}, watch: (any CommitWatch)? = nil,
    measured: CommitMeasure? = nil
  ) throws(StoreError) {
    try StoreFiles.createFolder(of: path)
    try StoreCheck.refuseLosses(path)
    openFiles = StoreFiles.makePrivate(path)
    // SQLite would leave it to the umask.
    if !StoreFiles.exists(path) { try StoreFiles.create(path) }
    let connection = try SQLiteConnection(path: path, isReadOnly: false, health: health)
    migration = try Schema.prepare(connection, path)
    StoreCheck.noteMade(path)
    writer = try Writer(connection, health: health, committed: committed, watch: watch, measured: measured)
    reader = Reader(try TaskReader(path: path, commits: writer.commits, health: health))
    states = spec.taskStates
    pageBytes = spec.limits.pageBytes
    self.path = path
    self.maxUnfinished = maxUnfinished
    self.now = now
  }

  // MARK: - Writing

  /// Stores a task in the initial state, unless its idempotency key is known or the queue is full.
  ///
  /// - Parameters:
  ///   - isSuspended: whether it goes on to `waiting` at once, for an outage; nobody sees it before.
  ///   - completion: told after the commit, on the thread of the writer.
  package func create(
    _ task: NewTask, isSuspended: Bool = false,
    completion: @escaping @Sendable (Result<CreateOutcome, StoreError>) -> Void
  ) {
    let time = now()
    writer.perform(
      { [states, maxUnfinished] table throws(StoreError) in
        if let key = task.idempotencyKey, let known = try table.task(withKey: key) {
          // Not by `==`, to which an accent is the same whether it is a character of its own or not.
          let isSame = known.description.isExactly(task.description) && known.type == task.type
          return isSame ? .existing(known) : .conflict
        }
        let unfinished = table.counts.reduce(0) { states.final.contains($1.key) ? $0 : $0 + $1.value }
        guard unfinished < maxUnfinished else { return .full }
        let waits = isSuspended && states.allows(states.initial, .waiting)
        let path = waits ? [states.initial, .waiting] : [states.initial]
        return .created(try table.insert(task, along: path, cause: waits ? StepCause.outage : nil, at: time))
      }, completion: completion)
  }

  package func create(
    _ task: NewTask, isSuspended: Bool = false
  ) async throws(StoreError) -> CreateOutcome {
    let result: Result<CreateOutcome, StoreError> = await withCheckedContinuation { continuation in
      create(task, isSuspended: isSuspended) { continuation.resume(returning: $0) }
    }
    return try result.get()
  }

  /// Moves a task to `state` if the specification knows the transition.
  package func transition(
    _ id: String, to state: TaskState, _ change: TaskChange = TaskChange()
  ) async throws(StoreError) -> TransitionOutcome {
    try await move(id) { _ in TaskMove(along: [state], change) }
  }

  /// Moves a task along the states that `decide` says, if the specification knows every step; its
  /// row is written once, in the last of them.
  package func move(
    _ id: String, _ decide: @escaping @Sendable (StoredTask) -> TaskMove
  ) async throws(StoreError) -> TransitionOutcome {
    let time = now()
    return try await writer.perform { [states] table throws(StoreError) in
      guard let task = try table.task(id) else { return .unknown }
      let move = decide(task)
      var state = task.state
      for next in move.path {
        guard states.allows(state, next) else { return .refused(task) }
        state = next
      }
      return .done(try table.update(task, along: move.path, move.change, at: time))
    }
  }

  /// Moves every task that is in `state` to `target`, and gives them, oldest first.
  ///
  /// - Parameters:
  ///   - dueOnly: leave those whose wake-up time has not come.
  ///   - attempts: added to the attempts of each.
  ///   - cause: for their timelines.
  @discardableResult
  package func transitionAll(
    from state: TaskState, to target: TaskState, dueOnly: Bool = false, attempts: Int = 0,
    cause: String? = nil
  ) async throws(StoreError) -> [TaskRow] {
    let time = now()
    guard states.allows(state, target) else {
      throw StoreError(description: "no transition leads from \(state) to \(target)")
    }
    return try await writer.perform { table throws(StoreError) in
      try table.moveAll(
        from: state, to: target, dueOnly: dueOnly, attempts: attempts, cause: cause, at: time)
    }
  }

  /// Removes tasks that ended before `time`, and their idempotency keys with them; a few at a time, so that
  /// others who write are let in between.
  ///
  /// - Parameter batch: how many tasks are looked at in one turn.
  /// - Returns: how many were removed.
  package func removeEnded(before time: Timestamp, batch: Int = 512) async throws(StoreError) -> Int {
    var removed = 0
    for state in states.final {
      var last: Int64? = 0
      while let after = last {
        let step = try await writer.perform { table throws(StoreError) in
          try table.remove(in: state, before: time, after: after, limit: batch)
        }
        removed += step.removed
        last = step.next
      }
    }
    return removed
  }

  /// Keeps a value that is no task, such as the state of the system.
  package func remember(_ value: JSONValue, as key: String) async throws(StoreError) {
    try await writer.perform { table throws(StoreError) in try table.note(value.description, as: key) }
  }

  /// Tells `completion`, on the thread of the writer, when all that is being written now has been
  /// committed, or cannot be.
  package func settle(completion: @escaping @Sendable (Result<Void, StoreError>) -> Void) {
    writer.perform({ _ throws(StoreError) in }, completion: completion)
  }

  // MARK: - Reading

  /// How many tasks are in each state, zeros included.
  package var counts: [TaskState: Int] { writer.counts }

  /// A reader for a thread that wants to read without leaving it.
  package func makeReader() throws(StoreError) -> TaskReader {
    try TaskReader(path: path, commits: writer.commits, health: health)
  }

  package func recall(_ key: String) async throws(StoreError) -> JSONValue? {
    try await reader.perform { reader throws(StoreError) in try reader.note(key) }
  }

  package func task(_ id: String) async throws(StoreError) -> StoredTask? {
    try await reader.perform { reader throws(StoreError) in try reader.task(id) }
  }

  /// All tasks in `state`, oldest first.
  package func rows(in state: TaskState) async throws(StoreError) -> [TaskRow] {
    try await reader.perform { reader throws(StoreError) in try reader.rows(in: state) }
  }

  /// The earliest time at which a waiting task wants to be woken.
  package func nextWake() async throws(StoreError) -> Timestamp? {
    try await reader.perform { reader throws(StoreError) in try reader.nextWake() }
  }

  /// A page of tasks, newest first, that ends at `limit` tasks or the page size of the specification.
  ///
  /// - Parameter completion: told on the thread of the reader.
  package func page(
    state: TaskState?, before cursor: PageCursor?, limit: Int,
    completion: @escaping @Sendable (Result<TaskPage, StoreError>) -> Void
  ) {
    reader.perform(
      { [pageBytes] reader throws(StoreError) in
        let page = try reader.page(state: state, before: cursor?.sequence, limit: limit, bytes: pageBytes)
        let last = page.hasMore ? page.tasks.last : nil
        return TaskPage(tasks: page.tasks, next: last.map { PageCursor(sequence: $0.sequence) })
      }, completion: completion)
  }
}

/// Some of the tasks, newest first.
package struct TaskPage: Sendable {
  package let tasks: [StoredTask]
  /// Nil on the last page.
  package let next: PageCursor?
}

/// Where a page of tasks ends; the next one begins with older tasks.
package struct PageCursor: Sendable, Equatable {
  private static let mark = "t"

  let sequence: Int64

  init(sequence: Int64) { self.sequence = sequence }

  /// Nil if `text` is no cursor of this store.
  package init?(_ text: String) {
    guard text.hasPrefix(Self.mark), let sequence = Int64(text.dropFirst(), radix: 36),
      sequence > 0
    else { return nil }
    self.init(sequence: sequence)
    guard self.text == text else { return nil }
  }

  package var text: String { Self.mark + String(sequence, radix: 36) }
}
