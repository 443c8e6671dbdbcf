import JSON
import ProtocolSpec

/// Bodies of the endpoints beside chat.
enum OtherBodies {
  static func completion(_ completion: Completion, id: String, created: Int) -> JSONValue {
    var body = part(
      completion, id, created, completion.hasContent ? .string(completion.text) : .null,
      finish: .string(completion.finishReason))
    guard completion.hasUsage else { return body }
    var usage = OpenAIBodies.usage(completion)
    usage["completion_tokens_details"] = .null
    usage["prompt_tokens_details"] = .null
    body["usage"] = usage
    return body
  }

  static func completionEvents(_ completion: Completion, id: String, created: Int, includesUsage: Bool)
    -> [StreamEvent]
  {
    let template = EventTemplate {
      StreamEvent(.token, part(completion, id, created, .string($0), finish: .null))
    }
    var events = completion.pieces.map(template.event)
    var last = part(completion, id, created, "", finish: .string(completion.finishReason))
    if includesUsage, completion.hasUsage { last["usage"] = OpenAIBodies.usage(completion) }
    events.append(StreamEvent(.finish, last))
    return events + [.done]
  }

  private static func part(
    _ completion: Completion, _ id: String, _ created: Int, _ text: JSONValue, finish: JSONValue
  ) -> JSONValue {
    let choice: JSONValue = ["finish_reason": finish, "index": 0, "text": text, "logprobs": .null]
    return [
      "id": .string("chatcmpl-\(id)"), "object": "text_completion", "created": .int(created),
      "model": .string(completion.shownModel), "choices": completion.hasChoices ? [choice] : [],
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
