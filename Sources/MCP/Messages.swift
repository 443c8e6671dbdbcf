package import JSON
package import ProtocolSpec

/// The result of `initialize`.
package struct InitializeResult: Sendable {
  package let serverName: String
  package let serverTitle: String
  package let serverVersion: String
  package let capabilities: JSONValue
  package let instructions: String

  package func json(_ revision: MCPRevision) -> JSONValue {
    var server = JSONObject([("name", .string(serverName)), ("version", .string(serverVersion))])
    if revision.has(.titles) { server["title"] = .string(serverTitle) }
    return [
      "protocolVersion": .string(revision.name), "capabilities": capabilities, "serverInfo": .object(server),
      "instructions": .string(instructions),
    ]
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

  package init(_ spec: MCPToolSpec) {
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
