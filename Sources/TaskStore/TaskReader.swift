internal import JSON
internal import ProtocolSpec
internal import Synchronization

/// How many transactions the writer has committed; each is counted before it is answered.
final class CommitCount: Sendable {
  private let number = Atomic<Int>(0)

  var now: Int { number.load(ordering: .acquiring) }

  func add() { number.add(1, ordering: .releasing) }
}

/// Reads beside the writer: in WAL mode neither waits for the other. Used by one thread at a time.
package final class TaskReader {
  private let commits: CommitCount
  private let finder: RowFinder
  private let timelines: RowFinder
  private let begins: SQLiteStatement
  private let ends: SQLiteStatement
  private let pages: SQLiteStatement
  private let pagesOfState: SQLiteStatement
  private let rowsOfState: SQLiteStatement
  private let wakeTimes: SQLiteStatement
  private let notes: SQLiteStatement
  private let texts = KeptTexts()

  /// The count of commits when the snapshot was taken that is still looked at; nil for none.
  private var held: Int?

  init(path: String, commits: CommitCount, health: StoreHealth) throws(StoreError) {
    self.commits = commits
    let connection = try SQLiteConnection(path: path, isReadOnly: true, health: health)
    begins = try connection.statement("BEGIN")
    ends = try connection.statement("COMMIT")
    let ids = try Schema.ids(connection)
    finder = try RowFinder(connection, ids)
    timelines = try RowFinder(connection, ids, columns: Rows.timelineColumns)
    let columns = Rows.columnsWithoutHistory
    pages = try connection.statement(
      "SELECT \(columns) FROM tasks WHERE seq < ? ORDER BY seq DESC LIMIT ?")
    pagesOfState = try connection.statement(
      "SELECT \(columns) FROM tasks WHERE seq < ? AND state = ? ORDER BY seq DESC LIMIT ?")
    rowsOfState = try connection.statement(
      "SELECT id, executor, complexity FROM tasks WHERE state = ? ORDER BY seq")
    wakeTimes = try connection.statement("SELECT min(wake_at) FROM tasks WHERE state = ?")
    notes = try connection.statement("SELECT value FROM notes WHERE key = ?")
  }

  package func task(_ id: String) throws(StoreError) -> StoredTask? { try finder.task(id) }

  /// The way of the task with this id; nil if there is none.
  package func timeline(_ id: String) throws(StoreError) -> TaskTimeline? {
    try timelines.find(id, read: Rows.timeline)
  }

  /// The task as `StoredTask.json` tells it, as JSON text; nil if there is none. Valid until the next
  /// call.
  ///
  /// Clients ask again and again for tasks that have not changed, so the texts made since the last
  /// commit are kept. For a task that is not among them it looks at the snapshot of the read before, if
  /// nothing was committed since: to take one costs more than to read a row. The caller gives it back
  /// with `release` before it waits for something, or the log of the store could not begin anew.
  package func text(of id: UnsafeRawBufferPointer) throws(StoreError) -> UnsafeRawBufferPointer? {
    // Counted before a snapshot is taken, so that what was answered by then is in it.
    let count = commits.now
    if count != texts.asOf || texts.isFull { texts.clear(asOf: count) }
    let found = finder.number(of: id).flatMap(texts.text(of:))
    if let found, Rows.isText(found, of: id) { return found }
    if held != count {
      release()
      try begins.run()
      held = count
    }
    return try finder.find(id) { row in
      texts.add(row.number(Rows.numberColumn)) { output in Rows.write(row, to: output) }
    }
  }

  /// Whether there is something to release.
  package var isHolding: Bool { held != nil }

  package func release() {
    guard held != nil else { return }
    held = nil
    try? ends.run()
  }

  /// The newest tasks before `before`: at most `limit`, and one at least, but no more than fit in
  /// `bytes` of JSON. Rows behind them are not read, for each may be megabytes.
  func page(
    state: TaskState?, before: Int64?, limit: Int, bytes: Int
  ) throws(StoreError) -> (tasks: [StoredTask], hasMore: Bool) {
    let statement = state == nil ? pages : pagesOfState
    var parameters: [SQLValue] = [.integer(before ?? .max)]
    if let state { parameters.append(.text(state.rawValue)) }
    parameters.append(SQLValue(limit + 1))
    var tasks: [StoredTask] = []
    var used = 0
    var hasMore = false
    let text = TextBuffer()
    try statement.step(parameters) { row in
      text.clear()
      Rows.write(row, to: text)
      used += text.count + 1
      hasMore = tasks.count == limit || (used > bytes && !tasks.isEmpty)
      if !hasMore { tasks.append(Rows.task(row)) }
      return !hasMore
    }
    return (tasks, hasMore)
  }

  func rows(in state: TaskState) throws(StoreError) -> [TaskRow] {
    try rowsOfState.rows(.text(state.rawValue)) { Rows.brief($0, from: 0) }
  }

  func nextWake() throws(StoreError) -> Timestamp? {
    let time = try wakeTimes.first(.text(TaskState.waiting.rawValue)) { $0.integer(0) }
    return time.flatMap { $0 }.map(Timestamp.init(milliseconds:))
  }

  func note(_ key: String) throws(StoreError) -> JSONValue? {
    let text = try notes.first(.text(key)) { $0.text(0) }
    return text.flatMap { $0 }.flatMap { try? JSONParser.parse($0) }
  }
}
