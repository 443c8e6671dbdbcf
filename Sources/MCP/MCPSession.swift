package import JSON
package import ProtocolSpec

/// The server's side of MCP with one client, as a state machine: it takes requests and says what is to be
/// done about them. Which revision holds, a request says by itself, or `initialize` did before.
package struct MCPSession: Sendable {
  package enum Action: Sendable {
    case answer(Result<JSONValue, ProtocolFault>)
    /// Run it, and answer with what its outcome leads to.
    case call(NativeCall)
    /// Tell of every change of the resource from the answer on; that there is such a task is not known.
    case subscribe(MCPResource, uri: String)
    /// Tell no more of it.
    case unsubscribe(uri: String)
    /// Tell of what the filter names until the request is cancelled.
    case listen(MCPFilter)
    /// Wait for the end of the task and answer with its result.
    case awaitTask(id: String)
    /// Tell of what happens from this level on.
    case log(MCPLogSpec.Level)
    /// The client does not wait for the request of this id any more.
    case cancel(id: JSONValue)
    /// It was a notification that asks for nothing.
    case nothing
  }

  /// What `initialize` agreed on; nil before.
  package private(set) var revision: MCPRevision?
  /// As `initialize` declared them.
  package private(set) var clientCapabilities = JSONObject()
  /// From which level on the client wants the log; nil before it has said so.
  package var logLevel: MCPLogSpec.Level?
  package let offer: MCPOffer

  package init(_ offer: MCPOffer) { self.offer = offer }

  /// - Parameter request: one for a method of `Spec/mcp.yaml`.
  package mutating func receive(_ request: Request) -> Action {
    guard let method = request.method.mcp else { return .nothing }
    switch (method.isNotification, request.isNotification) {
    case (true, false): return .answer(.failure(fault(.methodNotFound, ["method": request.method.name])))
    // Nobody would see what became of it.
    case (false, true): return .nothing
    default: break
    }
    if method == .initialize { return .answer(initialize(request.params)) }
    if method == .cancelled { return request.params[MCPField.requestID].map { .cancel(id: $0) } ?? .nothing }
    guard let revision = request.revision ?? revision else { return .nothing }
    switch method {
    case .initialize, .initialized, .cancelled, .rootsListChanged, .progress: return .nothing
    case .discover: return .answer(.success(offer.introduction(revision)))
    case .toolsList: return .answer(onePage(request, offer.toolList(revision)))
    case .toolsCall: return callTool(request, revision)
    case .resourcesList: return listResources(request, revision)
    case .resourceTemplatesList: return .answer(onePage(request, offer.templateList(revision)))
    case .resourcesRead: return readResource(request)
    case .resourcesSubscribe: return subscription(request) { .subscribe($0, uri: $1) }
    case .resourcesUnsubscribe: return subscription(request) { .unsubscribe(uri: $1) }
    case .listen: return listen(request)
    case .promptsList: return .answer(onePage(request, offer.promptList(revision)))
    case .promptsGet: return .answer(prompt(request))
    case .complete: return complete(request)
    case .setLevel:
      let level = request.params[MCPField.level]?.string.flatMap(MCPLogSpec.Level.init)
      return level.map { .log($0) } ?? .nothing
    case .tasksGet, .tasksResult, .tasksList, .tasksCancel, .tasksUpdate:
      return task(method, request, revision)
    }
  }

  private mutating func initialize(_ params: JSONObject) -> Result<JSONValue, ProtocolFault> {
    guard revision == nil else {
      return .failure(fault(.invalidRequest, ["detail": offer.spec.mcp.messages.initializeAgain]))
    }
    // "If the server does not support the requested version, it MUST respond with another one it
    // supports, which SHOULD be the latest" (lifecycle, version negotiation).
    let asked = params[MCPField.protocolVersion]?.string ?? ""
    let known = offer.spec.mcp.revision(named: asked).flatMap { $0.isStateless ? nil : $0 }
    let revision = known ?? offer.spec.mcp.newest
    self.revision = revision
    clientCapabilities = params[MCPField.capabilities]?.object ?? JSONObject()
    return .success(offer.introduction(revision))
  }

  /// A list of which there is one page only.
  private func onePage(_ request: Request, _ list: JSONValue) -> Result<JSONValue, ProtocolFault> {
    guard request.params[MCPField.cursor] == nil else {
      return .failure(
        request.method.invalidParams(
          path: JSONPointer(tokens: [MCPField.cursor]), keyword: "format",
          detail: offer.spec.mcp.messages.badCursor))
    }
    return .success(list)
  }

  private func subscription(_ request: Request, then: (MCPResource, String) -> Action) -> Action {
    let uri = request.params[MCPField.uri]?.string ?? ""
    guard let resource = offer.spec.mcp.resources.resource(uri) else {
      return .answer(.failure(offer.notFound(uri, request)))
    }
    return then(resource, uri)
  }

  private func callTool(_ request: Request, _ revision: MCPRevision) -> Action {
    let name = request.params[MCPField.name]?.string ?? ""
    guard let tool = offer.spec.mcp.tool(named: name) else {
      return .answer(
        .failure(
          request.method.invalidParams(
            path: JSONPointer(tokens: [MCPField.name]), keyword: "enum", variant: "unknown_tool",
            ["tool": name])))
    }
    do throws(ProtocolFault) {
      let params = try tool.method.checked(request.params[MCPField.arguments], texts: offer.spec.envelope)
      if let task = asTask(tool, params, request, revision) { return task }
      let native = Request(dialect: .jsonrpc, id: request.id, method: tool.method, params: params)
      return .call(NativeCall(request: native, tell: { ToolOutcome.of($0, revision) }))
    } catch {
      return .answer(ToolOutcome.of(error, revision))
    }
  }

  func fault(_ name: ErrorName, _ values: [String: String] = [:]) -> ProtocolFault {
    offer.spec.errors.fault(name, values)
  }

  /// What the client can do, as far as `request` is concerned.
  package func capabilities(for request: Request) -> JSONObject {
    guard request.revision?.isStateless == true else { return clientCapabilities }
    return request.meta[MCPMeta.clientCapabilities]?.object ?? JSONObject()
  }
}
