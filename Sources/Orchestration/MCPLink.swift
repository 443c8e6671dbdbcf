import JSON

/// What comes over a link with an MCP server.
enum LinkEvent: Sendable {
  /// One JSON text.
  case message([UInt8])
  /// Something for people, such as a line of standard error.
  case note(String)
  /// The last event.
  case ended(LinkEnd)
}

/// Why there is no link, or none any more.
struct LinkEnd: Error, Sendable {
  let reason: String
  /// The server has forgotten the session: what was sent last was not taken, and a new link may do it.
  var isSessionLost = false
}

/// A connection with an MCP server, whatever carries it.
protocol MCPLink: Sendable {
  /// For one reader; ends behind `.ended`, or without it when the reader is cancelled.
  var events: AsyncStream<LinkEvent> { get }

  /// Sends one message, in the order of the calls.
  func send(_ message: JSONValue)

  /// The revision that both sides keep to from here on.
  func agreed(on revision: String)

  /// Nobody waits for the answer to this request any more.
  func forget(_ id: Int)

  /// Ends the link, and returns once nothing of it is left.
  func close() async
}

extension MCPLink {
  func agreed(on revision: String) {}
  func forget(_ id: Int) {}
}
