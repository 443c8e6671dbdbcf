package import JSON

/// How a message is framed; chosen for each message.
package enum Dialect: String, Sendable, CaseIterable {
  case bare, jsonrpc
}

/// A request that is known to be well formed: the method exists and the params fit its schema.
package struct Request: Sendable {
  package let dialect: Dialect
  /// Nil for a notification, and for a bare request without one.
  package let id: JSONValue?
  package let method: MethodSpec
  /// With the defaults of the schema filled in.
  package let params: JSONObject
  /// By whose rules it was read; nil where no revision of MCP holds.
  package let revision: MCPRevision?

  /// A JSON-RPC request without an id, which is never answered.
  package var isNotification: Bool { dialect == .jsonrpc && id == nil }

  package init(
    dialect: Dialect, id: JSONValue?, method: MethodSpec, params: JSONObject, revision: MCPRevision? = nil
  ) {
    self.revision = revision
    self.dialect = dialect
    self.id = id
    self.method = method
    self.params = params
  }

  package func answer(_ outcome: Result<JSONValue, ProtocolFault>) -> Answer {
    Answer(dialect: dialect, id: id, outcome: outcome)
  }
}
