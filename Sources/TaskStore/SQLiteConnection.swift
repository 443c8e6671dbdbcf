internal import CSQLite

/// Why the store could not do something; the cause is for logs, clients get `storage_unavailable`.
package struct StoreError: Error, Sendable, CustomStringConvertible {
  package let description: String
}

/// A value of a row or a parameter.
enum SQLValue {
  case null
  case integer(Int64)
  case text(String)

  init(_ text: String?) { self = text.map(SQLValue.text) ?? .null }
  init(_ integer: Int64?) { self = integer.map(SQLValue.integer) ?? .null }
  init(_ integer: Int) { self = .integer(Int64(integer)) }
}

/// One SQLite connection with its prepared statements; used by one queue at a time.
final class SQLiteConnection {
  private var database: OpaquePointer?
  private var statements: [String: OpaquePointer] = [:]

  /// - Parameter path: of the file; created if it is not there, unless `isReadOnly`.
  init(path: String, isReadOnly: Bool) throws(StoreError) {
    let access = isReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
    let code = sqlite3_open_v2(path, &database, access | SQLITE_OPEN_NOMUTEX, nil)
    guard code == SQLITE_OK else {
      let reason = message
      sqlite3_close_v2(database)
      throw StoreError(description: "cannot open \(path): \(reason)")
    }
    // The lock of the store keeps other servers away; somebody's shell may still be in the way.
    sqlite3_busy_timeout(database, 1000)
  }

  deinit {
    for statement in statements.values { sqlite3_finalize(statement) }
    sqlite3_close_v2(database)
  }

  private var message: String { String(cString: sqlite3_errmsg(database)) }

  /// Rows that the last statement changed.
  var changes: Int { Int(sqlite3_changes(database)) }

  var lastInsertedRow: Int64 { sqlite3_last_insert_rowid(database) }

  /// Runs statements that give no rows and take no parameters.
  func execute(_ sql: String) throws(StoreError) {
    guard sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK else {
      throw failure(sql)
    }
  }

  /// One line: of the SQL only how it begins.
  private func failure(_ sql: String) -> StoreError {
    let beginning = sql.split(separator: "\n").first ?? ""
    return StoreError(description: "\(message), in: \(beginning)")
  }

  func run(_ sql: String, _ parameters: SQLValue...) throws(StoreError) {
    try step(sql, parameters) { _ in true }
  }

  /// The rows of a query, each read by `row`.
  func rows<Row>(_ sql: String, _ parameters: [SQLValue], row: (SQLiteRow) -> Row) throws(StoreError) -> [Row]
  {
    var rows: [Row] = []
    try step(sql, parameters) {
      rows.append(row($0))
      return true
    }
    return rows
  }

  /// Runs a statement and gives its rows to `each`, until that says false.
  func step(
    _ sql: String, _ parameters: [SQLValue], each: (SQLiteRow) -> Bool
  ) throws(StoreError) {
    let statement = try prepared(sql)
    defer {
      sqlite3_reset(statement)
      sqlite3_clear_bindings(statement)
    }
    for (position, parameter) in parameters.enumerated() {
      bind(parameter, at: Int32(position + 1), of: statement)
    }
    while true {
      switch sqlite3_step(statement) {
      case SQLITE_ROW: guard each(SQLiteRow(statement: statement)) else { return }
      case SQLITE_DONE: return
      default: throw failure(sql)
      }
    }
  }

  private func prepared(_ sql: String) throws(StoreError) -> OpaquePointer {
    if let statement = statements[sql] { return statement }
    var statement: OpaquePointer?
    let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
    guard sqlite3_prepare_v3(database, sql, -1, flags, &statement, nil) == SQLITE_OK, let statement else {
      throw failure(sql)
    }
    statements[sql] = statement
    return statement
  }

  private func bind(_ value: SQLValue, at position: Int32, of statement: OpaquePointer) {
    // SQLITE_TRANSIENT, which no importer can read: SQLite copies the text before bind returns.
    let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    switch value {
    case .null: sqlite3_bind_null(statement, position)
    case .integer(let integer): sqlite3_bind_int64(statement, position, integer)
    case .text(var text):
      text.withUTF8 { bytes in
        bytes.withMemoryRebound(to: CChar.self) { characters in
          _ = sqlite3_bind_text(statement, position, characters.baseAddress, Int32(bytes.count), transient)
        }
      }
    }
  }
}

/// The row a statement stands on; valid until its next step.
struct SQLiteRow {
  fileprivate let statement: OpaquePointer

  func integer(_ column: Int32) -> Int64? {
    guard sqlite3_column_type(statement, column) != SQLITE_NULL else { return nil }
    return sqlite3_column_int64(statement, column)
  }

  /// The length counts, so a text may hold NUL characters.
  func text(_ column: Int32) -> String? {
    guard let start = sqlite3_column_text(statement, column) else { return nil }
    let count = Int(sqlite3_column_bytes(statement, column))
    return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  }
}
