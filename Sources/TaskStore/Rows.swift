internal import JSON
internal import ProtocolSpec

/// The tables of the store, and their version. Triggers keep the number of tasks in each state, so
/// that neither the limit of the queue nor system_status has to count rows.
enum Schema {
  private static let version: Int64 = 1

  static func prepare(_ connection: SQLiteConnection) throws(StoreError) {
    try connection.execute("PRAGMA journal_mode = WAL")
    try connection.execute("PRAGMA synchronous = FULL")
    let found = try connection.rows("PRAGMA user_version", []) { $0.integer(0) ?? 0 }.first ?? 0
    guard found <= version else {
      throw StoreError(
        description:
          "the store was written by a newer server: its version is \(found), this one knows \(version)")
    }
    try connection.execute(
      """
      BEGIN IMMEDIATE;
      CREATE TABLE IF NOT EXISTS tasks (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        description TEXT NOT NULL,
        type TEXT NOT NULL,
        state TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        executor TEXT NOT NULL,
        model TEXT NOT NULL,
        complexity INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        idempotency_key TEXT UNIQUE,
        history TEXT,
        result TEXT,
        truncated INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        error_info TEXT,
        wake_at INTEGER
      ) STRICT;
      CREATE INDEX IF NOT EXISTS tasks_by_state ON tasks (state, seq);
      CREATE TABLE IF NOT EXISTS counts (state TEXT PRIMARY KEY, tasks INTEGER NOT NULL) STRICT;
      INSERT OR IGNORE INTO counts (state, tasks) VALUES \(TaskState.allCases.map { "('\($0.rawValue)', 0)" }.joined(separator: ", "));
      CREATE TRIGGER IF NOT EXISTS task_added AFTER INSERT ON tasks BEGIN
        UPDATE counts SET tasks = tasks + 1 WHERE state = new.state;
      END;
      CREATE TRIGGER IF NOT EXISTS task_moved AFTER UPDATE OF state ON tasks WHEN old.state <> new.state BEGIN
        UPDATE counts SET tasks = tasks + (state = new.state) - (state = old.state)
        WHERE state IN (old.state, new.state);
      END;
      CREATE TRIGGER IF NOT EXISTS task_removed AFTER DELETE ON tasks BEGIN
        UPDATE counts SET tasks = tasks - 1 WHERE state = old.state;
      END;
      CREATE TABLE IF NOT EXISTS notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
      PRAGMA user_version = \(version);
      COMMIT;
      """)
  }
}

/// The statements of the task table.
enum Rows {
  private static let columns = """
    seq, id, description, type, state, created_at, updated_at, executor, model, complexity, attempts,
    history, result, truncated, error, error_info, wake_at
    """

  static func first(
    _ connection: SQLiteConnection, _ clause: String, _ parameters: [SQLValue]
  ) throws(StoreError) -> StoredTask? {
    try connection.rows("SELECT \(columns) FROM tasks \(clause)", parameters, row: task).first
  }

  /// The newest tasks before `before`: at most `limit`, and one at least, but no more than fit in
  /// `bytes` of JSON. Rows behind them are not read, for each may be megabytes.
  static func page(
    _ connection: SQLiteConnection, state: TaskState?, before: Int64?, limit: Int, bytes: Int
  ) throws(StoreError) -> (tasks: [StoredTask], hasMore: Bool) {
    var clause = "WHERE seq < ?"
    var parameters: [SQLValue] = [.integer(before ?? .max)]
    if let state {
      clause += " AND state = ?"
      parameters.append(.text(state.rawValue))
    }
    parameters.append(SQLValue(limit + 1))
    var tasks: [StoredTask] = []
    var used = 0
    var hasMore = false
    // Lists do not show the history.
    let columns = columns.replacing("history", with: "NULL")
    try connection.step(
      "SELECT \(columns) FROM tasks \(clause) ORDER BY seq DESC LIMIT ?", parameters
    ) { row in
      let task = task(row)
      used += task.json.description.utf8.count + 1
      hasMore = tasks.count == limit || (used > bytes && !tasks.isEmpty)
      if !hasMore { tasks.append(task) }
      return !hasMore
    }
    return (tasks, hasMore)
  }

