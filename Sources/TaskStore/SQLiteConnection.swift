internal import CSQLite
internal import Foundation

/// One SQLite connection; used by one thread at a time, with its statements.
final class SQLiteConnection {
  private var database: OpaquePointer?
  private let health: StoreHealth?
  /// Kept for SQLite, which has its address.
  private var watcher: Watcher?

  /// - Parameters:
  ///   - path: of the file; created if it is not there, unless `isReadOnly`.
  ///   - health: told of damage that is met.
  init(path: String, isReadOnly: Bool, health: StoreHealth? = nil) throws(StoreError) {
    self.health = health
    let access = isReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
    let code = sqlite3_open_v2(path, &database, access | SQLITE_OPEN_NOMUTEX, nil)
    guard code == SQLITE_OK else {
      let reason = message
      let trouble = StoreTrouble(code: code, errno: sqlite3_system_errno(database))
      sqlite3_close_v2(database)
      throw StoreError(description: "cannot open \(path): \(reason)", trouble: trouble)
    }
    // The lock of the store keeps other servers away; somebody's shell may still be in the way.
    sqlite3_busy_timeout(database, 1000)
    // In a container there may be no other folder to write to, and a change of many rows wants temporary files.
    try execute("PRAGMA temp_store = MEMORY")
  }

  // Statements keep their connection, so none is left.
  deinit { sqlite3_close_v2(database) }

  private var message: String { String(cString: sqlite3_errmsg(database)) }

  /// Rows that the last statement changed.
  var changes: Int { Int(sqlite3_changes(database)) }

  /// Whether a transaction is open; SQLite ends some itself when they fail.
  var isInTransaction: Bool { sqlite3_get_autocommit(database) == 0 }

  /// Runs statements that give no rows and take no parameters.
  func execute(_ sql: String) throws(StoreError) {
    guard sqlite3_exec(database, sql, nil, nil, nil) == SQLITE_OK else {
      throw failure(sql)
    }
  }

  /// Prepares a statement that is used again and again.
  func statement(_ sql: String) throws(StoreError) -> SQLiteStatement {
    var statement: OpaquePointer?
    let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
    guard sqlite3_prepare_v3(database, sql, -1, flags, &statement, nil) == SQLITE_OK, let statement else {
      throw failure(sql)
    }
    return SQLiteStatement(statement, sql, of: self)
  }

  /// One line: of the SQL only how it begins.
  fileprivate func failure(_ sql: String) -> StoreError {
    let beginning = sql.split(separator: "\n").first ?? ""
    let trouble = StoreTrouble(
      code: sqlite3_extended_errcode(database), errno: sqlite3_system_errno(database))
    let error = StoreError(description: "\(message), in: \(beginning)", trouble: trouble)
    health?.note(error)
    return error
  }
}

extension SQLiteConnection {
  /// Copies the whole database into another, some pages at a time. What is copied is one state of it if a
  /// transaction is open; writers do not wait for it then.
  ///
  /// - Parameter progress: told after each piece how many pages of how many are done.
  func copy(into target: SQLiteConnection, progress: (Int, Int) -> Void) throws(StoreError) {
    guard let backup = sqlite3_backup_init(target.database, "main", database, "main") else {
      throw target.failure("copy")
    }
    var code = SQLITE_OK
    while code == SQLITE_OK {
      code = sqlite3_backup_step(backup, Self.pagesAtATime)
      let total = Int(sqlite3_backup_pagecount(backup))
      progress(total - Int(sqlite3_backup_remaining(backup)), total)
    }
    // It says what went wrong once more, and the connection has the words for it.
    let result = sqlite3_backup_finish(backup)
    guard code == SQLITE_DONE, result == SQLITE_OK else { throw target.failure("copy") }
  }

  private static let pagesAtATime: Int32 = 256

  /// Stops a statement of this connection when `mayGoOn` says so, which is asked again and again while
  /// one runs.
  func watch(_ mayGoOn: @escaping () -> Bool) {
    let watcher = Watcher(mayGoOn)
    self.watcher = watcher
    let address = Unmanaged.passUnretained(watcher).toOpaque()
    sqlite3_progress_handler(
      database, 10_000,
      { address in
        guard let address else { return 0 }
        return Unmanaged<Watcher>.fromOpaque(address).takeUnretainedValue().mayGoOn() ? 0 : 1
      }, address)
  }

  fileprivate final class Watcher {
    let mayGoOn: () -> Bool

    init(_ mayGoOn: @escaping () -> Bool) { self.mayGoOn = mayGoOn }
  }
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

/// A prepared statement.
final class SQLiteStatement {
  private let handle: OpaquePointer
  private let sql: String
  private let connection: SQLiteConnection

