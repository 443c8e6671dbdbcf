package import JSON
internal import YAML

/// What differs between the revisions of MCP.
package enum MCPFeature: String, Sendable, CaseIterable {
  /// JSON-RPC batches.
  case batches
  /// Hints about what a tool does.
  case annotations
  /// Names for people beside those for programs.
  case titles
  /// Results as JSON beside their text, and the schema of them.
  case structuredContent = "structured_content"
  /// Arguments that do not fit are told to the model, not to the program (SEP-1303).
  case inputFaultsAsResults = "input_faults_as_results"
  /// An error about what has no readable id has no member `id`, instead of null.
  case errorsWithoutID = "errors_without_id"
}

/// One revision of MCP, by its date.
package struct MCPRevision: Sendable {
  package let name: String
  private let features: Set<MCPFeature>

  package func has(_ feature: MCPFeature) -> Bool { features.contains(feature) }

  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["revision", "has"])
    name = try node.required("revision").string()
    var features: Set<MCPFeature> = []
    for entry in try node.required("has").sequence() { features.insert(try entry.choice()) }
    self.features = features
  }
}

/// The methods of MCP that are served; `Spec/mcp.yaml` says what they take.
package enum MCPMethod: String, Sendable, CaseIterable {
  case initialize
  case initialized = "notifications/initialized"
  case cancelled = "notifications/cancelled"
  case toolsList = "tools/list"
  case toolsCall = "tools/call"
  case resourcesList = "resources/list"
  case resourceTemplatesList = "resources/templates/list"
  case resourcesRead = "resources/read"
  case resourcesSubscribe = "resources/subscribe"
  case resourcesUnsubscribe = "resources/unsubscribe"

  /// Whether it is sent without an id and never answered.
  package var isNotification: Bool {
    switch self {
    case .initialized, .cancelled: true
    default: false
    }
  }
}

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
  package let capabilities: JSONValue
  package let instructions: String
  /// Oldest first, at least one.
  package let revisions: [MCPRevision]
  /// What a client is offered that asks for a revision that is not here.
  package let newest: MCPRevision
  package let tools: [MCPToolSpec]
  package let resources: MCPResources
  /// Names of notifications.
  package let resourceUpdated: String
  package let resourceListChanged: String
  package let messages: Messages
  private let methods: [String: MethodSpec]

  /// Texts of errors that only MCP has.
  package struct Messages: Sendable {
    package let idType: String
    package let noBatches: String
    package let initializeAlone: String
    package let initializeAgain: String
    package let badCursor: String

    init(_ node: YAMLNode) throws(SourceError) {
      try node.checkKeys(["id_type", "no_batches", "initialize_alone", "initialize_again", "bad_cursor"])
      idType = try node.required("id_type").string()
      noBatches = try node.required("no_batches").string()
      initializeAlone = try node.required("initialize_alone").string()
      initializeAgain = try node.required("initialize_again").string()
      badCursor = try node.required("bad_cursor").string()
    }
  }

  init(
    _ node: YAMLNode, native: [MethodSpec], _ schemas: SpecSchemas, _ table: ErrorTable,
    _ requirements: inout RequirementReader
  ) throws(SourceError) {
    try node.checkKeys([
      "format", "server", "revisions", "methods", "notifications", "resources", "tools", "messages",
      "requirements",
    ])
    let server = try node.required("server")
    try server.checkKeys(["name", "title", "capabilities", "instructions"])
    serverName = try server.required("name").string()
    serverTitle = try server.required("title").string()
    capabilities = try server.required("capabilities").json
    instructions = try server.required("instructions").string()
    var revisions: [MCPRevision] = []
    let list = try node.required("revisions")
    for entry in try list.sequence() {
      let revision = try MCPRevision(entry)
      if let last = revisions.last, last.name >= revision.name {
        throw entry.error("revisions stand oldest first, and \(revision.name) is not after \(last.name)")
      }
      revisions.append(revision)
    }
    guard let newest = revisions.last else { throw list.error("at least one revision is expected") }
    self.revisions = revisions
    self.newest = newest
    methods = try Self.methods(node.required("methods"), native, schemas, table, &requirements)
    var tools: [MCPToolSpec] = []
    for entry in try node.required("tools").sequence() { tools.append(try MCPToolSpec(entry, native)) }
    self.tools = tools
    resources = try MCPResources(node.required("resources"))
    let notifications = try node.required("notifications")
    try notifications.checkKeys(["resource_updated", "resource_list_changed"])
    resourceUpdated = try notifications.required("resource_updated").string()
    resourceListChanged = try notifications.required("resource_list_changed").string()
    messages = try Messages(node.required("messages"))
    try requirements.read(node)
  }

  private static func methods(
    _ list: YAMLNode, _ native: [MethodSpec], _ schemas: SpecSchemas, _ table: ErrorTable,
    _ requirements: inout RequirementReader
  ) throws(SourceError) -> [String: MethodSpec] {
    var methods: [String: MethodSpec] = [:]
    for entry in try list.sequence() {
      let kind: MCPMethod = try entry.required("method").choice()
      guard methods[kind.rawValue] == nil, !native.contains(where: { $0.name == kind.rawValue }) else {
        throw entry.error("the method \(kind.rawValue) stands twice")
      }
      methods[kind.rawValue] = try MethodSpec(entry, schemas, table, &requirements, mcp: kind)
    }
    for kind in MCPMethod.allCases where methods[kind.rawValue] == nil {
      throw list.error("the method \(kind.rawValue) is missing")
    }
    return methods
  }

  package func revision(named name: String) -> MCPRevision? { revisions.first { $0.name == name } }

  package func tool(named name: String) -> MCPToolSpec? { tools.first { $0.method.name == name } }

  /// A method of MCP under `revision`; without one only `initialize` is known.
  package func method(_ name: String, under revision: MCPRevision?) -> MethodSpec? {
    guard let method = methods[name], revision != nil || method.mcp == .initialize else { return nil }
    return method
  }
}
