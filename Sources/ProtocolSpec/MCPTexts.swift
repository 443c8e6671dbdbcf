internal import YAML

/// Texts of errors that only MCP has.
package struct MCPMessages: Sendable {
  package let idType: String
  package let noBatches: String
  package let initializeAlone: String
  package let initializeAgain: String
  package let badCursor: String
  package let unknownTask: String
  package let taskEnded: String
  package let noTask: String
  package let unknownArgument: String
  package let noReference: String

  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys([
      "id_type", "no_batches", "initialize_alone", "initialize_again", "bad_cursor", "unknown_task",
      "task_ended", "no_task", "unknown_argument", "no_reference",
    ])
    idType = try node.required("id_type").string()
    noBatches = try node.required("no_batches").string()
    initializeAlone = try node.required("initialize_alone").string()
    initializeAgain = try node.required("initialize_again").string()
    badCursor = try node.required("bad_cursor").string()
    unknownTask = try node.required("unknown_task").string()
    taskEnded = try node.required("task_ended").string()
    noTask = try node.required("no_task").string()
    unknownArgument = try node.required("unknown_argument").string()
    noReference = try node.required("no_reference").string()
  }
}

/// Names of what is sent to clients of MCP without being asked again.
package struct MCPNotifications: Sendable {
  package let resourceUpdated: String
  package let resourceListChanged: String
  package let toolListChanged: String
  package let promptListChanged: String
  package let message: String
  package let progress: String
  /// Of a task, with `tasks/result`.
  package let taskStatus: String
  /// Of a task, in stateless revisions.
  package let task: String
  package let acknowledged: String

  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys([
      "resource_updated", "resource_list_changed", "tool_list_changed", "prompt_list_changed", "message",
      "progress", "task_status", "task", "acknowledged",
    ])
    resourceUpdated = try node.required("resource_updated").string()
    resourceListChanged = try node.required("resource_list_changed").string()
    toolListChanged = try node.required("tool_list_changed").string()
    promptListChanged = try node.required("prompt_list_changed").string()
    message = try node.required("message").string()
    progress = try node.required("progress").string()
    taskStatus = try node.required("task_status").string()
    task = try node.required("task").string()
    acknowledged = try node.required("acknowledged").string()
  }
}

/// A prompt as MCP offers it.
package struct MCPPromptSpec: Sendable {
  package struct Argument: Sendable {
    package let name: String
    package let title: String
    package let description: String
    package let isRequired: Bool
    /// What stands for it where it is left out.
    package let standard: String
    package let completion: Completion?
  }

  /// Where the values of an argument come from.
  package enum Completion: String, Sendable, CaseIterable {
    case taskTypes = "task_types"
  }

  package let name: String
  package let title: String
  package let description: String
  package let arguments: [Argument]
  /// The role and the text of each message; `{name}` stands for an argument.
  package let messages: [(role: String, text: String)]

  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["name", "title", "description", "arguments", "messages"])
    name = try node.required("name").string()
    title = try node.required("title").string()
    description = try node.required("description").string()
    var arguments: [Argument] = []
    for entry in try node.required("arguments").sequence() {
      try entry.checkKeys(["name", "title", "description", "required", "default", "complete"])
      arguments.append(
        Argument(
          name: try entry.required("name").string(), title: try entry.required("title").string(),
          description: try entry.required("description").string(),
          isRequired: try entry["required"]?.bool() ?? false, standard: try entry["default"]?.string() ?? "",
          completion: try entry["complete"].map { node throws(SourceError) in try node.choice() }))
    }
    self.arguments = arguments
    var messages: [(role: String, text: String)] = []
    for entry in try node.required("messages").sequence() {
      try entry.checkKeys(["role", "text"])
      messages.append(
        (
          try entry.required("role").string(among: ["user", "assistant"], what: "role"),
          try entry.required("text").string()
        ))
    }
    self.messages = messages
  }
}

/// What is logged to clients, and how loud.
package struct MCPLogSpec: Sendable {
  /// From the quietest that matters least to the one that matters most (RFC 5424).
  package enum Level: String, Sendable, CaseIterable, Comparable {
    case debug, info, notice, warning, error, critical, alert, emergency

    package static func < (left: Level, right: Level) -> Bool { left.rank < right.rank }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
  }

  package let systemLogger: String
  package let taskLogger: String
  private let systemLevels: [String: Level]
  private let taskLevels: [String: Level]

  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["system", "task"])
    let system = try node.required("system")
    let task = try node.required("task")
    systemLogger = try system.required("logger").string()
    taskLogger = try task.required("logger").string()
    systemLevels = try Self.levels(system, of: SystemState.allCases.map(\.rawValue))
    taskLevels = try Self.levels(task, of: TaskState.allCases.map(\.rawValue))
  }

  private static func levels(_ node: YAMLNode, of states: [String]) throws(SourceError) -> [String: Level] {
    try node.checkKeys(["logger", "levels"])
    let table = try node.required("levels")
    try table.checkKeys(states)
    var levels: [String: Level] = [:]
    for state in states { levels[state] = try table.required(state).choice() }
    return levels
  }

  package func level(_ state: SystemState) -> Level { systemLevels[state.rawValue] ?? .notice }

  package func level(_ state: TaskState) -> Level { taskLevels[state.rawValue] ?? .info }
}

/// How a task of the store is told as a task of MCP.
package struct MCPTaskSpec: Sendable {
  /// The tool whose calls may become tasks.
  package let tool: String
  /// The name of the extension of stateless revisions.
  package let extensionName: String
  /// How often a client should ask.
  package let pollInterval: Duration
  private let status: [TaskState: String]

  init(_ node: YAMLNode, _ tools: [MCPToolSpec]) throws(SourceError) {
    try node.checkKeys(["tool", "extension", "poll_interval", "status"])
    tool = try node.required("tool").string(among: tools.map(\.method.name), what: "tool")
    extensionName = try node.required("extension").string()
    pollInterval = try node.required("poll_interval").duration()
    let table = try node.required("status")
    try table.checkKeys(TaskState.allCases.map(\.rawValue))
    var status: [TaskState: String] = [:]
    for state in TaskState.allCases { status[state] = try table.required(state.rawValue).string() }
    self.status = status
  }

  package func status(_ state: TaskState) -> String { status[state] ?? "" }
}
