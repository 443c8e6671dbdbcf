internal import JSON
internal import ProtocolSpec
internal import Wire

/// One thing of a recording that becomes a step, or part of one.
struct RecordedItem {
  enum Kind {
    case client(JSONValue)
    case server(JSONValue)
    /// Of the client, and no JSON that can be written as such.
    case unreadable(step: JSONObject)
    case step(JSONObject)
    case poll(RecordedPoll)
  }

  let connection: String
  let at: Duration
  let number: Int
  let kind: Kind
  /// Of the HTTP answer that brought it, where that is not 200.
  var status: Int?
}

/// Makes one case of a transcript.
struct CaseBuilder {
  private let entries: [Recording.Entry]
  private let spec: Specification
  private let options: RecordingOptions
  private let secrets: NamedSecrets
  private let transport: PlayTransport
  private(set) var remarks: [String] = []
  private var names: [Int: String] = [:]

  static let usualWithin = Duration.seconds(2)
  /// Deeper values are written as text: those around them count for the reader's limit too.
  private static let deepest = 40
  private static let longestRaw = 64 << 10

  init(
    _ entries: [Recording.Entry], spec: Specification, options: RecordingOptions, secrets: NamedSecrets,
    transport: PlayTransport = .ws
  ) {
    self.transport = transport
    self.entries = entries
    self.spec = spec
    self.options = options
    self.secrets = secrets
  }

  /// The case; nil if nothing was said.
  mutating func made(id: String) throws(RecordingProblem) -> JSONValue? {
    let items = try self.items()
    guard !items.isEmpty else { return nil }
    let dialect = dialect(of: items)
    let frames = RecordedFrames(
      spec: spec, dialect: dialect, isExact: options.isExact,
      values: RecordedValues(secrets: secrets, reused: Self.reused(items)))
    var steps = StepMaker(frames: frames, spec: spec, keepsTiming: options.keepsTiming)
    try steps.make(RecordedPoll.folded(items, spec))
    var covers = steps.frames.covers
    if covers.isEmpty { covers = [fallback(steps.steps)] }
    var members = JSONObject([("id", .string(id)), ("title", .string(title(items)))])
    members["covers"] = .array(covers.map(JSONValue.string))
    members["dialect"] = .string(dialect.rawValue)
    if transport != .ws { members["transports"] = [.string(transport.rawValue)] }
    // What a connection says to begin with stands in the recording.
    if dialect.hasHandshake { members["begin"] = "none" }
    members["steps"] = .array(steps.steps.map(JSONValue.object))
    return .object(members)
  }

  /// What a case is evidence for that names nothing of the protocol.
  private func fallback(_ steps: [JSONObject]) -> String {
    var likely = ["wire.paths"]
    if steps.contains(where: { $0.contains("http") }) { likely.insert("wire.healthz", at: 0) }
    if steps.contains(where: { $0.contains("refused") }) { likely.insert("wire.rfc6455-4.2", at: 0) }
    if steps.contains(where: { $0.contains("raw") }) { likely.insert("wire.rfc6455-5.2", at: 0) }
    let known = likely.first { spec.requirements[$0] != nil } ?? spec.requirements.keys.min()
    return "req:\(known ?? "")"
  }

  private func title(_ items: [RecordedItem]) -> String {
    var methods: [String] = []
    for item in items {
      guard case .client(let frame) = item.kind, let method = frame["method"]?.string else { continue }
      let tool = method == MCPMethod.toolsCall.rawValue ? frame["params"]?["name"]?.string : nil
      // Only names that the specification knows: others may be anything.
      let known = [tool, method].compactMap(\.self).first {
        spec.method($0) != nil || MCPMethod(rawValue: $0) != nil
      }
      if let known, !methods.contains(known) { methods.append(known) }
    }
    guard !methods.isEmpty else { return "A recorded session." }
    let listed = methods.prefix(5).joined(separator: ", ")
    return "A recorded session: \(listed)\(methods.count > 5 ? " and more" : "")."
  }

