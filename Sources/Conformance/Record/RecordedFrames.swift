internal import JSON
internal import ProtocolSpec

/// Turns the messages of a recording into lines of a transcript, one after the other.
struct RecordedFrames {
  /// What an answer belongs to.
  struct Request {
    let method: String
    /// Of `tools/call`.
    let tool: String?
    /// The capture of its id, nil where it has none.
    let id: String?
  }

  let spec: Specification
  let dialect: TranscriptDialect
  /// Whether texts of models stay as they were.
  let isExact: Bool
  var values: RecordedValues
  /// What the case is evidence for, in the order in which it was seen.
  private(set) var covers: [String] = []
  /// Texts that the client has said: the server echoes them exactly.
  private var said: Set<String> = []
  private var open: [String: [(key: String?, request: Request)]] = [:]

  init(spec: Specification, dialect: TranscriptDialect, isExact: Bool, values: RecordedValues) {
    self.spec = spec
    self.dialect = dialect
    self.isExact = isExact
    self.values = values
  }

  mutating func cover(_ tag: String) { if !covers.contains(tag) { covers.append(tag) } }

  /// A line of the client or of the server.
  mutating func line(_ frame: JSONValue, connection: String, _ place: RecordedPlace) throws(RecordingProblem)
    -> JSONValue
  {
    guard case .array(let elements) = frame else { return try message(frame, connection, place) }
    var list: [JSONValue] = []
    for (index, element) in elements.enumerated() {
      list.append(try message(element, connection, place.appending(index)))
    }
    return .array(list)
  }

  /// A message of the client that is no JSON is answered too.
  mutating func unreadable(connection: String) {
    let request = Request(method: "", tool: nil, id: nil)
    open["client \(connection)", default: []].append((nil, request))
  }

  private mutating func message(
    _ frame: JSONValue, _ connection: String, _ place: RecordedPlace
  ) throws(RecordingProblem) -> JSONValue {
    guard let object = frame.object else { return try values.plain(frame, place) }
    let speaker = place.isServer ? "server" : "client"
    let other = place.isServer ? "client" : "server"
    let isRequest = object["method"] != nil
    let request = isRequest ? began(object, speaker, connection) : ended(object, other, connection)
    var members = JSONObject()
    for (key, value) in object {
      let inside = place.appending(key)
      switch key {
      case "jsonrpc" where dialect == .jsonrpc && value == "2.0": continue
      case "id": members[key] = id(value, request, isRequest: isRequest)
      case "params" where isRequest: members[key] = try params(value, request, inside)
      case "result" where !isRequest: members[key] = try result(value, request, inside)
      case "error" where !isRequest: members[key] = try error(value, inside)
      default: members[key] = try values.plain(value, key: key, inside)
      }
    }
    return .object(members)
  }

  // MARK: Ids

  private mutating func began(_ object: JSONObject, _ speaker: String, _ connection: String) -> Request {
    let method = object["method"]?.string ?? ""
    let tool = method == MCPMethod.toolsCall.rawValue ? object["params"]?["name"]?.string : nil
    if let name = [tool, method].compactMap(\.self).first(where: { spec.method($0) != nil }) {
      cover("method:\(name)")
    }
    if method == MCPMethod.initialize.rawValue { cover("req:mcp.initialize") }
    let key = object["id"].map { JSONWriter.text($0) }
    let isNamed = object["id"].map { $0.string != nil || $0.number != nil } ?? false
    let request = Request(method: method, tool: tool, id: isNamed ? values.newName("id") : nil)
    // A JSON-RPC request without an id is a notification (2.0 §4.1).
    if key != nil || !object.contains("jsonrpc") {
      open["\(speaker) \(connection)", default: []].append((key, request))
    }
    return request
  }

  private mutating func ended(_ object: JSONObject, _ asker: String, _ connection: String) -> Request? {
    let place = "\(asker) \(connection)"
    let key = object["id"].map { JSONWriter.text($0) }
    guard let found = open[place]?.firstIndex(where: { $0.key == key || ($0.key == nil && key == "null") })
    else {
      return nil
    }
    return open[place]?.remove(at: found).request
  }

  private func id(_ value: JSONValue, _ request: Request?, isRequest: Bool) -> JSONValue {
    guard let name = request?.id else { return value }
    return isRequest ? ["$type": "id", "$as": .string(name), "$say": value] : ["$ref": .string(name)]
  }

  /// The capture of the id of a request that has not been answered.
  private func openID(_ value: JSONValue, _ speaker: String) -> JSONValue? {
    let key = JSONWriter.text(value)
    for (place, requests) in open where place.hasPrefix(speaker) {
      if let name = requests.last(where: { $0.key == key })?.request.id { return ["$ref": .string(name)] }
    }
    return nil
  }

  // MARK: What a request asks

