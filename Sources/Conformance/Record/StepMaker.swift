internal import JSON
internal import ProtocolSpec

/// Makes the steps of a case, in the order of the recording.
struct StepMaker {
  var frames: RecordedFrames
  let spec: Specification
  let keepsTiming: Bool
  private(set) var steps: [JSONObject] = []
  /// When the client last said something, by connection.
  private var lastSaid: [String: Duration] = [:]

  /// Machines differ: an answer may take so many times what it took.
  private static let slower = 4
  /// Quicker answers say nothing about a wait that is meant.
  private static let leastWait = Duration.milliseconds(200)

  init(frames: RecordedFrames, spec: Specification, keepsTiming: Bool) {
    self.frames = frames
    self.spec = spec
    self.keepsTiming = keepsTiming
  }

  mutating func make(_ items: [RecordedItem]) throws(RecordingProblem) {
    var rest = items[...]
    while let item = rest.first {
      let group = Self.unordered(rest)
      if group.count > 1 {
        try add(unordered: group)
        rest = rest.dropFirst(group.count)
      } else {
        try add(item)
        rest = rest.dropFirst()
      }
    }
  }

  private mutating func add(_ item: RecordedItem) throws(RecordingProblem) {
    switch item.kind {
    case .client(let frame):
      lastSaid[item.connection] = item.at
      let line = try frames.line(frame, connection: item.connection, Self.place(item, isServer: false))
      append(JSONObject([("client", line)]), item)
    case .server(let frame):
      let line = try frames.line(frame, connection: item.connection, Self.place(item, isServer: true))
      var step = JSONObject([("server", line)])
      if let status = item.status { step["status"] = .int(status) }
      time(&step, [item])
      append(step, item)
    case .unreadable(let step):
      lastSaid[item.connection] = item.at
      guard let raw = step["raw"] else { return }
      try frames.values.check(raw, Self.place(item, isServer: false))
      frames.unreadable(connection: item.connection)
      append(step, item)
    case .step(let step):
      if step.contains("raw") { lastSaid[item.connection] = item.at }
      append(step, item)
    case .poll(let poll): try add(poll, item)
    }
  }

  private mutating func append(_ step: JSONObject, _ item: RecordedItem) {
    var step = step
    if item.connection != "a" { step["conn"] = .string(item.connection) }
    steps.append(step)
  }

  private static func place(_ item: RecordedItem, isServer: Bool) -> RecordedPlace {
    let speaker = isServer ? "server" : "client"
    return RecordedPlace(
      what: "message \(item.number) of connection \(item.connection), from the \(speaker),",
      isServer: isServer)
  }

  // MARK: Order

  /// Answers that came one behind the other to requests that ran at the same time: their order is
  /// that of the moment.
  private static func unordered(_ items: ArraySlice<RecordedItem>) -> ArraySlice<RecordedItem> {
    guard let first = items.first else { return [] }
    return items.prefix { item in
      guard item.connection == first.connection, item.status == nil, case .server(let frame) = item.kind
      else { return false }
      // In the bare dialect answers come in the order of the requests.
      return frame.object?["jsonrpc"] == "2.0"
    }
  }

  private mutating func add(unordered items: ArraySlice<RecordedItem>) throws(RecordingProblem) {
    guard let first = items.first else { return }
    var lines: [JSONValue] = []
    for item in items {
      guard case .server(let frame) = item.kind else { continue }
      let line = try frames.line(frame, connection: item.connection, Self.place(item, isServer: true))
      lines.append(["server": line])
    }
    var step = JSONObject([("unordered", .array(lines))])
    time(&step, Array(items))
    step["notBefore"] = nil
    append(step, first)
  }

  // MARK: Time

  private func time(_ step: inout JSONObject, _ items: [RecordedItem]) {
    guard let last = items.last, let said = lastSaid[last.connection] else { return }
    let took = last.at - said
    if took * Self.slower > CaseBuilder.usualWithin {
      step["within"] = .string(Self.seconds(took * Self.slower).short)
    }
    if keepsTiming, took >= Self.leastWait {
      let tens = Int64((took / Self.slower).milliseconds) / 10
      step["notBefore"] = .string(Duration.milliseconds(tens * 10).short)
    }
  }

  /// Rounded up to whole seconds.
  private static func seconds(_ time: Duration) -> Duration {
    .seconds(time.components.seconds + (time.components.attoseconds > 0 ? 1 : 0))
  }

  // MARK: Polls

  private mutating func add(_ poll: RecordedPoll, _ item: RecordedItem) throws(RecordingProblem) {
    let asked = try frames.line(poll.request, connection: item.connection, Self.place(item, isServer: false))
    let answered = try frames.line(poll.answer, connection: item.connection, Self.place(item, isServer: true))
    lastSaid[item.connection] = item.at + poll.took
    let every = min(max(poll.every ?? .milliseconds(100), .milliseconds(20)), .seconds(1))
    let tens = Int64(every.milliseconds / 10)
    let limit = max(Self.seconds(poll.took * Self.slower), .seconds(5))
    let how = JSONObject([
      ("every", JSONValue.string(Duration.milliseconds(tens * 10).short)),
      ("for", .string(limit.short)), ("at", .string(poll.pointer.description)),
      ("allow", .array(poll.allow.map(JSONValue.string))), ("until", .string(poll.until)),
    ])
    append(
      JSONObject([("poll", .object(how)), ("client", Self.newID(asked)), ("server", answered)]), item)
  }

  /// Each round has an id of its own.
  private static func newID(_ line: JSONValue) -> JSONValue {
    guard var object = line.object, var id = object["id"]?.object, id.contains("$as") else { return line }
    id["$say"] = nil
    object["id"] = .object(id)
    return .object(object)
  }
}
