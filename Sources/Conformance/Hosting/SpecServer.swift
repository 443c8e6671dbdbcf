internal import JSON
internal import MCP
internal import ProtocolSpec
internal import Transport
internal import Wire

/// Answers as the specification says, without doing anything: what a client gets for requests that a
/// case is not about.
struct SpecServer {
  let offer: MCPOffer
  private let spec: Specification
  /// The tasks that this server has told of; another is not found.
  private var known: Set<String> = []
  private static let attempts = 60

  init(_ spec: Specification) {
    self.spec = spec
    offer = MCPOffer(spec, version: kitVersion)
  }

  /// What an endpoint that knows these tasks and no others would answer.
  mutating func respond(
    to request: Request, _ random: inout SeededGenerator
  ) -> Result<JSONValue, ProtocolFault> {
    if let task = request.params["task_id"]?.string, !known.contains(task) {
      return .failure(spec.errors.fault(.taskNotFound))
    }
    return .success(success(request, &random))
  }

  /// A valid result, about the task that is asked about.
  mutating func success(_ request: Request, _ random: inout SeededGenerator) -> JSONValue {
    let method = request.method
    let isBare = request.dialect == .bare
    let instance = SchemaInstance(
      isBare ? method.bareResultSchema ?? method.resultSchema : method.resultSchema)
    let wanted =
      request.params["wait"] == false ? "idle" : method.name == "cancel_task" ? "cancelled" : "completed"
    var result = instance.make(&random) ?? .object(JSONObject())
    for _ in 0..<Self.attempts {
      // A client that waits for the end of its task shall see it.
      guard let state = result["status"] ?? result["state"], state.string != wanted else { break }
      result = instance.make(&random) ?? result
    }
    guard var members = result.object else { return result }
    for key in ["task_id", "description", "type"] where members.contains(key) {
      if let value = request.params[key] { members[key] = value }
    }
    // Nothing that a client could take for another state, or for more than there is.
    for key in ["next_cursor", "error", "error_info", "message", "truncated"] {
      if members["status"]?.string == wanted || members["status"] == nil { members[key] = nil }
    }
    if wanted == "idle" { members["result"] = nil }
    note(.object(members))
    return .object(members)
  }

  /// Remembers the tasks that an answer tells of.
  mutating func note(_ result: JSONValue) {
    for value in [result] + (result["tasks"]?.array ?? []) {
      if let task = value["task_id"]?.string { known.insert(task) }
    }
  }

  /// An error of the table with what its data and text ask for.
  func fault(_ name: ErrorName, for request: Request) -> ProtocolFault {
    switch name {
    case .queueFull, .rateLimited: return spec.errors.fault(name, retryAfter: .seconds(1))
    case .invalidParams:
      return request.method.invalidParams(
        path: JSONPointer(tokens: [request.params.keys.first ?? "x"]), keyword: "pattern",
        detail: "not wanted")
    default:
      let values = [
        "method": request.method.name, "detail": "not wanted", "state": "completed",
        "task_id": request.params["task_id"]?.string ?? "",
      ]
      return spec.errors.fault(name, values)
    }
  }
}

/// One connection of a client that is judged.
struct Hosted {
  let guest: any Guest
  var rules: ClientRules
  var reader: MessageReader
  var session: MCPSession
  /// How it ended.
  var ending: WebSocketClient.Event?
  /// Whether anything was said by the client.
  var hasSpoken = false
  /// When the runner last said something.
  var lastSaid = ContinuousClock.now
  /// Said and not yet wanted by a step.
  var backlog: [Said] = []

  init(_ guest: any Guest, _ spec: Specification, _ server: SpecServer) {
    self.guest = guest
    rules = ClientRules(spec)
    reader = MessageReader(spec: spec, initial: guest.speaksMCP ? .jsonrpc : .bare)
    session = MCPSession(server.offer)
  }

  /// What the client wants by a message.
  mutating func understand(_ said: Said) -> Wish {
    wish(reader.read(said.text), said.value)
  }

  private mutating func wish(_ incoming: Incoming, _ value: JSONValue) -> Wish {
    switch incoming {
    case .ignored, .response: return .nothing
    case .refused(let answer): return .settled(answer)
    case .batch(let elements):
      let values = value.array ?? []
      return .batch(
        zip(elements, values).map { element, value in
          var copy = self
          return copy.wish(element, value)
        })
    case .request(let request):
      guard request.method.mcp != nil else {
        return .asked(Asked(request: request, envelope: request, call: nil))
      }
      let action = session.receive(request)
      reader.revision = session.revision
      switch action {
      case .answer(let outcome):
        return .asked(Asked(request: request, envelope: request, call: nil, settled: outcome))
      case .call(let call): return .asked(Asked(request: call.request, envelope: request, call: call))
      case .subscribe, .unsubscribe, .log, .listen, .awaitTask:
        let outcome = Result<JSONValue, ProtocolFault>.success(.object(JSONObject()))
        return .asked(Asked(request: request, envelope: request, call: nil, settled: outcome))
      case .cancel, .nothing: return .nothing
      }
    }
  }
}

/// A message as it came.
struct Said {
  let text: [UInt8]
  let value: JSONValue
  let at: ContinuousClock.Instant
}

enum Wish {
  case asked(Asked)
  /// The answer stands already.
  case settled(Answer)
  case batch([Wish])
  case nothing

  /// Each request in it.
  var requests: [Asked] {
    switch self {
    case .asked(let asked): [asked]
    case .batch(let wishes): wishes.flatMap(\.requests)
    case .settled, .nothing: []
    }
  }
}

/// A request of a method of the protocol, made as such or as a call of a tool.
struct Asked {
  let request: Request
  /// As it came over the wire.
  let envelope: Request
  let call: NativeCall?
  /// What MCP has to say to it already.
  var settled: Result<JSONValue, ProtocolFault>?
  /// The connection.
  var place = 0

  /// The whole answer.
  func answer(_ outcome: Result<JSONValue, ProtocolFault>) -> JSONValue {
    var text: [UInt8] = []
    var told = outcome
    if case .answer(let outcome) = call?.next(outcome) { told = outcome }
    envelope.answer(told).write(to: &text)
    return (try? JSONParser.parse(text)) ?? .null
  }
}