  private mutating func params(
    _ value: JSONValue, _ request: Request?, _ place: RecordedPlace
  ) throws(RecordingProblem) -> JSONValue {
    remember(value)
    switch request?.method {
    case MCPMethod.initialize.rawValue:
      return try versionLoosened(value, "clientInfo", place)
    case MCPMethod.cancelled.rawValue:
      var object = try values.plain(value, place).object ?? JSONObject()
      if let id = value["requestId"], let name = openID(id, place.isServer ? "server" : "client") {
        object["requestId"] = name
      }
      return .object(object)
    case MCPMethod.toolsCall.rawValue:
      var object = try values.plain(value, place).object ?? JSONObject()
      if let arguments = value["arguments"] {
        object["arguments"] = try keyChosen(arguments, place.appending("arguments"))
      }
      return .object(object)
    default: return try keyChosen(value, place)
    }
  }

  /// An idempotency key means the same task for as long as that exists: a replay needs another.
  private mutating func keyChosen(_ value: JSONValue, _ place: RecordedPlace) throws(RecordingProblem)
    -> JSONValue
  {
    let key = "idempotency_key"
    guard var object = try values.plain(value, place).object else { return try values.plain(value, place) }
    if let text = value[key]?.string, !text.isEmpty {
      object[key] = try values.chosen(text, key: "key", place.appending(key))
    }
    return .object(object)
  }

  private mutating func versionLoosened(
    _ value: JSONValue, _ member: String, _ place: RecordedPlace
  ) throws(RecordingProblem) -> JSONValue {
    guard var object = try values.plain(value, place).object else { return try values.plain(value, place) }
    if var info = object[member]?.object, info["version"]?.string != nil, let version = info["version"] {
      info["version"] = ["$type": "string", "$say": version]
      object[member] = .object(info)
    }
    return .object(object)
  }

  private mutating func remember(_ value: JSONValue) {
    switch value {
    case .string(let text): said.insert(text)
    case .array(let elements): for element in elements { remember(element) }
    case .object(let object): for (_, member) in object { remember(member) }
    default: break
    }
  }

  // MARK: What an answer says

  private mutating func result(
    _ value: JSONValue, _ request: Request?, _ place: RecordedPlace
  ) throws(RecordingProblem) -> JSONValue {
    if let object = value.object, object.count == 1, let text = object["error"]?.string,
      let error = spec.errors.all.first(where: { $0.isBareResult && $0.text == text })
    {
      cover("error:\(error.name.rawValue)")
      return ["error": ["$spec": .string("\(error.name.rawValue).text")]]
    }
    switch request?.method {
    case MCPMethod.initialize.rawValue: return try versionLoosened(value, "serverInfo", place)
    case MCPMethod.toolsCall.rawValue:
      return try toolResult(value, request?.tool.flatMap(spec.method), place)
    case let method?:
      guard let method = spec.method(method), value.object != nil else { break }
      return try loosened(value, of: method, place)
    case nil: break
    }
    return try values.plain(value, place)
  }

  private mutating func toolResult(
    _ value: JSONValue, _ tool: MethodSpec?, _ place: RecordedPlace
  ) throws(RecordingProblem) -> JSONValue {
    guard let tool, let object = value.object else { return try values.plain(value, place) }
    var members = JSONObject()
    for (key, member) in object {
      let inside = place.appending(key)
      switch key {
      case "structuredContent": members[key] = try loosened(member, of: tool, inside)
      case "content":
        var list: [JSONValue] = []
        for (index, element) in (member.array ?? []).enumerated() {
          list.append(try content(element, tool, inside.appending(index)))
        }
        members[key] = .array(list)
      default: members[key] = try values.plain(member, key: key, inside)
      }
    }
    return .object(members)
  }

  /// A piece of content whose text is JSON says the same as the structured content.
  private mutating func content(
    _ value: JSONValue, _ tool: MethodSpec, _ place: RecordedPlace
  ) throws(RecordingProblem) -> JSONValue {
    guard var object = value.object, let text = object["text"]?.string else {
      return try values.plain(value, place)
    }
    let inside = place.appending("text")
    object["text"] = nil
    var members = try values.plain(.object(object), place).object ?? JSONObject()
    if let inner = try? JSONParser.parse(text), let told = inner.object {
      let isError = told["code"]?.int != nil && told["message"]?.string != nil
      members["text"] = ["$json": isError ? try error(inner, inside) : try loosened(inner, of: tool, inside)]
    } else {
      members["text"] = try values.free(text, key: "text", inside)
    }
    return .object(members)
  }

  /// An error of JSON-RPC, or the text that is one in bare.
  private mutating func error(_ value: JSONValue, _ place: RecordedPlace) throws(RecordingProblem)
    -> JSONValue
  {
    if let text = value.string {
      let found = spec.errors.all.compactMap { error in
        error.specified(text).map { (error, $0, error.fixedCount($0)) }
      }.max { $0.2 < $1.2 }
      guard let (error, name, _) = found else { return try values.plain(value, key: "error", place) }
      cover("error:\(error.name.rawValue)")
      return try specified(name, text, place)
    }
    guard let object = value.object, let code = object["code"]?.int,
      let error = spec.errors.all.first(where: { $0.code == code })
    else { return try values.plain(value, place) }
    cover("error:\(error.name.rawValue)")
    var members = JSONObject()
    for (key, member) in object {
      let inside = place.appending(key)
      switch key {
      case "code": members[key] = ["$spec": .string(error.name.rawValue)]
      case "message":
        guard let text = member.string, let name = error.specified(text) else {
          members[key] = try values.plain(member, key: key, inside)
          continue
        }
        members[key] = try specified(name, text, inside)
      default: members[key] = numbersLoosened(try values.plain(member, key: key, inside))
      }
    }
    return .object(members)
  }

