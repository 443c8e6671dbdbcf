internal import JSON
internal import ProtocolSpec

/// How a row of the task table is read.
enum Rows {
  static let columns = """
    seq, id, description, type, state, created_at, updated_at, executor, model, complexity, attempts,
    history, result, truncated, error, error_info, wake_at
    """

  /// For who does not show the history.
  static let columnsWithoutHistory = columns.replacing("history", with: "NULL")

  /// For a timeline; number and id stand where they stand in `columns`.
  static let timelineColumns = "seq, id, state, created_at, updated_at, steps"

  static let numberColumn: Int32 = 0

  private static let textStart: StaticString = "{\"task_id\":"

  /// Whether a text that `write` made is of the task with this id.
  static func isText(_ text: UnsafeRawBufferPointer, of id: UnsafeRawBufferPointer) -> Bool {
    // Behind the quote; ids of other forms than ours are in rows that have no such text.
    let start = textStart.utf8CodeUnitCount + 1
    return text.count > start + id.count
      && UnsafeRawBufferPointer(rebasing: text[start..<(start + id.count)]).elementsEqual(id)
  }

  static func task(_ row: SQLiteRow) -> StoredTask {
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

  /// The row as `timelineColumns` give it.
  static func timeline(_ row: SQLiteRow) -> TaskTimeline {
    StepText.timeline(
      id: row.text(1) ?? "", state: row.text(2).flatMap(TaskState.init(rawValue:)) ?? .failed,
      createdAt: Timestamp(milliseconds: row.number(3)), updatedAt: Timestamp(milliseconds: row.number(4)),
      lines: row.text(5) ?? "")
  }

  /// Columns id, executor and complexity, from column `first` on.
  static func brief(_ row: SQLiteRow, from first: Int32) -> TaskRow {
    TaskRow(
      id: row.text(first) ?? "", executor: row.text(first + 1) ?? "",
      complexity: Int(row.integer(first + 2) ?? 0))
  }

  /// Writes the task of the row as JSON text: the bytes that `task(row).json` would become, without a
  /// value in between.
  static func write(_ row: SQLiteRow, to output: TextBuffer) {
    func text(_ name: StaticString, _ column: Int32) {
      guard let bytes = row.bytes(column) else { return }
      output.add(name)
      output.add(string: bytes)
    }
    func time(_ name: StaticString, _ column: Int32) {
      output.add(name)
      output.add(Timestamp.textSize) { Timestamp(milliseconds: row.number(column)).write(to: $0) }
    }
    func number(_ name: StaticString, _ column: Int32) {
      output.add(name)
      output.add(Int(row.number(column)))
    }
    text(Self.textStart, 1)
    text(",\"description\":", 2)
    text(",\"type\":", 3)
    text(",\"state\":", 4)
    time(",\"created_at\":\"", 5)
    time("\",\"updated_at\":\"", 6)
    text("\",\"executor\":", 7)
    text(",\"model\":", 8)
    number(",\"complexity\":", 9)
    number(",\"attempts\":", 10)
    text(",\"result\":", 12)
    if row.number(13) == 1 { output.add(",\"truncated\":true") }
    text(",\"error\":", 14)
    // It is JSON text already.
    if let info = row.bytes(15) {
      output.add(",\"error_info\":")
      output.add(UnsafeRawBufferPointer(info))
    }
    output.add("}")
  }
}

/// Finds rows by the ids of their tasks.
struct RowFinder {
  private let ids: TaskIDs
  private let byNumber: SQLiteStatement
  private let byOldID: SQLiteStatement

  /// - Parameter columns: what the rows have; the number and the id come first.
  init(
    _ connection: SQLiteConnection, _ ids: TaskIDs, columns: String = Rows.columns
  ) throws(StoreError) {
    self.ids = ids
    byNumber = try connection.statement("SELECT \(columns) FROM tasks WHERE seq = ?")
    byOldID = try connection.statement("SELECT \(columns) FROM tasks WHERE id = ? AND is_old = 1")
  }

  /// The number of the row with this id, if any row has.
  func number(of id: UnsafeRawBufferPointer) -> Int64? { ids.number(of: id) }

  /// The row of the task with this id as `read` gives it; nil if there is none.
  func find<Row>(_ id: UnsafeRawBufferPointer, read: (SQLiteRow) -> Row) throws(StoreError) -> Row? {
    if let number = ids.number(of: id) {
      // The row of that number is another's, if the id was made up or is from before version 2.
      let found = try byNumber.first(number: number) { row in
        row.isText(1, id) ? read(row) : nil
      }
      if let row = found ?? nil { return row }
    }
    return try byOldID.first(text: id, row: read)
  }

  func task(_ id: String) throws(StoreError) -> StoredTask? { try find(id, read: Rows.task) }

  func find<Row>(_ id: String, read: (SQLiteRow) -> Row) throws(StoreError) -> Row? {
    var id = id
    let found: Result<Row?, StoreError> = id.withUTF8 { bytes in
      do throws(StoreError) {
        return .success(try find(UnsafeRawBufferPointer(bytes), read: read))
      } catch {
        return .failure(error)
      }
    }
    return try found.get()
  }
}
