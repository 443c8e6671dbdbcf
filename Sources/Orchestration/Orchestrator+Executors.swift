import Diagnostics
import JSON
import ProtocolSpec
import TaskStore

/// Tasks that executors do, and what happens when one is lost.
extension Orchestrator {
  /// The executor that a task is meant for; nil if it is not configured.
  nonisolated func executor(for type: String, _ description: String) -> Executor? {
    guard !executors.isEmpty else { return nil }
    return executors[spec.routing.executor(type: type, description: description)]
  }

  /// Whether anything may take a task now. While the cloud is lost everything waits.
  var dispatches: Bool {
    currentUpstream != nil || (monitor.state == .degraded && !executors.isEmpty)
  }

  /// Whether a new task need not be suspended from the beginning.
  nonisolated func canRun(_ task: NewTask, in state: SystemState) -> Bool {
    upstream(in: state) != nil
      || (state == .degraded && executor(for: task.type, task.description) != nil)
  }

  nonisolated func unavailable(_ executor: Executor) -> String {
    fill(spec.failures.messages.executorUnavailable, ["executor": executor.name])
  }

  /// Has an executor do a task.
  func call(_ task: StoredTask, _ executor: Executor) async -> DispatchOutcome {
    progress[task.id, default: Progress()].note(executor: executor.name)
    var arguments = JSONObject([
      ("task_id", .string(task.id)), ("description", .string(task.description)), ("type", .string(task.type)),
    ])
    arguments["history"] = task.history
    do throws(Executor.Failure) {
      return .completed(try await executed(arguments, task, executor))
    } catch {
      if Task.isCancelled { return abandoned() }
      log.warning(
        "attempt failed",
        JSONObject([
          ("task_id", .string(task.id)), ("executor", .string(executor.name)),
          ("class", .string(error.cause.name.rawValue)),
          ("detail", .string(shown(error.cause.detail))),
        ]))
      return outcome(error, task, executor)
    }
  }

  private nonisolated func executed(
    _ arguments: JSONObject, _ task: StoredTask, _ executor: Executor
  ) async throws(Executor.Failure) -> Completion {
    var lost = false
    do throws(CallFailure) {
      return try await metrics.measured(executor.name) { () async throws(CallFailure) in
        do throws(Executor.Failure) {
          return try await executor.execute(arguments, for: task.id)
        } catch {
          lost = error.wasBegun
          throw error.cause
        }
      }
    } catch {
      throw Executor.Failure(cause: error, wasBegun: lost)
    }
  }

  /// Only an executor that is not there, or was lost on the way, lets its task go: a tool that answered or
  /// took too long is not followed by another. And LiteLLM is not repaired through LiteLLM.
  private func outcome(
    _ failure: Executor.Failure, _ task: StoredTask, _ executor: Executor
  ) -> DispatchOutcome {
    guard failure.cause.name == .executorUnavailable, task.type != spec.executors.repairType else {
      return .failed(failure.cause)
    }
    switch executor.settings.fallback {
    case .wait: return .waits(for: executor, failure.cause, counts: failure.wasBegun)
    case .litellm:
      places.redirect(task.id, to: .model(settings.gatewayModel(complexity: task.complexity)))
      return .elsewhere(failure.cause)
    }
  }

  /// Suspends a task until its executor is back. The stored time is for a restart in between.
  func wait(
    _ task: StoredTask, for executor: Executor, _ failure: CallFailure, counts: Bool
  ) async throws(StoreError) {
    // A task that ends its executor each time is given up some day.
    guard !counts || task.attempts + 1 < spec.failures.policy.maxAttempts else {
      return try await fail(task.id, failure)
    }
    var change = TaskChange(cause: failure.name.rawValue)
    change.attempts = counts ? 1 : 0
    change.wakeAt = now().adding(spec.executors.waitAtMost)
    guard case .done = try await store.transition(task.id, to: .waiting, change) else { return }
    metrics.suspended.add()
    finish(task.id, .suspended(id: task.id, message: unavailable(executor)))
    waitingForExecutor[executor.name, default: []].insert(task.id)
    await scheduleWakeUp()
    // It came back while the row was written, and woke those before it.
    if executor.shown.isConnected { await executorIsBack(executor.name) }
  }

  /// An executor can be called again: what was suspended for it is queued.
  func executorIsBack(_ name: String) async {
    let waiting = waitingForExecutor.removeValue(forKey: name) ?? []
    // In brainstem they wait on, like all others, until the cloud is back and their time has come.
    guard monitor.state != .brainstem else { return }
    var woken: [StoredTask] = []
    for id in waiting {
      do throws(StoreError) {
        // Its stored time may have come before, and then it is past waiting: a path that no state allows.
        let outcome = try await store.move(id) { task in
          TaskMove(
            along: task.state == .waiting ? [.idle] : [.dispatching, .dispatching],
            TaskChange(cause: StepCause.wake))
        }
        if case .done(let task) = outcome { woken.append(task) }
      } catch {
        log.error("wake", JSONObject([("cause", .string(error.description))]))
      }
    }
    for task in woken.sorted(by: { $0.sequence < $1.sequence }) { queue.append(resumed(TaskRow(task))) }
    await pump()
  }

  // MARK: - Repair

  /// Queues the task that mends LiteLLM, once for each time that it is lost.
  func queueRepair() async {
    let type = spec.executors.repairType
    let since = monitor.since
    let description = spec.executors.repairDescription(
      url: settings.litellmURL, since: since.text, failures: monitor.litellm.failuresInARow)
    guard executor(for: type, description) != nil else { return }
    var new = newTask(description, type: type, JSONObject())
    new.idempotencyKey = "\(type)-\(since.milliseconds)"
    do throws(StoreError) {
      guard case .created(let task) = try await store.create(new) else { return }
      log.info(
        "repair queued", JSONObject([("task_id", .string(task.id)), ("executor", .string(task.executor))]))
      queue.prepend([resumed(TaskRow(task))])
    } catch {
      log.error("repair", JSONObject([("cause", .string(error.description))]))
    }
  }
}
