import JSON
import ProtocolSpec

/// What a fixture can do while it runs.
protocol FixtureContext: Sendable {
  /// The revision under which the request is read.
  var revision: MCPRevision { get }
  /// What the client can do: as `initialize` said, or the request's `_meta`.
  var clientCapabilities: JSONObject { get }
  /// Of the request, with `inputResponses`, `requestState` and `_meta`.
  var params: JSONObject { get }
  /// Sends `notifications/message`, if the client wants that level.
  func log(_ level: String, _ data: JSONValue) async
  /// Sends `notifications/progress`, if the request has a token for it.
  func progress(_ done: Double, of total: Double, _ message: String?) async
  /// Asks the client, over the connection or on the request's stream; only before 2026.
  ///
  /// - Throws: the error that the client answers, or why it could not be asked.
  func ask(_ method: String, _ params: JSONObject) async throws(ProtocolFault) -> JSONValue
  /// Tells who listens that a list has changed: tools, prompts or resources.
  func listChanged(_ what: String) async
  /// Ends the stream of the answer, so that the client has to come back for it; nothing where there is none.
  func disconnect() async
  /// `requestState` for the retry of this request: bound to its method and name.
  func seal(_ state: JSONValue) -> String
  /// What was sealed; nil if it was changed on the way or belongs to another request.
  func open(_ sealed: String) -> JSONValue?
}

extension FixtureContext {
  func declares(_ capability: String) -> Bool { clientCapabilities[capability]?.object != nil }

  /// Whether the client has `io.modelcontextprotocol/tasks`.
  var declaresTasks: Bool {
    clientCapabilities["extensions"]?[FixtureTasks.extensionName]?.object != nil
  }
}
