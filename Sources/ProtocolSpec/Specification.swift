package import JSONSchema
package import YAML

/// `Spec/` as types: everything that a client, a server or a transcript may rely on.
///
/// The folder is the single source; the programs carry a copy of it and `--spec DIR` replaces it.
/// There is one for each program, and every connection refers to it.
package final class Specification: Sendable {
  package let overview: Overview
  /// In the order of their files' names.
  package let methods: [MethodSpec]
  package let mcp: MCPSpec
  package let transports: MCPTransports
  /// What is served beside with `--conformance-fixtures`.
  package let fixtures: FixtureSpec
  /// In the order of their files' names.
  package let notifications: [NotificationSpec]
  package let errors: ErrorTable
  package let taskStates: StateMachine<TaskState>
  package let systemStates: StateMachine<SystemState>
  package let routing: RoutingSpec
  package let executors: ExecutorSpec
  package let limits: Limits
  package let failures: FailureTable
  package let configuration: [ConfigurationKey]
  package let metrics: MetricTable
  package let faults: [FaultSpec]
  package let profiles: [Profile]
  /// Every requirement of every file, by id.
  package let requirements: [String: Requirement]
  /// The frozen ones, by the names of their files.
  package let requirementSets: [RequirementSet]
  package let envelope: EnvelopeTexts
  /// The schema of a task, `omni:task`.
  package let taskSchema: JSONSchema

  private let methodsByName: [String: MethodSpec]

  /// Reads `directory`, or the copy in the binary if it is nil.
  ///
  /// - Throws: `SourceError` with file, line and column of the first fault.
  package static func load(directory: String? = nil) throws(SourceError) -> Specification {
    try Specification(files: directory.map(SpecFiles.init(directory:)) ?? .embedded)
  }

  package init(files: SpecFiles) throws(SourceError) {
    var requirements = RequirementReader()
    overview = try Overview(files.node("protocol.yaml"))
    errors = try ErrorTable(files.node("errors.yaml"), &requirements)
    limits = try Limits(files.node("limits.yaml"), &requirements)
    let task = try files.node("task.yaml")
    let schemas = try SpecSchemas(task: task)
    taskSchema = schemas.task
    var methods: [MethodSpec] = []
    for file in try files.list("methods") {
      methods.append(try MethodSpec(files.node(file), schemas, errors, &requirements))
    }
    self.methods = methods
    methodsByName = Dictionary(methods.map { ($0.name, $0) }) { first, _ in first }
    let list = try files.list("notifications")
    var notifications: [NotificationSpec] = []
    for file in list { notifications.append(try NotificationSpec(files.node(file), schemas, &requirements)) }
    self.notifications = notifications
    for name in NotificationName.allCases where notifications.count(where: { $0.name == name }) != 1 {
      throw task.error("one file of notifications/ is expected for \(name.rawValue)")
    }
    mcp = try MCPSpec(files.node("mcp.yaml"), native: methods, schemas, errors, &requirements)
    transports = try MCPTransports(files.node("mcp-transports.yaml"), mcp, &requirements)
    fixtures = try FixtureSpec(files.node("fixtures.yaml"))
    taskStates = try StateMachine(files.node("states/task.yaml"), &requirements)
    systemStates = try StateMachine(files.node("states/system.yaml"), &requirements)
    routing = try RoutingSpec(files.node("routing.yaml"), &requirements)
    executors = try ExecutorSpec(files.node("executors.yaml"), &requirements)
    failures = try FailureTable(files.node("failures.yaml"), &requirements)
    configuration = try ConfigurationKey.list(files.node("configuration.yaml"))
    metrics = try MetricTable(files.node("metrics.yaml"))
    var faults: [FaultSpec] = []
    for file in try files.list("faults") { try FaultSpec.read(files.node(file), failures, into: &faults) }
    self.faults = faults
    envelope = try EnvelopeTexts(files.node("wire.yaml"), &requirements)
    let client = try files.node("client.yaml")
    try client.checkKeys(["format", "requirements"])
    try requirements.read(client)
    var profiles: [Profile] = []
    for file in try files.list("profiles") { profiles.append(try Profile(files.node(file))) }
    self.profiles = profiles
    self.requirements = requirements.found
    var sets: [RequirementSet] = []
    for file in try files.list("requirements") {
      let name = file.dropFirst("requirements/".count).dropLast(".yaml".count)
      sets.append(try requirements.check(frozen: files.node(file), name: String(name)))
    }
    requirementSets = sets
  }

  package func method(_ name: String) -> MethodSpec? { methodsByName[name] }

  package subscript(name: NotificationName) -> NotificationSpec {
    guard let notification = notifications.first(where: { $0.name == name }) else {
      preconditionFailure("checked when the specification was read")
    }
    return notification
  }

  package func fault(named name: String) -> FaultSpec? { faults.first { $0.name == name } }

  package func profile(named name: String) -> Profile? { profiles.first { $0.name == name } }
}

/// What stands on the first page of the specification.
package struct Overview: Sendable {
  package let title: String
  package let revision: String
  package let summary: String
  package let host: String
  package let port: Int
  package let subprotocol: String
  package let tokenSubprotocolPrefix: String
  /// Names under which the server itself runs tasks.
  package let gatewayExecutor: String
  package let directExecutor: String

  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys([
      "format", "title", "revision", "summary", "endpoint", "http", "dialects", "executors",
    ])
    title = try node.required("title").string()
    revision = try node.required("revision").string()
    summary = try node.required("summary").string()
    let endpoint = try node.required("endpoint")
    try endpoint.checkKeys(["host", "port", "subprotocol", "token_subprotocol_prefix"])
    host = try endpoint.required("host").string()
    port = try endpoint.required("port").int()
    subprotocol = try endpoint.required("subprotocol").string()
    tokenSubprotocolPrefix = try endpoint.required("token_subprotocol_prefix").string()
    let executors = try node.required("executors")
    try executors.checkKeys(["gateway", "direct"])
    gatewayExecutor = try executors.required("gateway").string()
    directExecutor = try executors.required("direct").string()
  }
}

/// Texts of envelope errors, the `detail` of `invalid_request` and `invalid_params`.
package struct EnvelopeTexts: Sendable {
  package let methodRequired: String
  package let methodNotString: String
  package let mustBeObject: String
  package let version: String
  package let noObject: String
  package let emptyBatch: String
  package let longBatch: String
  package let longLine: String
  package let idType: String
  /// `{method}` is not served in bare.
  package let jsonrpcOnly: String

  init(_ node: YAMLNode, _ requirements: inout RequirementReader) throws(SourceError) {
    try node.checkKeys(["format", "requirements", "messages"])
    try requirements.read(node)
    let messages = try node.required("messages")
    try messages.checkKeys([
      "method_required", "method_not_string", "must_be_object", "version", "no_object", "empty_batch",
      "long_batch", "long_line", "id_type", "jsonrpc_only",
    ])
    methodRequired = try messages.required("method_required").string()
    methodNotString = try messages.required("method_not_string").string()
    mustBeObject = try messages.required("must_be_object").string()
    version = try messages.required("version").string()
    noObject = try messages.required("no_object").string()
    emptyBatch = try messages.required("empty_batch").string()
    longBatch = try messages.required("long_batch").string()
    longLine = try messages.required("long_line").string()
    idType = try messages.required("id_type").string()
    jsonrpcOnly = try messages.required("jsonrpc_only").string()
  }
}
