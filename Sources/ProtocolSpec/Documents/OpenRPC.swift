package import JSON

extension Specification {
  /// The methods as an OpenRPC document: https://spec.open-rpc.org (1.3.2).
  package var openRPC: JSONValue {
    var schemas = SharedSchemas(task: methods)
    let methods = methods.map { method in openRPC(method, &schemas) }
    let notifications = notifications.map { notification in openRPC(notification, &schemas) }
    return [
      "openrpc": "1.3.2",
      "info": [
        "title": .string(overview.title), "version": .string(overview.revision),
        "description": .string(overview.summary),
      ],
      "servers": [["name": "default", "url": .string(defaultURL)]],
      "methods": .array(methods),
      "components": ["schemas": .object(schemas.all)],
      // OpenRPC has methods that a client calls only; an extension may begin with x-.
      "x-notifications": .array(notifications),
    ]
  }

  private func openRPC(_ notification: NotificationSpec, _ schemas: inout SharedSchemas) -> JSONValue {
    [
      "name": .string(notification.name.rawValue), "summary": .string(notification.summary),
      "topic": .string(notification.topic.rawValue),
      "params": schemas.hoisted(notification.paramsSchema, of: notification.name.rawValue),
    ]
  }

  /// Where an endpoint listens unless told otherwise.
  package var defaultURL: String { "ws://\(overview.host):\(overview.port)" }

  private func openRPC(_ method: MethodSpec, _ schemas: inout SharedSchemas) -> JSONValue {
    var members: JSONObject = JSONObject([
      ("name", .string(method.name)), ("summary", .string(method.summary)),
      ("paramStructure", "by-name"),
    ])
    if !method.dialects.contains(.bare) { members["description"] = "It is served in JSON-RPC only." }
    if let bare = method.bareResultSchema {
      members["description"] = .string("In the bare dialect the result is \(bare["const"] ?? bare).")
    }
    let params = schemas.hoisted(method.paramsSchema, of: method.name)
    let required = params["required"]?.array ?? []
    members["params"] = .array(
      (params["properties"]?.object ?? JSONObject()).map { name, schema in
        var descriptor = JSONObject([("name", .string(name))])
        if let text = schema["description"] { descriptor["description"] = text }
        descriptor["required"] = .bool(required.contains(.string(name)))
        descriptor["schema"] = schema
        return .object(descriptor)
      })
    members["result"] = ["name": "result", "schema": schemas.hoisted(method.resultSchema, of: method.name)]
    members["errors"] = .array(
      method.errors.map { ["code": .int(errors[$0].code), "message": .string(errors[$0].text)] })
    members["examples"] = .array(
      method.examples.map { example in
        [
          "name": .string(example.name),
          "params": .array(example.params.map { ["name": .string($0.key), "value": $0.value] }),
          "result": ["name": "result", "value": example.result],
        ]
      })
    return .object(members)
  }
}

/// Schemas of a document, which its methods refer to: those below `$defs` of each schema, and the task.
struct SharedSchemas {
  private(set) var all = JSONObject()
  private let task: JSONValue?

  /// - Parameter methods: those whose schemas will come; the task is the result of more than one.
  init(task methods: [MethodSpec]) {
    let results = methods.map(\.resultSchema)
    task = results.first { result in results.count { $0 == result } > 1 }
  }

  /// The schema without `$defs`, its references turned to `#/components/schemas/…`.
  mutating func hoisted(_ schema: JSONValue, of method: String) -> JSONValue {
    if schema == task {
      if !all.contains("task") { all["task"] = hoistedWhole(schema, of: "task") }
      return ["$ref": "#/components/schemas/task"]
    }
    return hoistedWhole(schema, of: method)
  }

  private mutating func hoistedWhole(_ schema: JSONValue, of method: String) -> JSONValue {
    guard var members = schema.object else { return schema }
    let definitions = members["$defs"]?.object ?? JSONObject()
    members["$defs"] = nil
    var names: [String: String] = [:]
    for name in definitions.keys { names[name] = name }
    for (name, definition) in definitions {
      let moved = Self.turned(definition, names)
      if let other = all[name], other != moved { names[name] = "\(method)_\(name)" }
      all[names[name] ?? name] = moved
    }
    return Self.turned(.object(members), names)
  }

  private static func turned(_ value: JSONValue, _ names: [String: String]) -> JSONValue {
    switch value {
    case .array(let elements): return .array(elements.map { turned($0, names) })
    case .object(let object):
      return .object(
        JSONObject(
          object.map { key, member in
            guard key == "$ref", let reference = member.string, reference.hasPrefix("#/$defs/") else {
              return (key, turned(member, names))
            }
            let name = String(reference.dropFirst("#/$defs/".count))
            return (key, .string("#/components/schemas/\(names[name] ?? name)"))
          }))
    default: return value
    }
  }
}
