import Diagnostics
import JSON
import ProtocolSpec
import TaskStore

/// The methods of the protocol, one function each.
extension Orchestrator {
  /// The handler of every method that needs more than its params.
  package nonisolated var handlers: [String: Handler] {
    [
      "create_task": { params, reply in self.createTask(params, reply) },
      "get_task_status": { params, reply in
        self.taskStatus(params, reply)
        return nil
      },
      "get_task_timeline": { params, reply in
        self.taskTimeline(params, reply)
        return nil
      },
      "list_tasks": { params, reply in
        self.listTasks(params, reply)
        return nil
      },
      "cancel_task": asynchronous { params throws(ProtocolFault) in try await self.cancelTask(params) },
      "system_status": { _, reply in
        reply(.success(self.systemStatus()))
        return nil
      },
    ]
  }

  // MARK: - create_task

  private nonisolated func createTask(_ params: JSONObject, _ reply: Reply) -> Stop? {
    guard params["wait"]?.bool == false else {
      return asynchronous { params throws(ProtocolFault) in try await self.createAndWait(params, reply) }(
        params, reply)
    }
    guard !isDraining else {
      reply(.failure(spec.errors.fault(.shuttingDown)))
      return nil
    }
    let new = newTask(params)
    store.create(new, isSuspended: !canRun(new, in: shownMonitor.state)) { result in self.tell(result, reply)
    }
    return nil
  }

  /// What a `create_task` that does not wait is told; on the thread of the store's writer.
  private nonisolated func tell(_ result: Result<CreateOutcome, StoreError>, _ reply: Reply) {
    switch result {
    case .failure(let error): desk.add(reply, .failure(storageFault(error)))
    case .success(.full): desk.add(reply, .failure(queueFull))
    case .success(.conflict): desk.add(reply, .failure(idempotencyConflict))
    case .success(.existing(let task)): desk.add(reply, .success(existing(task)))
    case .success(.created(let task)):
      // It was created in this state, wherever it went from there.
      let status = spec.taskStates.initial.rawValue
      desk.add(
        reply, .success(["task_id": .string(task.id), "status": .string(status)]),
        created: CreationDesk.Created(task: queued(task, reply.client), isSuspended: task.state == .waiting))
    }
  }

  /// Takes over tasks that were created for requests that do not wait.
  func take(_ created: [CreationDesk.Created]) async {
    for new in created where !new.isSuspended { queue.append(new.task) }
    if currentUpstream != nil, created.contains(where: \.isSuspended) {
      // What they were to wait for came back while they were written.
      await wakeWaiting()
    } else {
      await pump()
    }
  }

  private func createAndWait(_ params: JSONObject, _ reply: Reply) async throws(ProtocolFault) -> JSONValue {
    if isDraining { throw spec.errors.fault(.shuttingDown) }
    let new = newTask(params)
    let isSuspended = !canRun(new, in: monitor.state)
    let outcome = try await stored { () throws(StoreError) in
      try await self.store.create(new, isSuspended: isSuspended)
    }
    switch outcome {
    case .full: throw queueFull
    case .conflict: throw idempotencyConflict
    case .existing(let task):
      // A suspended task is told as it is: its waiters would otherwise wait for the cloud.
      if task.state == .waiting || spec.taskStates.final.contains(task.state) { return existing(task) }
      return try await ending(of: task.id)
    case .created(let task) where task.state == .waiting:
      if currentUpstream != nil { Task { await self.wakeWaiting() } }
      return existing(task)
    case .created(let task):
      await reply.announce(task: task.id)
      queue.append(queued(task, reply.client))
      return try await ending(of: task.id) { await self.pump() }
    }
  }

  private nonisolated func queued(_ task: StoredTask, _ client: Int) -> QueuedTask {
    QueuedTask(
      id: task.id, lane: lane(executor: task.executor, complexity: task.complexity), client: client)
  }

  private nonisolated var queueFull: ProtocolFault {
    spec.errors.fault(.queueFull, retryAfter: spec.limits.retryAfter)
  }

  private nonisolated func existing(_ task: StoredTask) -> JSONValue {
    task.state == .waiting ? suspension(task.id, suspensionMessage(of: task)) : outcomeJSON(task)
  }

  private nonisolated func newTask(_ params: JSONObject) -> NewTask {
    newTask(params["description"]?.string ?? "", type: params["type"]?.string ?? "", params)
  }

  /// - Parameter params: the other members of a request.
  nonisolated func newTask(_ description: String, type: String, _ params: JSONObject) -> NewTask {
    let history = params["history"]
    let complexity = spec.routing.complexity(
      of: description, historyCount: history?.array?.count ?? 0)
    return NewTask(
      description: description, type: type,
      idempotencyKey: params["idempotency_key"]?.string, history: history,
      executor: executor(for: type, description)?.name ?? spec.routing.fallbackExecutor,
      model: settings.gatewayModel(complexity: complexity), complexity: complexity)
  }

