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
        Completion(model: model, messages: messages, maxTokens: maxTokens)
      } else {
        Completion(model: model, prompt: prompt(body), maxTokens: maxTokens)
      }
    let streams = body["stream"]?.bool == true
    let id = source.ids.uuid()
    switch route {
    case .messages:
      let headers =
        LiteLLMHeaders.success(completion, callID: callID, kind: .messages) + LiteLLMHeaders.common
      if streams {
        return Reply(
          events: AnthropicBodies.events(completion, id: "msg_\(id)"),
          headers: headers + LiteLLMHeaders.stream)
      }
      return Reply(200, json: AnthropicBodies.message(completion, id: "msg_\(id)"), headers: headers)
    case .chat where streams:
      let events = OpenAIBodies.chatEvents(
        completion, id: "chatcmpl-\(id)", created: source.seconds,
        includesUsage: body["stream_options"]?["include_usage"]?.bool == true,
        // LiteLLM sends a choice with an empty delta where OpenAI sends none.
        usageChoices: [["index": 0, "delta": [:]]])
      let headers = LiteLLMHeaders.success(completion, callID: callID, kind: .stream)
      return Reply(events: events, headers: headers + LiteLLMHeaders.common + LiteLLMHeaders.stream)
    default:
      let headers = LiteLLMHeaders.success(completion, callID: callID, kind: .whole) + LiteLLMHeaders.common
      return Reply(200, json: whole(completion, id, source.seconds), headers: headers)
    }
  }

  private func prompt(_ body: JSONValue) -> String {
    let value = body["prompt"] ?? body["input"]
    return value?.string ?? value?.array?.compactMap(\.string).joined(separator: " ") ?? ""
  }

  private func whole(_ completion: Completion, _ id: String, _ created: Int) -> JSONValue {
    switch route {
    case .completions: OtherBodies.completion(completion, id: id, created: created)
    case .embeddings: OtherBodies.embedding(completion)
    case .responses: OtherBodies.response(completion, id: id, created: created)
    default: OpenAIBodies.chat(completion, id: "chatcmpl-\(id)", created: created)
    }
  }
}

/// Bodies of the endpoints beside chat.
enum OtherBodies {
  static func completion(_ completion: Completion, id: String, created: Int) -> JSONValue {
    var usage = OpenAIBodies.usage(completion)
    usage["completion_tokens_details"] = .null
    usage["prompt_tokens_details"] = .null
    return [
      "id": .string("chatcmpl-\(id)"), "object": "text_completion", "created": .int(created),
      "model": .string(completion.model),
      "choices": [
        [
          "finish_reason": .string(completion.finishReason), "index": 0, "text": .string(completion.text),
          "logprobs": .null,
        ]
      ],
      "usage": usage,
    ]
  }

  /// Eight numbers that are the same for the same text.
  static func embedding(_ completion: Completion) -> JSONValue {
    var generator = SeededGenerator(seed: 0, stream: completion.text)
    let vector = (0..<8).map { _ in JSONValue.number(JSONNumber(generator.unit() * 2 - 1)) }
    return [
      "model": .string(completion.model),
      "data": [["embedding": .array(vector), "index": 0, "object": "embedding"]], "object": "list",
      "usage": [
        "completion_tokens": 0, "prompt_tokens": .int(completion.promptTokens),
        "total_tokens": .int(completion.promptTokens), "completion_tokens_details": .null,
        "prompt_tokens_details": .null,
      ],
    ]
  }

  static func response(_ completion: Completion, id: String, created: Int) -> JSONValue {
    let content: JSONValue = [
      "annotations": [], "text": .string(completion.text), "type": "output_text", "logprobs": .null,
    ]
    let input = completion.promptTokens
    let output = completion.completionTokens
    return [
      "id": .string("resp_\(id)"), "created_at": .int(created), "error": .null, "incomplete_details": .null,
      "instructions": .null, "metadata": [:], "model": .string(completion.model), "object": "response",
      "output": [
        [
          "id": .string("msg_\(id)"), "content": [content], "role": "assistant", "status": "completed",
          "type": "message", "phase": .null,
        ]
      ],
      "parallel_tool_calls": true, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
      "max_output_tokens": .null, "previous_response_id": .null,
      "reasoning": ["effort": .null, "summary": .null],
      "status": "completed", "text": ["format": ["type": "text"]], "truncation": "disabled",
      "usage": [
        "input_tokens": .int(input),
        "input_tokens_details": [
          "audio_tokens": .null, "cached_tokens": 0, "cached_tokens_details": .null, "image_tokens": .null,
          "text_tokens": .null, "video_tokens": .null,
        ],
        "output_tokens": .int(output),
        "output_tokens_details": ["audio_tokens": .null, "reasoning_tokens": .null, "text_tokens": .null],
        "total_tokens": .int(input + output), "cost": .null,
      ],
      "user": .null, "store": true,
    ]
  }
}
