import JSON
import Wire

/// What the mock's model says to a request: the same for the same request, and short.
struct Completion: Sendable {
  let model: String
  /// The answer in the pieces a stream sends it in, one for each token.
  let pieces: [String]
  let promptTokens: Int
  /// Whether the answer ended at the limit of the request instead of its own end.
  let isCut: Bool

  var text: String { pieces.joined() }
  var completionTokens: Int { pieces.count }
  var finishReason: String { isCut ? "length" : "stop" }

  /// Words of the request that the answer repeats.
  private static let repeatedWords = 12
  private static let longestWord = 40

  /// - Parameters:
  ///   - messages: `{role, content}`; the last one of the user is answered.
  ///   - maxTokens: where the answer ends at the latest.
  init(model: String, messages: [JSONValue], maxTokens: Int? = nil) {
    let asked = messages.last { $0["role"]?.string == "user" }.map(Self.text(of:)) ?? ""
    self.init(
      model: model, asked: asked, promptTokens: messages.map(Self.tokens(of:)).reduce(3, +),
      maxTokens: maxTokens)
  }

  /// The answer to one text, for the endpoints without messages.
  init(model: String, prompt: String, maxTokens: Int? = nil) {
    self.init(model: model, asked: prompt, promptTokens: 3 + prompt.utf8.count / 4, maxTokens: maxTokens)
  }

  private init(model: String, asked: String, promptTokens: Int, maxTokens: Int?) {
    let words = asked.split(whereSeparator: \.isWhitespace).prefix(Self.repeatedWords)
    let answer =
      ["Mock", "answer"] + (words.isEmpty ? [] : ["to:"] + words.map { String($0.prefix(Self.longestWord)) })
    let all = answer.enumerated().map { $0.offset == 0 ? $0.element : " " + $0.element }
    let limit = maxTokens.map { max($0, 1) } ?? all.count
    self.model = model
    pieces = Array(all.prefix(limit))
    isCut = limit < all.count
    self.promptTokens = promptTokens
  }

  /// The text of a message, whose content is a text or a list of parts.
  private static func text(of message: JSONValue) -> String {
    guard let content = message["content"] else { return "" }
    if let text = content.string { return text }
    return (content.array ?? []).compactMap { $0["text"]?.string }.joined(separator: " ")
  }

  /// About four bytes a token, and four for the frame of the message.
  private static func tokens(of message: JSONValue) -> Int { 4 + (text(of: message).utf8.count + 3) / 4 }
}

/// The events of a stream, each with a JSON value for data.
enum StreamEvent {
  static func data(_ value: JSONValue) -> [UInt8] { event(JSONWriter.bytes(value)) }
  static func named(_ name: String, _ value: JSONValue) -> [UInt8] { event(JSONWriter.bytes(value), name) }

  static let done = event(Array("[DONE]".utf8))

  /// What a stream sends that a fault makes unreadable.
  static let broken = event(Array(#"{"id":"chatcmpl-","choices":[{"delta":{"cont"#.utf8))

  private static func event(_ data: [UInt8], _ name: String? = nil) -> [UInt8] {
    var bytes: [UInt8] = []
    ServerSentEventEncoder.append(data: data, event: name, to: &bytes)
    return bytes
  }
}
