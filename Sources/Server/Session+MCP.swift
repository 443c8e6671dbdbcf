import Diagnostics
import JSON
import MCP
import ProtocolSpec
import Transport

// What MCP adds to a connection; the native methods stay as they are.
extension Session {
  func runMCP(_ request: Request, done: @escaping Done) {
    switch mcp.receive(request) {
    case .answer(let outcome):
      adoptRevision(of: request)
      done(self, request.answer(outcome))
    case .call(let call):
      // Before the list is read, so that no task is missed.
      if request.method.mcp == .resourcesList { watchResourceList() }
      start(call.request, shape: call.outcome, done: done)
    case .subscribe(let resource, let uri): subscribe(request, to: resource, uri: uri, done: done)
    case .unsubscribe(let uri): unsubscribe(request, uri: uri, done: done)
    case .cancel(let id):
      underWay.stop(id: id)
      done(self, nil)
    case .nothing: done(self, nil)
    }
  }

  /// From the answer to `initialize` on, messages are read by the rules of the revision.
  private func adoptRevision(of request: Request) {
    guard reader.revision == nil, let revision = mcp.revision else { return }
    reader.revision = revision
    let client = request.params["clientInfo"]?["name"]?.string ?? ""
    service.log.debug(
      "mcp",
      JSONObject([
        ("remote", .string(connection.remote)), ("revision", .string(revision.name)),
        ("client", .string(String(client.prefix(100)))),
      ]))
  }
}
