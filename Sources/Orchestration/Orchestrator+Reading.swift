import Diagnostics
import JSON
import ProtocolSpec
import TaskStore
import Transport

/// The methods that only read. They need nothing that the actor keeps to itself.
extension Orchestrator {
  nonisolated func taskStatus(_ params: JSONObject, _ reply: Reply) {
    do throws(StoreError) {
      let task = try readers.task(params["task_id"]?.string ?? "", on: reply.loop)
      reply(task.map { .success($0.json) } ?? .failure(spec.errors.fault(.taskNotFound)))
    } catch {
      reply(.failure(storageFault(error)))
    }
  }

  nonisolated func taskTimeline(_ params: JSONObject, _ reply: Reply) {
    do throws(StoreError) {
      let timeline = try readers.timeline(params["task_id"]?.string ?? "", on: reply.loop)
      reply(timeline.map { .success($0.json) } ?? .failure(spec.errors.fault(.taskNotFound)))
    } catch {
      reply(.failure(storageFault(error)))
    }
  }

  nonisolated func listTasks(_ params: JSONObject, _ reply: Reply) {
    var cursor: PageCursor?
    if let text = params["cursor"]?.string {
      guard let known = PageCursor(text) else { return reply(.failure(badCursor)) }
      cursor = known
    }
    let state = params["state"]?.string.flatMap(TaskState.init(rawValue:))
    store.page(state: state, before: cursor, limit: params["limit"]?.int ?? 1) { result in
      switch result {
      case .success(let page):
        var members = JSONObject([("tasks", .array(page.tasks.map(\.json)))])
        members["next_cursor"] = page.next.map { .string($0.text) }
        reply(.success(.object(members)))
      case .failure(let error): reply(.failure(self.storageFault(error)))
      }
    }
  }

  private nonisolated var badCursor: ProtocolFault {
    spec.method("list_tasks")?.invalidParams(
      path: JSONPointer(tokens: ["cursor"]), keyword: "format", detail: "is no cursor of a page before")
      ?? spec.errors.fault(.internalError)
  }

  nonisolated func systemStatus() -> JSONValue {
    let counts = store.counts
    let tasks = TaskState.allCases.map { ($0.rawValue, JSONValue.int(counts[$0] ?? 0)) }
    let seconds = uptime / .milliseconds(1) / 1000
    let monitor = shownMonitor
    var members = JSONObject([
      ("system_state", .string(monitor.state.rawValue)),
      ("since", .string(monitor.since.text)),
      ("litellm", health(monitor.litellm)),
      ("cloud", health(monitor.cloud)),
      ("tasks", .object(JSONObject(tasks))),
      ("uptime_s", .number(JSONNumber((seconds * 1000).rounded() / 1000))),
      ("version", .string(version)),
      ("spec_revision", .string(spec.overview.revision)),
    ])
    members["executors"] = executors.json
    members["history"] = .array(monitor.history.map(\.json))
    return .object(members)
  }

  private nonisolated func health(_ health: SystemMonitor.Health) -> JSONValue {
    var members = JSONObject([
      ("healthy", .bool(health.isHealthy)), ("consecutive_failures", .int(health.failuresInARow)),
    ])
    members["checked_at"] = health.checkedAt.map { .string($0.text) }
    return .object(members)
  }
}
