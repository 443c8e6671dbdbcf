import Diagnostics
import JSON
import ProtocolSpec
import TaskStore

/// How tasks get from the queue to a model and back.
extension Orchestrator {
  /// How one dispatch ended.
  enum DispatchOutcome {
    case completed(Completion)
    case failed(CallFailure)
    /// The system changed its state; another upstream may do it.
    case elsewhere(CallFailure)
    case suspended(message: String, wakeAt: Timestamp?)
    /// Suspended until the executor is back; `counts` says whether this was an attempt.
    case waits(for: Executor, CallFailure, counts: Bool)
    /// Left for the next start of the server.
    case abandoned
  }

  /// Starts as many queued tasks as may run; all of them wait where nothing could do them.
  func pump() async {
    guard !isDraining else { return }
    guard dispatches else { return await suspendQueue() }
    guard !awaitsProbe else { return }
    while stalled.isEmpty, let task = queue.popFirst(where: { places.isFree(lane(now: $0)) }) {
      let id = task.id
      if running[id] != nil {
        again.insert(id)
      } else {
        places.take(task, in: lane(now: task.lane))
        running[id] = Task { await self.run(id) }
      }
    }
  }

  /// Where the tasks of a lane go while the direct API stands in for the gateway.
  private func lane(now lane: Lane) -> Lane {
    guard case .model = lane, currentUpstream == .cloud else { return lane }
    return .model(settings.directModel)
  }

  /// The lane of a task in normal times.
  ///
  /// - Parameter executor: as its row has it; one that is not configured is a model.
  nonisolated func lane(executor: String, complexity: Int) -> Lane {
    executors[executor] == nil ? .model(settings.gatewayModel(complexity: complexity)) : .executor(executor)
  }

  /// A task from disk; all of them are those of one client.
  nonisolated func resumed(_ row: TaskRow) -> QueuedTask {
    QueuedTask(
      id: row.id, lane: lane(executor: row.executor, complexity: row.complexity), client: Reply.nobody)
  }

  /// Moves what is queued to `waiting`, in one transaction.
  func suspendQueue() async {
    // One at a time: at its end it looks again.
    guard !isSuspending, !queue.isEmpty else { return }
    isSuspending = true
    let taken = queue
    queue = TaskQueue()
    do throws(StoreError) {
      let moved = try await store.transitionAll(from: .idle, to: .waiting, cause: StepCause.outage)
      isSuspending = false
      metrics.suspended.add(Double(moved.count))
      if !moved.isEmpty {
        log.info(
          "tasks suspended", JSONObject([("count", .int(moved.count)), ("cause", .string(StepCause.outage))]))
      }
      for row in moved { finish(row.id, .suspended(id: row.id, message: monitorMessage)) }
    } catch {
      isSuspending = false
      log.error("suspend", JSONObject([("cause", .string(error.description))]))
      let tasks = taken.inOrder
      for task in tasks { finish(task.id, .storeFailed) }
      queue.prepend(tasks)
      Task {
        try? await self.clock.sleep(for: self.spec.failures.policy.backoffCap)
        await self.pump()
      }
      return
    }
    // While the rows were written, what they wait for may have come back and woken those before them;
    // or more tasks were queued.
    if currentUpstream != nil { await wakeWaiting() } else { await pump() }
  }

  private func run(_ id: String) async {
    do throws(StoreError) {
      try await dispatch(id)
    } catch {
      log.error("task", JSONObject([("task_id", .string(id)), ("cause", .string(error.description))]))
      finish(id, .storeFailed)
      stalled.append(id)
      if stalled.count == 1 { Task { await self.takeUpStalled() } }
    }
    running[id] = nil
    let task = places.free(id)
    if again.remove(id) != nil {
      if let task { queue.prepend([task]) }
    } else {
      progress[id] = nil
    }
    // Somebody else may have moved the task, so that its dispatch was refused and told nobody.
    if waiters[id] != nil { Task { await self.recheck(id) } }
    await pump()
  }

