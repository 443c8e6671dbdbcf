package import JSON
internal import YAML

/// The errors of the protocol by name; their codes and texts are in `Spec/errors.yaml`.
package enum ErrorName: String, Sendable, CaseIterable {
  case parseError = "parse_error"
  case invalidRequest = "invalid_request"
  case methodNotFound = "method_not_found"
  case invalidParams = "invalid_params"
  case internalError = "internal_error"
  case taskNotFound = "task_not_found"
  case taskNotCancellable = "task_not_cancellable"
  case queueFull = "queue_full"
  case storageUnavailable = "storage_unavailable"
  case rateLimited = "rate_limited"
  case shuttingDown = "shutting_down"
  case subscriptionNotFound = "subscription_not_found"
  case tooManySubscriptions = "too_many_subscriptions"
  case resourceNotFound = "resource_not_found"
  case headerMismatch = "header_mismatch"
  case missingCapability = "missing_capability"
  case unsupportedVersion = "unsupported_version"
}

/// One row of `Spec/errors.yaml`.
package struct ErrorSpec: Sendable {
  package let name: ErrorName
  package let code: Int
  /// The message, with `{name}` where values go.
  package let text: String
  /// Other texts for special cases of the error, by name.
  package let variants: [String: String]
  /// Whether bare wraps it as `{"result": {"error": text}}`.
  package let isBareResult: Bool
  package let summary: String

  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["name", "code", "text", "variants", "bare_as_result", "summary", "data"])
    name = try node.required("name").choice()
    code = try node.required("code").int()
    text = try node.required("text").string()
    summary = try node.required("summary").string()
    isBareResult = try node["bare_as_result"]?.bool() ?? false
    var variants: [String: String] = [:]
    for entry in node["variants"]?.entries ?? [] { variants[entry.key] = try entry.value.string() }
    self.variants = variants
  }
}

/// An error as it is answered.
package struct ProtocolFault: Error, Sendable, Equatable {
  package let name: ErrorName
  package let code: Int
  package let message: String
  package let data: JSONObject
  package let isBareResult: Bool

  /// The error object of JSON-RPC (2.0 §5.1).
  package var json: JSONValue {
    ["code": .int(code), "message": .string(message), "data": .object(data)]
  }

  package func with(data: JSONObject) -> ProtocolFault {
    ProtocolFault(name: name, code: code, message: message, data: data, isBareResult: isBareResult)
  }
}

/// All errors of the protocol.
package struct ErrorTable: Sendable {
  package let all: [ErrorSpec]
  private let byName: [ErrorName: ErrorSpec]

  init(_ node: YAMLNode, _ requirements: inout RequirementReader) throws(SourceError) {
    try node.checkKeys(["format", "errors", "requirements"])
    let list = try node.required("errors")
    var all: [ErrorSpec] = []
    for entry in try list.sequence() {
      let error = try ErrorSpec(entry)
      if all.contains(where: { $0.code == error.code || $0.name == error.name }) {
        throw entry.error("the name or code of \(error.name.rawValue) stands twice")
      }
      all.append(error)
    }
    for name in ErrorName.allCases where !all.contains(where: { $0.name == name }) {
      throw list.error("the error \(name.rawValue) is missing")
    }
    self.all = all
    byName = Dictionary(all.map { ($0.name, $0) }) { first, _ in first }
    try requirements.read(node)
  }

  package subscript(name: ErrorName) -> ErrorSpec {
    guard let error = byName[name] else { preconditionFailure("checked when the table was read") }
    return error
  }

  /// The error `name`, its text filled with `values`.
  ///
  /// - Parameter variant: the name of another text of the error, if it applies.
  package func fault(
    _ name: ErrorName, variant: String? = nil, _ values: [String: String] = [:],
    data: JSONObject = JSONObject()
  ) -> ProtocolFault {
    let spec = self[name]
    let text = variant.flatMap { spec.variants[$0] } ?? spec.text
    return ProtocolFault(
      name: name, code: spec.code, message: fill(text, values), data: data, isBareResult: spec.isBareResult)
  }

  /// A `queue_full` or `rate_limited` that says when to come back.
  package func fault(_ name: ErrorName, retryAfter: Duration) -> ProtocolFault {
    let seconds = Int(retryAfter.components.seconds)
    return fault(name, ["seconds": String(seconds)], data: JSONObject([("retry_after_s", .int(seconds))]))
  }
}

/// `template` with every `{name}` replaced by its value; what has none is left as it is.
package func fill(_ template: String, _ values: [String: String]) -> String {
  var text = ""
  var rest = template[...]
  while let open = rest.firstIndex(of: "{") {
    text += rest[..<open]
    rest = rest[open...]
    guard let close = rest.firstIndex(of: "}") else { break }
    let name = rest[rest.index(after: open)..<close]
    text += values[String(name)] ?? String(rest[...close])
    rest = rest[rest.index(after: close)...]
  }
  return text + rest
}
