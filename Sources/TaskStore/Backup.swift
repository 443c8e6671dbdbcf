internal import Foundation

/// A copy of a store, as it was at one moment, while a server may work on it.
package enum Backup {
  package struct Report: Sendable {
    package let tasks: Int
    package let bytes: Int
  }

  /// Copies the store in `source` into the file `target`, and looks whether the copy is whole before it
  /// gets its name. What is not finished is in `target.partial`.
  ///
  /// The copy is what one snapshot of the store has: writers go on, and only the log of the store grows meanwhile.
  ///
  /// - Parameters:
  ///   - replaces: whether a file that has the name may go.
  ///   - progress: told again and again how much is done, from 0 to 1.
  package static func write(
    of source: String, to target: String, replaces: Bool, progress: (Double) -> Void = { _ in }
  ) throws(StoreError) -> Report {
    guard StoreFiles.exists(source) else {
      throw StoreError(description: "there is no store at \(source) (OMNI_DATA names its folder)")
    }
    try refuse(target, of: source, replaces)
    let partial = target + ".partial"
    StoreFiles.removeDatabase(partial)
    do throws(StoreError) {
      try StoreFiles.create(partial, O_EXCL)
      let report = try copy(source, to: partial, progress)
      try StoreFiles.sync(partial)
      // Somebody may have made it meanwhile.
      try refuse(target, of: source, replaces)
      try StoreFiles.replace(target, by: partial)
      return report
    } catch {
      StoreFiles.removeDatabase(partial)
      throw error
    }
  }

  private static func refuse(_ target: String, of source: String, _ replaces: Bool) throws(StoreError) {
    var (one, other) = (stat(), stat())
    guard stat(target, &one) == 0 else { return }
    guard one.st_mode & S_IFMT == S_IFREG else {
      throw StoreError(description: "\(target) is no file that a backup could take the place of")
    }
    if stat(source, &other) == 0, (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino) {
      throw StoreError(description: "\(target) is the store itself: name another file")
    }
    guard replaces else {
      throw StoreError(description: "\(target) is there already: name another file, or say --force")
    }
  }

  /// - Returns: what the copy has, which is what the snapshot had.
  private static func copy(
    _ source: String, to target: String, _ progress: (Double) -> Void
  ) throws(StoreError) -> Report {
    let store = try SQLiteConnection(path: source, isReadOnly: true)
    // One state of the store to the end, or every commit of a server would begin the copy anew.
    try store.execute("BEGIN")
    let contents = try StoreCheck.outline(store, as: source)
    try fill(target, from: store, progress)
    try store.execute("COMMIT")
    let copied = try StoreCheck.contents(of: target, as: "the copy of \(source)")
    guard copied == contents else {
      throw StoreError(description: "the copy of \(source) has \(copied), the store \(contents)")
    }
    return Report(tasks: copied.tasks, bytes: StoreFiles.size(of: target) ?? 0)
  }

  /// Makes `target` a database with everything that `source` has.
  static func fill(
    _ target: String, from source: SQLiteConnection, _ progress: (Double) -> Void
  ) throws(StoreError) {
    do throws(StoreError) {
      let copy = try SQLiteConnection(path: target, isReadOnly: false)
      // Nothing of it counts before it is whole, and then it is synced.
      try copy.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
      try source.copy(into: copy) { done, total in progress(Double(done) / Double(max(total, 1))) }
      // One file, that can be read where nothing can be written.
      try copy.execute("PRAGMA journal_mode = DELETE")
    } catch {
      throw StoreError(description: "cannot write \(target): \(error.description)", trouble: error.trouble)
    }
  }
}
