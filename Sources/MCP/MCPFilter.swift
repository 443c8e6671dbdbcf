package import JSON
package import ProtocolSpec

/// What a client of a stateless revision asks to be told of (`subscriptions/listen`).
package struct MCPFilter: Sendable {
  package var toolsListChanged = false
  package var promptsListChanged = false
  package var resourcesListChanged = false
  /// With the URI that each was asked for by, in order, each once.
  package var resources: [(uri: String, resource: MCPResource)] = []
  /// URIs of resources that never change.
  package var constants: [String] = []
  /// Ids of tasks, in order, each once.
  package var tasks: [String] = []

  /// The filter as it is acknowledged: what is not honoured is left out.
  package var json: JSONValue {
    var members = JSONObject()
    if toolsListChanged { members["toolsListChanged"] = true }
    if promptsListChanged { members["promptsListChanged"] = true }
    if resourcesListChanged { members["resourcesListChanged"] = true }
    let uris = resources.map(\.uri) + constants
    if !uris.isEmpty { members["resourceSubscriptions"] = .array(uris.map(JSONValue.string)) }
    if !tasks.isEmpty { members["taskIds"] = .array(tasks.map(JSONValue.string)) }
    return .object(members)
  }
}

extension MCPSession {
  func listen(_ request: Request) -> Action {
    let asked = request.params["notifications"]
    let declared = offer.capabilities(request.revision ?? offer.spec.mcp.newest)
    func wants(_ member: String, _ list: String) -> Bool {
      asked?[member]?.bool == true && declared[list]?["listChanged"]?.bool == true
    }
    var filter = MCPFilter()
    filter.toolsListChanged = wants("toolsListChanged", "tools")
    filter.promptsListChanged = wants("promptsListChanged", "prompts")
    filter.resourcesListChanged = wants("resourcesListChanged", "resources")
    for uri in (asked?["resourceSubscriptions"]?.array ?? []).compactMap(\.string) {
      if offer.extra?.hasResource(uri) == true, !filter.constants.contains(uri) {
        filter.constants.append(uri)
      }
      guard let resource = offer.spec.mcp.resources.resource(uri),
        !filter.resources.contains(where: { $0.uri == uri })
      else { continue }
      filter.resources.append((uri, resource))
    }
    if let ids = asked?["taskIds"]?.array {
      if let missing = missingExtension(request) { return .answer(.failure(missing)) }
      for id in ids.compactMap(\.string) where !filter.tasks.contains(id) { filter.tasks.append(id) }
    }
    return .listen(filter)
  }
}
