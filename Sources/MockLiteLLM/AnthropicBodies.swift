import JSON
import ProtocolSpec

/// Bodies in the shape of the Anthropic Messages API.
enum AnthropicBodies {
  static func message(_ completion: Completion, id: String) -> JSONValue {
    var message: JSONValue = [
      "content": .array(content(completion, id)), "id": .string(id), "model": .string(completion.shownModel),
      "role": "assistant", "stop_reason": .string(completion.stopReason), "stop_sequence": .null,
      "type": "message",
    ]
    if completion.hasUsage {
      message["usage"] = [
        "input_tokens": .int(completion.promptTokens), "output_tokens": .int(completion.completionTokens),
      ]
    }
    return message
  }

  private static func content(_ completion: Completion, _ id: String) -> [JSONValue] {
    guard completion.hasChoices else { return [] }
    if let call = completion.toolCall {
      // Arguments that are no JSON stand there as the text they are.
      let input = (try? JSONParser.parse(Array(call.arguments.utf8))) ?? .string(call.arguments)
      return [["type": "tool_use", "id": .string("toolu_\(id)"), "name": .string(call.name), "input": input]]
    }
    return completion.hasContent ? [["text": .string(completion.text), "type": "text"]] : []
  }

  static func events(_ completion: Completion, id: String) -> [StreamEvent] {
    var start: JSONValue = [
      "id": .string(id), "type": "message", "role": "assistant", "content": [],
      "model": .string(completion.shownModel), "stop_reason": .null, "stop_sequence": .null,
    ]
    if completion.hasUsage {
      start["usage"] = [
        "input_tokens": .int(completion.promptTokens), "output_tokens": 0,
        "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
      ]
    }
    var events = [event(.frame, ["type": "message_start", "message": start])]
    if completion.hasChoices, completion.toolCall != nil || completion.hasContent {
      events += block(completion, id)
    }
    var end: JSONValue = [
      "type": "message_delta",
      "delta": ["stop_reason": .string(completion.stopReason), "stop_sequence": .null],
    ]
    if completion.hasUsage { end["usage"] = ["output_tokens": .int(completion.completionTokens)] }
    return events + [event(.finish, end), event(.done, ["type": "message_stop"])]
  }

  private static func block(_ completion: Completion, _ id: String) -> [StreamEvent] {
    var block: JSONValue = ["type": "text", "text": ""]
    var deltas = completion.pieces.map { piece -> JSONValue in
      ["type": "text_delta", "text": .string(piece)]
    }
    if let call = completion.toolCall {
      block = ["type": "tool_use", "id": .string("toolu_\(id)"), "name": .string(call.name), "input": [:]]
      deltas = [["type": "input_json_delta", "partial_json": .string(call.arguments)]]
    }
    return [
      event(.frame, ["type": "content_block_start", "index": 0, "content_block": block]),
      event(.frame, ["type": "ping"]),
    ] + deltas.map { event(.token, ["type": "content_block_delta", "index": 0, "delta": $0]) } + [
      event(.frame, ["type": "content_block_stop", "index": 0])
    ]
  }

  private static func event(_ kind: StreamEvent.Kind, _ value: JSONValue) -> StreamEvent {
    StreamEvent(kind, value, named: value["type"]?.string ?? "")
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
