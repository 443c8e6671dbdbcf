internal import Dispatch
package import JSON
package import ProtocolSpec

/// Tasks in SQLite: one writer that commits in groups, a reader beside it.
///
/// Every answer of a writing call comes after its commit with `synchronous=FULL`, so what was
/// answered survives kill -9 and power loss.
package final class TaskStore: Sendable {
  let writer: Writer
  let states: StateMachine<TaskState>
  private let reader: Reader
  private let now: @Sendable () -> Timestamp
  private let maxUnfinished: Int
  private let pageBytes: Int

  /// Opens the store in `path`, creating what is missing.
  ///
  /// - Parameters:
  ///   - maxUnfinished: how many tasks may be unfinished before `create` answers `full`.
  ///   - now: the clock of `created_at` and `updated_at`.
  package init(
    path: String, spec: Specification, maxUnfinished: Int,
    now: @escaping @Sendable () -> Timestamp = Timestamp.now
  ) throws(StoreError) {
    try StoreLock.createFolder(of: path)
    let connection = try SQLiteConnection(path: path, isReadOnly: false)
    try Schema.prepare(connection)
    writer = Writer(connection)
    reader = Reader(try SQLiteConnection(path: path, isReadOnly: true))
    states = spec.taskStates
    pageBytes = spec.limits.pageBytes
    self.maxUnfinished = maxUnfinished
    self.now = now
  }

  // MARK: - Writing

  /// Stores a task in the initial state, unless its idempotency key is known or the queue is full.
  package func create(_ task: NewTask) async throws(StoreError) -> CreateOutcome {
    let time = now()
    return try await writer.perform { [states, maxUnfinished] connection throws(StoreError) in
      if let key = task.idempotencyKey,
        let known = try Rows.first(connection, "WHERE idempotency_key = ?", [.text(key)])
      {
        // Not by `==`, to which an accent is the same whether it is a character of its own or not.
        let isSame = known.description.isExactly(task.description) && known.type == task.type
        return isSame ? .existing(known) : .conflict
      }
      guard try Rows.unfinished(connection, states) < maxUnfinished else { return .full }
      return .created(try Rows.insert(connection, task, state: states.initial, at: time))
    }
  }

  /// Moves a task to `state` if the specification knows the transition.
  package func transition(
    _ id: String, to state: TaskState, _ change: TaskChange = TaskChange()
  ) async throws(StoreError) -> TransitionOutcome {
    let time = now()
    return try await writer.perform { [states] connection throws(StoreError) in
      guard let task = try Rows.first(connection, "WHERE id = ?", [.text(id)]) else { return .unknown }
      guard states.allows(task.state, state) else { return .refused(task) }
      return .done(try Rows.update(connection, task, to: state, change, at: time))
    }
  }

  /// Moves every task that is in `state` to `target`, and gives their ids, oldest first.
  ///
  /// - Parameters:
  ///   - dueOnly: leave those whose wake-up time has not come.
  ///   - attempts: added to the attempts of each.
  @discardableResult
  package func transitionAll(
    from state: TaskState, to target: TaskState, dueOnly: Bool = false, attempts: Int = 0
  ) async throws(StoreError) -> [String] {
    let time = now()
    guard states.allows(state, target) else {
      throw StoreError(description: "no transition leads from \(state) to \(target)")
    }
    return try await writer.perform { connection throws(StoreError) in
      let moved = try connection.rows(
        """
        UPDATE tasks SET state = ?, updated_at = ?, attempts = attempts + ?, wake_at = NULL
        WHERE state = ? AND (? = 0 OR wake_at IS NULL OR wake_at <= ?)
        RETURNING seq, id
        """,
        [
          .text(target.rawValue), .integer(time.milliseconds), SQLValue(attempts), .text(state.rawValue),
          .integer(dueOnly ? 1 : 0), .integer(time.milliseconds),
        ]
      ) { (sequence: $0.integer(0) ?? 0, id: $0.text(1) ?? "") }
      return moved.sorted { $0.sequence < $1.sequence }.map(\.id)
    }
  }

  /// Removes tasks that ended before `time`.
  package func removeEnded(before time: Timestamp) async throws(StoreError) -> Int {
    try await writer.perform { [states] connection throws(StoreError) in
      try connection.run(
        "DELETE FROM tasks WHERE updated_at < ? AND state IN (\(Rows.list(states.final)))",
        .integer(time.milliseconds))
      return connection.changes
    }
  }

  /// Keeps a value that is no task, such as the state of the system.
  package func remember(_ value: JSONValue, as key: String) async throws(StoreError) {
    try await writer.perform { connection throws(StoreError) in
      try connection.run(
        "INSERT INTO notes (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        .text(key), .text(value.description))
    }
  }

  /// Whether the last transaction was committed; if not, one is tried.
  package func isWritable() async -> Bool {
    if writer.lastCommitSucceeded { return true }
    do throws(StoreError) {
      try await writer.perform { connection throws(StoreError) in
        try connection.run("DELETE FROM notes WHERE key = ?", .text("writable"))
      }
      return true
    } catch {
      return false
    }
  }

  // MARK: - Reading

  package func recall(_ key: String) async throws(StoreError) -> JSONValue? {
    try await reader.perform { connection throws(StoreError) in
      let texts = try connection.rows("SELECT value FROM notes WHERE key = ?", [.text(key)]) { $0.text(0) }
      return texts.first.flatMap { $0 }.flatMap { try? JSONParser.parse($0) }
    }
  }

  package func task(_ id: String) async throws(StoreError) -> StoredTask? {
    try await reader.perform { connection throws(StoreError) in
      try Rows.first(connection, "WHERE id = ?", [.text(id)])
    }
  }

  /// The ids of all tasks in `state`, oldest first.
  package func ids(in state: TaskState) async throws(StoreError) -> [String] {
    try await reader.perform { connection throws(StoreError) in
      try connection.rows(
        "SELECT id FROM tasks WHERE state = ? ORDER BY seq", [.text(state.rawValue)]
      ) { $0.text(0) ?? "" }
    }
  }

  /// The earliest time at which a waiting task wants to be woken.
  package func nextWake() async throws(StoreError) -> Timestamp? {
    try await reader.perform { connection throws(StoreError) in
      try connection.rows(
        "SELECT min(wake_at) FROM tasks WHERE state = ?", [.text(TaskState.waiting.rawValue)]
      ) { $0.integer(0) }.first.flatMap { $0 }.map(Timestamp.init(milliseconds:))
    }
  }

  /// How many tasks are in each state, zeros included.
  package func counts() async throws(StoreError) -> [TaskState: Int] {
    try await reader.perform { connection throws(StoreError) in try Rows.counts(connection) }
  }

  /// A page of tasks, newest first, that ends at `limit` tasks or the page size of the specification.
  package func page(
    state: TaskState?, before cursor: PageCursor?, limit: Int
  ) async throws(StoreError) -> (tasks: [StoredTask], next: PageCursor?) {
    let page = try await reader.perform { [pageBytes] connection throws(StoreError) in
      try Rows.page(connection, state: state, before: cursor?.sequence, limit: limit, bytes: pageBytes)
    }
    return (page.tasks, page.hasMore ? page.tasks.last.map { PageCursor(sequence: $0.sequence) } : nil)
  }
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
