import Foundation

/// Says that one server works on a store: two of them would run the same tasks twice. The kernel
/// gives the lock back when the process ends, however it ends.
package final class StoreLock: Sendable {
  private let descriptor: Int32

  /// - Parameter path: of the store; the lock is a file beside it.
  package init(storePath path: String) throws(StoreError) {
    try StoreFiles.createFolder(of: path)
    let descriptor = try StoreFiles.open(StoreFiles.lock(of: path))
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw StoreError(description: "another server works on \(path)", trouble: .inUse)
    }
    fchmod(descriptor, 0o600)
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }
}
