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

extension Answer {
  /// Writes a success whose id and result are texts already, into `output`; the same bytes as
  /// `write(to:)` gives, without a value in between.
  ///
  /// - Parameters:
  ///   - id: the text of the id as it was sent; nil for a bare request without one.
  ///   - output: at least `plainSize` bytes.
  /// - Returns: how many bytes were written.
  package static func writePlain(
    _ dialect: Dialect, id: UnsafeRawBufferPointer?, result: [UInt8], to output: UnsafeMutableRawBufferPointer
  ) -> Int {
    var writer = PlainWriter(output: output)
    switch dialect {
    case .bare:
      writer.put("{\"result\":")
      result.withUnsafeBytes { writer.put($0) }
      if let id {
        writer.put(",\"id\":")
        writer.put(id)
      }
    case .jsonrpc:
      writer.put("{\"jsonrpc\":\"2.0\",\"id\":")
      if let id { writer.put(id) } else { writer.put("null") }
      writer.put(",\"result\":")
      result.withUnsafeBytes { writer.put($0) }
    }
    writer.put("}")
    return writer.count
  }

  /// Room that `writePlain` needs.
  package static func plainSize(id: Int, result: Int) -> Int { id + result + 48 }
}

/// Appends to memory that has been measured before.
private struct PlainWriter {
  let output: UnsafeMutableRawBufferPointer
  private(set) var count = 0

  init(output: UnsafeMutableRawBufferPointer) { self.output = output }

  @inline(__always)
  mutating func put(_ text: StaticString) {
    put(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  @inline(__always)
  mutating func put(_ bytes: UnsafeRawBufferPointer) {
    let end = count + bytes.count
    UnsafeMutableRawBufferPointer(rebasing: output[count..<end]).copyMemory(from: bytes)
    count = end
  }
}
