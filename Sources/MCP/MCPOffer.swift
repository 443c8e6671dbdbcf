package import JSON
package import ProtocolSpec

/// What the server offers to clients of MCP, made ready for every revision once, at the start.
package final class MCPOffer: Sendable {
  let spec: Specification
  let serverVersion: String
  /// By the name of the revision.
  private let introductions: [String: JSONValue]
  private let toolLists: [String: JSONValue]
  private let templateLists: [String: JSONValue]
  private let promptLists: [String: JSONValue]
  let extra: (any MCPExtras)?

  /// - Parameters:
  ///   - version: that of the server, as clients are told.
  ///   - extra: what is offered beside what the specification says.
  package init(_ spec: Specification, version: String, extra: (any MCPExtras)? = nil) {
    self.spec = spec
    self.extra = extra
    serverVersion = version
    let mcp = spec.mcp
    let tools = mcp.tools.map { Tool($0, mayBeTask: $0.method.name == mcp.tasks.tool) }
    var introductions: [String: JSONValue] = [:]
    var toolLists: [String: JSONValue] = [:]
    var templateLists: [String: JSONValue] = [:]
    var promptLists: [String: JSONValue] = [:]
    for revision in mcp.revisions {
      introductions[revision.name] =
        Introduction(mcp, revision, Self.capabilities(mcp, revision, extra), version: version).json
      toolLists[revision.name] = [
        "tools": .array(tools.map { $0.json(revision) } + (extra?.tools(revision) ?? []))
      ]
      templateLists[revision.name] = [
        "resourceTemplates": .array([mcp.resources.template(revision)] + (extra?.templates(revision) ?? []))
      ]
      promptLists[revision.name] = [
        "prompts": .array(mcp.prompts.map { $0.json(revision) } + (extra?.prompts(revision) ?? []))
      ]
    }
    self.templateLists = templateLists
    self.introductions = introductions
    self.toolLists = toolLists
    self.promptLists = promptLists
  }

  /// What the server declares to clients of `revision`.
  package func capabilities(_ revision: MCPRevision) -> JSONObject {
    Self.capabilities(spec.mcp, revision, extra)
  }

  private static func capabilities(
    _ spec: MCPSpec, _ revision: MCPRevision, _ extra: (any MCPExtras)?
  ) -> JSONObject {
    var capabilities = spec.capabilities(revision)
    for list in extra?.changingLists ?? [] {
      var members = capabilities[list]?.object ?? JSONObject()
      members["listChanged"] = true
      capabilities[list] = .object(members)
    }
    return capabilities
  }

  /// The result of `initialize`, or of `server/discover` in a stateless revision.
  func introduction(_ revision: MCPRevision) -> JSONValue { introductions[revision.name] ?? .null }

  func templateList(_ revision: MCPRevision) -> JSONValue { templateLists[revision.name] ?? .null }

  func toolList(_ revision: MCPRevision) -> JSONValue { toolLists[revision.name] ?? .null }

  func promptList(_ revision: MCPRevision) -> JSONValue { promptLists[revision.name] ?? .null }
}

/// What is offered to clients of MCP beside what the specification says; its owner serves it.
package protocol MCPExtras: Sendable {
  func tools(_ revision: MCPRevision) -> [JSONValue]
  func prompts(_ revision: MCPRevision) -> [JSONValue]
  func resources(_ revision: MCPRevision) -> [JSONValue]
  func templates(_ revision: MCPRevision) -> [JSONValue]
  /// Of the lists that clients are told of when they change.
  var changingLists: [String] { get }
  func hasResource(_ uri: String) -> Bool
}
