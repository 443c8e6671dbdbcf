internal import JSON
package import ProtocolSpec

// Resources: what the methods that only read give, under URIs.
extension MCPSession {
  func listResources(_ request: Request, _ revision: MCPRevision) -> Action {
    let resources = offer.spec.mcp.resources
    let cursor = request.params[MCPField.cursor]
    var params = JSONObject([("limit", .int(resources.page))])
    params["cursor"] = cursor
    return call("list_tasks", params, request) { outcome in
      outcome.map { page in
        let tasks = page["tasks"]?.array ?? []
        var list = tasks.map { resources.task(id: $0["task_id"]?.string ?? "", revision) }
        if cursor == nil { list.insert(resources.system(revision), at: 0) }
        var members = JSONObject([("resources", .array(list))])
        members["nextCursor"] = page["next_cursor"]
        return .object(members)
      }
    }
  }

  func readResource(_ request: Request) -> Action {
    let uri = request.params[MCPField.uri]?.string ?? ""
    let resources = offer.spec.mcp.resources
    let method: String
    var params = JSONObject()
    switch resources.resource(uri) {
    case nil: return .answer(.failure(offer.notFound(uri)))
    case .system: method = "system_status"
    case .task(let id):
      method = "get_task_status"
      params["task_id"] = .string(id)
    }
    let offer = offer
    return call(method, params, request) { outcome in
      switch outcome {
      case .success(let value):
        let content: JSONValue = [
          "uri": .string(uri), "mimeType": .string(resources.mimeType),
          "text": .string(JSONWriter.text(value)),
        ]
        return .success(["contents": [content]])
      case .failure(let fault): return .failure(fault.name == .taskNotFound ? offer.notFound(uri) : fault)
      }
    }
  }

  /// - Parameter params: they fit the schema of the method.
  private func call(
    _ name: String, _ params: JSONObject, _ request: Request,
    tell: @escaping @Sendable (Result<JSONValue, ProtocolFault>) -> Result<JSONValue, ProtocolFault>
  ) -> Action {
    guard let method = offer.spec.method(name) else {
      return .answer(.failure(offer.spec.errors.fault(.internalError)))
    }
    let native = Request(dialect: .jsonrpc, id: request.id, method: method, params: params)
    return .call(NativeCall(request: native, tell: tell))
  }
}

extension MCPOffer {
  /// What a client is told that asks for a resource which is not there.
  package func notFound(_ uri: String) -> ProtocolFault {
    spec.errors.fault(.resourceNotFound, data: JSONObject([("uri", .string(uri))]))
  }
}

extension MCPResources {
  func system(_ revision: MCPRevision) -> JSONValue { shown(system, "uri", id: "", revision) }

  func task(id: String, _ revision: MCPRevision) -> JSONValue { shown(task, "uri", id: id, revision) }

  /// The form of the URIs of tasks.
  func template(_ revision: MCPRevision) -> JSONValue { shown(task, "uriTemplate", id: nil, revision) }

  /// - Parameter id: of the task; nil leaves its place open.
  private func shown(_ texts: Texts, _ key: String, id: String?, _ revision: MCPRevision) -> JSONValue {
    func filled(_ text: String) -> JSONValue { .string(id.map { fill(text, ["id": $0]) } ?? text) }
    var members = JSONObject([(key, filled(texts.uri)), ("name", filled(texts.name))])
    if revision.has(.titles) { members["title"] = filled(texts.title) }
    members["description"] = .string(texts.description)
    members["mimeType"] = .string(mimeType)
    return .object(members)
  }
}
