package import JSON

/// One thing that mock-litellm does wrong, to which requests, when and how often.
///
/// Which requests: `on`, and only those for a stream where the action is about streams. When: `after`
/// so many of them, as often as `times`, drawn with `probability`, from `at` for `for` on the clock of
/// the mock. What: the action, after `delay`, with the headers, the completion and the pace of the rule.
package struct FaultRule: Sendable {
  package let on: RequestPattern
  package let action: FaultAction
  /// How often it happens; nil for always.
  package let times: Int?
  /// Matching requests that are served first.
  package let after: Int
  /// How likely it is for each matching request, drawn from the seed of the mock.
  package let probability: Double
  /// When it begins on the clock of the mock, which starts with the mock and at each reset; nil for
  /// when it is armed.
  package let at: Duration?
  /// How long it is in force from its begin; nil for as long as the mock is not reset.
  package let lasting: Duration?
  /// Waited before the action.
  package let delay: Duration?
  /// How many of its requests are answered at a time; the others wait in the order they came.
  package let atATime: Int?
  package let headers: [(name: String, value: String)]
  /// How far ahead the date of an added Retry-After lies (RFC 9110 §10.2.3).
  package let retryAfterDate: Duration?
  package let completion: CompletionChange
  package let pace: AnswerPace
  /// The rule as it was given, for journals.
  package let source: JSONValue

  /// Whether only requests with `"stream": true` meet it.
  package var isAboutStreams: Bool {
    switch action {
    case .stream, .breakOff(_, _, events: .some): true
    default: false
    }
  }
}

/// What a rule does to a request.
package enum FaultAction: Sendable {
  /// An answer of the given status; without a body one that LiteLLM would give for it.
  case answer(status: Int, type: String?, message: String?, body: JSONValue?)
  /// These bytes in place of an answer, whatever they are, then the end of the connection.
  case raw([UInt8])
  /// The usual answer with the last bytes of its body missing, then the end of the connection.
  case truncate(bytes: Int)
  /// The usual head with a body that is no JSON.
  case malformed
  /// The usual answer up to a point; of a stream so many events, nil for half of them.
  case breakOff(BreakPoint, BreakEnd, events: Int?)
  /// The connection ends as soon as it is made, before a byte is read.
  case refuseConnection(BreakEnd)
  /// Nothing listens, for the time of the rule or until the mock is reset.
  case refuseListening
  /// A stream that is not as it should be after so many events, nil for half of them.
  case stream(StreamFault, events: Int?)
  /// The first matching request meets the first rule, the second the second; nil is served as usual.
  case sequence([FaultRule?], repeats: Bool)
  /// The usual answer; for rules that delay, pace or change what the model says.
  case serve
}

extension FaultAction {
  /// Whether the answer is a reply of HTTP as any other.
  package var isWhole: Bool {
    switch self {
    case .answer, .serve: true
    default: false
    }
  }

  /// Whether no client learns a status.
  package var hidesStatus: Bool {
    switch self {
    case .raw, .breakOff(.request, _, _), .breakOff(.status, _, _), .breakOff(.head, _, _): true
    default: false
    }
  }
}

/// How far an answer gets before it breaks off.
package enum BreakPoint: String, Sendable, CaseIterable {
  /// The connection was made.
  case accept
  /// The request was read.
  case request
  /// Inside of the status line.
  case status
  /// Inside of the fields of the head.
  case head
  /// The head is complete.
  case body
  /// Inside of the body, or between two events of a stream.
  case middle
}

/// What follows where an answer breaks off.
package enum BreakEnd: String, Sendable, CaseIterable {
  /// RST.
  case reset
  /// FIN.
  case close
  /// Nothing, and the connection stays.
  case hang
}

/// What is wrong, or only unusual, with a stream.
package enum StreamFault: String, Sendable, CaseIterable {
  /// An error event in its middle, then a clean end without `[DONE]`, as LiteLLM does it.
  case error
  /// An event that is no JSON, then a clean end.
  case malformed
  /// No `finish_reason`, but `[DONE]`.
  case noFinish = "no_finish"
  /// The whole completion without `[DONE]`.
  case noDone = "no_done"
  /// `[DONE]` and nothing before it.
  case onlyDone = "only_done"
  /// No event at all.
  case empty
  /// Tokens behind `[DONE]`.
  case afterDone = "after_done"
  /// Chunks that begin and end inside of characters and events.
  case split
  /// Chunks of one byte.
  case bytes
  /// Comment lines between the events.
  case comments
  /// Lines that end in CR LF.
  case crlf
  /// Events whose data stands on several lines.
  case lines
}

/// How fast an answer is sent. A whole answer comes when a stream of its tokens would have ended.
package struct AnswerPace: Sendable, Equatable {
  /// From the request to the first token.
  package var firstToken: Duration = .zero
  /// Nil for all at once.
  package var tokensPerSecond: Double?
  /// By how much of itself the time between two tokens differs at most, 0 to 1, drawn from the seed.
  package var jitter: Double = 0
  /// The bytes of the body trickle so fast; nil for all at once.
  package var bytesPerSecond: Int?

  package init() {}

  package var isAtOnce: Bool { firstToken == .zero && tokensPerSecond == nil && bytesPerSecond == nil }
}

/// What the mock's model says in place of its usual answer, in streams and whole answers alike.
package struct CompletionChange: Sendable, Equatable {
  /// A call of a tool in place of a text; the arguments may be broken JSON.
  package struct ToolCall: Sendable, Equatable {
    package let name: String
    package let arguments: String

    package init(name: String, arguments: String) {
      self.name = name
      self.arguments = arguments
    }
  }

  package var text: String?
  /// An answer of so many tokens.
  package var tokens: Int?
  package var model: String?
  package var finishReason: String?
  package var toolCall: ToolCall?
  /// False: `choices` (Anthropic: `content`) is an empty list.
  package var hasChoices = true
  /// False: the content is null.
  package var hasContent = true
  package var hasUsage = true
  /// Bytes of white space behind the answer.
  package var padding = 0

  package init() {}

  package var isNone: Bool { self == CompletionChange() }
}

/// Why a rule cannot be armed, and at which member.
package struct FaultRuleError: Error, CustomStringConvertible {
  package let pointer: JSONPointer
  package let message: String
  package var description: String { pointer.tokens.isEmpty ? message : "\(pointer): \(message)" }
}
