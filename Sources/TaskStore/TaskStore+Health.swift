internal import Foundation

/// How the store is, for who operates it.
extension TaskStore {
  /// Characters that have to fit before a full disk is taken to have space again: those of a long task.
  private static let roomForTask = 1 << 16

  /// Why nothing can be written now; nil if it can. If the last transaction failed, one is tried.
  package func trouble() async -> StoreError? {
    if let damage = health.damage { return damage }
    guard let failure = writer.lastFailure else { return nil }
    do throws(StoreError) {
      if [.full, .failed].contains(failure.trouble) {
        // A note finds room where no task does.
        let long = String(repeating: "x", count: Self.roomForTask)
        try await writer.perform { table throws(StoreError) in try table.note(long, as: "writable") }
      }
      try await writer.perform { table throws(StoreError) in try table.note("true", as: "writable") }
      return nil
    } catch {
      return error
    }
  }

  /// Opens a store and closes it again; throws if a server could not open and write it. Nobody may work on it.
  package static func tryOpening(_ path: String) throws(StoreError) {
    try StoreCheck.refuseLosses(path)
    let connection = try SQLiteConnection(path: path, isReadOnly: false)
    _ = try Schema.prepare(connection, path)
    let table = try TaskTable(connection)
    try table.begin()
    try table.note("true", as: "writable")
    try table.commit()
  }

  /// What a look through the whole file found.
  package enum Check: Sendable {
    case whole
    /// The time was over, and nothing had been found until then.
    case unfinished
    /// The store writes nothing any more.
    case damaged(StoreError)
    /// It could not be read.
    case failed(StoreError)
  }

  /// Looks through the file for damage, beside everything else.
  ///
  /// - Parameter limit: how long; the log of the store cannot begin anew meanwhile.
  package func check(within limit: Duration) async -> Check {
    await withCheckedContinuation { continuation in
      DispatchQueue.global(qos: .utility).async {
        continuation.resume(returning: self.check(until: .now + limit))
      }
    }
  }

  private func check(until end: ContinuousClock.Instant) -> Check {
    guard ContinuousClock.now < end else { return .unfinished }
    do throws(StoreError) {
      let connection = try SQLiteConnection(path: path, isReadOnly: true, health: health)
      connection.watch { ContinuousClock.now < end }
      guard let fault = try StoreCheck.verdict(connection, "quick_check", as: "the store") else {
        return .whole
      }
      let error = StoreError(description: "the store is damaged: \(fault)", trouble: .damaged)
      health.note(error)
      return .damaged(error)
    } catch {
      if error.trouble == .damaged { return .damaged(error) }
      return ContinuousClock.now < end ? .failed(error) : .unfinished
    }
  }
}