  fileprivate init(_ handle: OpaquePointer, _ sql: String, of connection: SQLiteConnection) {
    self.handle = handle
    self.sql = sql
    self.connection = connection
  }

  deinit { sqlite3_finalize(handle) }

  func run(_ parameters: SQLValue...) throws(StoreError) {
    try step(parameters) { _ in true }
  }

  /// The rows of a query, each read by `row`.
  func rows<Row>(_ parameters: SQLValue..., row: (SQLiteRow) -> Row) throws(StoreError) -> [Row] {
    var rows: [Row] = []
    try step(parameters) {
      rows.append(row($0))
      return true
    }
    return rows
  }

  /// The first row of a query, if it has one.
  func first<Row>(_ parameters: SQLValue..., row: (SQLiteRow) -> Row) throws(StoreError) -> Row? {
    var first: Row?
    try step(parameters) {
      first = row($0)
      return false
    }
    return first
  }

  /// Runs the statement and gives its rows to `each`, until that says false.
  func step(_ parameters: [SQLValue], each: (SQLiteRow) -> Bool) throws(StoreError) {
    let isDone = bound(parameters, from: 0) {
      while true {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: guard each(SQLiteRow(statement: handle)) else { return true }
        case SQLITE_DONE: return true
        default: return false
        }
      }
    }
    // Before the reset, which may say something else.
    let failure = isDone ? nil : connection.failure(sql)
    sqlite3_reset(handle)
    sqlite3_clear_bindings(handle)
    if let failure { throw failure }
  }

  /// The same for an only parameter that is a text, but no String.
  func first<Row>(text: UnsafeRawBufferPointer, row: (SQLiteRow) -> Row) throws(StoreError) -> Row? {
    bindText(text, at: 0)
    return try first(row: row)
  }

  /// The same for an only parameter that is a number, in fewer steps.
  @inline(__always)
  func first<Row>(number: Int64, row: (SQLiteRow) -> Row) throws(StoreError) -> Row? {
    sqlite3_bind_int64(handle, 1, number)
    let code = sqlite3_step(handle)
    let first = code == SQLITE_ROW ? row(SQLiteRow(statement: handle)) : nil
    let failure = code == SQLITE_ROW || code == SQLITE_DONE ? nil : connection.failure(sql)
    sqlite3_reset(handle)
    if let failure { throw failure }
    return first
  }

  /// Runs `body` with the parameters bound: each call binds one and leaves the others to the next,
  /// so that SQLite may use all texts where they are.
  private func bound(_ parameters: [SQLValue], from position: Int, _ body: () -> Bool) -> Bool {
    guard position < parameters.count else { return body() }
    switch parameters[position] {
    case .null: break
    case .integer(let integer): sqlite3_bind_int64(handle, Int32(position + 1), integer)
    case .text(var text):
      return text.withUTF8 { bytes in
        bindText(UnsafeRawBufferPointer(bytes), at: position)
        return bound(parameters, from: position + 1, body)
      }
    }
    return bound(parameters, from: position + 1, body)
  }

  /// The bytes have to live until the statement is reset: nil is SQLITE_STATIC, for no copy.
  private func bindText(_ bytes: UnsafeRawBufferPointer, at position: Int) {
    // An empty text is no NULL, for which a missing address stands.
    let start = bytes.baseAddress ?? UnsafeRawPointer(("" as StaticString).utf8Start)
    sqlite3_bind_text(
      handle, Int32(position + 1), start.assumingMemoryBound(to: CChar.self), Int32(bytes.count), nil)
  }
}

/// The row a statement stands on; valid until its next step.
struct SQLiteRow {
  fileprivate let statement: OpaquePointer

  func integer(_ column: Int32) -> Int64? {
    guard sqlite3_column_type(statement, column) != SQLITE_NULL else { return nil }
    return sqlite3_column_int64(statement, column)
  }

  /// The number of a column that is never NULL.
  func number(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

  /// Whether the column is this text.
  func isText(_ column: Int32, _ text: UnsafeRawBufferPointer) -> Bool {
    guard let start = sqlite3_column_text(statement, column), let expected = text.baseAddress,
      Int(sqlite3_column_bytes(statement, column)) == text.count
    else { return false }
    return memcmp(start, expected, text.count) == 0
  }

  /// The length counts, so a text may hold NUL characters.
  func text(_ column: Int32) -> String? {
    bytes(column).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The bytes of a text; nil for NULL.
  func bytes(_ column: Int32) -> UnsafeBufferPointer<UInt8>? {
    guard let start = sqlite3_column_text(statement, column) else { return nil }
    return UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column)))
  }
}
