internal import JSON
internal import ProtocolSpec
internal import YAML

// Steps below JSON: bytes, handshakes, HTTP, and what concerns the mock.
extension StepReader {
  private static let maxRawBytes = 64 << 20

  func rawMessage(_ node: YAMLNode) throws(SourceError) -> RawMessage {
    let kinds = ["text", "hex", "binary", "frame", "ping"]
    try node.checkKeys(kinds)
    guard let entry = node.entries?.first, node.entries?.count == 1 else {
      throw node.error("exactly one of \(kinds.joined(separator: ", ")) is expected")
    }
    switch entry.key {
    case "text": return .text(try parts(entry.value))
    case "hex": return .bytes(try bytes(entry.value))
    case "binary": return .binary(try bytes(entry.value))
    case "ping": return .ping(Array(try entry.value.string().utf8))
    default: return try rawFrame(entry.value)
    }
  }

  private func rawFrame(_ node: YAMLNode) throws(SourceError) -> RawMessage {
    try node.checkKeys(["fin", "rsv", "opcode", "masked", "text", "hex"])
    func small(_ key: String, _ range: ClosedRange<Int>) throws(SourceError) -> UInt8? {
      guard let value = node[key] else { return nil }
      let number = try value.int()
      guard range.contains(number) else {
        throw value.error("\(key) from \(range.lowerBound) to \(range.upperBound) is expected, not \(number)")
      }
      return UInt8(number)
    }
    guard let opcode = try small("opcode", 0...15) else { throw node.error("the key \"opcode\" is missing") }
    var payload: [TextPart] = []
    if let text = node["text"] { payload = try parts(text) }
    if let hex = node["hex"] {
      if node["text"] != nil { throw hex.error("text and hex exclude each other") }
      payload = [.bytes(try bytes(hex))]
    }
    return .frame(
      fin: try node["fin"]?.bool() ?? true, rsv: try small("rsv", 0...7) ?? 0, opcode: opcode,
      isMasked: try node["masked"]?.bool() ?? (play != .server), payload: payload)
  }

  private func parts(_ node: YAMLNode) throws(SourceError) -> [TextPart] {
    var parts: [TextPart] = []
    var size = 0
    for element in node.elements ?? [node] {
      guard element.entries != nil else {
        let bytes = Array(try element.string().utf8)
        size += bytes.count
        parts.append(.bytes(bytes))
        continue
      }
      try element.checkKeys(["repeat", "times"])
      let bytes = Array(try element.required("repeat").string().utf8)
      let times = try element.required("times").int()
      guard times >= 0, times <= Self.maxRawBytes, bytes.count * times + size <= Self.maxRawBytes else {
        throw element.error("a message of at most \(Self.maxRawBytes) bytes is expected")
      }
      size += bytes.count * times
      parts.append(.repeated(bytes, times: times))
    }
    return parts
  }

  private func bytes(_ node: YAMLNode) throws(SourceError) -> [UInt8] {
    let digits = try node.scalarText().utf8.filter { $0 != UInt8(ascii: " ") }
    guard digits.count % 2 == 0 else {
      throw node.error("bytes in hexadecimal are expected: \"81 02 7b 7d\"")
    }
    var bytes: [UInt8] = []
    for place in stride(from: 0, to: digits.count, by: 2) {
      let pair = String(decoding: digits[place..<place + 2], as: UTF8.self)
      guard !pair.hasPrefix("+"), !pair.hasPrefix("-"), let byte = UInt8(pair, radix: 16) else {
        throw node.error(
          "bytes in hexadecimal are expected: \"81 02 7b 7d\", not \(FlowText.text(.string(pair)))")
      }
      bytes.append(byte)
    }
    return bytes
  }

  mutating func connect(_ node: YAMLNode, in step: YAMLNode) throws(SourceError) -> Connect {
    try node.checkKeys(["path", "subprotocols", "headers", "version"])
    var headers = try spokenHeaders(node["headers"])
    if let version = node["version"] {
      headers.append(("Sec-WebSocket-Version", try matchers.matcher(version)))
    }
    let outcome: ConnectOutcome
    if let refused = step["refused"] {
      if let accepted = step["accepted"] { throw accepted.error("accepted and refused exclude each other") }
      outcome = .refused(try answered(refused))
    } else {
      let accepted = step["accepted"]
      try accepted?.checkKeys(["subprotocol", "headers"])
      outcome = .accepted(
        subprotocol: try accepted?["subprotocol"].map { node throws(SourceError) in try matchers.matcher(node)
        },
        headers: try expectedHeaders(accepted?["headers"]))
    }
    return Connect(
      path: try path(node["path"]), offers: try offers(node["subprotocols"]), headers: headers,
      outcome: outcome)
  }

  /// Texts, or what gives one: `{$join: [mcp.auth., {$secret: OMNI_TOKEN}]}`.
  private mutating func offers(_ node: YAMLNode?) throws(SourceError) -> [Matcher] {
    var offers: [Matcher] = []
    for element in try node?.sequence() ?? [] {
      let offer = element.entries == nil ? try text(element) : try matchers.matcher(element)
      if let bad = offer.firstUnspeakable() {
        throw element.error("\(FlowText.text(bad.source)) matches but gives no value to send")
      }
      if element.entries == nil { _ = try element.string() }
      offers.append(offer)
    }
    return offers
  }

  private func path(_ node: YAMLNode?) throws(SourceError) -> String {
    guard let node else { return "/" }
    let path = try node.string()
    let isClean = path.hasPrefix("/") && path.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    guard isClean else {
      throw node.error("a path that starts with / is expected, not \(FlowText.text(.string(path)))")
    }
    return path
  }

