internal import JSON
internal import ProtocolSpec

/// The writing side of the task table. It belongs to the writer, which is the only one to write, and
/// so it may know in memory how many tasks are in each state.
final class TaskTable {
  let connection: SQLiteConnection
  private let ids: TaskIDs
  private let finder: RowFinder
  private let begins: SQLiteStatement
  private let commits: SQLiteStatement
  private let inserts: SQLiteStatement
  private let updates: SQLiteStatement
  private let moves: SQLiteStatement
  private let spans: SQLiteStatement
  private let movesInFull: SQLiteStatement
  private let removes: SQLiteStatement
  private let byKey: SQLiteStatement
  private let notes: SQLiteStatement

  private let watch: (any CommitWatch)?
  /// Of the transactions since they were taken.
  private var changes = CommittedChanges()
  /// As of the transaction that is open.
  private(set) var counts: [TaskState: Int]
  /// As of the last commit.
  private var committed: [TaskState: Int]
  private var lastNumber: Int64
  private var random = SystemRandomNumberGenerator()

  init(_ connection: SQLiteConnection, _ watch: (any CommitWatch)? = nil) throws(StoreError) {
    self.watch = watch
    self.connection = connection
    ids = try Schema.ids(connection)
    finder = try RowFinder(connection, ids)
    begins = try connection.statement("BEGIN IMMEDIATE")
    commits = try connection.statement("COMMIT")
    inserts = try connection.statement(
      """
      INSERT INTO tasks (seq, id, description, type, state, created_at, updated_at, executor, model, complexity,
        idempotency_key, history, steps)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """)
    updates = try connection.statement(
      """
      UPDATE tasks SET state = ?, updated_at = ?, executor = ?, model = ?, attempts = ?, result = ?,
        truncated = ?, error = ?, error_info = ?, wake_at = ?, steps = \(StepText.kept) || ?
      WHERE seq = ?
      """)
    let move = """
      UPDATE tasks SET state = ?1, updated_at = ?2, attempts = attempts + ?3, wake_at = NULL,
        steps = \(StepText.kept) || substr(?1, 1, 2) || (?2 - created_at) || ?6
      WHERE state = ?4 AND (?5 = 0 OR wake_at IS NULL OR wake_at <= ?2)
      RETURNING
      """
    moves = try connection.statement(move + " seq, id, executor, complexity")
    movesInFull = try connection.statement(move + " " + Rows.columnsWithoutHistory)
    spans = try connection.statement(
      """
      SELECT max(seq), min(created_at), count(*) FROM
        (SELECT seq, created_at FROM tasks WHERE state = ? AND seq > ? ORDER BY seq LIMIT ?)
      """)
    // The newest row stays, or its number would be given again.
    removes = try connection.statement(
      """
      DELETE FROM tasks WHERE state = ? AND seq > ? AND seq <= ? AND updated_at < ?
        AND seq < (SELECT max(seq) FROM tasks)
      """)
    byKey = try connection.statement("SELECT \(Rows.columns) FROM tasks WHERE idempotency_key = ?")
    notes = try connection.statement(
      "INSERT INTO notes (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
    var counts = Dictionary(uniqueKeysWithValues: TaskState.allCases.map { ($0, 0) })
    try connection.statement("SELECT state, count(*) FROM tasks GROUP BY state").step([]) { row in
      if let state = row.text(0).flatMap(TaskState.init(rawValue:)) {
        counts[state] = Int(row.integer(1) ?? 0)
      }
      return true
    }
    self.counts = counts
    committed = counts
    lastNumber = try connection.statement("SELECT max(seq) FROM tasks").first { $0.integer(0) ?? 0 } ?? 0
  }

  // MARK: - Transactions

  func begin() throws(StoreError) { try begins.run() }

  func commit() throws(StoreError) {
    do throws(StoreError) {
      try commits.run()
      committed = counts
    } catch {
      if connection.isInTransaction { try? connection.execute("ROLLBACK") }
      counts = committed
      changes = CommittedChanges()
      throw error
    }
  }

  /// What was committed since the last call; nil for nothing.
  func takeChanges() -> CommittedChanges? {
    guard !changes.isEmpty else { return nil }
    defer { changes = CommittedChanges() }
    return changes
  }

  // MARK: - Tasks

  func task(_ id: String) throws(StoreError) -> StoredTask? { try finder.task(id) }

  func task(withKey key: String) throws(StoreError) -> StoredTask? {
    try byKey.first(.text(key), row: Rows.task)
  }

  /// - Parameters:
  ///   - path: the states it goes along, `idle` first; its row is written once, in the last of them.
  ///   - cause: of the last step, where that is not the first.
  func insert(
    _ task: NewTask, along path: [TaskState], cause: String? = nil, at time: Timestamp
  ) throws(StoreError) -> StoredTask {
    let state = path.last ?? .idle
    let number = lastNumber + 1
    let id = ids.id(of: number, nonce: random.next())
    let history = task.history?.description
    try inserts.run(
      .integer(number), .text(id), .text(task.description), .text(task.type), .text(state.rawValue),
      .integer(time.milliseconds), .integer(time.milliseconds), .text(task.executor), .text(task.model),
      SQLValue(task.complexity), SQLValue(task.idempotencyKey), SQLValue(history),
      .text(StepText.lines(along: Array(path.dropFirst()), cause.map(TaskChange.init) ?? TaskChange(), at: 0))
    )
    lastNumber = number
    counts[state, default: 0] += 1
    let stored = StoredTask(
      sequence: number, id: id, description: task.description, type: task.type, state: state,
      createdAt: time, updatedAt: time, executor: task.executor, model: task.model,
      complexity: task.complexity, attempts: 0, result: nil, isTruncated: false, error: nil, errorInfo: nil,
      historyText: history, wakeAt: nil)
    changes.hasNewTasks = true
    if watch?.wantsSteps == true { note(stored, along: path, from: stored) }
    return stored
  }

  /// - Parameter path: the states it goes along; its row is written once, in the last of them.
  func update(
    _ task: StoredTask, along path: [TaskState], _ change: TaskChange, at time: Timestamp
  ) throws(StoreError) -> StoredTask {
    let state = path.last ?? task.state
    // Clocks may be set back; a task never seems to have changed before it was made.
    let updated = max(time, task.createdAt)
    let next = StoredTask(
      sequence: task.sequence, id: task.id, description: task.description, type: task.type, state: state,
      createdAt: task.createdAt, updatedAt: updated, executor: change.executor ?? task.executor,
      model: change.model ?? task.model, complexity: task.complexity,
      attempts: task.attempts + change.attempts, result: change.result, isTruncated: change.isTruncated,
      error: change.error, errorInfo: change.errorInfo, historyText: task.historyText, wakeAt: change.wakeAt)
    try updates.run(
      .text(state.rawValue), .integer(updated.milliseconds), .text(next.executor), .text(next.model),
      SQLValue(next.attempts), SQLValue(next.result), .integer(next.isTruncated ? 1 : 0),
      SQLValue(next.error), SQLValue(next.errorInfo?.description), SQLValue(next.wakeAt?.milliseconds),
      .text(StepText.lines(along: path, change, at: updated.milliseconds - task.createdAt.milliseconds)),
      .integer(next.sequence))
    count(1, from: task.state, to: state)
    if watch?.wantsSteps == true { note(next, along: path, from: task) }
    return next
  }

  /// Notes every step of a task; what changes with the last one is not to be seen before it.
  private func note(_ task: StoredTask, along path: [TaskState], from start: StoredTask) {
    for state in path.dropLast() { changes.steps.append(start.step(state, at: task.updatedAt)) }
    changes.steps.append(task)
  }

  /// Moves every task in `state`, or those that are due, and gives them, oldest first.
  func moveAll(
    from state: TaskState, to target: TaskState, dueOnly: Bool, attempts: Int, cause: String?,
    at time: Timestamp
  ) throws(StoreError) -> [TaskRow] {
    let parameters: [SQLValue] = [
      .text(target.rawValue), .integer(time.milliseconds), SQLValue(attempts), .text(state.rawValue),
      .integer(dueOnly ? 1 : 0), .text(StepText.fields(nil, nil, cause) + "\n"),
    ]
    var moved: [(number: Int64, row: TaskRow)] = []
    var steps: [StoredTask] = []
    let wantsSteps = watch?.wantsSteps == true
    try (wantsSteps ? movesInFull : moves).step(parameters) { row in
      if wantsSteps {
        let task = Rows.task(row)
        steps.append(task)
        moved.append((task.sequence, TaskRow(task)))
      } else {
        moved.append((row.integer(0) ?? 0, Rows.brief(row, from: 1)))
      }
      return true
    }
    count(moved.count, from: state, to: target)
    changes.steps += steps.sorted { $0.sequence < $1.sequence }
    return moved.sorted { $0.number < $1.number }.map(\.row)
  }

  /// Looks at the next `limit` tasks in `state` behind the number `last`, and removes those that were changed
  /// last before `time`.
  ///
  /// - Returns: how many were removed, and the number to go on behind; nil where all that follow are younger.
  func remove(
    in state: TaskState, before time: Timestamp, after last: Int64, limit: Int
  ) throws(StoreError) -> (removed: Int, next: Int64?) {
    let span = try spans.first(.text(state.rawValue), .integer(last), SQLValue(limit)) { row in
      (end: row.integer(0), oldest: row.integer(1) ?? .max, count: Int(row.integer(2) ?? 0))
    }
    // Numbers grow with the times of creation, and no task changed before it was created.
    guard let span, let end = span.end, span.oldest < time.milliseconds else { return (0, nil) }
    try removes.run(.text(state.rawValue), .integer(last), .integer(end), .integer(time.milliseconds))
    let removed = connection.changes
    counts[state, default: 0] -= removed
    return (removed, span.count < limit ? nil : end)
  }

  private func count(_ number: Int, from state: TaskState, to target: TaskState) {
    counts[state, default: 0] -= number
    counts[target, default: 0] += number
  }

  // MARK: - Notes

  func note(_ text: String, as key: String) throws(StoreError) {
    try notes.run(.text(key), .text(text))
  }
}
