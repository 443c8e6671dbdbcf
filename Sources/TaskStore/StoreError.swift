internal import CSQLite
internal import Foundation

/// Why the store could not do something; the cause is for logs, clients get `storage_unavailable`.
package struct StoreError: Error, Sendable, CustomStringConvertible {
  package let description: String
  package let trouble: StoreTrouble

  package init(description: String, trouble: StoreTrouble = .failed) {
    self.description = description
    self.trouble = trouble
  }

  /// Whether another server works on the store.
  package var isInUse: Bool { trouble == .inUse }
}

/// What is wrong with a store, as far as it changes what has to be done.
package enum StoreTrouble: String, Sendable, CaseIterable {
  case full, readOnly, damaged, busy, inUse, newer, failed

  /// What it is, and what somebody has to do; no paths, for anybody may read it.
  package var text: String {
    switch self {
    case .full:
      """
      reason: full: there is no space left for it
      Free some on the disk of its folder. It goes on by itself then, with everything that was answered.
      """
    case .readOnly:
      """
      reason: not writable: its files, its folder or its disk are read-only for the server
      Let the user of the server write its folder, and mount the disk for writing.
      """
    case .damaged:
      """
      reason: damaged: its file is no whole database any more
      Put a backup in its place: omni-server restore FILE --force, which keeps the damaged one aside.
      """
    case .busy:
      """
      reason: busy: another program keeps it locked
      End that program, such as a sqlite3 shell with an open transaction. It goes on by itself then.
      """
    case .inUse:
      """
      reason: in use: another server works on it
      Stop one of the two, or give this one a folder of its own.
      """
    case .newer:
      """
      reason: newer: a later version of the server wrote it
      Run that version, or put a backup of this one in its place.
      """
    case .failed:
      """
      reason: failed: the system reports an error
      The log of the server has the cause.
      """
    }
  }

  /// - Parameters:
  ///   - code: of SQLite, extended or not.
  ///   - errno: what the system said last.
  init(code: Int32, errno: Int32) {
    switch code & 0xFF {
    case SQLITE_FULL: self = .full
    case SQLITE_CORRUPT, SQLITE_NOTADB: self = .damaged
    case SQLITE_BUSY, SQLITE_LOCKED: self = .busy
    case SQLITE_READONLY, SQLITE_PERM: self = .readOnly
    case SQLITE_IOERR, SQLITE_CANTOPEN: self = StoreTrouble(errno: errno)
    default: self = .failed
    }
  }

  init(errno: Int32) {
    switch errno {
    case ENOSPC, EDQUOT, EFBIG: self = .full
    case EROFS, EACCES, EPERM: self = .readOnly
    default: self = .failed
    }
  }
}

extension StoreError {
  /// What a call of the system said about a file.
  ///
  /// - Parameter action: what could not be done, such as `write`.
  static func system(_ action: String, _ path: String, _ number: Int32 = errno) -> StoreError {
    StoreError(
      description: "cannot \(action) \(path): \(String(cString: strerror(number)))",
      trouble: StoreTrouble(errno: number))
  }
}
