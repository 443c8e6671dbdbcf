package import JSON
package import ProtocolSpec

/// The server's side of MCP on one connection, as a state machine: it takes requests and says what
/// is to be done about them. For the revisions that begin with `initialize`.
package struct MCPSession: Sendable {
  package enum Action: Sendable {
    case answer(Result<JSONValue, ProtocolFault>)
    /// Run it, and answer with what its `outcome` makes of the result.
    case call(NativeCall)
    /// Tell of every change of the resource from the answer on; that there is such a task is not known.
    case subscribe(MCPResource, uri: String)
    /// Tell no more of it.
    case unsubscribe(uri: String)
    /// The client does not wait for the request of this id any more.
    case cancel(id: JSONValue)
    /// It was a notification that asks for nothing.
    case nothing
  }

  /// What `initialize` agreed on; nil before.
  package private(set) var revision: MCPRevision?
  let offer: MCPOffer

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
    guard let revision else { return .nothing }
    switch method {
    case .initialize, .initialized: return .nothing
    case .cancelled: return request.params[MCPField.requestID].map { .cancel(id: $0) } ?? .nothing
    case .toolsList: return .answer(onePage(request, offer.toolList(revision)))
    case .toolsCall: return callTool(request, revision)
    case .resourcesList: return listResources(request, revision)
    case .resourceTemplatesList: return .answer(onePage(request, offer.templateList(revision)))
    case .resourcesRead: return readResource(request)
    case .resourcesSubscribe, .resourcesUnsubscribe:
      let uri = request.params[MCPField.uri]?.string ?? ""
      guard let resource = offer.spec.mcp.resources.resource(uri) else {
        return .answer(.failure(offer.notFound(uri)))
      }
      return method == .resourcesSubscribe ? .subscribe(resource, uri: uri) : .unsubscribe(uri: uri)
    }
  }

  private mutating func initialize(_ params: JSONObject) -> Result<JSONValue, ProtocolFault> {
    guard revision == nil else {
      return .failure(fault(.invalidRequest, ["detail": offer.spec.mcp.messages.initializeAgain]))
    }
    // "If the server does not support the requested version, it MUST respond with another one it
    // supports, which SHOULD be the latest" (lifecycle, version negotiation).
    let asked = params[MCPField.protocolVersion]?.string ?? ""
    let revision = offer.spec.mcp.revision(named: asked) ?? offer.spec.mcp.newest
    self.revision = revision
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
      let native = Request(dialect: .jsonrpc, id: request.id, method: tool.method, params: params)
      return .call(NativeCall(request: native) { ToolOutcome.of($0, revision) })
    } catch {
      return .answer(ToolOutcome.of(error, revision))
    }
  }

  private func fault(_ name: ErrorName, _ values: [String: String]) -> ProtocolFault {
    offer.spec.errors.fault(name, values)
  }
}
