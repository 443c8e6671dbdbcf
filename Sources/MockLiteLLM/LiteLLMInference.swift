import JSON
import ProtocolSpec

/// LiteLLM's endpoints that ask a model.
struct LiteLLMInference {
  let settings: FaceSettings
  let route: LiteLLMRoute

  func reply(to request: FaceRequest, _ source: inout ReplySource) -> Reply {
    // An empty body counts as an object without members.
    var body = JSONValue.object(JSONObject())
    if !request.body.isEmpty {
      do throws(JSONError) {
        body = try JSONParser.parse(request.body, limits: JSONLimits(allowsDuplicateKeys: true))
      } catch {
        return LiteLLMErrors.badJSON(error)
      }
    }
    let callID = source.callID(request)
    guard body.object != nil else {
      return LiteLLMErrors.reply(
        500, "the request body is no object", type: "internal_server_error",
        headers: LiteLLMHeaders.refused(callID: callID))
    }
    if let refusal = refusal(of: body, callID) { return refusal }
    let model = modelName(body) ?? ""
    let time = source.gatewayTime
    guard let outcome = source.gateway?.call(model, request, body, now: time) else {
      return answer(body, model, callID, &source)
    }
    var reply = passOn(outcome, request, body, callID, &source)
    reply.wait = outcome.time
    return reply
  }

  /// The answer of a deployment, or what the router says in its place.
  private func passOn(
    _ outcome: Gateway.Outcome, _ request: FaceRequest, _ body: JSONValue, _ callID: String,
    _ source: inout ReplySource
  ) -> Reply {
    if let failure = outcome.failure {
      var reply = LiteLLMErrors.fault(
        failure.status, type: failure.type, message: failure.message,
        retryAfter: failure.isCooldown ? failure.retryAfter : nil, model: outcome.model, callID: callID,
        path: request.path, isStream: body["stream"]?.bool == true, now: source.now())
      // LiteLLM says Retry-After only of its own; that of a provider has another name.
      let header = failure.isCooldown ? "retry-after" : "llm_provider-retry-after"
      if let time = failure.retryAfter { reply.set(header, time) }
      return reply
    }
    let usual = source.change
    defer { source.change = usual }
    if let rule = outcome.rule { source.change = rule.completion }
    var reply = answer(body, outcome.model, callID, &source)
    if case .answer(_, _, _, let told?)? = outcome.rule?.action {
      reply.content = .whole(JSONWriter.bytes(told))
    }
    if case .stream(let fault, _)? = outcome.rule?.action, [.onlyDone, .empty].contains(fault),
      case .events(let events) = reply.content
    {
      // A finish is made up where the deployment has said nothing.
      reply.content = .events(events.filter { $0.kind != .token })
    }
    reply.set("x-litellm-model-id", LiteLLMHeaders.modelID("\(outcome.model)/\(outcome.deployment)"))
    reply.set("x-litellm-attempted-retries", "\(outcome.retries)")
    reply.set("x-litellm-attempted-fallbacks", "\(outcome.fallbacks)")
    reply.fault = outcome.rule?.asPassedOn
    if let pace = outcome.rule?.pace, pace != AnswerPace() { reply.pace = pace }
    return reply
  }

  /// The path that error texts name, and the member that the endpoint cannot do without.
  private var requirement: (path: String, member: String) {
    switch route {
    case .completions: ("/completions", "prompt")
    case .embeddings: ("/embeddings", "input")
    case .responses: ("/responses", "input")
    case .messages: ("/v1/messages", "messages")
    default: ("/chat/completions", "messages")
    }
  }

  private func modelName(_ body: JSONValue) -> String? {
    if let name = body["model"]?.string { return name }
    if case .chat(let engine) = route { return engine }
    return nil
  }