  /// Brings tasks whose rows could not be written back to the queue, as soon as they can be.
  private func takeUpStalled() async {
    var ready: [QueuedTask] = []
    try? await clock.sleep(for: spec.failures.policy.backoffCap)
    while !isDraining, let id = stalled.first {
      do throws(StoreError) {
        if let task = try await store.task(id), task.state != .waiting,
          !spec.taskStates.final.contains(task.state)
        {
          if task.state != .idle {
            _ = try await store.transition(id, to: .idle, TaskChange(cause: StepCause.storage))
          }
          ready.append(resumed(TaskRow(task)))
        }
        stalled.removeFirst()
      } catch {
        log.error("task", JSONObject([("task_id", .string(id)), ("cause", .string(error.description))]))
        try? await clock.sleep(for: spec.failures.policy.backoffCap)
      }
    }
    queue.prepend(ready)
    await pump()
  }

  /// Where tasks go now: nil if they have to wait.
  var currentUpstream: SystemMonitor.Upstream? { upstream(in: monitor.state) }

  nonisolated func upstream(in state: SystemState) -> SystemMonitor.Upstream? {
    switch state {
    case .normal: .litellm
    case .degraded: upstreams.direct == nil ? nil : .cloud
    case .brainstem: nil
    }
  }

  /// What a suspended task waits for.
  nonisolated var monitorMessage: String {
    let messages = spec.failures.messages
    return shownMonitor.state == .degraded ? messages.litellmUnavailable : messages.cloudUnavailable
  }

  nonisolated func rateLimitMessage(_ wait: Duration) -> String {
    let seconds = Int((wait / .seconds(1)).rounded(.up))
    return fill(spec.failures.messages.rateLimited, ["seconds": String(seconds)])
  }

  private func dispatch(_ id: String) async throws(StoreError) {
    guard dispatches else {
      try await suspend(id, message: monitorMessage, wakeAt: nil)
      return
    }
    let upstream = currentUpstream
    let known = progress[id]
    let executor = places.lane(of: id).flatMap { lane -> Executor? in
      if case .executor(let name) = lane { executors[name] } else { nil }
    }
    let started = try await store.move(id) { self.start(of: $0, with: executor, or: upstream, known) }
    guard case .done(let task) = started else { return }
    logDispatch(of: task)
    switch task.state {
    case .executing:
      if let executor {
        try await settle(task, await call(task, executor))
      } else if let upstream {
        try await settle(task, await call(task, upstream))
      }
    case .waiting:
      metrics.suspended.add()
      await suspended(id, message: monitorMessage)
    default: over(task)
    }
  }

  private nonisolated func logDispatch(of task: StoredTask) {
    log.debug(
      "task dispatched",
      JSONObject([
        ("task_id", .string(task.id)), ("state", .string(task.state.rawValue)),
        ("executor", .string(task.executor)), ("model", .string(task.model)),
      ]))
  }

  /// From the queue to an executor or an upstream, or to the end of a task whose attempts are used up.
  private nonisolated func start(
    of task: StoredTask, with executor: Executor?, or upstream: SystemMonitor.Upstream?, _ progress: Progress?
  ) -> TaskMove {
    guard task.attempts < spec.failures.policy.maxAttempts else {
      let failure = CallFailure(name: .attemptsExhausted, detail: "\(task.attempts) attempts")
      return TaskMove(along: [.dispatching, .failed], change(for: failure, progress))
    }
    var change = TaskChange()
    if let executor {
      change.executor = executor.name
      return TaskMove(along: [.dispatching, .executing], change)
    }
    guard let upstream else {
      return TaskMove(along: [.dispatching, .waiting], TaskChange(cause: StepCause.outage))
    }
    if upstream == .cloud {
      change.executor = spec.overview.directExecutor
      change.model = settings.directModel
    } else {
      change.executor = spec.overview.gatewayExecutor
      // The direct API may have been tried before, which has a model of its own.
      change.model = progress?.model ?? settings.gatewayModel(complexity: task.complexity)
    }
    return TaskMove(along: [.dispatching, .executing], change)
  }

