internal import JSON
package import ProtocolSpec

/// What the server offers to clients of MCP, made ready for every revision once, at the start.
package final class MCPOffer: Sendable {
  let spec: Specification
  /// By the name of the revision.
  private let introductions: [String: JSONValue]
  private let toolLists: [String: JSONValue]
  private let templateLists: [String: JSONValue]

  /// - Parameter version: that of the server, as clients are told.
  package init(_ spec: Specification, version: String) {
    self.spec = spec
    let mcp = spec.mcp
    let introduction = InitializeResult(
      serverName: mcp.serverName, serverTitle: mcp.serverTitle, serverVersion: version,
      capabilities: mcp.capabilities, instructions: mcp.instructions)
    let tools = mcp.tools.map(Tool.init)
    var introductions: [String: JSONValue] = [:]
    var toolLists: [String: JSONValue] = [:]
    var templateLists: [String: JSONValue] = [:]
    for revision in mcp.revisions {
      introductions[revision.name] = introduction.json(revision)
      toolLists[revision.name] = ["tools": .array(tools.map { $0.json(revision) })]
      templateLists[revision.name] = ["resourceTemplates": [mcp.resources.template(revision)]]
    }
    self.templateLists = templateLists
    self.introductions = introductions
    self.toolLists = toolLists
  }

  func introduction(_ revision: MCPRevision) -> JSONValue { introductions[revision.name] ?? .null }

  func templateList(_ revision: MCPRevision) -> JSONValue { templateLists[revision.name] ?? .null }

  func toolList(_ revision: MCPRevision) -> JSONValue { toolLists[revision.name] ?? .null }
}
