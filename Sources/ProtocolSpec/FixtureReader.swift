internal import JSON
internal import JSONSchema
internal import YAML

/// Reads the entries of `Spec/fixtures.yaml`.
struct FixtureReader {
  /// What stands for `$name`.
  let assets: JSONObject

  static func list<Entry>(
    _ node: YAMLNode, _ read: (YAMLNode) throws(SourceError) -> Entry, name: KeyPath<Entry, String>
  ) throws(SourceError) -> [Entry] {
    var entries: [Entry] = []
    for element in try node.sequence() {
      let entry = try read(element)
      if entries.contains(where: { $0[keyPath: name] == entry[keyPath: name] }) {
        throw element.error("\(entry[keyPath: name]) stands twice")
      }
      entries.append(entry)
    }
    return entries
  }

  func tool(_ node: YAMLNode) throws(SourceError) -> FixtureSpec.Tool {
    try node.checkKeys([
      "name", "title", "description", "input", "task", "handler", "with", "text", "result",
    ])
    let input = node["input"]
    var defaults = JSONObject()
    for entry in input?["properties"]?.entries ?? [] {
      if let value = entry.value["default"] { defaults[entry.key] = value.json }
    }
    let schema = input?.json ?? ["type": "object"]
    return FixtureSpec.Tool(
      name: try node.required("name").string(), title: try node.required("title").string(),
      description: try node.required("description").string(), inputSchema: schema,
      input: try compile(schema, input ?? node), defaults: defaults,
      tasks: try node["task"]?.choice() ?? .never, handler: try handler(node), result: try result(node))
  }

  func prompt(_ node: YAMLNode) throws(SourceError) -> FixtureSpec.Prompt {
    try node.checkKeys(["name", "title", "description", "arguments", "rounds", "messages"])
    var arguments: [FixtureSpec.Prompt.Argument] = []
    for entry in try node["arguments"]?.sequence() ?? [] {
      try entry.checkKeys(["name", "description", "required"])
      arguments.append(
        FixtureSpec.Prompt.Argument(
          name: try entry.required("name").string(),
          description: try entry.required("description").string(),
          isRequired: try entry.required("required").bool()))
    }
    let rounds = try node["rounds"].map { node throws(SourceError) in try self.rounds(node) }
    return FixtureSpec.Prompt(
      name: try node.required("name").string(), title: try node.required("title").string(),
      description: try node.required("description").string(), arguments: arguments,
      asking: rounds.map {
        FixtureSpec.Asking(rounds: $0, isSealed: false, elseText: nil, isBeforeTask: false)
      }, messages: try content(node.required("messages")))
  }

  func resource(_ node: YAMLNode) throws(SourceError) -> FixtureSpec.Resource {
    try node.checkKeys(["uri", "name", "title", "description", "mime_type", "text", "blob"])
    let uri = try node.required("uri").string()
    let mimeType = try node.required("mime_type").string()
    var contents = JSONObject([("uri", .string(uri)), ("mimeType", .string(mimeType))])
    let body = node["blob"] == nil ? "text" : "blob"
    contents[body] = try content(node.required(body))
    return FixtureSpec.Resource(
      uri: uri, name: try node.required("name").string(), title: try node.required("title").string(),
      description: try node.required("description").string(), mimeType: mimeType, contents: contents)
  }

  func template(_ node: YAMLNode) throws(SourceError) -> FixtureSpec.Template {
    try node.checkKeys(["uri", "name", "title", "description", "mime_type", "text"])
    return FixtureSpec.Template(
      uri: try node.required("uri").string(), name: try node.required("name").string(),
      title: try node.required("title").string(), description: try node.required("description").string(),
      mimeType: try node.required("mime_type").string(), text: try node.required("text").string())
  }

  private enum Name: String, CaseIterable {
    case log, progress, wait, ask, require, change, reconnect, fault
  }

