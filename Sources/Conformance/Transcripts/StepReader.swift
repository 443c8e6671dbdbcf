internal import JSON
internal import ProtocolSpec
internal import YAML

/// Reads the steps of one case, in order, so that it knows what has been captured.
struct StepReader {
  private(set) var steps: [Step] = []
  private(set) var needs: [Capability] = []
  let spec: Specification
  let dialect: TranscriptDialect
  let within: Duration
  let level: RequirementLevel
  /// Who the runner may play; where it says the client's lines, they must give values.
  let play: TranscriptCase.Play
  /// `_meta` of every request, where the dialect has that.
  let meta: [(key: String, value: JSONValue)]
  /// Over what the case is played.
  let transports: [PlayTransport]
  var matchers: MatcherReader
  /// The awaited requests so far, of a case that plays the server.
  var requests: [String] = []

  private static let common = ["conn", "within", "notBefore", "level", "why"]
  /// What a step does, and the keys that go with it.
  private static let kinds: [(key: String, beside: [String])] = [
    ("poll", ["client", "server"]), ("connect", ["accepted", "refused"]), ("http", ["answer"]),
    ("client", ["headers"]), ("server", ["status"]), ("unordered", []), ("raw", ["headers"]), ("pong", []),
    ("close", []),
    ("closed", []), ("quiet", []), ("restart", []), ("arm", []), ("await", []),
  ]

  init(
    spec: Specification, dialect: TranscriptDialect, within: Duration, level: RequirementLevel,
    play: TranscriptCase.Play, client: MCPClientOffer = MCPClientOffer(),
    transports: [PlayTransport] = [.ws]
  ) {
    self.spec = spec
    self.dialect = dialect
    self.within = within
    self.level = level
    self.play = play
    self.transports = transports
    meta = dialect.isStateless ? client.meta(dialect.revision ?? "") : []
    matchers = MatcherReader(spec: spec, dialect: dialect)
  }

  mutating func read(_ node: YAMLNode) throws(SourceError) {
    // Known whatever is wrong here, so that later steps are not blamed for it.
    defer { matchers.assume(node) }
    let entries = try node.mapping()
    let kinds = play == .server ? Self.hostKinds : Self.kinds
    guard let kind = kinds.first(where: { kind in entries.contains { $0.key == kind.key } }) else {
      try node.checkKeys(Self.common + kinds.map(\.key))
      throw node.error("a step needs one of \(kinds.map(\.key).joined(separator: ", "))")
    }
    let known = Self.common + [kind.key] + kind.beside
    for entry in entries where !known.contains(entry.key) {
      let others = kinds.flatMap { [$0.key] + $0.beside }
      let message =
        others.contains(entry.key)
        ? "\(kind.key) and \(entry.key) do not go together in one step"
        : unknown("key", entry.key, known: known)
      throw node.error(message, at: entry.keyPlace)
    }
    guard let value = node[kind.key] else { return }
    let isHost = play == .server
    try check(kind.key, value)
    let action = isHost ? try hostAction(kind.key, value, in: node) : try action(kind.key, value, in: node)
    steps.append(
      Step(
        place: node.place, connection: try node["conn"]?.string() ?? "a",
        within: try node["within"]?.duration() ?? within, notBefore: try node["notBefore"]?.duration(),
        level: try node["level"]?.choice(what: "level") ?? level, why: try node["why"]?.string(),
        action: action, status: try isHost ? nil : status(node), headers: try isHost ? [] : fields(node)))
  }

  /// What only a WebSocket has is for cases that are played over nothing else.
  private func check(_ kind: String, _ value: YAMLNode) throws(SourceError) {
    guard transports != [.ws] else { return }
    let isOfFrames = ["connect", "pong"].contains(kind) || kind == "raw" && value["text"] == nil
    guard isOfFrames else { return }
    throw value.error("\(kind) like this is of WebSocket: the case needs transports: [ws]")
  }

  private mutating func status(_ node: YAMLNode) throws(SourceError) -> Matcher? {
    guard let status = node["status"] else { return nil }
    guard transports.contains(.http) else { throw status.error("only HTTP has a status") }
    return try matchers.matcher(status)
  }

  private mutating func fields(
    _ node: YAMLNode
  ) throws(SourceError) -> [(name: String, value: Matcher)] {
    guard let headers = node["headers"] else { return [] }
    guard transports == [.http] else {
      throw headers.error("only HTTP has header fields: the case needs transports: [http]")
    }
    return try spokenHeaders(headers)
  }

  private mutating func action(
    _ key: String, _ value: YAMLNode, in node: YAMLNode
  ) throws(SourceError) -> StepAction {
    switch key {
    case "client": return .say(try spoken(value))
    case "server": return .expect(try frame(value))
    case "unordered": return .unordered(try unordered(value))
    case "raw": return .raw(try rawMessage(value))
    case "pong": return .pong(Array(try value.string().utf8))
    case "close": return try close(value)
    case "closed":
      try value.checkKeys(["by", "code"])
      return .closed(try closeCodes(value))
    case "poll": return .poll(try poll(value, in: node))
    case "quiet": return .quiet(try quiet(value))
    case "connect": return .connect(try connect(value, in: node))
    case "http":
      needs.append(.http)
      return .http(try exchange(value, in: node))
    case "restart":
      needs.append(.restart)
      return try restart(value)
    case "arm":
      needs.append(.faults)
      return .arm(try armedFaces(value))
    default:
      needs.append(.faults)
      return .await(try observedFaces(value))
    }
  }

