internal import Foundation

/// Looks whether a file is a whole store.
enum StoreCheck {
  struct Contents: Equatable {
    let version: Int64
    let tasks: Int
  }

  /// Reads a store that nobody writes, and everything in it.
  ///
  /// - Parameter name: what the store is called in the error.
  static func contents(of path: String, as name: String) throws(StoreError) -> Contents {
    let connection = try SQLiteConnection(path: path, isReadOnly: true)
    let found = try verdict(connection, "integrity_check", as: name)
    if let found { throw StoreError(description: "\(name) is damaged: \(found)", trouble: .damaged) }
    return try outline(connection, as: name)
  }

  /// What a store has, without looking at all of it; throws for what is none.
  static func outline(_ connection: SQLiteConnection, as name: String) throws(StoreError) -> Contents {
    do throws(StoreError) {
      return try read(connection, name)
    } catch {
      guard error.trouble != .newer, !error.description.hasPrefix(name) else { throw error }
      throw StoreError(description: "cannot read \(name): \(error.description)", trouble: error.trouble)
    }
  }

  private static func read(_ connection: SQLiteConnection, _ name: String) throws(StoreError) -> Contents {
    let version = try Schema.version(of: connection)
    let tables = try connection.statement(
      "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('tasks', 'notes')"
    ).first { $0.number(0) }
    guard version > 0, tables == 2 else {
      throw StoreError(description: "\(name) is no task store", trouble: .damaged)
    }
    guard version <= Schema.version else { throw Schema.newer(name, version) }
    // Version 1 had no key.
    if version > 1 { _ = try Schema.ids(connection) }
    let tasks = try connection.statement("SELECT count(*) FROM tasks").first { $0.number(0) } ?? 0
    return Contents(version: version, tasks: Int(tasks))
  }

  /// The first fault that SQLite finds; nil for none.
  static func verdict(
    _ connection: SQLiteConnection, _ check: String, as name: String
  ) throws(StoreError) -> String? {
    do throws(StoreError) {
      let line = try connection.statement("PRAGMA \(check)(1)").first { $0.text(0) ?? "" }
      guard let first = line?.split(separator: "\n").first, first != "ok" else { return nil }
      return String(first)
    } catch {
      guard error.trouble == .damaged else { throw error }
      throw StoreError(
        description: "\(name) is damaged: \(error.description)", trouble: .damaged)
    }
  }

  // MARK: - Before a store is opened

  /// Refuses what SQLite would take for an empty store, or leave out, though there were tasks in it.
  static func refuseLosses(_ path: String) throws(StoreError) {
    let wasMade = StoreFiles.size(of: StoreFiles.lock(of: path)) ?? 0 > 0
    if StoreFiles.size(of: path) == 0, wasMade {
      throw StoreError(description: "\(path) is empty, and was not before", trouble: .damaged)
    }
    if let log = FileHandle(forReadingAtPath: StoreFiles.log(of: path)) {
      defer { try? log.close() }
      let head = [UInt8]((try? log.read(upToCount: LogHeader.size)) ?? Data())
      guard head.count < LogHeader.size || LogHeader.isRight(head) else {
        throw StoreError(
          description: "\(StoreFiles.log(of: path)) does not begin as a log of SQLite does", trouble: .damaged
        )
      }
    }
  }

  /// Notes in the file of the lock, if there is one, that there is a store.
  static func noteMade(_ path: String) {
    let lock = StoreFiles.lock(of: path)
    guard StoreFiles.size(of: lock) == 0, let file = FileHandle(forWritingAtPath: lock) else { return }
    try? file.write(contentsOf: Data("a store was made here\n".utf8))
    try? file.close()
  }
}

/// The first bytes of a log (https://sqlite.org/fileformat2.html#the_write_ahead_log). Where they are wrong,
/// SQLite takes the log for an empty one, and with it goes what was answered since the last checkpoint.
enum LogHeader {
  static let size = 32

  static func isRight(_ bytes: [UInt8]) -> Bool {
    // Made longer, and cut off by a loss of power before anything was written.
    if bytes.allSatisfy({ $0 == 0 }) { return true }
    func word(_ number: Int, bigEndian: Bool = true) -> UInt32 {
      let four = bytes[(number * 4)..<(number * 4 + 4)]
      return (bigEndian ? Array(four) : four.reversed()).reduce(0) { $0 << 8 | UInt32($1) }
    }
    guard word(0) & ~1 == 0x377F_0682 else { return false }
    var sums: (UInt32, UInt32) = (0, 0)
    for pair in 0..<3 {
      let isBig = word(0) & 1 == 1
      sums.0 &+= word(pair * 2, bigEndian: isBig) &+ sums.1
      sums.1 &+= word(pair * 2 + 1, bigEndian: isBig) &+ sums.0
    }
    return sums == (word(6), word(7))
  }
}
