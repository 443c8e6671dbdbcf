internal import Dispatch
internal import Synchronization

/// The one writer of the store: what has gathered while the last transaction was synced goes into
/// the next one, and is answered when that is on disk.
final class Writer: Sendable {
  /// What to do when the transaction has been committed, or has failed.
  private typealias Completion = @Sendable (StoreError?) -> Void

  private struct Job: Sendable {
    /// Runs inside a transaction; each job writes with one statement at most, so that one that
    /// fails leaves nothing behind.
    let run: @Sendable (SQLiteConnection) -> Completion
    /// Told instead, if there is no transaction to run in.
    let refuse: @Sendable (StoreError) -> Void
  }

  private struct Queue {
    var jobs: [Job] = []
    var isDraining = false
    var lastCommitSucceeded = true
  }

  /// Only touched on `dispatcher`.
  private struct Owned: @unchecked Sendable {
    let connection: SQLiteConnection
  }

  /// So that one transaction stays short enough for the first of its jobs.
  private static let transactionLimit = 1024

  private let queue = Mutex(Queue())
  private let dispatcher = DispatchQueue(label: "store.writer", qos: .userInitiated)
  private let owned: Owned

  init(_ connection: SQLiteConnection) { owned = Owned(connection: connection) }

  var lastCommitSucceeded: Bool { queue.withLock { $0.lastCommitSucceeded } }

  /// Runs `body` in the next transaction and returns after its commit.
  func perform<Value: Sendable>(
    _ body: @escaping @Sendable (SQLiteConnection) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    let result: Result<Value, StoreError> = await withCheckedContinuation { continuation in
      let run: @Sendable (SQLiteConnection) -> Completion = { connection in
        let result: Result<Value, StoreError>
        do throws(StoreError) {
          result = .success(try body(connection))
        } catch {
          result = .failure(error)
        }
        return { failure in continuation.resume(returning: failure.map { .failure($0) } ?? result) }
      }
      enqueue(Job(run: run) { continuation.resume(returning: .failure($0)) })
    }
    return try result.get()
  }

  private func enqueue(_ job: Job) {
    let mustStart = queue.withLock { queue in
      queue.jobs.append(job)
      defer { queue.isDraining = true }
      return !queue.isDraining
    }
    if mustStart { dispatcher.async { self.drain() } }
  }

  private func drain() {
    while true {
      let jobs: [Job] = queue.withLock { queue in
        let batch = Array(queue.jobs.prefix(Self.transactionLimit))
        queue.jobs.removeFirst(batch.count)
        if batch.isEmpty { queue.isDraining = false }
        return batch
      }
      if jobs.isEmpty { return }
      commit(jobs)
    }
  }

  private func commit(_ jobs: [Job]) {
    do throws(StoreError) {
      try owned.connection.execute("BEGIN IMMEDIATE")
    } catch {
      note(succeeded: false)
      for job in jobs { job.refuse(error) }
      return
    }
    let completions = jobs.map { $0.run(owned.connection) }
    var failure: StoreError?
    do throws(StoreError) {
      try owned.connection.execute("COMMIT")
    } catch {
      failure = error
      // SQLite has ended some transactions itself; then there is nothing to undo.
      try? owned.connection.execute("ROLLBACK")
    }
    note(succeeded: failure == nil)
    for completion in completions { completion(failure) }
  }

  private func note(succeeded: Bool) { queue.withLock { $0.lastCommitSucceeded = succeeded } }
}
