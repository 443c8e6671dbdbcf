import JSON
import ProtocolSpec

// What of the fixtures the lists of MCP show.
extension Fixtures {
  func tools(_ revision: MCPRevision) -> [JSONValue] {
    spec.fixtures.tools.map { tool in
      var members = shown(tool.name, tool.title, tool.description, revision)
      members["inputSchema"] = tool.inputSchema
      return .object(members)
    }
  }

  func prompts(_ revision: MCPRevision) -> [JSONValue] {
    spec.fixtures.prompts.map { prompt in
      var members = shown(prompt.name, prompt.title, prompt.description, revision)
      if !prompt.arguments.isEmpty {
        members["arguments"] = .array(
          prompt.arguments.map {
            [
              "name": .string($0.name), "description": .string($0.description),
              "required": .bool($0.isRequired),
            ]
          })
      }
      return .object(members)
    }
  }

  func resources(_ revision: MCPRevision) -> [JSONValue] {
    spec.fixtures.resources.map { resource in
      var members = JSONObject([("uri", .string(resource.uri))])
      for (key, value) in shown(resource.name, resource.title, resource.description, revision) {
        members[key] = value
      }
      members["mimeType"] = .string(resource.mimeType)
      return .object(members)
    }
  }

  func templates(_ revision: MCPRevision) -> [JSONValue] {
    spec.fixtures.templates.map { template in
      var members = JSONObject([("uriTemplate", .string(template.uri))])
      for (key, value) in shown(template.name, template.title, template.description, revision) {
        members[key] = value
      }
      members["mimeType"] = .string(template.mimeType)
      return .object(members)
    }
  }

  private func shown(
    _ name: String, _ title: String, _ description: String, _ revision: MCPRevision
  ) -> JSONObject {
    var members = JSONObject([("name", .string(name))])
    if revision.has(.titles) { members["title"] = .string(title) }
    members["description"] = .string(description)
    return members
  }
}
