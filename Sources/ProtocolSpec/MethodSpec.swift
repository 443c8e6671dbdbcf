package import JSON
package import JSONSchema
package import YAML

/// One file of `Spec/methods/`, or one method of `Spec/mcp.yaml`.
package struct MethodSpec: Sendable {
  package let name: String
  /// Which method of MCP it is; nil for those of the protocol itself.
  package let mcp: MCPMethod?
  /// In which it is served; both unless the specification says otherwise.
  package let dialects: [Dialect]
  package let summary: String
  /// The schemas of params and result, standing alone, for documents and tools.
  package let paramsSchema: JSONValue
  package let resultSchema: JSONValue
  package let params: JSONSchema
  package let result: JSONSchema
  /// The schema of the result in the bare dialect, where it differs.
  package let bareResult: JSONSchema?
  package let bareResultSchema: JSONValue?
  /// What is asked and answered, for documents; it fits the schemas.
  package let examples: [MethodExample]
  package let errors: [ErrorName]
  package let place: SourcePlace
  private let defaults: [(key: String, value: JSONValue)]
  private let table: ErrorTable

  init(
    _ node: YAMLNode, _ schemas: SpecSchemas, _ table: ErrorTable, _ requirements: inout RequirementReader,
    mcp: MCPMethod? = nil
  ) throws(SourceError) {
    try node.checkKeys(
      [
        "format", "method", "dialects", "summary", "params", "result", "bare_result", "errors", "examples",
        "requirements",
      ] + (mcp == nil ? [] : MCPMethodSpec.keys))
    place = node.place
    self.mcp = mcp
    self.table = table
    name = try node.required("method").string()
    var dialects: [Dialect] = []
    for entry in try node["dialects"]?.sequence() ?? [] { dialects.append(try entry.choice()) }
    self.dialects = dialects.isEmpty ? Dialect.allCases : dialects
    summary = try node.required("summary").string()
    let paramsNode = try node.required("params")
    paramsSchema = try schemas.standalone.make(paramsNode)
    params = try schemas.compile(paramsNode)
    let resultNode = try node.required("result")
    resultSchema = try schemas.standalone.make(resultNode)
    result = try schemas.compile(resultNode)
    bareResult = try node["bare_result"].map { node throws(SourceError) in try schemas.compile(node) }
    bareResultSchema = try node["bare_result"].map { node throws(SourceError) in
      try schemas.standalone.make(node)
    }
    examples = try MethodExample.list(node["examples"], params: params, result: result)
    var errors: [ErrorName] = []
    for entry in try node.required("errors").sequence() { errors.append(try entry.choice()) }
    self.errors = errors
    var defaults: [(key: String, value: JSONValue)] = []
    for entry in paramsNode["properties"]?.entries ?? [] {
      if let value = entry.value["default"] { defaults.append((entry.key, value.json)) }
    }
    self.defaults = defaults
    try requirements.read(node)
  }

  /// The params with the defaults of the schema filled in, or the fault that a client is told.
  package func checked(
    _ params: JSONValue?, texts: EnvelopeTexts
  ) throws(ProtocolFault) -> JSONObject {
    let given = params ?? .object(JSONObject())
    guard case .object(var object) = given else {
      throw table.fault(
        .invalidParams, variant: "root", ["detail": texts.mustBeObject],
        data: JSONObject([("path", ""), ("keyword", "type")]))
    }
    if let violation = self.params.firstViolation(given) { throw fault(for: violation) }
    for (key, value) in defaults where !object.contains(key) { object[key] = value }
    return object
  }

  private func fault(for violation: SchemaViolation) -> ProtocolFault {
    var path = violation.instance
    if violation.keyword == "required", let property = violation.property {
      path = path.appending(property)
      return invalidParams(
        path: path, keyword: violation.keyword, variant: "required",
        ["field": path.tokens.joined(separator: "/")])
    }
    return invalidParams(
      path: path, keyword: violation.keyword, variant: path.tokens.isEmpty ? "root" : nil,
      ["path": path.description, "detail": violation.message])
  }

  /// An `invalid_params` about something no schema can say.
  package func invalidParams(path: JSONPointer, keyword: String, detail: String) -> ProtocolFault {
    invalidParams(
      path: path, keyword: keyword, variant: nil, ["path": path.description, "detail": detail])
  }

  /// An `invalid_params` in the words of one of its variants, or in its own for nil.
  package func invalidParams(
    path: JSONPointer, keyword: String, variant: String?, _ values: [String: String]
  ) -> ProtocolFault {
    table.fault(
      .invalidParams, variant: variant, values,
      data: JSONObject([("path", .string(path.description)), ("keyword", .string(keyword))]))
  }
}

/// One request and its answer.
package struct MethodExample: Sendable {
  package let name: String
  package let params: JSONObject
  package let result: JSONValue

  static func list(
    _ node: YAMLNode?, params: JSONSchema, result: JSONSchema
  ) throws(SourceError) -> [MethodExample] {
    var examples: [MethodExample] = []
    for entry in try node?.sequence() ?? [] {
      try entry.checkKeys(["name", "params", "result"])
      let given = try entry.required("params")
      let answer = try entry.required("result")
      for (value, schema) in [(given, params), (answer, result)] {
        guard let violation = schema.firstViolation(value.json) else { continue }
        throw value.nearest(at: violation.instance).error(violation.message)
      }
      examples.append(
        MethodExample(
          name: try entry.required("name").string(), params: given.json.object ?? JSONObject(),
          result: answer.json))
    }
    return examples
  }
}

/// Compiles the schemas of the specification, which may refer to `omni:task`.
struct SpecSchemas {
  let task: JSONSchema
  let standalone: SelfContainedSchema
  private let registry: SchemaRegistry

  init(task node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["format", "schema"])
    let schema = try node.required("schema")
    let identifier = try schema.required("$id").string()
    var registry = SchemaRegistry()
    registry.add(schema.json, uri: identifier)
    self.registry = registry
    standalone = SelfContainedSchema(shared: schema.json, uri: identifier)
    task = try Self.compile(schema, registry)
  }

  func compile(_ node: YAMLNode) throws(SourceError) -> JSONSchema { try Self.compile(node, registry) }

  private static func compile(_ node: YAMLNode, _ registry: SchemaRegistry) throws(SourceError) -> JSONSchema
  {
    do throws(SchemaError) {
      return try JSONSchema(node.json, registry: registry)
    } catch {
      throw node.nearest(at: error.pointer).error(error.reason)
    }
  }
}