  mutating func spokenHeaders(_ node: YAMLNode?) throws(SourceError) -> [(
    name: String, value: Matcher
  )] {
    var headers: [(name: String, value: Matcher)] = []
    for entry in try node?.mapping() ?? [] {
      let value = try matchers.matcher(entry.value)
      if let bad = value.firstUnspeakable() {
        throw entry.value.error("\(FlowText.text(bad.source)) matches but gives no value to send")
      }
      headers.append((entry.key, value))
    }
    return headers
  }

  mutating func expectedHeaders(_ node: YAMLNode?) throws(SourceError) -> [Matcher.Member] {
    var headers: [Matcher.Member] = []
    for entry in try node?.mapping() ?? [] {
      headers.append(Matcher.Member(key: entry.key, matcher: try text(entry.value)))
    }
    return headers
  }

  /// Header fields are text: `13` in YAML means `"13"`.
  private mutating func text(_ node: YAMLNode) throws(SourceError) -> Matcher {
    guard case .scalar(let value) = node.content, value.number != nil else {
      return try matchers.matcher(node)
    }
    return Matcher(place: node.place, source: .string(try node.scalarText()), rule: .exactly)
  }

  private mutating func answered(_ node: YAMLNode?) throws(SourceError) -> Answered {
    try node?.checkKeys(["status", "headers", "body"])
    return Answered(
      status: try node?["status"].map { node throws(SourceError) in try matchers.matcher(node) },
      headers: try expectedHeaders(node?["headers"]),
      body: try node?["body"].map { node throws(SourceError) in try matchers.matcher(node) })
  }

  mutating func exchange(_ node: YAMLNode, in step: YAMLNode) throws(SourceError) -> Exchange {
    try node.checkKeys(["get", "request", "headers", "body"])
    let method: String
    let target: String
    if let get = node["get"] {
      if let request = node["request"] { throw request.error("get and request exclude each other") }
      (method, target) = ("GET", try path(get))
    } else {
      let request = try node.required("request")
      let parts = try request.string().split(separator: " ", omittingEmptySubsequences: false).map(
        String.init)
      guard parts.count == 2, parts[1].hasPrefix("/"), !parts[0].isEmpty,
        parts[1].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
      else { throw request.error("METHOD /path is expected") }
      (method, target) = (parts[0], parts[1])
    }
    let body = try node["body"].map { node throws(SourceError) in
      let isText = node.json.string != nil
      return isText ? try node.string() : JSONWriter.text(node.json)
    }
    return Exchange(
      method: method, path: target, headers: try spokenHeaders(node["headers"]), body: body,
      answer: try answered(step["answer"]))
  }

  // MARK: The mock

  private func face(_ entry: YAMLNode.Entry, in node: YAMLNode) throws(SourceError) -> MockFace {
    guard let face = MockFace(rawValue: entry.key) else {
      throw node.error(
        unknown("face", entry.key, known: MockFace.allCases.map(\.rawValue)), at: entry.keyPlace)
    }
    return face
  }

  func armedFaces(_ node: YAMLNode) throws(SourceError) -> [ArmedFace] {
    var faces: [ArmedFace] = []
    for entry in try node.mapping() {
      let face = try face(entry, in: node)
      for rule in try entry.value.sequence() {
        do throws(FaultRuleError) {
          _ = try FaultRule(rule.json, spec: spec)
        } catch {
          let place = rule.keyPlace(at: error.pointer) ?? rule.nearest(at: error.pointer).place
          throw rule.error(error.description, at: place)
        }
      }
      faces.append(ArmedFace(face: face, rules: try entry.value.sequence().map(\.json)))
    }
    return faces
  }

  mutating func observedFaces(_ node: YAMLNode) throws(SourceError) -> [ObservedFace] {
    var faces: [ObservedFace] = []
    for entry in try node.mapping() {
      let face = try face(entry, in: node)
      var expectations: [Observation] = []
      for item in entry.value.elements ?? [entry.value] { expectations.append(try observation(item)) }
      faces.append(ObservedFace(face: face, expectations: expectations))
    }
    return faces
  }

  mutating func observation(_ node: YAMLNode) throws(SourceError) -> Observation {
    try node.checkKeys(["path", "method", "count", "body", "header", "spacing"])
    let path = try node["path"]?.string() ?? "*"
    let method = try node["method"]?.string()
    guard let pattern = RequestPattern([method, path].compactMap(\.self).joined(separator: " ")) else {
      throw (node["path"] ?? node).error("a path such as /v1/chat/completions or /health/* is expected")
    }
    try node["spacing"]?.checkKeys(["atLeast"])
    return Observation(
      place: node.place, path: pattern,
      count: try node["count"].map { node throws(SourceError) in try callCount(node) },
      body: try node["body"].map { node throws(SourceError) in try matchers.matcher(node) },
      headers: try expectedHeaders(node["header"]),
      spacing: try node["spacing"]?.required("atLeast").duration())
  }

  /// A number, a matcher, or `{atLeast: 1, atMost: 3}`.
  private mutating func callCount(_ node: YAMLNode) throws(SourceError) -> Matcher {
    let bounds = ["atLeast", "atMost"]
    guard bounds.contains(where: { node[$0] != nil }) else { return try matchers.matcher(node) }
    try node.checkKeys(bounds)
    let least = try node["atLeast"]?.int() ?? 0
    let most = try node["atMost"]?.int() ?? Int.max
    guard least <= most else { throw node.error("atLeast \(least) is more than atMost \(most)") }
    return Matcher(
      place: node.place, source: node.json,
      rule: .all([.between(JSONNumber(least), JSONNumber(most))], capture: nil))
  }
}
