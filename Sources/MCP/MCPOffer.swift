internal import JSON
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

  /// - Parameter version: that of the server, as clients are told.
  package init(_ spec: Specification, version: String) {
    self.spec = spec
    serverVersion = version
    let mcp = spec.mcp
    let tools = mcp.tools.map { Tool($0, mayBeTask: $0.method.name == mcp.tasks.tool) }
    var introductions: [String: JSONValue] = [:]
    var toolLists: [String: JSONValue] = [:]
    var templateLists: [String: JSONValue] = [:]
    var promptLists: [String: JSONValue] = [:]
    for revision in mcp.revisions {
      introductions[revision.name] = Introduction(mcp, revision, version: version).json
      toolLists[revision.name] = ["tools": .array(tools.map { $0.json(revision) })]
      templateLists[revision.name] = ["resourceTemplates": [mcp.resources.template(revision)]]
      promptLists[revision.name] = ["prompts": .array(mcp.prompts.map { $0.json(revision) })]
    }
    self.templateLists = templateLists
    self.introductions = introductions
    self.toolLists = toolLists
    self.promptLists = promptLists
  }

  /// The result of `initialize`, or of `server/discover` in a stateless revision.
  func introduction(_ revision: MCPRevision) -> JSONValue { introductions[revision.name] ?? .null }

  func templateList(_ revision: MCPRevision) -> JSONValue { templateLists[revision.name] ?? .null }

  func toolList(_ revision: MCPRevision) -> JSONValue { toolLists[revision.name] ?? .null }

  func promptList(_ revision: MCPRevision) -> JSONValue { promptLists[revision.name] ?? .null }
}