  private func refusal(of body: JSONValue, _ callID: String) -> Reply? {
    let (path, member) = requirement
    if body[member] == nil || (member == "messages" && body[member]?.array == nil) {
      return refused("\(path): Missing required parameter: '\(member)'.", param: .string(member), callID)
    }
    if let name = body.object?.keys.first(where: { $0.hasPrefix("mock_testing_") }) {
      let text =
        "Mock testing request params are disabled on this proxy: \(name). "
        + "An admin can enable them in config.yaml."
      return refused(text, callID, providerFields: ["error": .string(text)])
    }
    let model = modelName(body)
    guard let model, settings.models.contains(model) else {
      let text =
        "\(path): Invalid model name passed in model=\(model ?? "None"). "
        + "Call `/v1/models` to view available models for your key."
      return refused(text, callID, providerFields: ["error": .string(text)])
    }
    return nil
  }

  private func refused(
    _ message: String, param: JSONValue = .null, _ callID: String, providerFields: JSONValue? = nil
  ) -> Reply {
    let headers = LiteLLMHeaders.refused(callID: callID)
    guard route == .messages else {
      return LiteLLMErrors.reply(
        400, message, type: "invalid_request_error", param: param, headers: headers,
        providerFields: providerFields)
    }
    return Reply(
      400, json: AnthropicBodies.error("invalid_request_error", message),
      headers: headers + LiteLLMHeaders.common)
  }

  private func answer(
    _ body: JSONValue, _ model: String, _ callID: String, _ source: inout ReplySource
  ) -> Reply {
    let maxTokens = (body["max_tokens"] ?? body["max_completion_tokens"] ?? body["max_output_tokens"])?.int
    let completion =
      if let messages = body["messages"]?.array {
        Completion(model: model, messages: messages, maxTokens: maxTokens, change: source.change)
      } else {
        Completion(model: model, prompt: prompt(body), maxTokens: maxTokens, change: source.change)
      }
    let id = source.ids.uuid()
    guard body["stream"]?.bool == true, let events = events(completion, id, source.seconds, body) else {
      let kind: LiteLLMHeaders.Kind = route == .messages ? .messages : .whole
      let headers = LiteLLMHeaders.success(completion, callID: callID, kind: kind) + LiteLLMHeaders.common
      var reply = Reply(200, json: whole(completion, id, source.seconds), headers: headers)
      if route != .embeddings { reply.tokens = completion.pieces.count }
      reply.charge = charge(completion)
      return reply
    }
    let kind: LiteLLMHeaders.Kind = route == .messages ? .messages : .stream
    let headers = LiteLLMHeaders.success(completion, callID: callID, kind: kind)
    var reply = Reply(events: events, headers: headers + LiteLLMHeaders.common + LiteLLMHeaders.stream)
    reply.charge = charge(completion)
    return reply
  }

  private func charge(_ completion: Completion) -> (tokens: Int, cost: Double) {
    let (input, output) = LiteLLMHeaders.cost(completion)
    return (completion.promptTokens + completion.completionTokens, input + output)
  }

  /// The events of a stream; nil for an endpoint whose streams the mock does not play.
  private func events(_ completion: Completion, _ id: String, _ created: Int, _ body: JSONValue)
    -> [StreamEvent]?
  {
    let includesUsage = body["stream_options"]?["include_usage"]?.bool == true
    switch route {
    case .messages: return AnthropicBodies.events(completion, id: "msg_\(id)")
    case .completions:
      return OtherBodies.completionEvents(completion, id: id, created: created, includesUsage: includesUsage)
    case .chat:
      return OpenAIBodies.chatEvents(
        completion, id: "chatcmpl-\(id)", created: created, includesUsage: includesUsage,
        // LiteLLM sends a choice with an empty delta where OpenAI sends none.
        usageChoices: [["index": 0, "delta": [:]]])
    default: return nil
    }
  }

  private func prompt(_ body: JSONValue) -> String {
    let value = body["prompt"] ?? body["input"]
    return value?.string ?? value?.array?.compactMap(\.string).joined(separator: " ") ?? ""
  }

  private func whole(_ completion: Completion, _ id: String, _ created: Int) -> JSONValue {
    switch route {
    case .messages: AnthropicBodies.message(completion, id: "msg_\(id)")
    case .completions: OtherBodies.completion(completion, id: id, created: created)
    case .embeddings: OtherBodies.embedding(completion)
    case .responses: OtherBodies.response(completion, id: id, created: created)
    default: OpenAIBodies.chat(completion, id: "chatcmpl-\(id)", created: created)
    }
  }
}
