import JSON
import ProtocolSpec

/// Bodies in the shape of the OpenAI API as LiteLLM writes them.
enum OpenAIBodies {
  static func chat(_ completion: Completion, id: String, created: Int) -> JSONValue {
    var chat: JSONValue = [
      "id": .string(id), "created": .int(created), "model": .string(completion.shownModel),
      "object": "chat.completion",
      "choices": completion.hasChoices
        ? [
          [
            "finish_reason": .string(completion.finishReason), "index": 0,
            "message": message(completion, id),
          ]
        ] : [],
    ]
    if completion.hasUsage { chat["usage"] = usage(completion) }
    return chat
  }

  private static func message(_ completion: Completion, _ id: String) -> JSONValue {
    var message: JSONValue = [
      "content": completion.hasContent ? .string(completion.text) : .null, "role": "assistant",
    ]
    if let calls = toolCalls(completion, id) { message["tool_calls"] = .array([calls]) }
    return message
  }

  private static func toolCalls(_ completion: Completion, _ id: String) -> JSONValue? {
    completion.toolCall.map { call in
      [
        "function": ["arguments": .string(call.arguments), "name": .string(call.name)],
        "id": .string("call_\(id)"), "type": "function",
      ]
    }
  }

  static func usage(_ completion: Completion) -> JSONValue {
    [
      "completion_tokens": .int(completion.completionTokens), "prompt_tokens": .int(completion.promptTokens),
      "total_tokens": .int(completion.promptTokens + completion.completionTokens),
    ]
  }

  /// The chunks of a streamed completion, `[DONE]` included.
  static func chatEvents(
    _ completion: Completion, id: String, created: Int, includesUsage: Bool, usageChoices: JSONValue
  ) -> [StreamEvent] {
    func chunk(_ kind: StreamEvent.Kind, _ delta: JSONValue, finish: String? = nil) -> StreamEvent {
      var choice: JSONValue = ["index": 0, "delta": delta]
      choice["finish_reason"] = finish.map(JSONValue.string)
      return StreamEvent(
        kind,
        [
          "id": .string(id), "object": "chat.completion.chunk", "created": .int(created),
          "model": .string(completion.shownModel), "choices": completion.hasChoices ? [choice] : [],
        ])
    }
    let template = EventTemplate { chunk(.token, ["content": .string($0)]) }
    var events = completion.pieces.enumerated().map { index, piece in
      index > 0
        ? template.event(piece) : chunk(.token, ["role": "assistant", "content": .string(piece)])
    }
    if var call = toolCalls(completion, id) {
      call["index"] = 0
      events = [chunk(.token, ["role": "assistant", "content": .null, "tool_calls": [call]])]
    } else if events.isEmpty {
      events = [chunk(.token, ["role": "assistant", "content": completion.hasContent ? "" : .null])]
    }
    events.append(chunk(.finish, [:], finish: completion.finishReason))
    if includesUsage, completion.hasUsage {
      var usage = usage(completion)
      usage["completion_tokens_details"] = [
        "reasoning_tokens": 0, "text_tokens": .int(completion.completionTokens),
      ]
      events.append(
        StreamEvent(
          .frame,
          [
            "id": .string(id), "created": .int(created), "model": .string(completion.shownModel),
            "object": "chat.completion.chunk", "choices": usageChoices, "usage": usage,
          ]))
    }
    return events + [.done]
  }

  /// `{"error":{message,type,param,code}}`; LiteLLM's `code` is the status as a string.
  static func error(
    _ message: String, type: JSONValue, param: JSONValue = .null, code: JSONValue
  ) -> JSONValue {
    ["error": ["message": .string(message), "type": type, "param": param, "code": code]]
  }

  /// What `GET /v1/models` says about a model.
  static func model(_ name: String) -> JSONValue {
    var model: JSONValue = [
      "id": .string(name), "object": "model", "created": 1_677_610_602, "owned_by": "openai",
    ]
    guard name.hasPrefix("gpt-") else { return model }
    model["mode"] = "chat"
    model["max_input_tokens"] = 128_000
    model["max_output_tokens"] = 16_384
    return model
  }

  static func models(_ names: [String]) -> JSONValue {
    ["data": .array(names.map(model)), "object": "list"]
  }
}