  private func handler(_ node: YAMLNode) throws(SourceError) -> FixtureSpec.Handler {
    guard let entry = node["handler"] else { return .none }
    let name: Name = try entry.choice()
    if name == .fault { return .fault }
    let with = try node.required("with")
    switch name {
    case .log:
      try with.checkKeys(["entries", "pause"])
      var entries: [FixtureSpec.LogEntry] = []
      for line in try with.required("entries").sequence() {
        try line.checkKeys(["level", "data"])
        entries.append(
          FixtureSpec.LogEntry(
            level: try line.required("level").string(), data: try line.required("data").json))
      }
      return .log(entries, pause: try with.required("pause").duration())
    case .progress:
      try with.checkKeys(["steps", "total", "message", "pause"])
      var steps: [Int] = []
      for step in try with.required("steps").sequence() { steps.append(try step.int()) }
      let progress = FixtureSpec.Progress(
        steps: steps, total: try with.required("total").int(),
        message: try with.required("message").string())
      return .progress(progress, pause: try with.required("pause").duration())
    case .wait:
      try with.checkKeys(["argument", "unit", "pause"])
      return .wait(
        argument: try with.required("argument").string(), unit: try with.required("unit").duration(),
        pause: try with.required("pause").duration())
    case .ask: return .ask(try asking(with))
    case .require:
      try with.checkKeys(["capabilities"])
      return .require(try with.required("capabilities").json.object ?? JSONObject())
    case .change:
      try with.checkKeys(["list"])
      return .change(try with.required("list").choice())
    case .reconnect:
      try with.checkKeys(["pause"])
      return .reconnect(pause: try with.required("pause").duration())
    case .fault: return .fault
    }
  }

  private func asking(_ node: YAMLNode) throws(SourceError) -> FixtureSpec.Asking {
    try node.checkKeys(["rounds", "sealed", "declared", "else_text", "before_task"])
    let onlyDeclared = try node["declared"]?.bool() ?? false
    let text = onlyDeclared ? try node.required("else_text").string() : nil
    let rounds = try rounds(node.required("rounds"))
    let isSealed = try node["sealed"]?.bool() ?? false
    // Without state nothing would tell which round it is.
    if rounds.count > 1, !isSealed { throw node.error("more than one round has to be sealed") }
    return FixtureSpec.Asking(
      rounds: rounds, isSealed: isSealed, elseText: text,
      isBeforeTask: try node["before_task"]?.bool() ?? false)
  }

  private func rounds(_ node: YAMLNode) throws(SourceError) -> [[FixtureSpec.Ask]] {
    var rounds: [[FixtureSpec.Ask]] = []
    for round in try node.sequence() {
      var asks: [FixtureSpec.Ask] = []
      for entry in try round.mapping() {
        try entry.value.checkKeys(["method", "params"])
        let method = try entry.value.required("method")
        asks.append(
          FixtureSpec.Ask(
            key: entry.key, method: try method.string(among: ClientInput.methods, what: "method"),
            params: try content(entry.value.required("params")).object ?? JSONObject()))
      }
      rounds.append(asks)
    }
    guard !rounds.isEmpty else { throw node.error("at least one round is expected") }
    return rounds
  }

  private func result(_ node: YAMLNode) throws(SourceError) -> JSONObject {
    if let text = node["text"] {
      return ["content": [["type": "text", "text": .string(try text.string())]]]
    }
    let result = try node.required("result")
    guard case .object(let members) = try content(result) else { throw result.error("a mapping is expected") }
    return members
  }

  /// The value of `node`, every text `$name` being the asset of that name.
  private func content(_ node: YAMLNode) throws(SourceError) -> JSONValue {
    switch node.content {
    case .scalar(.string(let text)) where text.hasPrefix("$"):
      guard let asset = assets[String(text.dropFirst())] else {
        throw node.error("there is no asset \(text.dropFirst())")
      }
      return asset
    case .scalar(let value): return value
    case .sequence(let elements):
      var values: [JSONValue] = []
      for element in elements { values.append(try content(element)) }
      return .array(values)
    case .mapping(let entries):
      var members = JSONObject()
      for entry in entries { members[entry.key] = try content(entry.value) }
      return .object(members)
    }
  }

  private func compile(_ schema: JSONValue, _ node: YAMLNode) throws(SourceError) -> JSONSchema {
    do throws(SchemaError) {
      return try JSONSchema(schema)
    } catch {
      throw node.nearest(at: error.pointer).error(error.reason)
    }
  }
}

/// What a server may ask its client for, and the capability that the client declares for it.
package enum ClientInput {
  static let methods = ["sampling/createMessage", "elicitation/create", "roots/list"]

  package static func capability(of method: String) -> String {
    String(method.prefix { $0 != "/" })
  }
}
