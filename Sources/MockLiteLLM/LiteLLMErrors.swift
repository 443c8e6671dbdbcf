import Diagnostics
import JSON
import ProtocolSpec

/// The errors of LiteLLM: `{"error":{message,type,param,code}}`, `code` being the status as text.
enum LiteLLMErrors {
  static func reply(
    _ status: Int, _ message: String, type: String, param: JSONValue = .null, headers: [HeaderField] = [],
    providerFields: JSONValue? = nil
  ) -> Reply {
    var body = OpenAIBodies.error(
      message, type: .string(type), param: param, code: .string(String(status)))
    if let providerFields, var error = body["error"] {
      error["provider_specific_fields"] = providerFields
      body["error"] = error
    }
    return Reply(status, json: body, headers: headers + LiteLLMHeaders.common)
  }

  /// Starlette's own form, for what no route takes.
  static func detail(_ status: Int, _ text: String, allow: [String] = []) -> Reply {
    let headers: [HeaderField] = allow.isEmpty ? [] : [("allow", allow.joined(separator: ", "))]
    return Reply(status, json: ["detail": .string(text)], headers: headers + LiteLLMHeaders.common)
  }

  static let noKey = reply(
    401, "Authentication Error, No api key passed in.", type: "auth_error", param: "None")
  static let noScheme = reply(
    401, "Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix.",
    type: "auth_error", param: "None")
  static let badKey = reply(400, "No connected db.", type: "no_db_connection")

  static func badJSON(_ error: JSONError) -> Reply {
    reply(
      400,
      "Invalid JSON payload: \(error.reason): line \(error.line) column \(error.column) (char \(error.offset))",
      type: "invalid_request_error", param: "request_body")
  }

  /// The answer at a limit of the key.
  ///
  /// - Parameters:
  ///   - kind: requests, tokens or max_parallel_requests.
  ///   - header: which header names the limit; nil for none.
  static func limited(
    _ kind: String, limit: Int, header: String?, spend: Double = 0, now: Int, callID: String,
    message: String? = nil
  ) -> Reply {
    let minute = Timestamp(milliseconds: Int64(now) + 60_000).text
    let reset = String(minute.prefix { $0 != "." }).replacing("T", with: " ") + " UTC"
    let text =
      "Rate limit exceeded for api_key: mock. Limit type: \(kind). Current limit: \(limit), Remaining: 0. "
      + "Limit resets at: \(reset)"
    var headers: [HeaderField] = [
      ("retry-after", "60"), ("rate_limit_type", kind), ("reset_at", reset), ("x-litellm-call-id", callID),
      ("x-litellm-response-cost", "0"), ("x-litellm-key-spend", "\(spend)"),
    ]
    if let header { headers.append((header, "\(limit)")) }
    return reply(429, message ?? text, type: "throttling_error", headers: headers)
  }

  // MARK: - Errors of a fault

  /// Types that LiteLLM answers in its own form on `/v1/messages` too.
  private static let gatewayTypes: Set<String> = ["auth_error", "no_db_connection", "budget_exceeded"]

  /// What LiteLLM answers when it fails with `status`.
  ///
  /// - Parameters:
  ///   - type: the error type; nil for the one that goes with the status.
  ///   - message: nil for one that goes with status and type.
  ///   - retryAfter: the value of the Retry-After that the rule adds.
  ///   - isStream: a stream was asked for.
  static func fault(
    _ status: Int, type: String?, message: String?, retryAfter: String?, model: String, callID: String,
    path: String, isStream: Bool, now: Int
  ) -> Reply {
    let type = type ?? defaultType(status)
    if path == "/v1/messages", !gatewayTypes.contains(type) {
      let isKnown = type != defaultType(status)
      let error = AnthropicBodies.error(
        isKnown ? type : AnthropicBodies.errorType(status), message ?? providerMessage(status, model))
      let headers = LiteLLMHeaders.failed(callID: callID, model: model)
      return Reply(status, json: error, headers: headers + LiteLLMHeaders.common)
    }
    switch type {
    case "auth_error":
      return reply(
        status, message ?? "Authentication Error, the key is not accepted", type: type, param: "None")
    case "no_db_connection": return reply(status, message ?? "No connected db.", type: type)
    case "budget_exceeded":
      return reply(
        status, message ?? "Budget has been exceeded! Current cost: 1.0, Max budget: 1.0", type: type)
    case "all_deployments_in_cooldown":
      return reply(
        status,
        message
          ?? "No deployments available for selected model, Try again in \(retryAfter ?? "5") seconds. "
          + "All deployments for selected model are in cooldown. Passed model=\(model).",
        type: type, headers: LiteLLMHeaders.refused(callID: callID))
    case "throttling_error" where retryAfter != nil:
      // LiteLLM says Retry-After itself only at the limits of a key.
      return limited(
        "requests", limit: 1, header: "x-litellm-key-rpm-limit", now: now, callID: callID, message: message)
    case "internal_server_error" where status == 429:
      return reply(
        status, message ?? "No deployments available for selected model.", type: type,
        headers: LiteLLMHeaders.refused(callID: callID))
    default:
      let headers =
        switch path {
        case "/v1/completions", "/completions": [("x-litellm-call-id", callID)]
        case "/v1/responses", "/responses": LiteLLMHeaders.failed(callID: callID, model: model)
        default: LiteLLMHeaders.failed(callID: callID, model: nil)
        }
      let text = message ?? providerMessage(status, model)
      guard isStream, text.hasPrefix("litellm.APIConnectionError") || text.hasPrefix("litellm.APIError")
      else {
        return reply(status, text, type: type, headers: headers)
      }
      return beforeStream(status, text, model, callID)
    }
  }

  /// What LiteLLM answers where a stream fails before its first event: an error without a type, under
  /// the head of the stream.
  private static func beforeStream(_ status: Int, _ text: String, _ model: String, _ callID: String) -> Reply
  {
    let completion = Completion(model: model, prompt: "")
    let headers = LiteLLMHeaders.success(completion, callID: callID, kind: .stream)
    return Reply(
      status, json: OpenAIBodies.error(text, type: .null, code: .string(String(status))),
      headers: headers + LiteLLMHeaders.common)
  }

  static func defaultType(_ status: Int) -> String {
    switch status {
    case 401: "auth_error"
    case 403: "permission_error"
    case 429: "throttling_error"
    case 400..<500: "invalid_request_error"
    default: "internal_server_error"
    }
  }

  private static func providerMessage(_ status: Int, _ model: String) -> String {
    let name =
      switch status {
      case 400, 422: "BadRequestError"
      case 401: "AuthenticationError"
      case 403: "PermissionDeniedError"
      case 404: "NotFoundError"
      case 408: "Timeout"
      case 429: "RateLimitError"
      case 500: "InternalServerError"
      case 502: "BadGatewayError"
      case 503: "ServiceUnavailableError"
      default: "APIError"
      }
    return "litellm.\(name): \(name): OpenAIException - the mock was told to answer \(status)\n\n"
      + "LiteLLM: model group '\(model)' failed with the error above. No fallback was attempted."
  }
}
