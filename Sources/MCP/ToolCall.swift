package import JSON
package import ProtocolSpec

/// A call of a tool that is under way: the native request to run, and how its outcome is told.
package struct ToolCall: Sendable {
  package let request: Request
  let revision: MCPRevision

  /// The outcome of `request` as that of `tools/call`.
  package func outcome(_ outcome: Result<JSONValue, ProtocolFault>) -> Result<JSONValue, ProtocolFault> {
    switch outcome {
    case .success(let value): .success(ToolResult.success(value).json(revision))
    case .failure(let fault): Self.outcome(fault, revision)
    }
  }

  static func outcome(_ fault: ProtocolFault, _ revision: MCPRevision) -> Result<JSONValue, ProtocolFault> {
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
