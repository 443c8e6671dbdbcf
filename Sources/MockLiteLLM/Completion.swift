import JSON
import ProtocolSpec

/// What the mock's model says to a request: the same for the same request, and short.
struct Completion: Sendable {
  /// The model that was asked.
  let model: String
  /// The model that says it answered.
  private(set) var shownModel: String
  /// The answer in the pieces a stream sends it in, one for each token.
  private(set) var pieces: [String]
  let promptTokens: Int
  /// Why it ended, in the words of OpenAI.
  private(set) var finishReason: String
  private(set) var toolCall: CompletionChange.ToolCall?
  private(set) var hasChoices = true
  private(set) var hasContent = true
  private(set) var hasUsage = true

  var text: String { pieces.joined() }
  var completionTokens: Int { max(pieces.count, 1) }

  /// Why it ended, in the words of Anthropic.
  var stopReason: String {
    switch finishReason {
    case "stop": "end_turn"
    case "length": "max_tokens"
    case "tool_calls": "tool_use"
    case "content_filter": "refusal"
    default: finishReason
    }
  }

  /// Words of the request that the answer repeats.
  private static let repeatedWords = 12
  private static let longestWord = 40

  /// - Parameters:
  ///   - messages: `{role, content}`; the last one of the user is answered.
  ///   - maxTokens: where the answer ends at the latest.
  ///   - change: what a rule says of the answer.
  init(model: String, messages: [JSONValue], maxTokens: Int? = nil, change: CompletionChange = .init()) {
    let asked = messages.last { $0["role"]?.string == "user" }.map(Self.text(of:)) ?? ""
    self.init(
      model: model, asked: asked, promptTokens: messages.map(Self.tokens(of:)).reduce(3, +),
      maxTokens: maxTokens, change)
  }

  /// The answer to one text, for the endpoints without messages.
  init(model: String, prompt: String, maxTokens: Int? = nil, change: CompletionChange = .init()) {
    self.init(
      model: model, asked: prompt, promptTokens: 3 + prompt.utf8.count / 4, maxTokens: maxTokens, change)
  }

  private init(model: String, asked: String, promptTokens: Int, maxTokens: Int?, _ change: CompletionChange) {
    var all: [String]
    if let text = change.text {
      all = Self.pieces(text)
    } else {
      let words = asked.split(whereSeparator: \.isWhitespace).prefix(Self.repeatedWords)
      let answer =
        ["Mock", "answer"]
        + (words.isEmpty ? [] : ["to:"] + words.map { String($0.prefix(Self.longestWord)) })
      all = answer.enumerated().map { $0.offset == 0 ? $0.element : " " + $0.element }
    }
    if let count = change.tokens {
      let words = all.isEmpty ? [" word"] : all
      all = (0..<count).map { words[$0 % words.count] }
    }
    let limit = maxTokens.map { max($0, 1) } ?? all.count
    self.model = model
    self.promptTokens = promptTokens
    pieces = limit < all.count ? Array(all.prefix(limit)) : all
    finishReason = change.finishReason ?? (limit < all.count ? "length" : "stop")
    shownModel = change.model ?? model
    guard !change.isNone else { return }
    hasChoices = change.hasChoices
    hasContent = change.hasContent && change.toolCall == nil
    hasUsage = change.hasUsage
    toolCall = change.toolCall
    if !hasContent { pieces = [] }
    if toolCall != nil, change.finishReason == nil { finishReason = "tool_calls" }
  }

  /// A word with the space before it is a token.
  private static func pieces(_ text: String) -> [String] {
    var pieces: [String] = []
    var piece = ""
    for character in text {
      if character == " ", !piece.isEmpty {
        pieces.append(piece)
        piece = ""
      }
      piece.append(character)
    }
    return piece.isEmpty ? pieces : pieces + [piece]
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
