internal import Foundation
internal import ProtocolSpec

/// The one writer of the store, on a thread of its own: what has gathered while the last transaction
/// was synced goes into the next one, and is answered when that is on disk.
final class Writer: Sendable {
  /// What to do when the transaction has been committed, or has failed.
  typealias Completion = @Sendable (StoreError?) -> Void

  struct Job: Sendable {
    /// Runs inside a transaction; each job writes with one statement at most, so that one that
    /// fails leaves nothing behind. Gives what went wrong beside the completion.
    let run: @Sendable (TaskTable) -> (Completion, StoreError?)
    /// Told instead, if there is no transaction to run in.
    let refuse: @Sendable (StoreError) -> Void
  }

  let commits: CommitCount
  private let desk: WriterDesk

  /// - Parameters:
  ///   - committed: told on the writer's thread whenever all jobs of a transaction have been answered.
  ///   - watch: told after that what the transaction did.
  init(
    _ connection: SQLiteConnection, health: StoreHealth = StoreHealth(),
    committed: @escaping @Sendable () -> Void, watch: (any CommitWatch)? = nil, measured: CommitMeasure? = nil
  ) throws(StoreError) {
    let table = try TaskTable(connection, watch)
    let desk = WriterDesk(table.counts)
    self.desk = desk
    commits = desk.commits
    let loop = WriterLoop(desk, connection, table, health, committed, watch, measured)
    Thread {
      Thread.current.name = "store.writer"
      loop.run()
    }.start()
  }

  deinit { desk.close() }

  /// Why the last transaction, or a job of it, failed; nil if none did.
  var lastFailure: StoreError? { desk.lastFailure }

  /// How many tasks are in each state, as of the last commit.
  var counts: [TaskState: Int] { desk.counts }

  /// Runs `body` in the next transaction, and `completion` on the writer's thread after its commit.
  func perform<Value: Sendable>(
    _ body: @escaping @Sendable (TaskTable) throws(StoreError) -> Value,
    completion: @escaping @Sendable (Result<Value, StoreError>) -> Void
  ) {
    let run: @Sendable (TaskTable) -> (Completion, StoreError?) = { table in
      let result: Result<Value, StoreError>
      do throws(StoreError) {
        result = .success(try body(table))
      } catch {
        return ({ failure in completion(.failure(failure ?? error)) }, error)
      }
      return ({ failure in completion(failure.map { .failure($0) } ?? result) }, nil)
    }
    desk.add(Job(run: run) { completion(.failure($0)) })
  }

  /// Runs `body` in the next transaction and returns after its commit.
  func perform<Value: Sendable>(
    _ body: @escaping @Sendable (TaskTable) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    let result: Result<Value, StoreError> = await withCheckedContinuation { continuation in
      perform(body) { continuation.resume(returning: $0) }
    }
    return try result.get()
  }
}

/// Where jobs wait for the writer, and what it shows of itself.
private final class WriterDesk: @unchecked Sendable {
  // Invariant: every var is touched only while `condition` is locked.
  let commits = CommitCount()
  private let condition = NSCondition()
  private var jobs: [Writer.Job] = []
  private var isClosed = false
  private var failure: StoreError?
  private var committed: [TaskState: Int]

  init(_ counts: [TaskState: Int]) { committed = counts }

  var lastFailure: StoreError? { condition.withLock { failure } }
  var counts: [TaskState: Int] { condition.withLock { committed } }

  func add(_ job: Writer.Job) {
    condition.lock()
    defer { condition.unlock() }
    // With jobs waiting, the thread is on its way to them.
    if jobs.isEmpty { condition.signal() }
    jobs.append(job)
  }

  /// All jobs that have gathered, or the first that comes; nil when there will be none.
  func take() -> [Writer.Job]? {
    condition.lock()
    defer { condition.unlock() }
    while jobs.isEmpty {
      if isClosed { return nil }
      condition.wait()
    }
    var taken: [Writer.Job] = []
    taken.reserveCapacity(jobs.count)
    swap(&jobs, &taken)
    return taken
  }

  /// To be called before the jobs of a transaction are answered.
  ///
  /// - Parameters:
  ///   - isCommitted: whether there is a transaction that others see now.
  ///   - failure: of the transaction, or else of one of its jobs.
  func note(isCommitted: Bool, _ failure: StoreError?, _ counts: [TaskState: Int]) {
    condition.withLock {
      self.failure = failure
      committed = counts
    }
    if isCommitted { commits.add() }
  }

  func close() {
    condition.withLock { isClosed = true }
    condition.signal()
  }
}

/// What the writer's thread does.
private final class WriterLoop: @unchecked Sendable {
  // Invariant: `connection` and `table` are used on the writer's thread only.
  private let desk: WriterDesk
  private let connection: SQLiteConnection
  private let table: TaskTable
  private let health: StoreHealth
  private let committed: @Sendable () -> Void
  private let watch: (any CommitWatch)?
  private let measured: CommitMeasure?

  /// So that one transaction stays short enough for the first of its jobs.
  private static let transactionLimit = 1024

  init(
    _ desk: WriterDesk, _ connection: SQLiteConnection, _ table: TaskTable, _ health: StoreHealth,
    _ committed: @escaping @Sendable () -> Void, _ watch: (any CommitWatch)?, _ measured: CommitMeasure?
  ) {
    self.health = health
    self.watch = watch
    self.measured = measured
    self.desk = desk
    self.connection = connection
    self.table = table
    self.committed = committed
  }

  func run() {
    while let jobs = desk.take() {
      var rest = jobs[...]
      while !rest.isEmpty {
        commit(rest.prefix(Self.transactionLimit))
        committed()
        if let watch, let changes = table.takeChanges() { watch.committed(changes) }
        rest = rest.dropFirst(Self.transactionLimit)
      }
    }
  }

  private func commit(_ jobs: ArraySlice<Writer.Job>) {
    let begun = ContinuousClock.now
    let succeeded = transact(jobs)
    measured?(begun.duration(to: .now), jobs.count, succeeded)
  }

  private func transact(_ jobs: ArraySlice<Writer.Job>) -> Bool {
    do throws(StoreError) {
      // Whatever is written into a damaged file may make it worse.
      if let damage = health.damage { throw damage }
      try table.begin()
    } catch {
      desk.note(isCommitted: false, error, table.counts)
      for job in jobs { job.refuse(error) }
      return false
    }
    var completions: [Writer.Completion] = []
    completions.reserveCapacity(jobs.count)
    var jobFailure: StoreError?
    for job in jobs {
      // A full disk ends a transaction, and a job after that would be committed alone.
      guard connection.isInTransaction else { break }
      let (completion, failure) = job.run(table)
      completions.append(completion)
      jobFailure = jobFailure ?? failure
    }
    var failure: StoreError?
    do throws(StoreError) {
      try table.commit()
    } catch {
      failure = error
    }
    // What failed first is the cause: the commit after it only finds no transaction any more.
    desk.note(isCommitted: failure == nil, jobFailure ?? failure, table.counts)
    for completion in completions { completion(failure) }
    if let failure { for job in jobs.dropFirst(completions.count) { job.refuse(failure) } }
    return failure == nil
  }
}
