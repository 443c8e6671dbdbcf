package import JSON
internal import YAML

/// A method of the protocol as MCP offers it.
package struct MCPToolSpec: Sendable {
  package let method: MethodSpec
  package let title: String
  package let description: String
  package let annotations: JSONObject

  init(_ node: YAMLNode, _ methods: [MethodSpec]) throws(SourceError) {
    try node.checkKeys(["method", "title", "description", "annotations"])
    let name = try node.required("method")
    let known = try name.string(among: methods.map(\.name), what: "method")
    guard let method = methods.first(where: { $0.name == known }) else {
      throw name.error("there is no method \(known)")
    }
    self.method = method
    title = try node.required("title").string()
    description = try node.required("description").string()
    let hints = try node.required("annotations")
    try hints.checkKeys(["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"])
    for hint in try hints.mapping() { _ = try hint.value.bool() }
    annotations = hints.json.object ?? JSONObject()
  }
}

/// `Spec/mcp.yaml`: how the orchestrator is offered to clients of the Model Context Protocol.
package struct MCPSpec: Sendable {
  package let serverName: String
  package let serverTitle: String
  package let instructions: String
  /// Oldest first.
  package let revisions: [MCPRevision]
  /// What a client is offered that initializes with a revision that is not here.
  package let newest: MCPRevision
  package let tools: [MCPToolSpec]
  package let resources: MCPResources
  package let prompts: [MCPPromptSpec]
  package let notifications: MCPNotifications
  package let log: MCPLogSpec
  package let tasks: MCPTaskSpec
  /// How many values a completion gives at most.
  package let completionValues: Int
  package let messages: MCPMessages
  private let capabilities: JSONObject
  private let capabilitiesWith: [(feature: MCPFeature, members: JSONObject)]
  private let methods: [String: MCPMethodSpec]

  init(
    _ node: YAMLNode, native: [MethodSpec], _ schemas: SpecSchemas, _ table: ErrorTable,
    _ requirements: inout RequirementReader
  ) throws(SourceError) {
    try node.checkKeys([
      "format", "server", "revisions", "methods", "notifications", "resources", "tools", "prompts", "log",
      "tasks", "completion", "messages", "requirements",
    ])
    let server = try node.required("server")
    try server.checkKeys(["name", "title", "capabilities", "capabilities_with", "instructions"])
    serverName = try server.required("name").string()
    serverTitle = try server.required("title").string()
    capabilities = try server.required("capabilities").json.object ?? JSONObject()
    var capabilitiesWith: [(feature: MCPFeature, members: JSONObject)] = []
    for entry in try server.required("capabilities_with").mapping() {
      let feature = MCPFeature(rawValue: entry.key)
      guard let feature else { throw entry.value.error("there is no feature \(entry.key)") }
      capabilitiesWith.append((feature, entry.value.json.object ?? JSONObject()))
    }
    self.capabilitiesWith = capabilitiesWith
    instructions = try server.required("instructions").string()
    let list = try node.required("revisions")
    revisions = try Self.revisions(list)
    guard let newest = revisions.last(where: { !$0.isStateless }) else {
      throw list.error("at least one revision that is not stateless is expected")
    }
    self.newest = newest
    methods = try Self.methods(node.required("methods"), native, schemas, table, &requirements)
    var tools: [MCPToolSpec] = []
    for entry in try node.required("tools").sequence() { tools.append(try MCPToolSpec(entry, native)) }
    self.tools = tools
    resources = try MCPResources(node.required("resources"))
    var prompts: [MCPPromptSpec] = []
    for entry in try node.required("prompts").sequence() { prompts.append(try MCPPromptSpec(entry)) }
    self.prompts = prompts
    notifications = try MCPNotifications(node.required("notifications"))
    log = try MCPLogSpec(node.required("log"))
    tasks = try MCPTaskSpec(node.required("tasks"), tools)
    let completion = try node.required("completion")
    try completion.checkKeys(["values"])
    completionValues = try completion.required("values").int()
    messages = try MCPMessages(node.required("messages"))
    try requirements.read(node)
  }

  private static func revisions(_ list: YAMLNode) throws(SourceError) -> [MCPRevision] {
    var revisions: [MCPRevision] = []
    for entry in try list.sequence() {
      let revision = try MCPRevision(entry)
      if let last = revisions.last, last.name >= revision.name {
        throw entry.error("revisions stand oldest first, and \(revision.name) is not after \(last.name)")
      }
      revisions.append(revision)
    }
    return revisions
  }

  private static func methods(
    _ list: YAMLNode, _ native: [MethodSpec], _ schemas: SpecSchemas, _ table: ErrorTable,
    _ requirements: inout RequirementReader
  ) throws(SourceError) -> [String: MCPMethodSpec] {
    var methods: [String: MCPMethodSpec] = [:]
    for entry in try list.sequence() {
      let kind: MCPMethod = try entry.required("method").choice()
      guard methods[kind.rawValue] == nil, !native.contains(where: { $0.name == kind.rawValue }) else {
        throw entry.error("the method \(kind.rawValue) stands twice")
      }
      methods[kind.rawValue] = try MCPMethodSpec(entry, kind, schemas, table, &requirements)
    }
    for kind in MCPMethod.allCases where methods[kind.rawValue] == nil {
      throw list.error("the method \(kind.rawValue) is missing")
    }
    return methods
  }

  /// The last of those without `initialize`, or else the last.
  package var newestStateless: MCPRevision { revisions.last(where: \.isStateless) ?? newest }

  package func revision(named name: String) -> MCPRevision? { revisions.first { $0.name == name } }

  package func tool(named name: String) -> MCPToolSpec? { tools.first { $0.method.name == name } }

  package func prompt(named name: String) -> MCPPromptSpec? { prompts.first { $0.name == name } }

  /// What the server declares to clients of `revision`.
  package func capabilities(_ revision: MCPRevision) -> JSONObject {
    var all = capabilities
    for entry in capabilitiesWith where revision.has(entry.feature) {
      for (key, value) in entry.members { all[key] = value }
    }
    return all
  }

  /// A method of MCP under `revision`; without one only `initialize` is known.
  package func method(_ name: String, under revision: MCPRevision?) -> MethodSpec? {
    guard let method = methods[name] else { return nil }
    // What is cancelled may be a request that said its revision by itself; the notification says none.
    guard let revision else {
      return method.method.mcp == .initialize || method.method.mcp == .cancelled ? method.method : nil
    }
    return method.isThere(under: revision) ? method.method : nil
  }

  /// Whether only revisions without `initialize` have this method.
  package func isOnlyStateless(_ name: String) -> Bool { methods[name]?.needs == .stateless }

  /// Of a result of `method`, for clients of a stateless revision.
  package func cache(of method: MCPMethod) -> MCPCache? { methods[method.rawValue]?.cache }
}