  static func counts(_ connection: SQLiteConnection) throws(StoreError) -> [TaskState: Int] {
    var counts = Dictionary(uniqueKeysWithValues: TaskState.allCases.map { ($0, 0) })
    let rows = try connection.rows("SELECT state, tasks FROM counts", []) {
      (state: $0.text(0).flatMap(TaskState.init(rawValue:)), count: Int($0.integer(1) ?? 0))
    }
    for row in rows { if let state = row.state { counts[state] = row.count } }
    return counts
  }

  static func unfinished(
    _ connection: SQLiteConnection, _ states: StateMachine<TaskState>
  ) throws(StoreError) -> Int {
    let open = TaskState.allCases.filter { !states.final.contains($0) }
    let rows = try connection.rows(
      "SELECT sum(tasks) FROM counts WHERE state IN (\(list(open)))", []
    ) { Int($0.integer(0) ?? 0) }
    return rows.first ?? 0
  }

  /// States as an SQL list; they come from an enumeration, never from a client.
  static func list(_ states: some Sequence<TaskState>) -> String {
    states.map { "'\($0.rawValue)'" }.sorted().joined(separator: ", ")
  }

  static func insert(
    _ connection: SQLiteConnection, _ task: NewTask, state: TaskState, at time: Timestamp
  ) throws(StoreError) -> StoredTask {
    try connection.run(
      """
      INSERT INTO tasks (id, description, type, state, created_at, updated_at, executor, model, complexity,
        idempotency_key, history)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      .text(task.id), .text(task.description), .text(task.type), .text(state.rawValue),
      .integer(time.milliseconds), .integer(time.milliseconds), .text(task.executor), .text(task.model),
      SQLValue(task.complexity), SQLValue(task.idempotencyKey), SQLValue(task.history?.description))
    return StoredTask(
      sequence: connection.lastInsertedRow, id: task.id, description: task.description, type: task.type,
      state: state, createdAt: time, updatedAt: time, executor: task.executor, model: task.model,
      complexity: task.complexity, attempts: 0, result: nil, isTruncated: false, error: nil, errorInfo: nil,
      historyText: task.history?.description, wakeAt: nil)
  }

  static func update(
    _ connection: SQLiteConnection, _ task: StoredTask, to state: TaskState, _ change: TaskChange,
    at time: Timestamp
  ) throws(StoreError) -> StoredTask {
    // Clocks may be set back; a task never seems to have changed before it was made.
    let updated = max(time, task.createdAt)
    let next = StoredTask(
      sequence: task.sequence, id: task.id, description: task.description, type: task.type, state: state,
      createdAt: task.createdAt, updatedAt: updated, executor: change.executor ?? task.executor,
      model: change.model ?? task.model, complexity: task.complexity,
      attempts: task.attempts + change.attempts, result: change.result, isTruncated: change.isTruncated,
      error: change.error, errorInfo: change.errorInfo, historyText: task.historyText, wakeAt: change.wakeAt)
    try connection.run(
      """
      UPDATE tasks SET state = ?, updated_at = ?, executor = ?, model = ?, attempts = ?, result = ?,
        truncated = ?, error = ?, error_info = ?, wake_at = ?
      WHERE seq = ?
      """,
      .text(state.rawValue), .integer(updated.milliseconds), .text(next.executor), .text(next.model),
      SQLValue(next.attempts), SQLValue(next.result), .integer(next.isTruncated ? 1 : 0),
      SQLValue(next.error), SQLValue(next.errorInfo?.description), SQLValue(next.wakeAt?.milliseconds),
      .integer(next.sequence))
    return next
  }

  private static func task(_ row: SQLiteRow) -> StoredTask {
    StoredTask(
      sequence: row.integer(0) ?? 0, id: row.text(1) ?? "", description: row.text(2) ?? "",
      type: row.text(3) ?? "", state: row.text(4).flatMap(TaskState.init(rawValue:)) ?? .failed,
      createdAt: Timestamp(milliseconds: row.integer(5) ?? 0),
      updatedAt: Timestamp(milliseconds: row.integer(6) ?? 0), executor: row.text(7) ?? "",
      model: row.text(8) ?? "", complexity: Int(row.integer(9) ?? 0), attempts: Int(row.integer(10) ?? 0),
      result: row.text(12), isTruncated: row.integer(13) == 1, error: row.text(14),
      errorInfo: row.text(15).flatMap { try? JSONParser.parse($0) }, historyText: row.text(11),
      wakeAt: row.integer(16).map(Timestamp.init(milliseconds:)))
  }
}
