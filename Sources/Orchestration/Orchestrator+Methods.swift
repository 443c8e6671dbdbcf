import Diagnostics
import Foundation
import JSON
import ProtocolSpec
import TaskStore

/// The methods of the protocol, one function each.
extension Orchestrator {
  /// The handler of every method that needs more than its params.
  package nonisolated var handlers: [String: Handler] {
    [
      "create_task": { params throws(ProtocolFault) in try await self.createTask(params) },
      "get_task_status": { params throws(ProtocolFault) in try await self.taskStatus(params) },
      "list_tasks": { params throws(ProtocolFault) in try await self.listTasks(params) },
      "cancel_task": { params throws(ProtocolFault) in try await self.cancelTask(params) },
      "system_status": { _ throws(ProtocolFault) in try await self.systemStatus() },
    ]
  }

  // MARK: - create_task

  func createTask(_ params: JSONObject) async throws(ProtocolFault) -> JSONValue {
    if isDraining { throw spec.errors.fault(.shuttingDown) }
    let new = newTask(params)
    let waits = params["wait"]?.bool ?? true
    let outcome = try await stored { () throws(StoreError) in try await self.store.create(new) }
    switch outcome {
    case .full: throw spec.errors.fault(.queueFull, retryAfter: spec.limits.retryAfter)
    case .conflict: throw idempotencyConflict
    case .existing(let task):
      // A suspended task is told as it is: its waiters would otherwise wait for the cloud.
      if task.state == .waiting { return suspension(task.id, suspensionMessage(of: task)) }
      if !waits || spec.taskStates.final.contains(task.state) { return outcomeJSON(task) }
      return try await ending(of: task.id)
    case .created(let task):
      queue.append(task.id)
      if waits { return try await ending(of: task.id) { await self.pump() } }
      Task { await self.pump() }
      return ["task_id": .string(task.id), "status": .string(task.state.rawValue)]
    }
  }

  private func newTask(_ params: JSONObject) -> NewTask {
    let description = params["description"]?.string ?? ""
    let type = params["type"]?.string ?? ""
    let history = params["history"]
    let complexity = spec.routing.complexity(
      of: description, historyCount: history?.array?.count ?? 0)
    return NewTask(
      id: UUID().uuidString.lowercased(), description: description, type: type,
      idempotencyKey: params["idempotency_key"]?.string, history: history,
      executor: spec.routing.fallbackExecutor,
      model: settings.gatewayModel(complexity: complexity), complexity: complexity)
  }

  private var idempotencyConflict: ProtocolFault {
    let key = "idempotency_key"
    let method = spec.method("create_task")
    return method?.invalidParams(
      path: JSONPointer(tokens: [key]), keyword: key, detail: "is known with another description or type")
      ?? spec.errors.fault(.internalError)
  }

  /// Waits until the task has ended or is suspended, or until nobody wants to know: the task runs on.
  ///
  /// - Parameter begin: run once the wait is registered, so that no ending is missed.
  private func ending(
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

  private func outcomeJSON(_ task: StoredTask) -> JSONValue {
    var members = JSONObject([("task_id", .string(task.id)), ("status", .string(task.state.rawValue))])
    members["result"] = task.result.map(JSONValue.string)
    if task.isTruncated { members["truncated"] = true }
    members["error"] = task.error.map(JSONValue.string)
    members["error_info"] = task.errorInfo
    return .object(members)
  }

  /// What a task waits for: its stored time, or the end of the outage.
  private func suspensionMessage(of task: StoredTask) -> String {
    guard let wakeAt = task.wakeAt else { return monitorMessage }
    return rateLimitMessage(.milliseconds(max(wakeAt.milliseconds - Timestamp.now().milliseconds, 0)))
  }

  private func suspension(_ id: String, _ message: String) -> JSONValue {
    ["task_id": .string(id), "status": "suspended", "message": .string(message)]
  }

  // MARK: - Reading

  func taskStatus(_ params: JSONObject) async throws(ProtocolFault) -> JSONValue {
    let id = params["task_id"]?.string ?? ""
    guard let task = try await stored({ () throws(StoreError) in try await self.store.task(id) }) else {
      throw spec.errors.fault(.taskNotFound)
    }
    return task.json
  }

  func listTasks(_ params: JSONObject) async throws(ProtocolFault) -> JSONValue {
    var cursor: PageCursor?
    if let text = params["cursor"]?.string {
      guard let known = PageCursor(text) else { throw badCursor }
      cursor = known
    }
    let state = params["state"]?.string.flatMap(TaskState.init(rawValue:))
    let limit = params["limit"]?.int ?? 1
    let page = try await stored { [cursor] () throws(StoreError) in
      try await self.store.page(state: state, before: cursor, limit: limit)
    }
    var members = JSONObject([("tasks", .array(page.tasks.map(\.json)))])
    members["next_cursor"] = page.next.map { .string($0.text) }
    return .object(members)
  }

  private var badCursor: ProtocolFault {
    spec.method("list_tasks")?.invalidParams(
      path: JSONPointer(tokens: ["cursor"]), keyword: "format", detail: "is no cursor of a page before")
      ?? spec.errors.fault(.internalError)
  }

  // MARK: - cancel_task

  func cancelTask(_ params: JSONObject) async throws(ProtocolFault) -> JSONValue {
    let id = params["task_id"]?.string ?? ""
    let outcome = try await stored { () throws(StoreError) in
      try await self.store.transition(id, to: .cancelled)
    }
    switch outcome {
    case .unknown: throw spec.errors.fault(.taskNotFound)
    case .refused(let task):
      throw spec.errors.fault(
        .taskNotCancellable, ["task_id": task.id, "state": task.state.rawValue],
        data: JSONObject([("state", .string(task.state.rawValue))]))
    case .done(let task):
      // Where it is still queued, its dispatch will find it cancelled.
      running[id]?.cancel()
      finish(id, .task(task))
      return task.json
    }
  }

  // MARK: - system_status

  func systemStatus() async throws(ProtocolFault) -> JSONValue {
    let counts = try await stored { () throws(StoreError) in try await self.store.counts() }
    let tasks = TaskState.allCases.map { ($0.rawValue, JSONValue.int(counts[$0] ?? 0)) }
    let seconds = uptime / .milliseconds(1) / 1000
    return [
      "system_state": .string(monitor.state.rawValue),
      "since": .string(monitor.since.text),
      "litellm": health(monitor.litellm),
      "cloud": health(monitor.cloud),
      "tasks": .object(JSONObject(tasks)),
      "uptime_s": .number(JSONNumber((seconds * 1000).rounded() / 1000)),
      "version": .string(version),
      "spec_revision": .string(spec.overview.revision),
    ]
  }

  private func health(_ health: SystemMonitor.Health) -> JSONValue {
    var members = JSONObject([
      ("healthy", .bool(health.isHealthy)), ("consecutive_failures", .int(health.failuresInARow)),
    ])
    members["checked_at"] = health.checkedAt.map { .string($0.text) }
    return .object(members)
  }

  /// The result of a call of the store; what goes wrong there is logged, and told without its cause.
  private func stored<Value: Sendable>(
    _ body: @Sendable () async throws(StoreError) -> Value
  ) async throws(ProtocolFault) -> Value {
    do throws(StoreError) {
      return try await body()
    } catch {
      log.error("store", JSONObject([("cause", .string(error.description))]))
      throw spec.errors.fault(.storageUnavailable)
    }
  }
}
