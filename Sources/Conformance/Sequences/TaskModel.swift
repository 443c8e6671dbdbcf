internal import JSON
internal import ProtocolSpec

/// A task as the model knows it.
struct ModelTask {
  /// Under which its id is captured.
  let name: String
  let text: String
  let type: String
  /// The state it has ended in, once that has been seen.
  var end: TaskState?
  /// Its model never answers, so that it ends only when it is cancelled.
  var isHeld = false
  /// Who waits for it.
  var waiter: (connection: Int, id: Int)?

  var reference: JSONValue { ["$ref": .string(name)] }
  var isSettled: Bool { end != nil || isHeld }

  /// The states it may be in now.
  var possible: [TaskState] {
    if let end { return [end] }
    return [.idle, .dispatching, .executing] + (isHeld ? [] : [.completed])
  }

  /// What `get_task_status` says of it in `state`.
  func answer(in state: TaskState) -> JSONValue {
    var members = JSONObject([
      ("task_id", reference), ("description", .string(text)), ("type", .string(type)),
      ("state", .string(state.rawValue)),
    ])
    for (key, owner) in [("result", TaskState.completed), ("error", .failed)] {
      members[key] = state == owner ? ["$type": "string"] : ["$absent": true]
    }
    return .object(members)
  }

  /// What `create_task` says of it in `state`.
  func status(in state: TaskState) -> JSONValue {
    var members = JSONObject([("task_id", reference), ("status", .string(state.rawValue))])
    if state == .completed { members["result"] = ["$type": "string"] }
    if state == .failed { members["error"] = ["$type": "string"] }
    return .object(members)
  }
}

/// What a server may be in, after what it has answered so far.
struct TaskModel {
  /// In the order in which they were made.
  private(set) var tasks: [ModelTask] = []
  /// Which task a key belongs to.
  private(set) var keys: [Int: Int] = [:]
  /// Calls of LiteLLM so far; nil where a race has made that unknowable.
  var calls: Int? = 0
  /// How many of the newest tasks the pages so far have shown, of those that there were then.
  var page: (cursor: String, left: Int)?
  private var pages = 0

  static let types = ["general", "programming", "24/7"]

  mutating func add(_ task: ModelTask, key: Int?) {
    tasks.append(task)
    if let key { keys[key] = tasks.count - 1 }
  }

  mutating func update(_ place: Int, _ change: (inout ModelTask) -> Void) { change(&tasks[place]) }

  mutating func nextCursor() -> String {
    pages += 1
    return "cursor\(pages)"
  }

  var nextName: String { "task\(tasks.count + 1)" }
  var unsettled: [Int] { tasks.indices.filter { !tasks[$0].isSettled } }
  var held: [Int] { tasks.indices.filter { tasks[$0].isHeld && tasks[$0].end == nil } }
  var waiting: Int? { tasks.firstIndex { $0.waiter != nil } }

  func place(_ pick: Pick) -> Int? {
    guard case .task(let number) = pick, !tasks.isEmpty else { return nil }
    return number % tasks.count
  }

  /// The newest tasks in `state`, newest first; nil where somebody's state is not certain.
  func listed(_ state: TaskState?) -> [(task: ModelTask, state: TaskState?)]? {
    guard let state else { return tasks.reversed().map { ($0, $0.end) } }
    var found: [(task: ModelTask, state: TaskState?)] = []
    for task in tasks.reversed() where task.possible.contains(state) {
      guard task.possible.count == 1 else { return nil }
      found.append((task, state))
    }
    return found
  }

  /// The server was killed: nothing that is unknown is known, and what was held is taken up again.
  mutating func restart() {
    if !(unsettled.isEmpty && held.isEmpty) { calls = nil }
    for place in tasks.indices {
      tasks[place].waiter = nil
      if tasks[place].end == nil { tasks[place].isHeld = false }
    }
    page = nil
  }
}
