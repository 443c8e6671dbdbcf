package import JSON
internal import YAML

/// What differs between the revisions of MCP.
package enum MCPFeature: String, Sendable, CaseIterable {
  /// JSON-RPC batches.
  case batches
  /// Hints about what a tool does.
  case annotations
  /// That arguments are completed is declared.
  case completions
  /// Progress has a text beside its number.
  case progressMessages = "progress_messages"
  /// Names for people beside those for programs.
  case titles
  /// Results as JSON beside their text, and the schema of them.
  case structuredContent = "structured_content"
  /// Arguments that do not fit are told to the model, not to the program (SEP-1303).
  case inputFaultsAsResults = "input_faults_as_results"
  /// An error about what has no readable id has no member `id`, instead of null.
  case errorsWithoutID = "errors_without_id"
  /// Calls of tools may become tasks.
  case tasks
  /// The client says which calls do, lists them and waits for their results.
  case taskResults = "task_results"
  /// No `initialize` and no session: every message says in `_meta` what it is to be read by.
  case stateless
}

/// One revision of MCP, by its date.
package struct MCPRevision: Sendable, Equatable {
  package let name: String
  private let features: Set<MCPFeature>

  package func has(_ feature: MCPFeature) -> Bool { features.contains(feature) }

  package var isStateless: Bool { has(.stateless) }

  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["revision", "has"])
    name = try node.required("revision").string()
    var features: Set<MCPFeature> = []
    for entry in try node.required("has").sequence() { features.insert(try entry.choice()) }
    self.features = features
  }
}

/// Members of `_meta` that MCP itself reads or writes (2026-07-28, basic, `_meta`).
package enum MCPMeta {
  package static let member = "_meta"
  package static let protocolVersion = "io.modelcontextprotocol/protocolVersion"
  package static let clientInfo = "io.modelcontextprotocol/clientInfo"
  package static let clientCapabilities = "io.modelcontextprotocol/clientCapabilities"
  package static let logLevel = "io.modelcontextprotocol/logLevel"
  package static let serverInfo = "io.modelcontextprotocol/serverInfo"
  package static let subscriptionID = "io.modelcontextprotocol/subscriptionId"
  package static let relatedTask = "io.modelcontextprotocol/related-task"
  package static let progressToken = "progressToken"
}

extension MCPSpec {
  /// The revision that a message names in `_meta`, where it says there all that it has to.
  package func statelessRevision(
    _ params: JSONValue?, _ errors: ErrorTable
  ) throws(ProtocolFault) -> MCPRevision {
    let path = [MCPMeta.member]
    guard let meta = params?[MCPMeta.member] else { throw missing(path, errors) }
    guard meta.object != nil else { throw notOfType("object", path, errors) }
    guard let asked = meta[MCPMeta.protocolVersion] else {
      throw missing(path + [MCPMeta.protocolVersion], errors)
    }
    guard let name = asked.string else {
      throw notOfType("string", path + [MCPMeta.protocolVersion], errors)
    }
    guard let revision = revision(named: name), revision.isStateless else {
      throw unsupportedVersion(name, errors)
    }
    guard let capabilities = meta[MCPMeta.clientCapabilities] else {
      throw missing(path + [MCPMeta.clientCapabilities], errors)
    }
    guard capabilities.object != nil else {
      throw notOfType("object", path + [MCPMeta.clientCapabilities], errors)
    }
    // "If the level is not recognized, the server SHOULD respond with Invalid params" (logging).
    if let level = meta[MCPMeta.logLevel], level.string.flatMap(MCPLogSpec.Level.init) == nil {
      throw notOfType("log level", path + [MCPMeta.logLevel], errors)
    }
    return revision
  }

  package func unsupportedVersion(_ name: String, _ errors: ErrorTable) -> ProtocolFault {
    errors.fault(
      .unsupportedVersion, ["requested": String(name.prefix(100))],
      data: JSONObject([
        ("supported", .array(revisions.reversed().map { .string($0.name) })), ("requested", .string(name)),
      ]))
  }

  private func missing(_ path: [String], _ errors: ErrorTable) -> ProtocolFault {
    errors.fault(
      .invalidParams, variant: "required", ["field": path.joined(separator: "/")],
      data: JSONObject([
        ("path", .string(JSONPointer(tokens: path).description)), ("keyword", "required"),
      ]))
  }

  private func notOfType(_ type: String, _ path: [String], _ errors: ErrorTable) -> ProtocolFault {
    let pointer = JSONPointer(tokens: path).description
    return errors.fault(
      .invalidParams, ["path": pointer, "detail": "must be of type \(type)"],
      data: JSONObject([("path", .string(pointer)), ("keyword", "type")]))
  }
}
