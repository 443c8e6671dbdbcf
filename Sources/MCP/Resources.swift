package import JSON
package import ProtocolSpec

// Resources: what the methods that only read give, under URIs.
extension MCPSession {
  func listResources(_ request: Request, _ revision: MCPRevision) -> Action {
    let resources = offer.spec.mcp.resources
    let cursor = request.params[MCPField.cursor]
    var params = JSONObject([("limit", .int(resources.page))])
    params["cursor"] = cursor
    let first = [resources.system(revision)] + (offer.extra?.resources(revision) ?? [])
    return offer.native("list_tasks", params, request) { outcome in
      outcome.map { page in
        let tasks = page["tasks"]?.array ?? []
        var list = tasks.map { resources.task(id: $0["task_id"]?.string ?? "", revision) }
        if cursor == nil { list = first + list }
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
    case nil: return .answer(.failure(offer.notFound(uri, request)))
    case .system: method = "system_status"
    case .task(let id):
      method = "get_task_status"
      params["task_id"] = .string(id)
    }
    let offer = offer
    return offer.native(method, params, request) { outcome in
      switch outcome {
      case .success(let value):
        let content: JSONValue = [
          "uri": .string(uri), "mimeType": .string(resources.mimeType),
          "text": .string(JSONWriter.text(value)),
        ]
        return .success(["contents": [content]])
      case .failure(let fault):
        return .failure(fault.name == .taskNotFound ? offer.notFound(uri, request) : fault)
      }
    }
  }
}

extension MCPOffer {
  /// What a client is told that asks for a resource which is not there.
  package func notFound(_ uri: String, _ request: Request) -> ProtocolFault {
    guard request.revision?.isStateless == true else {
      return spec.errors.fault(.resourceNotFound, data: JSONObject([("uri", .string(uri))]))
    }
    let fault = request.method.invalidParams(
      path: JSONPointer(tokens: [MCPField.uri]), keyword: "enum", variant: "unknown_resource", ["uri": uri])
    var data = fault.data
    data[MCPField.uri] = .string(uri)
    return fault.with(data: data)
  }

  /// Runs a method of the protocol for a request of MCP.
  ///
  /// - Parameter params: they fit the schema of the method.
  func native(
    _ name: String, _ params: JSONObject, _ request: Request,
    tell: @escaping @Sendable (Result<JSONValue, ProtocolFault>) -> Result<JSONValue, ProtocolFault>
  ) -> MCPSession.Action {
    guard let method = spec.method(name) else {
      return .answer(.failure(spec.errors.fault(.internalError)))
    }
    let native = Request(dialect: .jsonrpc, id: request.id, method: method, params: params)
    return .call(NativeCall(request: native, tell: tell))
  }

  /// An outcome as `request` is answered: clients of a stateless revision are told with every result of
  /// what kind it is, who gave it, and how long it may be kept.
  package func told(
    _ outcome: Result<JSONValue, ProtocolFault>, to request: Request
  ) -> Result<JSONValue, ProtocolFault> {
    guard let revision = request.revision, revision.isStateless, let method = request.method.mcp,
      case .success(.object(var members)) = outcome
    else { return outcome }
    if members["resultType"] == nil { members["resultType"] = "complete" }
    if let cache = spec.mcp.cache(of: method), members["resultType"]?.string == "complete" {
      if members["ttlMs"] == nil { members["ttlMs"] = .int(cache.ttl.wholeMilliseconds) }
      if members["cacheScope"] == nil { members["cacheScope"] = .string(cache.scope) }
    }
    var meta = members[MCPMeta.member]?.object ?? JSONObject()
    meta[MCPMeta.serverInfo] = Introduction.server(spec.mcp, revision, version: serverVersion)
    members[MCPMeta.member] = .object(meta)
    return .success(.object(members))
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
