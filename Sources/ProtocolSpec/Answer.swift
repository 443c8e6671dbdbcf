package import JSON

/// The answer to one request, to be written in its dialect.
package struct Answer: Sendable {
  package let dialect: Dialect
  package let id: JSONValue?
  package let outcome: Result<JSONValue, ProtocolFault>
  /// Whether JSON-RPC leaves out an id that could not be read; it is null otherwise.
  package let omitsUnknownID: Bool

  package init(
    dialect: Dialect, id: JSONValue?, outcome: Result<JSONValue, ProtocolFault>, omitsUnknownID: Bool = false
  ) {
    self.dialect = dialect
    self.id = id
    self.outcome = outcome
    self.omitsUnknownID = omitsUnknownID
  }

  /// The JSON text of the answer, added to `output`.
  package func write(to output: inout [UInt8]) {
    switch dialect {
    case .bare: JSONWriter.append(bare, to: &output)
    case .jsonrpc: JSONWriter.append(jsonrpc, to: &output)
    }
  }

  private var bare: JSONValue {
    var members = JSONObject()
    switch outcome {
    case .success(let result): members["result"] = result
    case .failure(let fault) where fault.isBareResult:
      members["result"] = ["error": .string(fault.message)]
    case .failure(let fault): members["error"] = .string(fault.message)
    }
    members["id"] = id
    return .object(members)
  }

  private var jsonrpc: JSONValue {
    var members = JSONObject([("jsonrpc", "2.0")])
    members["id"] = omitsUnknownID ? id : id ?? .null
    switch outcome {
    case .success(let result): members["result"] = result
    case .failure(let fault): members["error"] = fault.json
    }
    return .object(members)
  }
}
