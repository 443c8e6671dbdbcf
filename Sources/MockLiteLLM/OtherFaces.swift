import JSON

/// The direct API: Anthropic's, and its chat endpoint for clients of the OpenAI API.
struct DirectFace {
  let settings: FaceSettings

  func reply(to request: FaceRequest, _ source: inout ReplySource) -> Reply {
    let requestID = "req_" + source.ids.hex(24)
    switch (request.method, request.path) {
    // What an orchestrator asks to learn whether the cloud is there.
    case ("GET", "/"), ("HEAD", "/"):
      return Reply(200, json: ["status": "ok"], headers: [("request-id", requestID)])
    case ("GET", "/v1/models"):
      return guarded(request, requestID) { Reply(200, json: OpenAIBodies.models(settings.models)) }
    case ("POST", "/v1/messages"):
      return guarded(request, requestID) { messages(request, requestID, &source) }
    case ("POST", "/v1/chat/completions"):
      return guarded(request, requestID) {
        PlainChat.reply(to: request, &source) { _ in true }
      }
    case (_, "/"), (_, "/v1/models"), (_, "/v1/messages"), (_, "/v1/chat/completions"):
      return Self.error(405, "Method Not Allowed", requestID)
    default: return Self.error(404, "Not Found", requestID)
    }
  }

  /// Anthropic's errors name the request.
  static func error(_ status: Int, type: String? = nil, _ message: String, _ requestID: String) -> Reply {
    var body = AnthropicBodies.error(type ?? AnthropicBodies.errorType(status), message)
    body["request_id"] = .string(requestID)
    return Reply(status, json: body, headers: [("request-id", requestID)])
  }

  private func guarded(_ request: FaceRequest, _ requestID: String, _ reply: () -> Reply) -> Reply {
    let key = request.header("x-api-key") ?? request.header("authorization")
    guard let key, !key.isEmpty else { return Self.error(401, "x-api-key header is required", requestID) }
    return reply()
  }

  private func messages(_ request: FaceRequest, _ requestID: String, _ source: inout ReplySource) -> Reply {
    func refused(_ message: String) -> Reply { Self.error(400, message, requestID) }
    guard request.header("anthropic-version") != nil else {
      return refused("anthropic-version: header is required")
    }
    let body: JSONValue
    do throws(JSONError) {
      body = try JSONParser.parse(request.body)
    } catch {
      return refused("The request body is not valid JSON: \(error)")
    }
    guard body.object != nil else { return refused("The request body is not a JSON object") }
    guard let model = body["model"]?.string else { return refused("model: Field required") }
    guard let maxTokens = body["max_tokens"]?.int else { return refused("max_tokens: Field required") }
    guard maxTokens >= 1 else { return refused("max_tokens: must be at least 1") }
    guard let messages = body["messages"]?.array else { return refused("messages: Field required") }
    guard !messages.isEmpty else { return refused("messages: at least one message is required") }
    guard knows(model) else { return Self.error(404, "model: \(model)", requestID) }
    let completion = Completion(model: model, messages: messages, maxTokens: maxTokens, change: source.change)
    let id = "msg_" + source.ids.hex(24)
    let headers: [HeaderField] = [("request-id", requestID)]
    if body["stream"]?.bool == true {
      return Reply(
        events: AnthropicBodies.events(completion, id: id),
        headers: headers + [
          ("cache-control", "no-cache"), ("content-type", "text/event-stream; charset=utf-8"),
        ])
    }
    var reply = Reply(200, json: AnthropicBodies.message(completion, id: id), headers: headers)
    reply.tokens = completion.pieces.count
    return reply
  }

  /// Models of the list, also with a date behind or a provider before, and every Claude.
  private func knows(_ model: String) -> Bool {
    let name = model.split(separator: "/").last.map(String.init) ?? model
    return name.hasPrefix("claude") || settings.models.contains { name.hasPrefix($0) }
  }
}

/// The local model: the API of OpenAI as local servers speak it, without keys.
struct LocalFace {
  let settings: FaceSettings

  func reply(to request: FaceRequest, _ source: inout ReplySource) -> Reply {
    switch (request.method, request.path) {
    case ("GET", "/"), ("HEAD", "/"):
      return Reply(200, body: Array("the local model is running".utf8), type: "text/plain; charset=utf-8")
    case ("GET", "/v1/models"): return Reply(200, json: OpenAIBodies.models(settings.localModels))
    case ("POST", "/v1/chat/completions"):
      return PlainChat.reply(to: request, &source) { settings.localModels.contains($0) }
    case (_, "/"), (_, "/v1/models"), (_, "/v1/chat/completions"):
      return PlainChat.error(405, "method not allowed", type: "invalid_request_error")
    default: return PlainChat.error(404, "page not found", type: "not_found_error")
    }
  }
}

/// Chat completions of the OpenAI API without LiteLLM's additions.
enum PlainChat {
  static func reply(
    to request: FaceRequest, _ source: inout ReplySource, knows: (String) -> Bool
  ) -> Reply {
    let body: JSONValue
    do throws(JSONError) {
      body = try JSONParser.parse(request.body)
    } catch {
      return refused("invalid JSON: \(error)")
    }
    guard let model = body["model"]?.string else { return refused("model is required", param: "model") }
    guard let messages = body["messages"]?.array else {
      return refused("messages is required", param: "messages")
    }
    guard knows(model) else {
      return error(404, "model \"\(model)\" not found", type: "not_found_error")
    }
    let completion = Completion(
      model: model, messages: messages,
      maxTokens: (body["max_tokens"] ?? body["max_completion_tokens"])?.int, change: source.change)
    let id = "chatcmpl-" + source.ids.uuid()
    guard body["stream"]?.bool == true else {
      var reply = Reply(200, json: OpenAIBodies.chat(completion, id: id, created: source.seconds))
      reply.tokens = completion.pieces.count
      return reply
    }
    let events = OpenAIBodies.chatEvents(
      completion, id: id, created: source.seconds,
      includesUsage: body["stream_options"]?["include_usage"]?.bool == true, usageChoices: [])
    return Reply(
      events: events,
      headers: [("cache-control", "no-cache"), ("content-type", "text/event-stream; charset=utf-8")])
  }

  private static func refused(_ message: String, param: JSONValue = .null) -> Reply {
    error(400, message, type: "invalid_request_error", param: param)
  }

  static func error(_ status: Int, _ message: String, type: String, param: JSONValue = .null) -> Reply {
    Reply(status, json: OpenAIBodies.error(message, type: .string(type), param: param, code: .null))
  }
}
