internal import JSON
internal import ProtocolSpec
internal import YAML

// Steps of a case that plays the server.
extension StepReader {
  /// What a step does there, and the keys that go with it.
  static let hostKinds: [(key: String, beside: [String])] = [
    ("connect", ["accepted", "refused"]), ("await-request", []), ("answer", []), ("client", []),
    ("server", []), ("raw", []), ("pong", []), ("close", []), ("closed", []), ("quiet", []), ("delay", []),
    ("rests", []), ("holds", []), ("drop", []), ("goes-on", []), ("connects", []),
  ]

  mutating func hostAction(
    _ key: String, _ value: YAMLNode, in node: YAMLNode
  ) throws(SourceError) -> StepAction {
    switch key {
    case "client": return .say(try spoken(value))
    case "server": return .expect(try hostSpoken(value))
    case "raw": return .raw(try rawMessage(value))
    case "pong": return .pong(Array(try value.string().utf8))
    case "close": return try close(value)
    case "connect": return .host(.connect(try hostConnect(value, in: node)))
    case "await-request": return .host(.await(try awaited(value)))
    case "answer": return .host(.answer(try answer(value)))
    case "closed": return .host(try hostClosed(value))
    case "quiet": return .host(try hostQuiet(value))
    case "delay": return .host(.delay(try value.duration()))
    case "holds": return .host(.holds(try value.duration()))
    case "rests": return .host(.rests(try value.duration()))
    case "drop":
      return .host(.drop(reset: try value.string(among: ["end", "reset"], what: "end") == "reset"))
    case "goes-on":
      try value.checkKeys(["mayFail"])
      return .host(.goesOn(mayFail: try value["mayFail"]?.bool() ?? false))
    default:
      try value.checkKeys(["atMost", "for"])
      let most = try value.required("atMost").int()
      guard most >= 0 else { throw value.error("at most 0 or more is expected, not \(most)") }
      return .host(.connects(atMost: most, for: try value.required("for").duration()))
    }
  }

  private mutating func hostSpoken(_ node: YAMLNode) throws(SourceError) -> FrameMatcher {
    let line = try frame(node)
    if let bad = line.matcher.firstUnspeakable() {
      throw node.error("\(FlowText.text(bad.source)) matches but gives no value to send", at: bad.place)
    }
    return line
  }

  private mutating func hostConnect(_ node: YAMLNode, in step: YAMLNode) throws(SourceError) -> HostConnect {
    try node.checkKeys(["path", "headers"])
    let outcome: HostConnect.Outcome
    if let refused = step["refused"] {
      if let accepted = step["accepted"] { throw accepted.error("accepted and refused exclude each other") }
      outcome = .refused(try refusal(refused))
    } else {
      let accepted = step["accepted"]
      try accepted?.checkKeys(["subprotocol", "headers"])
      outcome = .accepted(
        subprotocol: try accepted?["subprotocol"]?.string(), headers: try spokenHeaders(accepted?["headers"]))
    }
    return HostConnect(
      path: try node["path"].map { node throws(SourceError) in try matchers.matcher(node) },
      headers: try expectedHeaders(node["headers"]), outcome: outcome)
  }

  private mutating func refusal(_ node: YAMLNode) throws(SourceError) -> HostRefusal {
    try node.checkKeys(["status", "headers", "body"])
    let status = try node.required("status").int()
    guard (200...599).contains(status) else {
      throw node.error("a status from 200 to 599 is expected, not \(status)")
    }
    return HostRefusal(
      status: status, headers: try spokenHeaders(node["headers"]), body: try node["body"]?.string() ?? "")
  }

  private mutating func awaited(_ node: YAMLNode) throws(SourceError) -> AwaitedRequest {
    try node.checkKeys(["method", "params", "as", "dialect"])
    let known = spec.methods.map(\.name) + MCPMethod.allCases.map(\.rawValue) + ["any"]
    let method = try node.required("method").string(among: known, what: "method")
    let name = try node["as"]?.string() ?? "asked"
    requests.append(name)
    return AwaitedRequest(
      method: method == "any" ? nil : method,
      params: try node["params"].map { node throws(SourceError) in try matchers.matcher(node) },
      name: name, dialect: try node["dialect"]?.choice(what: "dialect"))
  }

  private mutating func answer(_ node: YAMLNode) throws(SourceError) -> HostAnswer {
    try node.checkKeys([
      "to", "result", "error", "with", "data", "id", "binary", "malformed", "cut", "fragments", "bytes",
      "times",
    ])
    let to: String
    if let name = node["to"] {
      to = try name.string(among: requests, what: "awaited request")
    } else {
      guard let last = requests.last else { throw node.error("no request is awaited before this answer") }
      to = last
    }
    var content = HostAnswer.Content.valid
    if let result = node["result"] { content = .result(try speakable(result)) }
    if let error = node["error"] {
      if node["result"] != nil { throw error.error("result and error exclude each other") }
      content = .error(try error.string(among: spec.errors.all.map(\.name.rawValue), what: "error"))
    }
    let identities: [String: HostAnswer.Identity] = ["other-type": .otherType, "foreign": .foreign]
    let id = try node["id"]?.string(among: identities.keys.sorted(), what: "id")
    return HostAnswer(
      to: to, content: content,
      with: try node["with"].map { node throws(SourceError) in try speakable(node) },
      hasData: try node["data"]?.bool() ?? true, identity: id.flatMap { identities[$0] } ?? .asked,
      shape: try shape(node), bytes: try node["bytes"]?.int(), times: try node["times"]?.int() ?? 1)
  }

  private func shape(_ node: YAMLNode) throws(SourceError) -> HostAnswer.Shape {
    var shapes: [HostAnswer.Shape] = []
    if try node["binary"]?.bool() ?? false { shapes.append(.binary) }
    if try node["malformed"]?.bool() ?? false { shapes.append(.malformed) }
    if try node["cut"]?.bool() ?? false { shapes.append(.cut) }
    if let size = node["fragments"] {
      let count = try size.int()
      guard count > 0 else { throw size.error("at least one byte for each fragment is expected") }
      shapes.append(.fragments(count))
    }
    guard shapes.count < 2 else { throw node.error("an answer is wrong in one way only") }
    return shapes.first ?? .text
  }

  private mutating func speakable(_ node: YAMLNode) throws(SourceError) -> Matcher {
    let matcher = try matchers.matcher(node)
    guard let bad = matcher.firstUnspeakable() else { return matcher }
    throw node.error("\(FlowText.text(bad.source)) matches but gives no value to send", at: bad.place)
  }

  private func hostClosed(_ node: YAMLNode) throws(SourceError) -> HostAction {
    try node.checkKeys(["by", "code", "frame"])
    _ = try node["by"]?.string(among: ["client"], what: "side")
    let codes = node["code"] == nil ? nil : try closeCodes(node)
    return .closed(codes: codes, needsFrame: try node["frame"]?.bool() ?? false)
  }

  private func hostQuiet(_ node: YAMLNode) throws(SourceError) -> HostAction {
    try node.checkKeys(["from", "for", "methods", "again", "mayEnd"])
    _ = try node["from"]?.string(among: ["client"], what: "side")
    let known = spec.methods.map(\.name)
    var methods: [String] = []
    for entry in try node["methods"]?.sequence() ?? [] {
      methods.append(try entry.string(among: known, what: "method"))
    }
    return .quiet(
      HostSilence(
        time: try node.required("for").duration(), methods: methods,
        again: try node["again"].map { node throws(SourceError) in
          try node.string(among: requests, what: "awaited request")
        }, mayEnd: try node["mayEnd"]?.bool() ?? false))
  }
}
