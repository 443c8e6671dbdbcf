import Foundation
import JSON
import ProtocolSpec

/// A message of a conversation with a model.
struct ChatMessage: Sendable {
  let role: String
  let content: String
}

/// What a model said, checked to be something.
struct Completion: Sendable {
  let text: String
  /// The model stopped for length.
  let isTruncated: Bool
}

/// Why a call gave no completion, in the words of `Spec/failures.yaml`.
struct CallFailure: Error, Sendable {
  let name: FailureClass
  /// For people; never holds a key.
  let detail: String
  var status: Int?
  var retryAfter: Duration?
}

/// A service that completes conversations.
protocol Upstream: Sendable {
  /// - Parameter maxTokens: the longest answer asked for; nil leaves it to the service.
  func complete(
    _ messages: [ChatMessage], model: String, maxTokens: Int?
  ) async throws(CallFailure) -> Completion
}

/// `/v1/chat/completions` as LiteLLM, local models and OpenAI's API serve it.
struct ChatCompletions: Upstream {
  let caller: HTTPCaller
  let baseURL: String
  let key: String?
  /// Sent with every call.
  var headers: [(String, String)] = []

  func complete(
    _ messages: [ChatMessage], model: String, maxTokens: Int?
  ) async throws(CallFailure) -> Completion {
    var body = JSONObject([("model", .string(model)), ("messages", conversation(messages))])
    body["max_tokens"] = maxTokens.map(JSONValue.int)
    var headers = headers
    if let key { headers.append(("authorization", "Bearer \(key)")) }
    let answer = try await caller.post(baseURL + "/v1/chat/completions", headers, .object(body))
    return try completion(try answer.success(caller.failures))
  }

  private func completion(_ body: JSONValue) throws(CallFailure) -> Completion {
    guard let choices = body["choices"]?.array else {
      throw CallFailure(name: .badResponse, detail: "the answer has no choices")
    }
    guard let choice = choices.first else {
      throw CallFailure(name: .invalidOutput, detail: "the model gave no choice")
    }
    guard let text = choice["message"]?["content"]?.string else {
      throw CallFailure(name: .invalidOutput, detail: "the model gave no text")
    }
    return Completion(text: text, isTruncated: choice["finish_reason"] == "length")
  }
}

/// `/v1/messages` of Anthropic's API.
struct AnthropicMessages: Upstream {
  private static let version = "2023-06-01"

  let caller: HTTPCaller
  let baseURL: String
  let key: String
  let defaultMaxTokens: Int

  func complete(
    _ messages: [ChatMessage], model: String, maxTokens: Int?
  ) async throws(CallFailure) -> Completion {
    // The system prompt is a member of its own there, not a message.
    let system = messages.filter { $0.role == "system" }.map(\.content)
    var body = JSONObject([
      ("model", .string(model)), ("max_tokens", .int(maxTokens ?? defaultMaxTokens)),
      ("messages", conversation(messages.filter { $0.role != "system" })),
    ])
    if !system.isEmpty { body["system"] = .string(system.joined(separator: "\n\n")) }
    let headers = [("x-api-key", key), ("anthropic-version", Self.version)]
    let answer = try await caller.post(baseURL + "/v1/messages", headers, .object(body))
    return try completion(try answer.success(caller.failures))
  }

  private func completion(_ body: JSONValue) throws(CallFailure) -> Completion {
    guard let content = body["content"]?.array else {
      throw CallFailure(name: .badResponse, detail: "the answer has no content")
    }
    let texts = content.filter { $0["type"] == "text" }.compactMap { $0["text"]?.string }
    guard !texts.isEmpty else { throw CallFailure(name: .invalidOutput, detail: "the model gave no text") }
    return Completion(text: texts.joined(), isTruncated: body["stop_reason"] == "max_tokens")
  }
}

private func conversation(_ messages: [ChatMessage]) -> JSONValue {
  .array(messages.map { ["role": .string($0.role), "content": .string($0.content)] })
}

/// The answer to an HTTP request, whole.
struct HTTPAnswer: Sendable {
  let status: Int
  let headers: [(name: String, value: String)]
  let body: [UInt8]

  func header(_ name: String) -> String? {
    headers.first { $0.name.lowercased() == name }?.value
  }

  /// The JSON of a success; an error is classified by its type and status.
  func success(_ failures: FailureTable) throws(CallFailure) -> JSONValue {
    let json = try? JSONParser.parse(body, limits: JSONLimits(allowsDuplicateKeys: true))
    let error = json?["error"]
    guard status == 200 else { throw failure(error ?? json, failures) }
    guard let json, json.object != nil else {
      throw CallFailure(name: .badResponse, detail: "the answer is no JSON object", status: status)
    }
    if let error, !error.isNull {
      throw CallFailure(name: .badResponse, detail: "an error in an answer with status 200", status: status)
    }
    return json
  }

  private func failure(_ error: JSONValue?, _ failures: FailureTable) -> CallFailure {
    let types = [error?["type"]?.string, error?["code"]?.string].compactMap(\.self)
    let name = failures.classify(status: status, types: types)
    let message = error?["message"]?.string ?? error?.string ?? "status \(status)"
    return CallFailure(name: name, detail: message, status: status, retryAfter: retryAfter(failures))
  }

  /// RFC 9110 §10.2.3, also under the name that LiteLLM gives to what its own upstream said.
  private func retryAfter(_ failures: FailureTable) -> Duration? {
    guard status == 429 || status >= 500 else { return nil }
    guard let text = header("retry-after") ?? header("llm_provider-retry-after") else { return nil }
    if let seconds = Double(text), seconds >= 0, seconds < 1e9 { return .seconds(seconds) }
    guard let date = HTTPDateText.date(text) else { return nil }
    return .seconds(max(date.timeIntervalSinceNow, 0))
  }
}

/// The preferred form of dates in HTTP (RFC 9110 §5.6.7).
private enum HTTPDateText {
  static func date(_ text: String) -> Date? {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "UTC")
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    return formatter.date(from: text)
  }
}
