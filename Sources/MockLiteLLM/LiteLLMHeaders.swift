import ProtocolSpec

/// The headers LiteLLM puts on its answers, as recorded.
enum LiteLLMHeaders {
  static let version = "1.106.2"

  /// On every answer.
  static let common: [HeaderField] = [
    ("vary", "Origin"), ("x-frame-options", "DENY"),
    ("content-security-policy", "frame-ancestors 'none'"), ("x-content-type-options", "nosniff"),
  ]

  /// On an error that LiteLLM finds itself after the key was accepted.
  static func refused(callID: String) -> [HeaderField] {
    [("x-litellm-call-id", callID), ("x-litellm-response-cost", "0"), ("x-litellm-key-spend", "0.0")]
  }

  /// On an error that comes from the provider; `/v1/messages` names the model too.
  static func failed(callID: String, model: String?) -> [HeaderField] {
    var headers = refused(callID: callID)
    if let model { headers += [("x-litellm-model-id", modelID(model)), ("x-litellm-version", version)] }
    return headers + [("x-litellm-timeout", "6000.0")]
  }

  /// What a completion costs, in dollars.
  static func cost(_ completion: Completion) -> (input: Double, output: Double) {
    (Double(completion.promptTokens) * 0.000_000_8, Double(completion.completionTokens) * 0.000_004)
  }

  enum Kind { case whole, stream, messages }

  /// On a completion.
  static func success(_ completion: Completion, callID: String, kind: Kind) -> [HeaderField] {
    let (input, output) = cost(completion)
    // The cost is known only when the answer is whole.
    let isPriced = kind == .whole
    var headers: [HeaderField] = [
      ("x-litellm-call-id", callID), ("x-litellm-model-id", modelID(completion.model)),
      ("x-litellm-model-name", "openai/\(completion.model)"),
    ]
    if kind != .messages { headers.append(("x-litellm-model-api-base", "https://api.openai.com")) }
    headers.append(("x-litellm-version", version))
    if isPriced { headers.append(("x-litellm-response-cost", "\(input + output)")) }
    headers += [
      ("x-litellm-response-cost-original", isPriced ? "\(input + output)" : "0.0"),
      ("x-litellm-response-cost-discount-amount", "0.0"), ("x-litellm-response-cost-margin-amount", "0.0"),
      ("x-litellm-response-cost-margin-percent", "0.0"),
      ("x-litellm-response-cost-input", isPriced ? "\(input)" : "0.0"),
      ("x-litellm-response-cost-output", isPriced ? "\(output)" : "0.0"),
      ("x-litellm-response-cost-tool-usage", "0.0"),
      ("x-litellm-key-spend", isPriced ? "\(input + output)" : "0.0"),
      ("x-litellm-response-duration-ms", "1.0"),
    ]
    if kind != .messages { headers.append(("x-litellm-callback-duration-ms", "0.0")) }
    return headers + [
      ("x-litellm-model-group", completion.model), ("x-litellm-attempted-retries", "0"),
      ("x-litellm-attempted-fallbacks", "0"),
    ]
  }

  static let stream: [HeaderField] = [
    ("cache-control", "no-cache"), ("x-accel-buffering", "no"),
    ("content-type", "text/event-stream; charset=utf-8"),
  ]

  /// The id of a deployment: 64 hexadecimal digits, the same for the same model.
  static func modelID(_ model: String) -> String {
    var generator = SeededGenerator(seed: 0, stream: model)
    return generator.hex(64)
  }
}