  /// A line of the client: a matcher that also gives a value. In JSON-RPC each object gets the
  /// member `jsonrpc` unless it says something about it.
  mutating func spoken(_ node: YAMLNode) throws(SourceError) -> Matcher {
    let matcher = try matchers.matcher(node)
    if play != .server, let bad = matcher.firstUnspeakable() {
      throw node.error("\(FlowText.text(bad.source)) matches but gives no value to send", at: bad.place)
    }
    let versioned = dialect.isJSONRPC ? Self.versioned(matcher) : matcher
    return meta.isEmpty ? versioned : versioned.withMeta(meta)
  }

  static func versioned(_ matcher: Matcher) -> Matcher {
    switch matcher.rule {
    case .array(let elements):
      return Matcher(
        place: matcher.place, source: matcher.source, rule: .array(elements.map(versionedElement)))
    default: return versionedElement(matcher)
    }
  }

  static func versionedElement(_ matcher: Matcher) -> Matcher {
    guard let members = matcher.members, !members.contains(where: { $0.key == "jsonrpc" }) else {
      return matcher
    }
    let version = Matcher.Member(
      key: "jsonrpc", matcher: Matcher(place: matcher.place, source: "2.0", rule: .exactly))
    return Matcher(place: matcher.place, source: matcher.source, rule: .object([version] + members))
  }

  mutating func frame(_ node: YAMLNode) throws(SourceError) -> FrameMatcher {
    FrameMatcher(try matchers.matcher(node), dialect: dialect)
  }

  private mutating func unordered(_ node: YAMLNode) throws(SourceError) -> [Expected] {
    var frames: [Expected] = []
    for entry in try node.sequence() {
      try entry.checkKeys(["server"])
      frames.append(Expected(place: entry.place, frame: try frame(entry.required("server"))))
    }
    guard frames.count > 1 else { throw node.error("two frames or more are expected") }
    return frames
  }

  private mutating func poll(_ node: YAMLNode, in step: YAMLNode) throws(SourceError) -> Poll {
    try node.checkKeys(["every", "for", "at", "allow", "until"])
    let at = try node.required("at")
    guard let pointer = JSONPointer(try at.string()) else { throw at.error("a JSON Pointer is expected") }
    let request = try spoken(step.required("client"))
    return Poll(
      request: request, every: try node.required("every").duration(),
      limit: try node.required("for").duration(),
      pointer: pointer, allow: try node["allow"].map { node throws(SourceError) in try anyOf(node) },
      until: try anyOf(node.required("until")),
      last: try step["server"].map { node throws(SourceError) in try frame(node) })
  }

  /// A list stands for any of its values.
  private mutating func anyOf(_ node: YAMLNode) throws(SourceError) -> Matcher {
    guard let elements = node.elements else { return try matchers.matcher(node) }
    var list: [Matcher] = []
    for element in elements { list.append(try matchers.matcher(element)) }
    return Matcher(place: node.place, source: ["$oneOf": node.json], rule: .all([.oneOf(list)], capture: nil))
  }

  private func quiet(_ node: YAMLNode) throws(SourceError) -> Duration {
    try node.checkKeys(["from", "for"])
    _ = try node["from"]?.string(among: ["server", "client"], what: "side")
    return try node.required("for").duration()
  }

  func close(_ node: YAMLNode) throws(SourceError) -> StepAction {
    try node.checkKeys(["code", "reason"])
    let code = try node["code"].map { node throws(SourceError) in try closeCode(node) }
    return .close(code: code, reason: try node["reason"]?.string() ?? "")
  }

  func closeCodes(_ node: YAMLNode) throws(SourceError) -> [UInt16?] {
    _ = try node["by"]?.string(among: ["server", "client"], what: "side")
    let codes = try node.required("code")
    var list: [UInt16?] = []
    for entry in codes.elements ?? [codes] {
      let isNone = entry.json == "none"
      list.append(isNone ? nil : try closeCode(entry))
    }
    guard !list.isEmpty else { throw codes.error("a close code or none is expected") }
    return list
  }

  private func closeCode(_ node: YAMLNode) throws(SourceError) -> UInt16 {
    let code = try node.int()
    guard (1000...4999).contains(code) else {
      throw node.error("a close code from 1000 to 4999 is expected, not \(code) (RFC 6455 §7.4)")
    }
    return UInt16(code)
  }

  private func restart(_ node: YAMLNode) throws(SourceError) -> StepAction {
    try node.checkKeys(["signal", "exit"])
    return .restart(signal: try node.required("signal").choice(what: "signal"), exit: try node["exit"]?.int())
  }
}
