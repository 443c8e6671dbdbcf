package import JSON
package import ProtocolSpec

/// A task as a client wants it.
package struct NewTask: Sendable {
  package var description: String
  package var type: String
  package var idempotencyKey: String?
  /// Messages before the description, as they were sent.
  package var history: JSONValue?
  package var executor: String
  package var model: String
  package var complexity: Int

  package init(
    description: String, type: String, idempotencyKey: String? = nil, history: JSONValue? = nil,
    executor: String, model: String, complexity: Int
  ) {
    self.description = description
    self.type = type
    self.idempotencyKey = idempotencyKey
    self.history = history
    self.executor = executor
    self.model = model
    self.complexity = complexity
  }
}

/// A row of the store.
package struct StoredTask: Sendable {
  /// Grows with each task; the order of creation.
  package let sequence: Int64
  package let id: String
  package let description: String
  package let type: String
  package let state: TaskState
  package let createdAt: Timestamp
  package let updatedAt: Timestamp
  package let executor: String
  package let model: String
  package let complexity: Int
  package let attempts: Int
  package let result: String?
  package let isTruncated: Bool
  package let error: String?
  package let errorInfo: JSONValue?
  let historyText: String?
  /// When a waiting task is taken up again, if that is known.
  package let wakeAt: Timestamp?

  /// The task on its way through `state`, with nothing else changed yet.
  func step(_ state: TaskState, at time: Timestamp) -> StoredTask {
    StoredTask(
      sequence: sequence, id: id, description: description, type: type, state: state, createdAt: createdAt,
      updatedAt: time, executor: executor, model: model, complexity: complexity, attempts: attempts,
      result: nil, isTruncated: false, error: nil, errorInfo: nil, historyText: historyText, wakeAt: nil)
  }

  /// The messages before the description; parsed when asked for, since most readers do not.
  package var history: JSONValue? { historyText.flatMap { try? JSONParser.parse($0) } }

  /// The task as `Spec/task.yaml` describes it.
  package var json: JSONValue {
    var members = JSONObject([
      ("task_id", .string(id)), ("description", .string(description)), ("type", .string(type)),
      ("state", .string(state.rawValue)), ("created_at", .string(createdAt.text)),
      ("updated_at", .string(updatedAt.text)), ("executor", .string(executor)), ("model", .string(model)),
      ("complexity", .int(complexity)), ("attempts", .int(attempts)),
    ])
    members["result"] = result.map(JSONValue.string)
    if isTruncated { members["truncated"] = true }
    members["error"] = error.map(JSONValue.string)
    members["error_info"] = errorInfo
    return .object(members)
  }
}

/// What is needed of a task to queue it.
package struct TaskRow: Sendable, Hashable {
  package let id: String
  package let executor: String
  package let complexity: Int

  init(id: String, executor: String, complexity: Int) {
    self.id = id
    self.executor = executor
    self.complexity = complexity
  }

  package init(_ task: StoredTask) {
    self.init(id: task.id, executor: task.executor, complexity: task.complexity)
  }
}

/// What changes with a transition; nil leaves a column as it is.
package struct TaskChange: Sendable {
  package var executor: String?
  package var model: String?
  package var result: String?
  package var isTruncated = false
  package var error: String?
  package var errorInfo: JSONValue?
  /// Whether this dispatch counts as an attempt.
  package var attempts = 0
  package var wakeAt: Timestamp?
  /// Why, in a word, for the timeline of the task.
  package var cause: String?

  package init() {}
  package init(cause: String) { self.cause = cause }
}

/// Where a task goes, step by step, and what changes on the way.
package struct TaskMove: Sendable {
  package let path: [TaskState]
  package let change: TaskChange

  package init(along path: [TaskState], _ change: TaskChange) {
    self.path = path
    self.change = change
  }
}

/// How a `create` ended.
package enum CreateOutcome: Sendable {
  case created(StoredTask)
  /// The idempotency key is known, with the same description and type.
  case existing(StoredTask)
  /// The idempotency key is known, with another description or type.
  case conflict
  /// As many tasks are unfinished as the limit allows.
  case full
}

/// How a transition ended.
package enum TransitionOutcome: Sendable {
  case done(StoredTask)
  /// The specification does not know the transition from the state the task is in.
  case refused(StoredTask)
  case unknown
}
