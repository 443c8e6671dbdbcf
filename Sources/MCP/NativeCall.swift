package import JSON
package import ProtocolSpec

/// A call that is under way for a request of MCP: the native request to run, and what its outcome leads
/// to.
package struct NativeCall: Sendable {
  package enum Step: Sendable {
    case answer(Result<JSONValue, ProtocolFault>)
    /// Another one has to be run first.
    case call(NativeCall)
  }

  package let request: Request
  private let step: @Sendable (Result<JSONValue, ProtocolFault>) -> Step

  /// - Parameter step: what follows on the outcome.
  init(request: Request, step: @escaping @Sendable (Result<JSONValue, ProtocolFault>) -> Step) {
    self.request = request
    self.step = step
  }

  /// - Parameter tell: makes the outcome that of the request of MCP.
  init(
    request: Request,
    tell: @escaping @Sendable (Result<JSONValue, ProtocolFault>) -> Result<JSONValue, ProtocolFault>
  ) {
    self.init(request: request) { .answer(tell($0)) }
  }

  /// What the outcome of `request` leads to.
  package func next(_ outcome: Result<JSONValue, ProtocolFault>) -> Step { step(outcome) }
}

/// How `tools/call` tells the outcome of the tool's method.
enum ToolOutcome {
  static func of(
    _ outcome: Result<JSONValue, ProtocolFault>, _ revision: MCPRevision
  ) -> Result<JSONValue, ProtocolFault> {
    switch outcome {
    case .success(let value): .success(ToolResult.success(value).json(revision))
    case .failure(let fault): of(fault, revision)
    }
  }

  static func of(_ fault: ProtocolFault, _ revision: MCPRevision) -> Result<JSONValue, ProtocolFault> {
    switch fault.name {
    // Nothing a model could do better: an error of the server, not of the tool.
    case .internalError: .failure(fault)
    case .invalidParams where !revision.has(.inputFaultsAsResults): .failure(fault.below(MCPField.arguments))
    default: .success(ToolResult.failure(fault).json(revision))
    }
  }
}

/// Members of params that the code reads; their shapes are checked by `Spec/mcp.yaml`.
enum MCPField {
  static let protocolVersion = "protocolVersion"
  static let requestID = "requestId"
  static let cursor = "cursor"
  static let name = "name"
  static let arguments = "arguments"
  static let uri = "uri"
  static let task = "task"
  static let taskID = "taskId"
  static let level = "level"
  static let capabilities = "capabilities"
}

extension Request {
  /// What MCP reads beside the params (2026-07-28, basic, `_meta`).
  package var meta: JSONObject { params[MCPMeta.member]?.object ?? JSONObject() }
}

extension ProtocolFault {
  /// The fault with its path, which starts at the arguments, starting at the params of `tools/call`.
  fileprivate func below(_ member: String) -> ProtocolFault {
    guard let path = data["path"]?.string else { return self }
    var data = data
    data["path"] = .string("/\(member)\(path)")
    return with(data: data)
  }
}
