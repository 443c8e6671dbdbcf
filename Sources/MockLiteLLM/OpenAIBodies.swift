import JSON

/// Bodies in the shape of the OpenAI API as LiteLLM writes them.
enum OpenAIBodies {
  static func chat(_ completion: Completion, id: String, created: Int) -> JSONValue {
    [
      "id": .string(id), "created": .int(created), "model": .string(completion.model),
      "object": "chat.completion",
      "choices": [
        [
          "finish_reason": .string(completion.finishReason), "index": 0,
          "message": ["content": .string(completion.text), "role": "assistant"],
        ]
      ],
      "usage": usage(completion),
    ]
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
  ) -> [[UInt8]] {
    func chunk(_ delta: JSONValue, finish: String? = nil) -> [UInt8] {
      var choice: JSONValue = ["index": 0, "delta": delta]
      choice["finish_reason"] = finish.map(JSONValue.string)
      return StreamEvent.data([
        "id": .string(id), "object": "chat.completion.chunk", "created": .int(created),
        "model": .string(completion.model), "choices": [choice],
      ])
    }
    var events = completion.pieces.enumerated().map { index, piece in
      chunk(index == 0 ? ["role": "assistant", "content": .string(piece)] : ["content": .string(piece)])
    }
    events.append(chunk([:], finish: completion.finishReason))
    if includesUsage {
      var usage = usage(completion)
      usage["completion_tokens_details"] = [
        "reasoning_tokens": 0, "text_tokens": .int(completion.completionTokens),
      ]
      events.append(
        StreamEvent.data([
          "id": .string(id), "created": .int(created), "model": .string(completion.model),
          "object": "chat.completion.chunk", "choices": usageChoices, "usage": usage,
        ]))
    }
    return events + [StreamEvent.done]
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
