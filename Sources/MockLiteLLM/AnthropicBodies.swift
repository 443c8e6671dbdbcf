import JSON

/// Bodies in the shape of the Anthropic Messages API.
enum AnthropicBodies {
  static func message(_ completion: Completion, id: String) -> JSONValue {
    [
      "content": [["text": .string(completion.text), "type": "text"]], "id": .string(id),
      "model": .string(completion.model), "role": "assistant", "stop_reason": stopReason(completion),
      "stop_sequence": .null, "type": "message",
      "usage": [
        "input_tokens": .int(completion.promptTokens), "output_tokens": .int(completion.completionTokens),
      ],
    ]
  }

  static func events(_ completion: Completion, id: String) -> [[UInt8]] {
    let start: JSONValue = [
      "id": .string(id), "type": "message", "role": "assistant", "content": [],
      "model": .string(completion.model), "stop_reason": .null, "stop_sequence": .null,
      "usage": [
        "input_tokens": .int(completion.promptTokens), "output_tokens": 0,
        "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
      ],
    ]
    var events: [JSONValue] = [
      ["type": "message_start", "message": start],
      ["type": "content_block_start", "index": 0, "content_block": ["type": "text", "text": ""]],
      ["type": "ping"],
    ]
    events += completion.pieces.map {
      ["type": "content_block_delta", "index": 0, "delta": ["type": "text_delta", "text": .string($0)]]
    }
    events += [
      ["type": "content_block_stop", "index": 0],
      [
        "type": "message_delta", "delta": ["stop_reason": stopReason(completion), "stop_sequence": .null],
        "usage": ["output_tokens": .int(completion.completionTokens)],
      ],
      ["type": "message_stop"],
    ]
    return events.map { StreamEvent.named($0["type"]?.string ?? "", $0) }
  }

  private static func stopReason(_ completion: Completion) -> JSONValue {
    completion.isCut ? "max_tokens" : "end_turn"
  }

  /// `{"type":"error","error":{type,message}}`.
  static func error(_ type: String, _ message: String) -> JSONValue {
    ["type": "error", "error": ["type": .string(type), "message": .string(message)]]
  }

  /// The error type that goes with a status.
  static func errorType(_ status: Int) -> String {
    switch status {
    case 401: "authentication_error"
    case 402: "billing_error"
    case 403: "permission_error"
    case 404: "not_found_error"
    case 413: "request_too_large"
    case 429: "rate_limit_error"
    case 504: "timeout_error"
    case 529: "overloaded_error"
    case 400..<500: "invalid_request_error"
    default: "api_error"
    }
  }
}
