internal import ProtocolSpec

/// That a store was brought from an earlier version of the schema to this one.
package struct Migration: Sendable, Equatable {
  package let from: Int64
  /// A copy of the store as it was.
  package let kept: String
}

/// The tables of the store, and their version.
enum Schema {
  static let version: Int64 = 3

  /// Brings the store in `path` to this version.
  ///
  /// - Returns: what was done, if something was.
  static func prepare(_ connection: SQLiteConnection, _ path: String) throws(StoreError) -> Migration? {
    try connection.execute("PRAGMA journal_mode = WAL")
    try connection.execute("PRAGMA synchronous = FULL")
    let found = try version(of: connection)
    guard found <= version else { throw newer("the store", found) }
    guard found < version else { return nil }
    let migration = found > 0 ? Migration(from: found, kept: try keep(path, found)) : nil
    try write(connection, from: found)
    return migration
  }

  static func version(of connection: SQLiteConnection) throws(StoreError) -> Int64 {
    try connection.statement("PRAGMA user_version").first { $0.integer(0) ?? 0 } ?? 0
  }

  static func newer(_ name: String, _ found: Int64) -> StoreError {
    StoreError(
      description:
        "\(name) was written by a newer server: its version is \(found), this one knows \(version)",
      trouble: .newer)
  }

  /// Copies the store as it is, for who wants to go back to the server before.
  private static func keep(_ path: String, _ found: Int64) throws(StoreError) -> String {
    let kept = "\(path).v\(found).bak"
    do throws(StoreError) {
      // One of an earlier try is older than the store.
      _ = try Backup.write(of: path, to: kept, replaces: true)
    } catch {
      throw StoreError(
        description:
          "the store of version \(found) is not brought to version \(version) without a copy of it:"
          + " \(error.description)",
        trouble: error.trouble)
    }
    return kept
  }

  private static func write(_ connection: SQLiteConnection, from found: Int64) throws(StoreError) {
    let steps =
      switch found {
      case 2: fromVersion2
      case 1: [beforeMigration, tables, fromVersion1, newKey].joined(separator: "\n")
      default: [tables, newKey].joined(separator: "\n")
      }
    do throws(StoreError) {
      try connection.execute("BEGIN IMMEDIATE; \(steps) PRAGMA user_version = \(version); COMMIT")
    } catch {
      try? connection.execute("ROLLBACK")
      throw error
    }
  }

  private static var newKey: String {
    "INSERT INTO notes (key, value) VALUES ('\(idKey)', '\(TaskIDs.newKey())');"
  }

  /// The note under which the key of the ids is kept.
  private static let idKey = "task_id_key"

  static func ids(_ connection: SQLiteConnection) throws(StoreError) -> TaskIDs {
    let key = try connection.statement("SELECT value FROM notes WHERE key = ?").first(.text(idKey)) {
      $0.text(0) ?? ""
    }
    guard let ids = key.flatMap(TaskIDs.init(key:)) else {
      throw StoreError(
        description: "the key of the task ids is missing among the notes of the store", trouble: .damaged)
    }
    return ids
  }

  /// Ids say the number of their row (`TaskIDs`), so that only those of version 1, which do not, have
  /// an index. An index on `state` has the numbers in it, in order.
  private static let tables = """
    CREATE TABLE tasks (
      seq INTEGER PRIMARY KEY,
      id TEXT NOT NULL,
      description TEXT NOT NULL,
      type TEXT NOT NULL,
      state TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      updated_at INTEGER NOT NULL,
      executor TEXT NOT NULL,
      model TEXT NOT NULL,
      complexity INTEGER NOT NULL,
      attempts INTEGER NOT NULL DEFAULT 0,
      idempotency_key TEXT,
      history TEXT,
      result TEXT,
      truncated INTEGER NOT NULL DEFAULT 0,
      error TEXT,
      error_info TEXT,
      wake_at INTEGER,
      is_old INTEGER NOT NULL DEFAULT 0,
      steps TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE INDEX tasks_by_state ON tasks (state);
    CREATE UNIQUE INDEX tasks_by_key ON tasks (idempotency_key) WHERE idempotency_key IS NOT NULL;
    CREATE UNIQUE INDEX tasks_by_old_id ON tasks (id) WHERE is_old = 1;
    CREATE TABLE IF NOT EXISTS notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    """

  /// Version 1 counted the tasks of each state by triggers, and had an index on the ids of all.
  private static let beforeMigration = """
    DROP TRIGGER task_added;
    DROP TRIGGER task_moved;
    DROP TRIGGER task_removed;
    DROP TABLE counts;
    DROP INDEX tasks_by_state;
    ALTER TABLE tasks RENAME TO tasks_of_version_1;
    """

  private static let fromVersion1 = """
    INSERT INTO tasks
      SELECT seq, id, description, type, state, created_at, updated_at, executor, model, complexity, attempts,
        idempotency_key, history, result, truncated, error, error_info, wake_at, 1, ''
      FROM tasks_of_version_1;
    DROP TABLE tasks_of_version_1;
    """

  /// Touches no row: what is known of the steps of those that are there, the rows themselves say (`StepText`).
  private static let fromVersion2 = "ALTER TABLE tasks ADD COLUMN steps TEXT NOT NULL DEFAULT '';"
}
