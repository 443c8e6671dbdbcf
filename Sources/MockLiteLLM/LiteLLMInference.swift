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
    return answer(body, modelName(body) ?? "", callID, &source)
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
      return reply
    }
    let kind: LiteLLMHeaders.Kind = route == .messages ? .messages : .stream
    let headers = LiteLLMHeaders.success(completion, callID: callID, kind: kind)
    return Reply(events: events, headers: headers + LiteLLMHeaders.common + LiteLLMHeaders.stream)
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
