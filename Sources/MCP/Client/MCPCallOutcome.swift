internal import JSON

/// How a call of a tool ended.
package enum MCPCallOutcome: Sendable, Equatable {
  /// What the tool gave: its texts, or its structured content as JSON where it gave no text.
  case text(String)
  /// `isError` was true; the text says what went wrong inside the tool.
  case toolError(String)
  /// The server answered with an error of JSON-RPC.
  case refused(String)
  /// A result without any text.
  case empty
  /// The answer is no result of `tools/call`.
  case malformed(String)

  /// - Parameter message: an answer with either a result or an error.
  init(_ message: JSONObject) {
    if let error = message["error"] {
      self = .refused(Self.text(of: error))
      return
    }
    guard let result = message["result"], let content = result["content"]?.array else {
      self = .malformed("the result of the tool has no content")
      return
    }
    let texts = content.filter { $0["type"] == "text" }.compactMap { $0["text"]?.string }
    var text = texts.joined(separator: "\n")
    if text.isEmpty, let structured = result["structuredContent"] { text = JSONWriter.text(structured) }
    if result["isError"]?.bool == true {
      self = .toolError(text)
    } else {
      self = text.isEmpty ? .empty : .text(text)
    }
  }

  /// An error of JSON-RPC as people read it.
  static func text(of error: JSONValue) -> String {
    let message = error["message"]?.string ?? "an error without a message"
    return error["code"]?.int.map { "\(message) (\($0))" } ?? message
  }
}

/// How far a call is (`notifications/progress`); the numbers have the unit that the tool likes.
package struct MCPProgress: Sendable, Equatable {
  package let done: Double
  package let total: Double?
  package let message: String?

  package init(done: Double, total: Double? = nil, message: String? = nil) {
    self.done = done
    self.total = total
    self.message = message
  }
}

/// Why a connection with an MCP server is of no use.
package enum MCPBreak: Sendable, Equatable, CustomStringConvertible {
  /// It is no MCP that comes.
  case malformed(String)
  /// `initialize` or `tools/list` was answered with an error.
  case refused(String)
  case unknownRevision(String)
  case toolMissing(String, among: [String])

  package var description: String {
    switch self {
    case .malformed(let text): text
    case .refused(let text): "the server refuses: \(text)"
    case .unknownRevision(let name): "the server speaks MCP \(name), which is not known here"
    case .toolMissing(let tool, let others):
      "there is no tool \(tool) among \(others.isEmpty ? "none" : others.prefix(20).joined(separator: ", "))"
    }
  }
}