  /// The revision of MCP that was agreed on, where others than WebSocket carried it; else all JSON-RPC,
  /// all bare, or messages as they stand.
  private func dialect(of items: [RecordedItem]) -> TranscriptDialect {
    let envelope = Self.envelope(of: items)
    guard transport != .ws, envelope == .jsonrpc else { return envelope }
    var agreed: TranscriptDialect?
    var stated: TranscriptDialect?
    for item in items {
      switch item.kind {
      case .server(let frame):
        let revision = frame["result"]?["protocolVersion"]?.string
        agreed = agreed ?? TranscriptDialect.allCases.first { $0.revision == revision && revision != nil }
      case .client(let frame):
        let revision = frame["params"]?["_meta"]?[MCPMeta.protocolVersion]?.string
        stated = stated ?? TranscriptDialect.allCases.first { $0.revision == revision && revision != nil }
      default: continue
      }
    }
    return agreed ?? stated ?? envelope
  }

  private static func envelope(of items: [RecordedItem]) -> TranscriptDialect {
    var versions: Set<Bool> = []
    for item in items {
      let frame: JSONValue
      switch item.kind {
      case .client(let value), .server(let value): frame = value
      default: continue
      }
      for element in frame.array ?? [frame] where element.object != nil {
        versions.insert(element["jsonrpc"] == "2.0")
      }
    }
    return versions == [true] ? .jsonrpc : versions == [false] ? .bare : .raw
  }

  /// Opaque texts that the server gave and the client said later.
  private static func reused(_ items: [RecordedItem]) -> Set<String> {
    var given: Set<String> = []
    var reused: Set<String> = []
    for item in items {
      switch item.kind {
      case .server(let frame): given.formUnion(frame.texts)
      case .client(let frame): reused.formUnion(handles(frame).filter(given.contains))
      default: continue
      }
    }
    return reused
  }

  /// What a client hands back: `task_id`, `cursor`, `subscription_id`.
  private static func handles(_ value: JSONValue, key: String = "") -> [String] {
    switch value {
    case .string(let text):
      key == "cursor" || key.hasSuffix("_id") || key.hasSuffix("Id") ? [text] : []
    case .array(let elements): elements.flatMap { handles($0, key: key) }
    case .object(let object): object.flatMap { handles($0.value, key: $0.key) }
    default: []
    }
  }

  // MARK: Items

  private mutating func items() throws(RecordingProblem) -> [RecordedItem] {
    var items: [RecordedItem] = []
    var ends: [Int: ConnectionEnd] = [:]
    var counts: [Int: Int] = [:]
    let talking = Set(
      entries.lazy.filter { if case .message = $0.event { true } else { false } }.map(\.connection))
    for entry in entries {
      let name = name(of: entry.connection)
      counts[entry.connection, default: 0] += 1
      let kind: RecordedItem.Kind?
      var status: Int?
      switch entry.event {
      case .opened(let request, let response):
        ends[entry.connection] = ConnectionEnd()
        let handshake = RecordedHandshake(secrets: secrets)
        kind = try handshake.accepted(request, response, isSilent: !talking.contains(entry.connection))
          .map(RecordedItem.Kind.step)
      case .answered(let request, let body, let response):
        // What ends now is no WebSocket.
        ends[entry.connection, default: ConnectionEnd()].isOver = true
        kind = .step(try RecordedHandshake(secrets: secrets).answered(request, body, response))
      case .message(let content, let direction, let wire):
        guard ends[entry.connection]?.isOver != true else { continue }
        kind = self.kind(content, direction, wire, &ends[entry.connection, default: ConnectionEnd()], name)
      case .answer(let bytes, let code):
        guard ends[entry.connection]?.isOver != true else { continue }
        if code != 200 { status = code }
        kind = self.kind(
          .text(bytes), .toClient, [], &ends[entry.connection, default: ConnectionEnd()], name)
      case .ended(let direction):
        kind = ends[entry.connection, default: ConnectionEnd()].streamEnded(direction).map(
          RecordedItem.Kind.step)
      }
      guard let kind else { continue }
      let number = counts[entry.connection] ?? 0
      items.append(
        RecordedItem(connection: name, at: entry.at, number: number, kind: kind, status: status))
    }
    return items
  }

