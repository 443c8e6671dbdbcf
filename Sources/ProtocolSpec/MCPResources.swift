internal import YAML

/// What can be read as a resource of MCP.
package enum MCPResource: Sendable, Hashable {
  case system
  case task(id: String)
}

/// The resources of MCP, as `Spec/mcp.yaml` names them.
package struct MCPResources: Sendable {
  /// How a resource, or those of one form, are shown; `{id}` stands for the id of a task.
  package struct Texts: Sendable {
    /// For tasks a template (RFC 6570).
    package let uri: String
    package let name: String
    package let title: String
    package let description: String

    init(_ node: YAMLNode) throws(SourceError) {
      try node.checkKeys(["uri", "name", "title", "description"])
      uri = try node.required("uri").string()
      name = try node.required("name").string()
      title = try node.required("title").string()
      description = try node.required("description").string()
    }
  }

  package let mimeType: String
  /// How many tasks a page of the list has.
  package let page: Int
  package let system: Texts
  package let task: Texts
  private let taskPrefix: String

  private static let placeHolder = "{id}"

  /// The name of what is open in the template.
  package var variable: String { String(Self.placeHolder.dropFirst().dropLast()) }

  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["mime_type", "page", "system", "task"])
    mimeType = try node.required("mime_type").string()
    page = try node.required("page").int()
    system = try Texts(node.required("system"))
    let tasks = try node.required("task")
    task = try Texts(tasks)
    guard task.uri.hasSuffix(Self.placeHolder) else {
      throw try tasks.required("uri").error("a URI that ends with \(Self.placeHolder) is expected")
    }
    taskPrefix = String(task.uri.dropLast(Self.placeHolder.count))
  }

  /// The resource that `uri` names, whether there is such a task or not; nil for any other URI.
  package func resource(_ uri: String) -> MCPResource? {
    if uri == system.uri { return .system }
    guard uri.hasPrefix(taskPrefix), uri != taskPrefix else { return nil }
    return .task(id: String(uri.dropFirst(taskPrefix.count)))
  }
}
