internal import JSON
internal import ProtocolSpec

// Prompts, and what may be put into them.
extension MCPSession {
  func prompt(_ request: Request) -> Result<JSONValue, ProtocolFault> {
    let name = request.params[MCPField.name]?.string ?? ""
    guard let prompt = offer.spec.mcp.prompt(named: name) else {
      return .failure(
        request.method.invalidParams(
          path: JSONPointer(tokens: [MCPField.name]), keyword: "enum", variant: "unknown_prompt",
          ["prompt": name]))
    }
    let given = request.params[MCPField.arguments]?.object ?? JSONObject()
    var values: [String: String] = [:]
    for argument in prompt.arguments {
      let value = given[argument.name]?.string ?? ""
      if value.isEmpty, argument.isRequired {
        return .failure(
          request.method.invalidParams(
            path: JSONPointer(tokens: [MCPField.arguments, argument.name]), keyword: "required",
            variant: "required", ["field": "\(MCPField.arguments)/\(argument.name)"]))
      }
      values[argument.name] = value.isEmpty ? argument.standard : value
    }
    let messages = prompt.messages.map { message -> JSONValue in
      [
        "role": .string(message.role),
        "content": ["type": "text", "text": .string(fill(message.text, values))],
      ]
    }
    return .success(["description": .string(prompt.description), "messages": .array(messages)])
  }

  func complete(_ request: Request) -> Action {
    let name = request.params["argument"]?["name"]?.string ?? ""
    let begin = request.params["argument"]?["value"]?.string ?? ""
    let reference = request.params["ref"]
    if reference?["type"]?.string == "ref/prompt" {
      guard let prompt = reference?["name"]?.string.flatMap(offer.spec.mcp.prompt) else {
        return invalid(request, ["ref", "name"], offer.spec.mcp.messages.noReference)
      }
      guard let argument = prompt.arguments.first(where: { $0.name == name }) else {
        return invalid(request, ["argument", "name"], offer.spec.mcp.messages.unknownArgument)
      }
      let values = argument.completion == .taskTypes ? offer.taskTypes : []
      return .answer(.success(offer.completion(values.filter { $0.hasPrefix(begin) })))
    }
    let resources = offer.spec.mcp.resources
    guard reference?["uri"]?.string == resources.task.uri else {
      return invalid(request, ["ref", "uri"], offer.spec.mcp.messages.noReference)
    }
    guard name == resources.variable else {
      return invalid(request, ["argument", "name"], offer.spec.mcp.messages.unknownArgument)
    }
    let offer = offer
    // Nobody looks for a task that is older than so many.
    return offer.native("list_tasks", ["limit": .int(Self.mostLookedThrough)], request) { outcome in
      outcome.map { page in
        let ids = (page["tasks"]?.array ?? []).compactMap { $0["task_id"]?.string }
        return offer.completion(ids.filter { $0.hasPrefix(begin) }, isMore: page["next_cursor"] != nil)
      }
    }
  }

  /// As many as one page of `list_tasks` has at most.
  private static let mostLookedThrough = 500

  private func invalid(_ request: Request, _ path: [String], _ detail: String) -> Action {
    .answer(
      .failure(
        request.method.invalidParams(path: JSONPointer(tokens: path), keyword: "enum", detail: detail)))
  }
}

extension MCPOffer {
  var taskTypes: [String] {
    let type = spec.method(spec.mcp.tasks.tool)?.paramsSchema["properties"]?["type"]
    return (type?["enum"]?.array ?? []).compactMap(\.string)
  }

  /// - Parameter isMore: whether there are values that were not looked at.
  func completion(_ values: [String], isMore: Bool = false) -> JSONValue {
    let shown = values.prefix(spec.mcp.completionValues)
    var members = JSONObject([
      ("values", .array(shown.map(JSONValue.string))),
      ("hasMore", .bool(isMore || shown.count < values.count)),
    ])
    if !isMore { members["total"] = .int(values.count) }
    return ["completion": .object(members)]
  }
}

extension MCPPromptSpec {
  /// As `prompts/list` shows it.
  func json(_ revision: MCPRevision) -> JSONValue {
    var members = JSONObject([("name", .string(name))])
    if revision.has(.titles) { members["title"] = .string(title) }
    members["description"] = .string(description)
    members["arguments"] = .array(
      arguments.map { argument in
        var shown = JSONObject([("name", .string(argument.name))])
        if revision.has(.titles) { shown["title"] = .string(argument.title) }
        shown["description"] = .string(argument.description)
        shown["required"] = .bool(argument.isRequired)
        return .object(shown)
      })
    return .object(members)
  }
}
