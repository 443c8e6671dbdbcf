internal import YAML

/// The methods of MCP that are served; `Spec/mcp.yaml` says what they take.
package enum MCPMethod: String, Sendable, CaseIterable {
  case initialize
  case discover = "server/discover"
  case initialized = "notifications/initialized"
  case cancelled = "notifications/cancelled"
  case rootsListChanged = "notifications/roots/list_changed"
  case progress = "notifications/progress"
  case toolsList = "tools/list"
  case toolsCall = "tools/call"
  case resourcesList = "resources/list"
  case resourceTemplatesList = "resources/templates/list"
  case resourcesRead = "resources/read"
  case resourcesSubscribe = "resources/subscribe"
  case resourcesUnsubscribe = "resources/unsubscribe"
  case listen = "subscriptions/listen"
  case promptsList = "prompts/list"
  case promptsGet = "prompts/get"
  case complete = "completion/complete"
  case setLevel = "logging/setLevel"
  case tasksGet = "tasks/get"
  case tasksResult = "tasks/result"
  case tasksList = "tasks/list"
  case tasksCancel = "tasks/cancel"
  case tasksUpdate = "tasks/update"

  /// Whether it is sent without an id and never answered.
  package var isNotification: Bool { rawValue.hasPrefix("notifications/") }
}

/// What a stateless revision tells of how long a result may be kept.
package struct MCPCache: Sendable {
  package let ttl: Duration
  /// `public` or `private`.
  package let scope: String

  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["ttl", "scope"])
    ttl = try node.required("ttl").duration()
    scope = try node.required("scope").string(among: ["public", "private"], what: "scope")
  }
}

/// A method of MCP and the revisions that have it.
struct MCPMethodSpec: Sendable {
  let method: MethodSpec
  let needs: MCPFeature?
  let lacks: MCPFeature?
  let cache: MCPCache?

  /// Keys beside those of every method.
  static let keys = ["needs", "lacks", "cache"]

  init(
    _ node: YAMLNode, _ kind: MCPMethod, _ schemas: SpecSchemas, _ table: ErrorTable,
    _ requirements: inout RequirementReader
  ) throws(SourceError) {
    method = try MethodSpec(node, schemas, table, &requirements, mcp: kind)
    needs = try node["needs"].map { node throws(SourceError) in try node.choice() }
    lacks = try node["lacks"].map { node throws(SourceError) in try node.choice() }
    cache = try node["cache"].map { node throws(SourceError) in try MCPCache(node) }
  }

  func isThere(under revision: MCPRevision) -> Bool {
    needs.map(revision.has) != false && lacks.map(revision.has) != true
  }
}