  private nonisolated var idempotencyConflict: ProtocolFault {
    let key = "idempotency_key"
    let method = spec.method("create_task")
    return method?.invalidParams(
      path: JSONPointer(tokens: [key]), keyword: key, detail: "is known with another description or type")
      ?? spec.errors.fault(.internalError)
  }

  /// Waits until the task has ended or is suspended, or until nobody wants to know: the task runs on.
  ///
  /// - Parameter begin: run once the wait is registered, so that no ending is missed.
  func ending(
    of id: String, begin: @escaping @Sendable () async -> Void = {}
  ) async throws(ProtocolFault) -> JSONValue {
    lastWaiter += 1
    let number = lastWaiter
    // The handler may be called before the wait is registered, but what it starts gets its turn on
    // the actor only after.
    let ending = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        waiters[id, default: [:]][number] = continuation
        Task {
          await begin()
          await self.recheck(id)
        }
      }
    } onCancel: {
      Task { await self.abandon(id, number) }
    }
    switch ending {
    case .task(let task): return outcomeJSON(task)
    case .suspended(let id, let message): return suspension(id, message)
    case .storeFailed:
      throw spec.errors.fault(.storageUnavailable, data: JSONObject([("task_id", .string(id))]))
    case .abandoned: return ["task_id": .string(id)]
    case .draining:
      throw spec.errors.fault(.shuttingDown, data: JSONObject([("task_id", .string(id))]))
    }
  }

  private func abandon(_ id: String, _ number: Int) {
    waiters[id]?.removeValue(forKey: number)?.resume(returning: .abandoned)
    if waiters[id]?.isEmpty == true { waiters[id] = nil }
  }

  /// The task may have ended between the read of its row and the registration of the waiter.
  func recheck(_ id: String) async {
    guard waiters[id] != nil else { return }
    do throws(StoreError) {
      guard let task = try await store.task(id) else { return }
      if spec.taskStates.final.contains(task.state) { finish(id, .task(task)) }
      if task.state == .waiting { finish(id, .suspended(id: id, message: suspensionMessage(of: task))) }
    } catch {
      log.error("store", JSONObject([("cause", .string(error.description))]))
      finish(id, .storeFailed)
    }
    if isDraining { finish(id, .draining) }
  }

  private nonisolated func outcomeJSON(_ task: StoredTask) -> JSONValue {
    var members = JSONObject([("task_id", .string(task.id)), ("status", .string(task.state.rawValue))])
    members["result"] = task.result.map(JSONValue.string)
    if task.isTruncated { members["truncated"] = true }
    members["error"] = task.error.map(JSONValue.string)
    members["error_info"] = task.errorInfo
    return .object(members)
  }

  /// What a task waits for: its stored time, or the end of the outage.
  private nonisolated func suspensionMessage(of task: StoredTask) -> String {
    guard let wakeAt = task.wakeAt else { return monitorMessage }
    if let executor = executors[task.executor] { return unavailable(executor) }
    return rateLimitMessage(.milliseconds(max(wakeAt.milliseconds - now().milliseconds, 0)))
  }

  private nonisolated func suspension(_ id: String, _ message: String) -> JSONValue {
    ["task_id": .string(id), "status": "suspended", "message": .string(message)]
  }

  // MARK: - cancel_task

  func cancelTask(_ params: JSONObject) async throws(ProtocolFault) -> JSONValue {
    let id = params["task_id"]?.string ?? ""
    let outcome = try await stored { () throws(StoreError) in
      try await self.store.transition(id, to: .cancelled, TaskChange(cause: StepCause.cancelled))
    }
    switch outcome {
    case .unknown: throw spec.errors.fault(.taskNotFound)
    case .refused(let task):
      throw spec.errors.fault(
        .taskNotCancellable, ["task_id": task.id, "state": task.state.rawValue],
        data: JSONObject([("state", .string(task.state.rawValue))]))
    case .done(let task):
      // Its call ends with it: the connection to the upstream is closed.
      if let work = running[id] { work.cancel() } else { queue.cancel(id) }
      over(task)
      return task.json
    }
  }

  /// The result of a call of the store; what goes wrong there is logged, and told without its cause.
  private func stored<Value: Sendable>(
    _ body: @Sendable () async throws(StoreError) -> Value
  ) async throws(ProtocolFault) -> Value {
    do throws(StoreError) {
      return try await body()
    } catch {
      throw storageFault(error)
    }
  }

  nonisolated func storageFault(_ error: StoreError) -> ProtocolFault {
    log.error("store", JSONObject([("cause", .string(error.description))]))
    return spec.errors.fault(.storageUnavailable)
  }
}
