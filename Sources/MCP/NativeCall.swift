package import JSON
package import ProtocolSpec

/// A call that is under way for a request of MCP: the native request to run, and how its outcome is told.
package struct NativeCall: Sendable {
  package let request: Request
  private let tell: @Sendable (Result<JSONValue, ProtocolFault>) -> Result<JSONValue, ProtocolFault>

  init(
    request: Request,
    tell: @escaping @Sendable (Result<JSONValue, ProtocolFault>) -> Result<JSONValue, ProtocolFault>
  ) {
    self.request = request
    self.tell = tell
  }

  /// The outcome of `request` as that of the request of MCP.
  package func outcome(_ outcome: Result<JSONValue, ProtocolFault>) -> Result<JSONValue, ProtocolFault> {
    tell(outcome)
  }
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
