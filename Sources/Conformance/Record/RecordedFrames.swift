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
  /// Texts that the client has said, with the names of their members: the server echoes them exactly.
  var said: Set<String> = []
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
    guard let object = frame.object, !object.hasMatcherKeys else { return try values.plain(frame, place) }
    let speaker = place.isServer ? "server" : "client"
    let other = place.isServer ? "client" : "server"
    let isRequest = object["method"] != nil
    let request = isRequest ? began(object, speaker, connection) : ended(object, other, connection)
    var members = JSONObject()
    for (key, value) in object {
      let inside = place.appending(key)
      switch key {
      case "jsonrpc" where dialect.isJSONRPC && value == "2.0": continue
      case "id": members[key] = id(value, request, isRequest: isRequest)
      case "params" where isRequest: members[key] = try params(value, request, inside)
      case "result" where !isRequest: members[key] = try result(value, request, inside)
      case "error" where !isRequest: members[key] = try error(value, inside)
      default: members[key] = try values.plain(value, key: key, inside)
      }
    }
    // JSON-RPC 2.0 §5 has an id in every answer: one without is written as such.
    if dialect.isJSONRPC, !isRequest, !object.contains("id") { members["id"] = ["$absent": true] }
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
      let asker = place.isServer ? "server" : "client"
      let id = value["requestId"].flatMap { openID($0, asker) }
      return try members(value, place) { frames, key, member, inside throws(RecordingProblem) in
        key == "requestId" ? id ?? member : try frames.values.plain(member, key: key, inside)
      }
    case MCPMethod.toolsCall.rawValue:
      return try members(value, place) { frames, key, member, inside throws(RecordingProblem) in
        key == "arguments"
          ? try frames.arguments(member, inside) : try frames.values.plain(member, key: key, inside)
      }
    default: return try arguments(value, place)
    }
  }

  /// An idempotency key means the same task for as long as that exists: a replay needs another.
  private mutating func arguments(_ value: JSONValue, _ place: RecordedPlace) throws(RecordingProblem)
    -> JSONValue
  {
    try members(value, place) { frames, key, member, inside throws(RecordingProblem) in
      guard key == "idempotency_key", let text = member.string, !text.isEmpty else {
        return try frames.values.plain(member, key: key, inside)
      }
      return try frames.values.chosen(text, key: "key", inside)
    }
  }

  /// An object with each of its members made by `line`; anything else as it is.
  private mutating func members(
    _ value: JSONValue, _ place: RecordedPlace,
    _ line: (inout RecordedFrames, String, JSONValue, RecordedPlace) throws(RecordingProblem) -> JSONValue
  ) throws(RecordingProblem) -> JSONValue {
    guard let object = value.object, !object.hasMatcherKeys else { return try values.plain(value, place) }
    var members = JSONObject()
    for (key, member) in object {
      try values.check(key: key, place)
      members[key] = try line(&self, key, member, place.appending(key))
    }
    return .object(members)
  }

  mutating func versionLoosened(
    _ value: JSONValue, _ member: String, _ place: RecordedPlace
  ) throws(RecordingProblem) -> JSONValue {
    guard var object = try values.plain(value, place).object else { return try values.plain(value, place) }
    if var info = object[member]?.object, info["version"]?.string != nil, let version = info["version"] {
      info["version"] = ["$type": "string", "$say": version]
      object[member] = .object(info)
    }
    return .object(object)
  }

  private mutating func remember(_ value: JSONValue, key: String = "") {
    switch value {
    case .string(let text): said.insert("\(key)=\(text)")
    case .array(let elements): for element in elements { remember(element, key: key) }
    case .object(let object): for (key, member) in object { remember(member, key: key) }
    default: break
    }
  }
}
