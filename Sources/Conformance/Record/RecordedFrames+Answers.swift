internal import JSON
internal import ProtocolSpec

// What an answer says, as another run may say it.
extension RecordedFrames {
  mutating func result(
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
    guard let tool, let object = value.object, !object.hasMatcherKeys else {
      return try values.plain(value, place)
    }
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
    guard var object = value.object, !object.hasMatcherKeys, let text = object["text"]?.string else {
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
  mutating func error(_ value: JSONValue, _ place: RecordedPlace) throws(RecordingProblem)
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
    guard let object = value.object, !object.hasMatcherKeys, let code = object["code"]?.int,
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
    case .object(let object):
      guard !object.hasMatcherKeys else { return try values.plain(value, key: key, place) }
      return try members(object, schema, place)
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
      let isFree = schema.isKnown && !schema.isFixed && !isExact && !said.contains("\(key)=\(text)")
      let known =
        try isFree
        ? values.free(text, key: key, place) : values.text(text, key: key, place)
      // When a thing happened, and whether there is more of it, is of the moment.
      let isOfTheMoment = known["$type"] == "timestamp" || (key == "next_cursor" && known["$as"] == nil)
      return !isRequired && isOfTheMoment ? nil : known
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
        said.append(Self.withoutCaptures(line, element))
      }
      guard index == teller, let object = line.object else { continue }
      for key in ["task_id", "description", "state"] { told[key] = object[key] }
    }
    return isWhole ? .array(said) : ["$contains": .object(told), "$say": .array(said)]
  }

  /// A line with what it would capture as it was: nobody asks for that later.
  private static func withoutCaptures(_ line: JSONValue, _ recorded: JSONValue) -> JSONValue {
    if let elements = line.array, let was = recorded.array, elements.count == was.count {
      return .array(zip(elements, was).map(withoutCaptures))
    }
    guard let object = line.object else { return line }
    guard !object.contains("$as") else { return recorded }
    return .object(
      JSONObject(
        object.map { key, value in (key, recorded[key].map { withoutCaptures(value, $0) } ?? value) }))
  }

  private mutating func noteState(_ key: String, _ text: String) {
    switch key {
    case "state", "status": if TaskState(rawValue: text) != nil { cover("state:\(text)") }
    case "system_state": if SystemState(rawValue: text) != nil { cover("system:\(text)") }
    default: break
    }
  }
}
