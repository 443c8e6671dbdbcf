import Conformance
import Foundation
import JSON
import ProtocolSpec
import Synchronization

/// An orchestrator in memory whose tasks end at once, with one mistake of one's choice.
final class SmallOrchestrator: Sendable {
  enum Mistake: CaseIterable {
    case none
    /// A task that has ended can be cancelled.
    case cancelsWhatHasEnded
    /// A key gives its task whatever type is asked for.
    case keyIgnoresType
    case oldestFirst
    /// A page shows the last task of the page before again.
    case pageOverlaps
    case forgetsThirdTask
  }

  private struct Stored {
    let id: String
    let description: String
    let type: String
    let key: String?
    var state: String
  }

  private let tasks = Mutex<[Stored]>([])
  private let mistake: Mistake

  init(_ mistake: Mistake) { self.mistake = mistake }

  func behaviour(_ text: String, _ number: Int) -> [Peer.Reply] {
    guard let value = try? JSONParser.parse(text) else { return [] }
    if let batch = value.array {
      return [.text(JSONWriter.text(.array(batch.compactMap(answer))))]
    }
    return answer(value).map { [.text(JSONWriter.text($0))] } ?? []
  }

  private func answer(_ request: JSONValue) -> JSONValue? {
    let isBare = request["jsonrpc"] == nil
    guard isBare || request["id"] != nil else { return nil }
    var answer = JSONObject()
    if !isBare { answer["jsonrpc"] = "2.0" }
    answer["id"] = request["id"]
    do throws(ProtocolFault) {
      let name = request["method"]?.string ?? ""
      guard let method = Kit.spec.method(name) else {
        throw Kit.spec.errors.fault(.methodNotFound, ["method": name])
      }
      let params = try method.checked(request["params"], texts: Kit.spec.envelope)
      answer["result"] = isBare && name == "ping" ? "pong" : try result(method, params)
    } catch {
      if isBare && error.isBareResult {
        answer["result"] = ["error": .string(error.message)]
      } else {
        answer["error"] = isBare ? .string(error.message) : error.json
      }
    }
    return .object(answer)
  }

  private func result(_ method: MethodSpec, _ params: JSONObject) throws(ProtocolFault) -> JSONValue {
    switch method.name {
    case "create_task": return try create(method, params)
    case "get_task_status": return try shown(params["task_id"]?.string ?? "")
    case "cancel_task": return try cancel(params["task_id"]?.string ?? "")
    case "list_tasks": return try list(method, params)
    case "system_status": return ["system_state": "normal"]
    default: return .object(JSONObject())
    }
  }

  private func create(_ method: MethodSpec, _ params: JSONObject) throws(ProtocolFault) -> JSONValue {
    let (text, type) = (params["description"]?.string ?? "", params["type"]?.string ?? "")
    let key = params["idempotency_key"]?.string
    if let key, let known = tasks.withLock({ $0.first { $0.key == key } }) {
      guard known.description == text, known.type == type || mistake == .keyIgnoresType else {
        throw method.invalidParams(
          path: JSONPointer(tokens: ["idempotency_key"]), keyword: "idempotency_key", detail: "another task")
      }
      return status(known)
    }
    let task = Stored(
      id: UUID().uuidString.lowercased(), description: text, type: type, key: key, state: "completed")
    tasks.withLock { $0.append(task) }
    return params["wait"] == false ? ["task_id": .string(task.id), "status": "idle"] : status(task)
  }

  private func status(_ task: Stored) -> JSONValue {
    var members = JSONObject([("task_id", .string(task.id)), ("status", .string(task.state))])
    if task.state == "completed" { members["result"] = "done" }
    return .object(members)
  }

  private func whole(_ task: Stored) -> JSONValue {
    var members = JSONObject([
      ("task_id", .string(task.id)), ("description", .string(task.description)), ("type", .string(task.type)),
      ("state", .string(task.state)),
    ])
    if task.state == "completed" { members["result"] = "done" }
    return .object(members)
  }

  private func place(_ id: String) throws(ProtocolFault) -> Int {
    let place = tasks.withLock { $0.firstIndex { $0.id == id } }
    guard let place, mistake != .forgetsThirdTask || place % 3 != 2 else {
      throw Kit.spec.errors.fault(.taskNotFound)
    }
    return place
  }

  private func shown(_ id: String) throws(ProtocolFault) -> JSONValue {
    let place = try place(id)
    return whole(tasks.withLock { $0[place] })
  }

  private func cancel(_ id: String) throws(ProtocolFault) -> JSONValue {
    let place = try place(id)
    let state = tasks.withLock { $0[place].state }
    guard mistake == .cancelsWhatHasEnded && state == "completed" else {
      throw Kit.spec.errors.fault(.taskNotCancellable, ["task_id": id, "state": state])
    }
    return whole(
      tasks.withLock { tasks in
        tasks[place].state = "cancelled"
        return tasks[place]
      })
  }

  private func list(_ method: MethodSpec, _ params: JSONObject) throws(ProtocolFault) -> JSONValue {
    let limit = params["limit"]?.int ?? 50
    var known = tasks.withLock { Array($0.reversed()) }
    if mistake == .oldestFirst { known.reverse() }
    if let state = params["state"]?.string { known = known.filter { $0.state == state } }
    if let cursor = params["cursor"]?.string {
      guard let last = known.firstIndex(where: { $0.id == cursor }) else {
        throw method.invalidParams(
          path: JSONPointer(tokens: ["cursor"]), keyword: "format", detail: "unknown")
      }
      known = Array(known[(mistake == .pageOverlaps ? last : last + 1)...])
    }
    var answer = JSONObject([("tasks", .array(known.prefix(limit).map(whole)))])
    if known.count > limit { answer["next_cursor"] = .string(known[limit - 1].id) }
    return .object(answer)
  }
}
