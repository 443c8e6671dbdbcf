import JSON
import ProtocolSpec
import Transport
import Wire

/// The three services of the mock: their usual answers, and those of a fault.
struct Faces {
  private var settings: FaceSettings
  private var source: ReplySource
  /// Of the faces that answer from a recording.
  private var replays: [MockFace: Replay]

  init(_ settings: FaceSettings, replays: [MockFace: Replay] = [:], now: @escaping @Sendable () -> Int) {
    self.settings = settings
    self.replays = replays
    source = ReplySource(ids: SeededGenerator(seed: settings.seed, stream: "ids"), now: now)
    source.begin(settings.gateway, seed: settings.seed)
  }

  /// Recordings begin again with their first answers.
  mutating func reset() {
    for face in replays.keys { replays[face]?.reset() }
  }

  /// The recorded answer; nil if there is none, or the face has no recording.
  mutating func recorded(_ request: FaceRequest, on face: MockFace) -> RecordedCall? {
    replays[face]?.call(for: request)
  }

  /// Configures LiteLLM anew; nil for as it was.
  mutating func beginGateway(_ gateway: GatewaySettings? = nil) {
    if let gateway { settings.gateway = gateway }
    source.begin(settings.gateway, seed: settings.seed)
  }

  /// The answer to a request of `key` has ended.
  mutating func finished(_ key: String) { source.keys.finished(key) }

  /// What `face` answers when nothing is wrong.
  mutating func reply(to request: FaceRequest, on face: MockFace) -> Reply {
    if let replay = replays[face] { return recorded(request, on: face)?.reply ?? replay.missing(request) }
    return switch face {
    case .litellm: LiteLLMFace(settings: settings).reply(to: request, &source)
    case .direct: DirectFace(settings: settings).reply(to: request, &source)
    case .local: LocalFace(settings: settings).reply(to: request, &source)
    }
  }

  /// What `face` answers when `rule` tells it the answer, or else the usual one; with the headers
  /// of the rule.
  mutating func reply(to request: FaceRequest, on face: MockFace, under rule: FaultRule) -> Reply {
    source.change = rule.completion
    defer { source.change = CompletionChange() }
    var reply: Reply
    switch rule.action {
    case .answer(let status, _, _, let body?): reply = told(status, body, request, face)
    case .answer(let status, let type, let message, nil) where status >= 300:
      reply = failed(status, type, message, request, face, rule)
    case .answer(let status, _, _, nil):
      reply = self.reply(to: request, on: face)
      reply.status = status
    default: reply = self.reply(to: request, on: face)
    }
    for (name, value) in rule.headers { reply.set(name.lowercased(), value) }
    if let ahead = rule.retryAfterDate {
      // The date has whole seconds; what is said must not be earlier than what is meant.
      let seconds = (source.now() + Int(ahead / .milliseconds(1)) + 999) / 1000
      reply.set("retry-after", HTTPDate.text(seconds))
    }
    if reply.status < 300 { reply.pad(rule.completion.padding) }
    return reply
  }

  /// A body that the rule gives: JSON, or a text as it is.
  private mutating func told(_ status: Int, _ body: JSONValue, _ request: FaceRequest, _ face: MockFace)
    -> Reply
  {
    var headers: [HeaderField] = []
    if face == .litellm {
      // LiteLLM passes odd completions through with all its headers.
      let usual = status < 300 ? self.reply(to: request, on: face) : nil
      if let key = usual?.key { finished(key) }
      let skipped = ["content-type", "cache-control", "x-accel-buffering"]
      headers = usual?.headers.filter { !skipped.contains($0.name) } ?? LiteLLMHeaders.common
    }
    guard let text = body.string else { return Reply(status, json: body, headers: headers) }
    let isPage = text.hasPrefix("<")
    return Reply(
      status, body: Array(text.utf8), type: isPage ? "text/html; charset=utf-8" : "text/plain; charset=utf-8",
      headers: headers)
  }

  private mutating func failed(
    _ status: Int, _ type: String?, _ message: String?, _ request: FaceRequest, _ face: MockFace,
    _ rule: FaultRule
  ) -> Reply {
    let text = message ?? "the mock was told to answer \(status)"
    switch face {
    case .litellm:
      let body = try? JSONParser.parse(request.body, limits: JSONLimits(allowsDuplicateKeys: true))
      return LiteLLMErrors.fault(
        status, type: type, message: message,
        retryAfter: rule.headers.first { HTTPHeaders.isSame($0.name, "retry-after") }?.value,
        model: body?["model"]?.string ?? "None", callID: source.callID(request),
        path: request.path, isStream: body?["stream"]?.bool == true, now: source.now())
    case .direct where request.path == "/v1/chat/completions", .local:
      return PlainChat.error(status, text, type: type ?? LiteLLMErrors.defaultType(status))
    case .direct: return DirectFace.error(status, type: type, text, "req_" + source.ids.hex(24))
    }
  }
}
