package import JSON
package import ProtocolSpec

/// Who the server is and what it can do: the result of `initialize`, or of `server/discover`.
struct Introduction {
  let json: JSONValue

  init(_ spec: MCPSpec, _ revision: MCPRevision, _ capabilities: JSONObject, version: String) {
    let capabilities = JSONValue.object(capabilities)
    if revision.isStateless {
      json = [
        "supportedVersions": .array(spec.revisions.reversed().map { .string($0.name) }),
        "capabilities": capabilities, "instructions": .string(spec.instructions),
      ]
    } else {
      json = [
        "protocolVersion": .string(revision.name), "capabilities": capabilities,
        "serverInfo": Self.server(spec, revision, version: version),
        "instructions": .string(spec.instructions),
      ]
    }
  }

  static func server(_ spec: MCPSpec, _ revision: MCPRevision, version: String) -> JSONValue {
    var server = JSONObject([("name", .string(spec.serverName)), ("version", .string(version))])
    if revision.has(.titles) { server["title"] = .string(spec.serverTitle) }
    return .object(server)
  }
}

/// A tool as `tools/list` shows it.
package struct Tool: Sendable {
  package let name: String
  package let title: String
  package let description: String
  package let inputSchema: JSONValue
  package let outputSchema: JSONValue
  package let annotations: JSONObject
  /// Whether a call of it may become a task.
  package let mayBeTask: Bool

  package init(_ spec: MCPToolSpec, mayBeTask: Bool) {
    self.mayBeTask = mayBeTask
    name = spec.method.name
    title = spec.title
    description = spec.description
    inputSchema = spec.method.paramsSchema
    outputSchema = spec.method.resultSchema
    annotations = spec.annotations
  }

  package func json(_ revision: MCPRevision) -> JSONValue {
    var members = JSONObject([("name", .string(name))])
    if revision.has(.titles) { members["title"] = .string(title) }
    members["description"] = .string(description)
    members["inputSchema"] = inputSchema
    if revision.has(.structuredContent) { members["outputSchema"] = outputSchema }
    if revision.has(.annotations) {
      var hints = annotations
      // Before tools had titles, their annotations did (2025-03-26, ToolAnnotations).
      if !revision.has(.titles) { hints["title"] = .string(title) }
      members["annotations"] = .object(hints)
    }
    if mayBeTask, revision.has(.taskResults) { members["execution"] = ["taskSupport": "optional"] }
    return .object(members)
  }
}

/// The result of `tools/call`.
package enum ToolResult: Sendable {
  /// What the tool gave, always an object.
  case success(JSONValue)
  /// What went wrong inside the tool, told to the model so that it may do better.
  case failure(ProtocolFault)

  package func json(_ revision: MCPRevision) -> JSONValue {
    switch self {
    case .success(let value):
      var members = JSONObject([("content", Self.content(value))])
      if revision.has(.structuredContent) { members["structuredContent"] = value }
      members["isError"] = false
      return .object(members)
    case .failure(let fault):
      // No structured content: that has to fit the output schema, and an error does not.
      return ["content": Self.content(fault.json), "isError": true]
    }
  }

  private static func content(_ value: JSONValue) -> JSONValue {
    [["type": "text", "text": .string(JSONWriter.text(value))]]
  }
}
