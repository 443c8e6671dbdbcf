import Foundation
import JSON
import ProtocolSpec

/// A message of a conversation with a model.
struct ChatMessage: Sendable {
  let role: String
  let content: String
}

/// Why a call gave no completion, in the words of `Spec/failures.yaml`.
struct CallFailure: Error, Sendable {
  let name: FailureClass
  /// For people; never holds a key.
  let detail: String
  var status: Int?
  var retryAfter: Duration?
  /// The request was too long for its model; a larger one may take it.
  var isTooLong = false
}

/// A service that completes conversations.
protocol Upstream: Sendable {
  /// - Parameter maxTokens: the longest answer asked for; nil leaves it to the service.
  func complete(
    _ messages: [ChatMessage], model: String, maxTokens: Int?
  ) async throws(CallFailure) -> Completion
}

/// `/v1/chat/completions` as LiteLLM, local models and OpenAI's API serve it.
struct ChatCompletions: Upstream, CompletionFormat {
  let caller: HTTPCaller
  let baseURL: String
  let key: String?
  /// Whether answers are asked for as streams.
  var isStreamed = false
  /// Sent with every call.
  var headers: [(String, String)] = []

  func complete(
    _ messages: [ChatMessage], model: String, maxTokens: Int?
  ) async throws(CallFailure) -> Completion {
    var body = JSONObject([("model", .string(model)), ("messages", conversation(messages))])
    body["max_tokens"] = maxTokens.map(JSONValue.int)
    if isStreamed { body["stream"] = true }
    var headers = headers
    if let key { headers.append(("authorization", "Bearer \(key)")) }
    return try await caller.complete(baseURL + "/v1/chat/completions", headers, .object(body), as: self)
  }

  func draft(_ body: JSONValue) throws(CallFailure) -> CompletionDraft {
    guard let choices = body["choices"]?.array else {
      throw CallFailure(name: .badResponse, detail: "the answer has no choices")
    }
    guard let choice = choices.first else {
      throw CallFailure(name: .invalidOutput, detail: "the model gave no choice")
    }
    for call in choice["message"]?["tool_calls"]?.array ?? [] {
      guard let arguments = call["function"]?["arguments"]?.string else { continue }
      guard (try? JSONParser.parse(arguments)) != nil else {
        throw CallFailure(name: .invalidOutput, detail: "the model called a tool with broken JSON")
      }
    }
    return CompletionDraft(
      text: choice["message"]?["content"]?.string ?? "",
      stopReason: choice["finish_reason"]?.string ?? "stop", model: body["model"]?.string, isOver: true)
  }

  func add(_ event: JSONValue, to draft: inout CompletionDraft) {
    draft.model = draft.model ?? event["model"]?.string
    // The chunk with the usage has no choice, or an empty one.
    guard let choice = event["choices"]?[0] else { return }
    draft.text += choice["delta"]?["content"]?.string ?? ""
    if let reason = choice["finish_reason"]?.string { draft.stopReason = reason }
  }
}

/// `/v1/messages` of Anthropic's API.
struct AnthropicMessages: Upstream, CompletionFormat {
  private static let version = "2023-06-01"

  let caller: HTTPCaller
  let baseURL: String
  let key: String
  let defaultMaxTokens: Int
  /// Whether answers are asked for as streams.
  var isStreamed = false

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
    if isStreamed { body["stream"] = true }
    let headers = [("x-api-key", key), ("anthropic-version", Self.version)]
    return try await caller.complete(baseURL + "/v1/messages", headers, .object(body), as: self)
  }

  func draft(_ body: JSONValue) throws(CallFailure) -> CompletionDraft {
    guard let content = body["content"]?.array else {
      throw CallFailure(name: .badResponse, detail: "the answer has no content")
    }
    let texts = content.filter { $0["type"] == "text" }.compactMap { $0["text"]?.string }
    return CompletionDraft(
      text: texts.joined(), stopReason: body["stop_reason"]?.string ?? "end_turn",
      model: body["model"]?.string, isOver: true)
  }

  func add(_ event: JSONValue, to draft: inout CompletionDraft) {
    switch event["type"] {
    case "message_start": draft.model = event["message"]?["model"]?.string
    case "content_block_start": draft.text += event["content_block"]?["text"]?.string ?? ""
    case "content_block_delta": draft.text += event["delta"]?["text"]?.string ?? ""
    case "message_delta": draft.stopReason = event["delta"]?["stop_reason"]?.string ?? draft.stopReason
    case "message_stop": draft.isOver = true
    default: break
    }
  }
}

private func conversation(_ messages: [ChatMessage]) -> JSONValue {
  .array(messages.map { ["role": .string($0.role), "content": .string($0.content)] })
}
