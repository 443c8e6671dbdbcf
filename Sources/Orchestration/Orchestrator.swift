package import Diagnostics
import Foundation
import JSON
package import ProtocolSpec
import Synchronization
package import TaskStore

/// Runs tasks: queues them, routes them, calls models, retries, suspends, and keeps the state of
/// the system. Everything a client asks for beyond ping comes here.
package actor Orchestrator {
  /// What a `create_task` that waits is told.
  enum Ending: Sendable {
    /// The task is in this state now, for good or until the cloud is back.
    case task(StoredTask)
    case suspended(id: String, message: String)
    /// The store failed in the middle; the task is taken up again once it works.
    case storeFailed
    case draining
    /// The one who waited does not any more.
    case abandoned
  }

  /// What is remembered of a task between two dispatches.
  struct Progress: Sendable {
    private(set) var triesByUpstream: [SystemMonitor.Upstream: Int] = [:]
    private(set) var triesOfExecutors = 0
    /// The upstream or executor that was tried last.
    private(set) var last: String?
    /// The model that LiteLLM is asked for from now on, where it is not the one of routing any more.
    var model: String?
    var tries: Int { triesByUpstream.values.reduce(triesOfExecutors, +) }

    mutating func note(_ upstream: SystemMonitor.Upstream) {
      triesByUpstream[upstream, default: 0] += 1
      last = upstream.rawValue
    }

    mutating func note(executor: String) {
      triesOfExecutors += 1
      last = executor
    }
  }

  nonisolated let spec: Specification
  nonisolated let settings: Settings
  nonisolated let store: TaskStore
  nonisolated let log: Log
  nonisolated let version: String
  nonisolated let upstreams: Upstreams
  nonisolated let executors: Executors
  nonisolated let readers: LoopReaders
  nonisolated let desk: CreationDesk
  nonisolated let clock: any Clock<Duration>
  nonisolated let now: @Sendable () -> Timestamp
  nonisolated let subscriptions: Subscriptions
  nonisolated let metrics: OrchestrationMetrics

  var monitor: SystemMonitor {
    didSet {
      copyOfMonitor.withLock { $0 = monitor }
      guard monitor.state != oldValue.state else { return }
      metrics.systemChanges.with(monitor.state.rawValue).add()
      subscriptions.changed(SystemChange(from: oldValue.state, to: monitor.state, since: monitor.since))
    }
  }
  private let copyOfMonitor: Mutex<SystemMonitor>
  var retryPolicy: RetryPolicy
  /// Tasks that are idle, in the order they will run.
  var queue = TaskQueue()
  var running: [String: Task<Void, Never>] = [:]
  var places: Places
  /// Those of `running` that are queued again as soon as they have left it.
  var again: Set<String> = []
  /// Ids of suspended tasks whose executor was not there, by its name.
  var waitingForExecutor: [String: Set<String>] = [:]
  /// Tasks whose rows could not be written; nothing is started until they can be.
  var stalled: [String] = []
  var progress: [String: Progress] = [:]
  /// Who waits for the end of a task, by the task's id and then by number.
  var waiters: [String: [Int: CheckedContinuation<Ending, Never>]] = [:]
  var lastWaiter = 0
  /// Whether what is queued is being suspended.
  var isSuspending = false
  private let drains = Atomic<Bool>(false)
  private let startedAt = ContinuousClock.now
  private var loops: [Task<Void, Never>] = []
  var wakeUp: Task<Void, Never>?
  /// When `wakeUp` wakes.
  var wakesAt: Timestamp?
  /// Whether the store did not take the state of the system, or did not wake waiting tasks.
  var owesState = false
  var owesWaking = false
  /// The state as it is stored, and whether it is being stored.
  var remembered: JSONValue = .null
  var rememberedHistory: [SystemMonitor.Change]
  var isRemembering = false
  /// After a start in doubt nothing is dispatched before the first probe.
  var awaitsProbe = false

  /// - Parameters:
  ///   - seed: of the jitter between tries.
  ///   - clock: every pause is waited for on it.
  ///   - now: the time of day, which goes with `clock`.
  package init(
    spec: Specification, settings: Settings, store: TaskStore, readers: LoopReaders, desk: CreationDesk,
    upstreams: Upstreams, executors: Executors = Executors(),
    subscriptions: Subscriptions = Subscriptions(loops: []), metrics: OrchestrationMetrics? = nil, log: Log,
    version: String, seed: UInt64,
    clock: any Clock<Duration> = ContinuousClock(), now: @escaping @Sendable () -> Timestamp = Timestamp.now
  ) {
    self.spec = spec
    self.settings = settings
    self.store = store
    self.readers = readers
    self.desk = desk
    self.upstreams = upstreams
    self.executors = executors
    self.subscriptions = subscriptions
    self.metrics = metrics ?? OrchestrationMetrics(spec)
    self.log = log
    self.version = version
    self.clock = clock
    self.now = now
    places = Places(
      most: settings.maxRunning, mostOfModel: settings.maxRunningPerModel,
      mostOfExecutor: executors.places, slowStart: spec.failures.policy.slowStart)
    let monitor = SystemMonitor(spec: spec, settings: settings, since: now())
    self.monitor = monitor
    // Nothing stored means the same as this, so that a start without faults writes nothing.
    remembered = monitor.note
    rememberedHistory = monitor.history
    copyOfMonitor = Mutex(monitor)
    retryPolicy = RetryPolicy(spec.failures.policy, seed: seed)
  }

  // MARK: - Life

  /// Takes up what an earlier process left, in the state of the system it left.
  package func start() async throws(StoreError) {
    if let note = try await store.recall(Self.systemNote),
      let stored = SystemMonitor(
        spec: spec, settings: settings, note: note, history: try await store.recall(Self.historyNote))
    {
      monitor = stored
      remembered = note
      rememberedHistory = stored.history
      awaitsProbe = stored.isInDoubt
    }
    var interrupted = 0
    for state in [TaskState.dispatching, .executing] {
      interrupted += try await store.transitionAll(
        from: state, to: .idle, attempts: 1, cause: StepCause.restart
      ).count
    }
    // What they wait for is there, or their time may have come.
    if currentUpstream != nil {
      try await store.transitionAll(from: .waiting, to: .idle, dueOnly: true, cause: StepCause.wake)
    }
    for task in try await store.rows(in: .idle) { queue.append(resumed(task)) }
    if !queue.isEmpty { places.startSlowly() }
    log.info(
      "started",
      JSONObject([
        ("system_state", .string(monitor.state.rawValue)), ("resumed", .int(interrupted)),
        ("queued", .int(queue.count)),
      ]))
    loops = [
      Task { await self.watchHealth() },
      Task { await self.removeOldTasks() },
      Task { for await created in self.desk.news { await self.take(created) } },
    ]
    await executors.start { name in Task { await self.executorIsBack(name) } }
    await scheduleWakeUp()
    await pump()
  }

  /// `monitor` for those who do not wait for the actor.
  nonisolated var shownMonitor: SystemMonitor { copyOfMonitor.withLock { $0 } }

  /// Whether new work is refused.
  nonisolated var isDraining: Bool {
    get { drains.load(ordering: .relaxed) }
    set { drains.store(newValue, ordering: .relaxed) }
  }

  /// Refuses new work, tells those who wait, and returns when nothing runs any more, or after `limit`.
  package func drain(limit: Duration) async {
    isDraining = true
    for loop in loops { loop.cancel() }
    wakeUp?.cancel()
    for id in Array(waiters.keys) { finish(id, .draining) }
    let deadline = Task {
      try? await self.clock.sleep(for: limit)
      return true
    }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { _ = await deadline.value }
      group.addTask { await self.idle() }
      await group.next()
      deadline.cancel()
      // What still runs stays `executing` on disk; the next start takes it up again.
      self.stopRunning()
    }
    await executors.stop()
  }

  private func idle() async {
    while let task = running.values.first { await task.value }
  }

  private func stopRunning() {
    for task in running.values { task.cancel() }
  }

  /// The task has come to its end: counts it, and tells everybody who waits for it.
  func over(_ task: StoredTask) {
    metrics.ended(task)
    logEnd(of: task)
    finish(task.id, .task(task))
  }

  private func logEnd(of task: StoredTask) {
    let hasFailed = task.state == .failed
    log.write(
      hasFailed ? .info : .debug, "task \(task.state.rawValue)",
      JSONObject([
        ("task_id", .string(task.id)), ("executor", .string(task.executor)), ("model", .string(task.model)),
        ("attempts", .int(task.attempts)),
        ("ms", .int(Int(task.updatedAt.milliseconds - task.createdAt.milliseconds))),
      ]))
  }

  /// Tells everybody who waits for the task.
  func finish(_ id: String, _ ending: Ending) {
    for waiter in (waiters.removeValue(forKey: id) ?? [:]).values { waiter.resume(returning: ending) }
  }

  nonisolated var uptime: Duration { startedAt.duration(to: .now) }
}
