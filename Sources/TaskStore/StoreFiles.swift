import Foundation

/// The files of a store: nobody but their owner reads or writes them.
enum StoreFiles {
  /// Beside the database, where SQLite keeps its log and the index of that.
  static func log(of path: String) -> String { path + "-wal" }
  static func index(of path: String) -> String { path + "-shm" }
  static func lock(of path: String) -> String { path + ".lock" }

  static func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  static func size(of path: String) -> Int? {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : nil
  }

  static func folder(of path: String) -> String {
    URL(filePath: path).deletingLastPathComponent().path
  }

  /// Creates the folder that is to hold the store, for its owner only; one that is there stays as it is, for
  /// it may hold other things.
  static func createFolder(of path: String) throws(StoreError) {
    let folder = folder(of: path)
    guard !FileManager.default.fileExists(atPath: folder) else { return }
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw StoreError(description: "cannot create the folder \(folder)", trouble: .readOnly)
    }
    guard chmod(folder, 0o700) == 0 else { throw .system("change the permissions of", folder) }
  }

  /// Opens a file for its owner only, whatever the umask; creates it if it is not there.
  ///
  /// - Parameter flags: besides those for writing and creating.
  static func open(_ path: String, _ flags: Int32 = 0) throws(StoreError) -> Int32 {
    let descriptor = Foundation.open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0o600)
    guard descriptor >= 0 else { throw .system("write", path) }
    return descriptor
  }

  static func create(_ path: String, _ flags: Int32 = 0) throws(StoreError) {
    let descriptor = try open(path, flags)
    fchmod(descriptor, 0o600)
    close(descriptor)
  }

  /// Takes away what others may do with the files of a store that are there.
  ///
  /// - Returns: those that others may still read or write, because they are somebody else's.
  static func makePrivate(_ path: String) -> [String] {
    [path, log(of: path), index(of: path), lock(of: path)].filter { file in
      var status = stat()
      guard stat(file, &status) == 0, status.st_mode & 0o077 != 0 else { return false }
      return chmod(file, status.st_mode & 0o700) != 0
    }
  }

  /// Gives a file to who has the folder, where root works for somebody else.
  static func giveToOwner(of folder: String, _ path: String) {
    var status = stat()
    guard geteuid() == 0, stat(folder, &status) == 0 else { return }
    _ = chown(path, status.st_uid, status.st_gid)
  }

  // MARK: - On disk for good

  /// Returns when what was written to a file is on disk.
  static func sync(_ path: String) throws(StoreError) {
    let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("read", path) }
    defer { close(descriptor) }
    #if canImport(Darwin)
      // fsync leaves it in the cache of the disk there.
      if fcntl(descriptor, F_FULLFSYNC) == 0 { return }
    #endif
    guard fsync(descriptor) == 0 else { throw .system("sync", path) }
  }

  /// Puts a file in the place of another, or where none is, at once and for good.
  static func replace(_ path: String, by other: String) throws(StoreError) {
    guard rename(other, path) == 0 else { throw .system("replace", path) }
    try sync(folder(of: path))
  }

  /// Removes a database that is not finished, and what SQLite left beside it.
  static func removeDatabase(_ path: String) {
    for file in [path, log(of: path), index(of: path), path + "-journal"] { unlink(file) }
  }
}
