internal import JSON
internal import Transport

/// Opens connections to a target, as a dialect wants them.
struct ChannelOpener: Sendable {
  let target: any LiveTarget
  let dialect: TranscriptDialect
  let loop: EventLoop

  static var options: WebSocketClientOptions {
    var options = WebSocketClientOptions()
    options.maxMessageBytes = 64 << 20
    return options
  }

  /// - Throws: `WebSocketClientError` or `TargetProblem`.
  func open(within limit: Duration) async throws -> any MessageChannel {
    let dialect = dialect
    let sign: @Sendable (String) -> JSONValue = { dialect.signOfLife($0) }
    switch target.transport {
    case .ws:
      return WebSocketChannel(
        try await WebSocketClient.connect(
          url: await target.url, subprotocols: dialect.revision == nil ? [] : ["mcp"],
          headers: target.headers,
          deadline: limit, options: Self.options, on: loop))
    case .http:
      return HTTPChannel(
        url: await target.url, headers: target.headers,
        stateless: dialect.isStateless ? dialect.revision : nil,
        loop: loop, sign: sign)
    case .stdio: return LineChannel(try await target.process(), sign: sign)
    }
  }
}

/// Requests on a channel of one's own, one after the other; what comes beside the answers is skipped.
struct ChannelTalk {
  let channel: any MessageChannel
  let limit: Duration

  struct Silence: Error, CustomStringConvertible {
    let description: String
    /// Whether the server is there and only has no message for us.
    var isRefusal = false
  }

  /// The answer to a request, result or error.
  func ask(_ request: JSONValue) async throws(Silence) -> JSONValue {
    await channel.say(JSONWriter.bytes(request))
    let deadline = ContinuousClock.now + limit
    while let received = await channel.next(within: max(deadline - .now, .zero)) {
      switch received.event {
      case .message(let bytes, let status):
        guard let value = try? JSONParser.parse(bytes) else {
          throw Silence(description: "what came is no JSON: \(bytes.shown.prefix(200))")
        }
        // What could not be read is answered without an id, or with null.
        let isRefusal = value["error"] != nil && (value["id"] ?? .null).isNull
        if value["method"] == nil, value["id"] == request["id"] || isRefusal { return value }
        if let status, status >= 400 {
          let text = FlowText.text(value["error"] ?? value, limit: 120)
          throw Silence(description: "the target answers \(status) and \(text)", isRefusal: true)
        }
      case .breach(let cause, let status?):
        throw Silence(description: cause, isRefusal: (400..<500).contains(status))
      // What else is wrong is for cases to tell.
      case .breach(_, nil): continue
      case .ended(let ending): throw Silence(description: "the connection ended: \(ending.text)")
      case .binary, .ping, .pong: continue
      }
    }
    throw Silence(description: "no answer within \(limit.short)")
  }

  func tell(_ notification: JSONValue) async { await channel.say(JSONWriter.bytes(notification)) }
}
