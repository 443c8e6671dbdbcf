import Foundation

/// Says that one server works on a store: two of them would run the same tasks twice. The kernel
/// gives the lock back when the process ends, however it ends.
package final class StoreLock: Sendable {
  private let descriptor: Int32

  /// - Parameter path: of the store; the lock is a file beside it.
  package init(storePath path: String) throws(StoreError) {
    try StoreLock.createFolder(of: path)
    let descriptor = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw StoreError(description: "cannot write \(path).lock: \(String(cString: strerror(errno)))")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw StoreError(description: "another server works on \(path)", isInUse: true)
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Creates the folder that is to hold the store.
  static func createFolder(of path: String) throws(StoreError) {
    let folder = URL(filePath: path).deletingLastPathComponent().path
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw StoreError(description: "cannot create the folder \(folder)")
    }
  }
}