  private mutating func name(of connection: Int) -> String {
    if let name = names[connection] { return name }
    let count = names.count
    let letter = String(UnicodeScalar(UInt8(ascii: "a") + UInt8(count % 26)))
    names[connection] = count < 26 ? letter : letter + String(count / 26 + 1)
    return names[connection] ?? letter
  }

  private mutating func kind(
    _ content: ProxyMessage.Content, _ direction: ProxyDirection, _ wire: [UInt8],
    _ end: inout ConnectionEnd, _ name: String
  ) -> RecordedItem.Kind? {
    if direction == .toServer, end.isClosedByClient {
      end.isOver = true
      remarks.append("connection \(name): what the client sent behind its Close is left out")
      return nil
    }
    switch content {
    // Protocol pings are not frames that a case must declare.
    case .ping, .pong: return nil
    case .close(let code, let reason): return end.closed(code, reason, direction).map(RecordedItem.Kind.step)
    case .text(let bytes):
      if let value = try? JSONParser.parse(bytes), value.depth <= Self.deepest {
        return direction == .toServer ? .client(value) : .server(value)
      }
      if direction == .toServer, bytes.count <= Self.longestRaw {
        let text = String(decoding: bytes, as: UTF8.self)
        return .unreadable(step: JSONObject("raw", ["text": .string(text)]))
      }
    case .binary(let bytes):
      if direction == .toServer, bytes.count <= Self.longestRaw {
        return .step(JSONObject("raw", ["binary": .string(Self.hex(bytes))]))
      }
    case .invalid:
      if direction == .toServer, wire.count <= Self.longestRaw {
        return .step(JSONObject("raw", ["hex": .string(Self.hex(wire))]))
      }
    }
    end.isOver = true
    let speaker = direction == .toServer ? "client" : "server"
    remarks.append(
      "connection \(name): the \(speaker) sent what no transcript can say (\(Self.what(content))); the rest of it is left out"
    )
    return nil
  }

  private static func what(_ content: ProxyMessage.Content) -> String {
    switch content {
    case .binary(let bytes): "a binary message of \(bytes.count) bytes"
    case .invalid(let why): why
    default: "a text that is no JSON, too deep or too long"
    }
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    let digits = [Character]("0123456789abcdef")
    return bytes.map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined(separator: " ")
  }
}

/// How one connection of a recording ends; a client that closes in order needs no step.
struct ConnectionEnd {
  /// Whether nothing more of it is written.
  var isOver = false
  private var first: ProxyDirection?
  private var isWritten = false

  /// Behind its Close a client says nothing more (RFC 6455 §5.5.1).
  var isClosedByClient: Bool { first == .toServer }

  private static let ordinary: Set<UInt16?> = [nil, 1000, 1001]

  /// A Close frame.
  mutating func closed(_ code: UInt16?, _ reason: String, _ direction: ProxyDirection) -> JSONObject? {
    if first == nil {
      first = direction
      if direction == .toClient { return ended(code) }
      guard !Self.ordinary.contains(code), let code else { return nil }
      isWritten = true
      var close = JSONObject([("code", JSONValue.int(Int(code)))])
      if !reason.isEmpty { close["reason"] = .string(reason) }
      return JSONObject("close", .object(close))
    }
    // The answer to a client's Close that was written.
    guard first == .toServer, direction == .toClient, isWritten else { return nil }
    return ended(code)
  }

  /// The end of the stream, which says something only without a Close before it.
  mutating func streamEnded(_ direction: ProxyDirection) -> JSONObject? {
    guard !isOver, first == nil else { return nil }
    first = direction
    return direction == .toClient ? ended(nil) : nil
  }

  private mutating func ended(_ code: UInt16?) -> JSONObject {
    isOver = true
    let number = code.map { JSONValue.int(Int($0)) } ?? "none"
    return JSONObject("closed", ["by": "server", "code": number])
  }
}

extension JSONObject {
  /// With one member.
  init(_ key: String, _ value: JSONValue) {
    self.init()
    self[key] = value
  }
}

extension JSONValue {
  /// How deep it is nested; a scalar has depth 1.
  var depth: Int {
    switch self {
    case .array(let elements): 1 + (elements.map(\.depth).max() ?? 0)
    case .object(let object): 1 + (object.map(\.value.depth).max() ?? 0)
    default: 1
    }
  }
}