  private mutating func specified(_ name: String, _ text: String, _ place: RecordedPlace)
    throws(RecordingProblem) -> JSONValue
  {
    guard spec.errors.template(name)?.literal == nil else { return ["$spec": .string(name)] }
    return ["$spec": .string(name), "$say": try values.text(text, key: "message", place)]
  }

  private func numbersLoosened(_ value: JSONValue) -> JSONValue {
    switch value {
    case .number: ["$type": "number", "$say": value]
    case .object(let object) where !object.keys.contains(where: { $0.hasPrefix("$") }):
      .object(JSONObject(object.map { ($0.key, numbersLoosened($0.value)) }))
    default: value
    }
  }

  // MARK: Schemas

  private mutating func loosened(
    _ value: JSONValue, of method: MethodSpec, _ place: RecordedPlace
  ) throws(RecordingProblem) -> JSONValue {
    let schema = RecordedSchema(method.resultSchema)
    return try loosened(value, schema, isRequired: true, key: "", place) ?? value
  }

  /// What the schema lets another run answer; nil for what it may leave out.
  private mutating func loosened(
    _ value: JSONValue, _ schema: RecordedSchema, isRequired: Bool, key: String, _ place: RecordedPlace
  ) throws(RecordingProblem) -> JSONValue? {
    switch value {
    case .object(let object): return try members(object, schema, place)
    case .array(let elements):
      guard let items = schema.items, elements.contains(where: { $0.object != nil }) else {
        return try values.plain(value, key: key, place)
      }
      return try listed(elements, items, place)
    case .number:
      guard schema.isKnown, !schema.isFixed else { return value }
      return isRequired ? ["$type": schema.isInteger ? "int" : "number", "$say": value] : nil
    case .string(let text):
      noteState(key, text)
      let isFree = schema.isKnown && !schema.isFixed && !isExact && !said.contains(text)
      let known =
        try isFree
        ? values.free(text, key: key, place) : values.text(text, key: key, place)
      return !isRequired && known["$type"] == "timestamp" ? nil : known
    case .null, .bool: return value
    }
  }

  private mutating func members(
    _ object: JSONObject, _ schema: RecordedSchema, _ place: RecordedPlace
  ) throws(RecordingProblem) -> JSONValue {
    let state = object["state"]?.string.flatMap(TaskState.init(rawValue:))
    // A task that has not ended may be further along when it is asked for again.
    let isUnderWay = state.map { !spec.taskStates.final.contains($0) } ?? false && schema.isKnown
    var members = JSONObject()
    for (key, value) in object {
      let inside = place.appending(key)
      if key == "state", isUnderWay, let state {
        noteState(key, state.rawValue)
        members[key] = ["$oneOf": .array(spec.taskStates.reachable(from: state)), "$say": value]
        continue
      }
      members[key] = try loosened(
        value, schema.member(key), isRequired: schema.requires(key), key: key, inside)
    }
    return .object(members)
  }

  /// A list of things of which others may be there next time: one of them tells.
  private mutating func listed(
    _ elements: [JSONValue], _ items: RecordedSchema, _ place: RecordedPlace
  ) throws(RecordingProblem) -> JSONValue {
    let ids = elements.map { $0["task_id"]?.string ?? "" }
    let asked = ids.filter(values.isReused)
    let teller = ids.firstIndex { values.name(of: $0) != nil } ?? ids.firstIndex(of: asked.first ?? "") ?? 0
    // Captured are what a match sees: the one that tells, or all where several are asked for later.
    let isWhole = asked.filter { values.name(of: $0) == nil && $0 != ids[teller] }.count > 0
    var said: [JSONValue] = []
    var told = JSONObject()
    for (index, element) in elements.enumerated() {
      let before = values
      let line = try loosened(element, items, isRequired: true, key: "", place.appending(index)) ?? element
      if index == teller || isWhole {
        said.append(line)
      } else {
        values = before
        said.append(Self.withoutCaptures(line))
      }
      guard index == teller, let object = line.object else { continue }
      for key in ["task_id", "description", "state"] { told[key] = object[key] }
    }
    return isWhole ? .array(said) : ["$contains": .object(told), "$say": .array(said)]
  }

  private static func withoutCaptures(_ value: JSONValue) -> JSONValue {
    switch value {
    case .array(let elements): .array(elements.map(withoutCaptures))
    case .object(let object):
      .object(JSONObject(object.filter { $0.key != "$as" }.map { ($0.key, withoutCaptures($0.value)) }))
    default: value
    }
  }

  private mutating func noteState(_ key: String, _ text: String) {
    switch key {
    case "state", "status": if TaskState(rawValue: text) != nil { cover("state:\(text)") }
    case "system_state": if SystemState(rawValue: text) != nil { cover("system:\(text)") }
    default: break
    }
  }
}
