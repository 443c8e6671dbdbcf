import JSON
import ProtocolSpec

/// What a model said, checked to be something.
struct Completion: Sendable {
  let text: String
  /// The model stopped for length.
  let isTruncated: Bool
  /// The model that the service says it was.
  var model: String?

  /// Whether it was the one that was asked for: services leave out the provider before the name, and
  /// add a date or the like behind it.
  func isFrom(_ asked: String) -> Bool {
    guard let model else { return true }
    func name(_ model: String) -> Substring { model.split(separator: "/").last ?? "" }
    return name(model).hasPrefix(name(asked)) || name(asked).hasPrefix(name(model))
  }
}

/// What a model has said so far.
struct CompletionDraft: Sendable {
  var text = ""
  /// Why the model stopped, in the words of the service; nil as long as it has not.
  var stopReason: String?
  /// The model that the service says it is.
  var model: String?
  /// Nothing comes behind this.
  var isOver = false

  /// - Throws: what is wrong with a draft of which nothing more comes.
  func completion() throws(CallFailure) -> Completion {
    guard let stopReason else {
      throw CallFailure(name: .streamTruncated, detail: "the stream ended before the model did")
    }
    guard stopReason != "content_filter", stopReason != "refusal" else {
      throw CallFailure(name: .invalidOutput, detail: "the model was stopped by a filter")
    }
    // Of a stream that has only its end, LiteLLM makes a completion without text.
    guard !text.isEmpty else { throw CallFailure(name: .invalidOutput, detail: "the model gave no text") }
    return Completion(
      text: text, isTruncated: ["length", "max_tokens"].contains(stopReason), model: model)
  }
}

/// How a service gives a completion, as a whole or in events.
protocol CompletionFormat: Sendable {
  /// The draft that a whole answer is.
  func draft(_ body: JSONValue) throws(CallFailure) -> CompletionDraft
  /// Adds what an event says.
  func add(_ event: JSONValue, to draft: inout CompletionDraft)
}

extension HTTPCaller {
  /// Asks for a completion and takes it either way. A stream that breaks off gives nothing: its text
  /// is never put together with that of another call.
  func complete(
    _ url: String, _ headers: [(String, String)], _ body: JSONValue, as format: some CompletionFormat
  ) async throws(CallFailure) -> Completion {
    switch try await post(url, headers, body) {
    case .whole(let answer): return try format.draft(answer.success(failures)).completion()
    case .events(var events):
      var draft = CompletionDraft()
      while !draft.isOver, let data = try await events.next(), data != "[DONE]" {
        format.add(try event(data), to: &draft)
      }
      return try draft.completion()
    }
  }

  private func event(_ data: String) throws(CallFailure) -> JSONValue {
    let limits = JSONLimits(allowsDuplicateKeys: true)
    guard let json = try? JSONParser.parse(data, limits: limits), json.object != nil else {
      throw CallFailure(name: .streamTruncated, detail: "an event of the stream is no JSON object")
    }
    if let error = json["error"], !error.isNull {
      throw ErrorBody(error).failure(else: .streamTruncated, failures)
    }
    return json
  }
}