  private func settle(_ task: StoredTask, _ outcome: DispatchOutcome) async throws(StoreError) {
    switch outcome {
    case .completed(let completion):
      var change = TaskChange()
      change.model = modelInstead(progress[task.id])
      change.result = completion.text
      change.isTruncated = completion.isTruncated
      change.attempts = 1
      places.noteSuccess()
      if case .done(let done) = try await store.transition(task.id, to: .completed, change) {
        over(done)
      }
    case .failed(let failure): try await fail(task.id, failure)
    case .elsewhere(let failure):
      guard task.attempts + 1 < spec.failures.policy.maxAttempts else {
        try await fail(task.id, failure)
        return
      }
      var change = TaskChange(cause: failure.name.rawValue)
      change.attempts = 1
      if case .done = try await store.transition(task.id, to: .idle, change) { again.insert(task.id) }
    case .suspended(let message, let wakeAt):
      let cause = wakeAt == nil ? StepCause.outage : FailureClass.rateLimited.rawValue
      try await suspend(task.id, message: message, wakeAt: wakeAt, cause: cause)
    case .waits(let executor, let failure, let counts):
      try await wait(task, for: executor, failure, counts: counts)
    case .abandoned: break
    }
  }

  func fail(_ id: String, _ failure: CallFailure) async throws(StoreError) {
    var change = change(for: failure, progress[id])
    change.attempts = 1
    if case .done(let task) = try await store.transition(id, to: .failed, change) {
      over(task)
    }
  }

  private nonisolated func change(for failure: CallFailure, _ progress: Progress?) -> TaskChange {
    var info = JSONObject([("class", .string(failure.name.rawValue))])
    info["status"] = failure.status.map(JSONValue.int)
    if let progress {
      info["upstream"] = .string(progress.last ?? "")
      info["tried"] = .int(progress.tries)
    }
    var change = TaskChange()
    change.model = modelInstead(progress)
    change.cause = failure.name.rawValue
    change.error = spec.failures.taskError(failure.name, shown(failure.detail))
    change.errorInfo = .object(info)
    return change
  }

  func suspend(
    _ id: String, message: String, wakeAt: Timestamp?, cause: String = StepCause.outage
  ) async throws(StoreError) {
    var change = TaskChange(cause: cause)
    change.wakeAt = wakeAt
    guard case .done = try await store.transition(id, to: .waiting, change) else { return }
    metrics.suspended.add()
    log.info("task suspended", JSONObject([("task_id", .string(id)), ("cause", .string(cause))]))
    if let wakeAt {
      finish(id, .suspended(id: id, message: message))
      // Most often there is a wake-up before, which sees to the next.
      if wakesAt.map({ $0 > wakeAt }) ?? true { await scheduleWakeUp() }
    } else {
      await suspended(id, message: message)
    }
  }

  /// The model that was asked instead of the one the dispatch began with.
  private nonisolated func modelInstead(_ progress: Progress?) -> String? {
    progress?.last == SystemMonitor.Upstream.litellm.rawValue ? progress?.model : nil
  }

  /// What follows once a task waits for the end of an outage.
  private func suspended(_ id: String, message: String) async {
    finish(id, .suspended(id: id, message: message))
    // What it was to wait for came back while the row was written, and woke those before it.
    if currentUpstream != nil { await wakeWaiting() }
  }

  /// What an upstream said, without keys and not longer than people read.
  nonisolated func shown(_ detail: String) -> String {
    let limit = 500
    let masked = log.currentRedaction.text(detail)
    return masked.count > limit ? masked.prefix(limit) + "…" : masked
  }
}
