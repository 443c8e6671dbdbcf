internal import JSON
internal import Wire

/// Writes what was said before a connection became a WebSocket, or instead.
struct RecordedHandshake {
  let secrets: NamedSecrets

  /// Fields that tell the server who asks, beside what every handshake has.
  private static let told = ["Authorization", "Cookie", "Origin"]
  /// What authorizes is a secret, whatever it looks like.
  private static let authorizing = ["Authorization", "Cookie"]
  /// Fields that every client sends, or that the player sends by itself.
  private static let usual = [
    "host", "user-agent", "accept", "accept-encoding", "accept-language", "cache-control", "pragma",
    "content-length", "transfer-encoding", "expect", "te",
  ]
  private static let refusalTold = ["Retry-After", "WWW-Authenticate", "Sec-WebSocket-Version"]

  /// A `connect` step; nil where the connection is what a transcript opens by itself.
  func accepted(
    _ request: HTTPRequestHead, _ response: HTTPResponseHead, isSilent: Bool
  ) throws(RecordingProblem) -> JSONObject? {
    let connect = try asked(request)
    guard isSilent || connect.count > 1 || request.target != "/" else { return nil }
    var step = JSONObject([("connect", .object(connect))])
    if !WebSocketHandshake.offeredSubprotocols(request).isEmpty {
      let chosen = response.headers["Sec-WebSocket-Protocol"].map(JSONValue.string)
      step["accepted"] = ["subprotocol": chosen ?? ["$absent": true]]
    }
    return step
  }

  /// An upgrade that was refused, or another request.
  func answered(
    _ request: HTTPRequestHead, _ body: [UInt8], _ response: HTTPResponseHead
  ) throws(RecordingProblem) -> JSONObject {
    var answer = JSONObject([("status", JSONValue.int(response.status))])
    // A handshake against RFC 6455 §4.1 is no `connect`: that would be right.
    if case .accept = WebSocketHandshake.decide(request) {
      var headers = JSONObject()
      for name in Self.refusalTold {
        if let value = response.headers[name] { headers[name] = ["$type": "string", "$say": .string(value)] }
      }
      if !headers.isEmpty { answer["headers"] = .object(headers) }
      var connect = try asked(request)
      let fields = try self.headers(request, others(request, isHandshake: true))
      if !fields.isEmpty { connect["headers"] = .object(fields) }
      return JSONObject([("connect", .object(connect)), ("refused", .object(answer))])
    }
    var http = JSONObject()
    let target = try text(request.target, "the path of a request")
    guard let path = target.string else {
      throw RecordingProblem(
        "the path \(request.method) was sent to holds a secret: a transcript cannot name it")
    }
    if request.method == "GET" {
      http["get"] = .string(path)
    } else {
      http["request"] = .string("\(request.method) \(path)")
    }
    let headers = try self.headers(request, others(request, isHandshake: false))
    if !headers.isEmpty { http["headers"] = .object(headers) }
    if !body.isEmpty {
      let text = try self.text(String(decoding: body, as: UTF8.self), "the body of a request")
      guard let text = text.string else {
        throw RecordingProblem(
          "the body of \(request.method) \(path) holds a secret: a transcript cannot name it")
      }
      http["body"] = .string(text)
    }
    return JSONObject([("http", .object(http)), ("answer", .object(answer))])
  }

  private func asked(_ request: HTTPRequestHead) throws(RecordingProblem) -> JSONObject {
    guard let path = try text(request.target, "the path of a handshake").string else {
      throw RecordingProblem("the path of a handshake holds a secret: a transcript cannot name it")
    }
    var connect = JSONObject([("path", JSONValue.string(path))])
    var offers: [JSONValue] = []
    for offer in WebSocketHandshake.offeredSubprotocols(request) {
      offers.append(try text(offer, "a subprotocol of a handshake"))
    }
    if !offers.isEmpty { connect["subprotocols"] = .array(offers) }
    let headers = try self.headers(request, Self.told)
    if !headers.isEmpty { connect["headers"] = .object(headers) }
    return connect
  }

  /// The names of the fields that a refusal may be about.
  private func others(_ request: HTTPRequestHead, isHandshake: Bool) -> [String] {
    var names: [String] = []
    for (name, _) in request.headers {
      let lower = name.lowercased()
      let isOfHandshake = lower.hasPrefix("sec-websocket-") || ["upgrade", "connection"].contains(lower)
      guard !Self.usual.contains(lower), !(isHandshake && isOfHandshake) else { continue }
      if lower == "connection", !WebSocketHandshake.isUpgrade(request) { continue }
      if !names.contains(name) { names.append(name) }
    }
    return names
  }

  private func headers(_ request: HTTPRequestHead, _ names: [String]) throws(RecordingProblem) -> JSONObject {
    var headers = JSONObject()
    for name in names {
      guard let value = request.headers[name] else { continue }
      let written = try text(value, "the header \(name)")
      let isSecret = Self.authorizing.contains { $0.lowercased() == name.lowercased() }
      guard !isSecret || written.string == nil else {
        throw .secret(at: JSONPointer(), in: "the header \(name)")
      }
      headers[name] = written
    }
    return headers
  }

  private func text(_ text: String, _ what: String) throws(RecordingProblem) -> JSONValue {
    let values = RecordedValues(secrets: secrets, reused: [])
    return try values.secretsNamed(text, RecordedPlace(what: what, isServer: false))
  }
}
