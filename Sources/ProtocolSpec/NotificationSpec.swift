package import JSON
package import JSONSchema
internal import YAML

/// What may be subscribed to.
package enum Topic: String, Sendable, CaseIterable {
  case tasks, system
}

/// The notifications of the protocol by name; what they carry is in `Spec/notifications/`.
package enum NotificationName: String, Sendable, CaseIterable {
  case taskChanged = "task_changed"
  case systemChanged = "system_changed"
}

/// One file of `Spec/notifications/`: what an endpoint sends to who subscribed.
package struct NotificationSpec: Sendable {
  package let name: NotificationName
  package let topic: Topic
  package let summary: String
  /// The schema of the params, standing alone, for documents.
  package let paramsSchema: JSONValue
  package let params: JSONSchema
  /// Names and params, for documents; they fit the schema.
  package let examples: [(name: String, params: JSONObject)]

  init(
    _ node: YAMLNode, _ schemas: SpecSchemas, _ requirements: inout RequirementReader
  ) throws(SourceError) {
    try node.checkKeys(["format", "notification", "topic", "summary", "params", "examples", "requirements"])
    name = try node.required("notification").choice()
    topic = try node.required("topic").choice()
    summary = try node.required("summary").string()
    let paramsNode = try node.required("params")
    paramsSchema = try schemas.standalone.make(paramsNode)
    let params = try schemas.compile(paramsNode)
    self.params = params
    var examples: [(name: String, params: JSONObject)] = []
    for entry in try node["examples"]?.sequence() ?? [] {
      try entry.checkKeys(["name", "params"])
      let given = try entry.required("params")
      if let violation = params.firstViolation(given.json) {
        throw given.nearest(at: violation.instance).error(violation.message)
      }
      examples.append((try entry.required("name").string(), given.json.object ?? JSONObject()))
    }
    self.examples = examples
    try requirements.read(node)
  }

  /// The notification with these params, as JSON-RPC 2.0 §4.1 has it.
  package func message(_ params: JSONObject) -> JSONValue {
    ["jsonrpc": "2.0", "method": .string(name.rawValue), "params": .object(params)]
  }
}
