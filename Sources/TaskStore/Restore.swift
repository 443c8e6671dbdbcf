internal import Foundation
package import ProtocolSpec

/// Puts a backup in the place of a store.
package enum Restore {
  package struct Report: Sendable {
    package let tasks: Int
    /// Of the schema; a server brings it to its own at its next start.
    package let version: Int64
    /// Where the store is kept that was there.
    package let kept: String?
  }

  /// Puts what the file `backup` has in the place of the store in `path`, on which no server may work.
  ///
  /// Whenever it is broken off, there is a store in `path`: the one that was there or the whole backup.
  ///
  /// - Parameters:
  ///   - replaces: whether a store that is there may go; it is kept under another name.
  ///   - progress: told again and again how much is done, from 0 to 1.
  package static func perform(
    from backup: String, to path: String, replaces: Bool, now: Timestamp = .now(),
    progress: (Double) -> Void = { _ in }
  ) throws(StoreError) -> Report {
    guard StoreFiles.exists(backup) else { throw StoreError(description: "there is no file \(backup)") }
    let lock: StoreLock
    do throws(StoreError) {
      lock = try StoreLock(storePath: path)
    } catch {
      guard error.isInUse else { throw error }
      throw StoreError(description: "\(error.description): stop it before", trouble: .inUse)
    }
    defer { withExtendedLifetime(lock) {} }
    let isThere = StoreFiles.exists(path)
    guard replaces || !isThere else {
      throw StoreError(
        description: "there is a store at \(path): --force puts the backup in its place and keeps it aside")
    }
    let copy = path + ".restoring"
    StoreFiles.removeDatabase(copy)
    do throws(StoreError) {
      let contents = try fill(copy, from: backup, progress)
      let kept = isThere ? try keep(path, at: now) : nil
      try StoreFiles.replace(path, by: copy)
      StoreCheck.noteMade(path)
      return Report(tasks: contents.tasks, version: contents.version, kept: kept)
    } catch {
      StoreFiles.removeDatabase(copy)
      throw error
    }
  }

  /// A copy of the backup that is whole and on disk.
  private static func fill(
    _ copy: String, from backup: String, _ progress: (Double) -> Void
  ) throws(StoreError) -> StoreCheck.Contents {
    let source: SQLiteConnection
    do throws(StoreError) {
      source = try SQLiteConnection(path: backup, isReadOnly: true)
      try source.execute("BEGIN")
      _ = try StoreCheck.outline(source, as: backup)
    } catch {
      throw StoreError(
        description: "\(error.description); nothing was changed", trouble: error.trouble)
    }
    try StoreFiles.create(copy, O_EXCL)
    StoreFiles.giveToOwner(of: StoreFiles.folder(of: copy), copy)
    do throws(StoreError) {
      try Backup.fill(copy, from: source, progress)
      let contents = try StoreCheck.contents(of: copy, as: backup)
      try StoreFiles.sync(copy)
      return contents
    } catch {
      throw StoreError(
        description: "\(error.description); nothing was changed", trouble: error.trouble)
    }
  }

  // MARK: - The store that was there

  /// Gives the store another name besides its own, so that there is one in its place all the time.
  private static func keep(_ path: String, at time: Timestamp) throws(StoreError) -> String {
    let stamp = time.text.filter { $0.isNumber || $0 == "T" || $0 == "Z" }
    let kept = "\(path).before-\(stamp)"
    // What its log has goes into the file, if they are whole. A log that stays goes with it: beside the backup
    // SQLite would take it for the log of that.
    mergeLog(of: path)
    let log = StoreFiles.log(of: path)
    try link(path, kept)
    if StoreFiles.size(of: log) ?? 0 > 0 { try link(log, StoreFiles.log(of: kept)) }
    try StoreFiles.sync(StoreFiles.folder(of: path))
    unlink(log)
    unlink(StoreFiles.index(of: path))
    return kept
  }

  private static func mergeLog(of path: String) {
    guard StoreFiles.size(of: path) ?? 0 > 0, (try? StoreCheck.refuseLosses(path)) != nil else { return }
    let store = try? SQLiteConnection(path: path, isReadOnly: false)
    try? store?.execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE")
  }

  private static func link(_ path: String, _ other: String) throws(StoreError) {
    if Foundation.link(path, other) == 0 { return }
    // Some file systems have one name for a file.
    do {
      try FileManager.default.copyItem(atPath: path, toPath: other)
    } catch {
      throw StoreError.system("keep", path)
    }
    chmod(other, 0o600)
    try StoreFiles.sync(other)
  }
}
