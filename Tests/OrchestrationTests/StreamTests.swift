import ProtocolSpec
import Testing
import Transport
import Wire

@testable import Orchestration

/// An answer that a service gives, and what becomes of it.
struct ScriptedAnswer: Sendable, CustomTestStringConvertible {
  enum Ending: Sendable { case end, cut, hang, drip }
  enum Outcome: Sendable, Equatable {
    case text(String, isTruncated: Bool = false)
    case failure(FailureClass)
  }

  let name: String
  var status = 200
  var type = "text/event-stream"
  var body = ""
  /// Bytes of each chunk.
  var chunk = Int.max
  var ending = Ending.end
  let outcome: Outcome
  var testDescription: String { name }

  func serve(_ exchange: HTTPExchange) {
    exchange.begin(status: status, headers: ["content-type": type])
    var rest = Array(body.utf8)[...]
    while !rest.isEmpty {
      exchange.write(Array(rest.prefix(chunk)))
      rest = rest.dropFirst(chunk)
    }
    switch ending {
    case .end: exchange.finish()
    case .cut: exchange.close()
    case .hang: exchange.onClose {}
    case .drip:
      @Sendable func drip() {
        exchange.write(Array(": wait\n\n".utf8))
        exchange.loop.schedule(after: .milliseconds(10), drip)
      }
      exchange.onClose {}
      drip()
    }
  }
}

@Suite("Streamed completions")
struct StreamTests {
  static func token(_ text: String, _ finish: String = "null") -> String {
    #"data: {"choices":[{"index":0,"delta":{"content":"\#(text)"},"finish_reason":\#(finish)}]}"# + "\n\n"
  }

  static let done = "data: [DONE]\n\n"
  static let error = #"data: {"error":{"message":"boom","type":"None","code":"500"}}"# + "\n\n"
  static let hello = token("Hel") + token("lo") + token("", "\"stop\"")

  static let chat: [ScriptedAnswer] = [
    ScriptedAnswer(name: "tokens", body: hello + done, outcome: .text("Hello")),
    ScriptedAnswer(
      name: "characters split over chunks",
      body: token("Zür") + token("ich 你好 👋") + token("", "\"stop\"") + done, chunk: 3,
      outcome: .text("Zürich 你好 👋")),
    ScriptedAnswer(name: "a chunk for each byte", body: hello + done, chunk: 1, outcome: .text("Hello")),
    ScriptedAnswer(
      name: "comments", body: ": ping\n\n" + hello + ": ping\n\n" + done, outcome: .text("Hello")),
    ScriptedAnswer(
      name: "lines that end with CR LF", body: (hello + done).replacing("\n", with: "\r\n"),
      outcome: .text("Hello")),
    ScriptedAnswer(
      name: "the usage of OpenAI and of LiteLLM",
      body: hello + #"data: {"choices":[],"usage":{}}"# + "\n\n"
        + #"data: {"choices":[{"index":0,"delta":{}}],"usage":{}}"# + "\n\n" + done,
      outcome: .text("Hello")),
    ScriptedAnswer(name: "no [DONE]", body: hello, outcome: .text("Hello")),
    ScriptedAnswer(name: "a token behind [DONE]", body: hello + done + token("!"), outcome: .text("Hello")),
    ScriptedAnswer(
      name: "a stop for length", body: token("Hel", "\"length\"") + done,
      outcome: .text("Hel", isTruncated: true)),
    ScriptedAnswer(
      name: "a whole answer although a stream was asked for", type: "application/json",
      body: #"{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}"#, outcome: .text("Hello")),
    ScriptedAnswer(name: "only [DONE]", body: done, outcome: .failure(.streamTruncated)),
    ScriptedAnswer(name: "nothing", outcome: .failure(.streamTruncated)),
    ScriptedAnswer(
      name: "no finish_reason", body: token("Hel") + done, outcome: .failure(.streamTruncated)),
    ScriptedAnswer(name: "an error first", body: error, outcome: .failure(.streamTruncated)),
    ScriptedAnswer(
      name: "an error in the middle", body: token("Hel") + error, outcome: .failure(.streamTruncated)),
    ScriptedAnswer(
      name: "an error that is about money",
      body: token("Hel") + #"data: {"error":{"type":"insufficient_quota"}}"# + "\n\n",
      outcome: .failure(.budgetExceeded)),
    ScriptedAnswer(
      name: "no JSON", body: token("Hel") + "data: {\"choi\n\n", outcome: .failure(.streamTruncated)),
    ScriptedAnswer(name: "a cut", body: token("Hel"), ending: .cut, outcome: .failure(.streamTruncated)),
    ScriptedAnswer(name: "a stall", body: token("Hel"), ending: .hang, outcome: .failure(.streamTruncated)),
    ScriptedAnswer(name: "no first event", ending: .hang, outcome: .failure(.timeout)),
    ScriptedAnswer(name: "no end", body: token("Hel"), ending: .drip, outcome: .failure(.timeout)),
    ScriptedAnswer(
      name: "an end without text", body: token("", "\"stop\"") + done, outcome: .failure(.invalidOutput)),
    ScriptedAnswer(
      name: "a filter", body: token("Hel", "\"content_filter\"") + done, outcome: .failure(.invalidOutput)),
    ScriptedAnswer(
      name: "a status", status: 500, type: "application/json", body: "{}",
      outcome: .failure(.upstreamUnavailable)),
    ScriptedAnswer(name: "a page", type: "text/html", body: "<html>", outcome: .failure(.badResponse)),
  ]

  static let messages: [ScriptedAnswer] = [
    ScriptedAnswer(
      name: "the events of Anthropic",
      body: event("message_start", #""message":{"stop_reason":null}"#)
        + event("content_block_start", #""index":0,"content_block":{"type":"text","text":""}"#)
        + event("ping", #""x":1"#) + delta("Hel") + delta("lo") + event("content_block_stop", #""index":0"#)
        + event("message_delta", #""delta":{"stop_reason":"end_turn"}"#) + event("message_stop", #""x":1"#),
      // It says itself that it is over.
      ending: .hang, outcome: .text("Hello")),
    ScriptedAnswer(
      name: "a stop for length of Anthropic",
      body: delta("Hel") + event("message_delta", #""delta":{"stop_reason":"max_tokens"}"#)
        + event("message_stop", #""x":1"#), outcome: .text("Hel", isTruncated: true)),
    ScriptedAnswer(
      name: "an overload in the middle",
      body: delta("Hel") + event("error", #""error":{"type":"overloaded_error","message":"Overloaded"}"#),
      outcome: .failure(.overloaded)),
    ScriptedAnswer(name: "no stop_reason", body: delta("Hel"), outcome: .failure(.streamTruncated)),
    ScriptedAnswer(
      name: "a cut of Anthropic", body: delta("Hel"), ending: .cut, outcome: .failure(.streamTruncated)),
  ]

  static func event(_ type: String, _ members: String) -> String {
    "event: \(type)\ndata: {\"type\":\"\(type)\",\(members)}\n\n"
  }

  static func delta(_ text: String) -> String {
    event("content_block_delta", #""index":0,"delta":{"type":"text_delta","text":"\#(text)"}"#)
  }

  @Test("are put together, or given up as a whole", arguments: chat)
  func ofChat(answer: ScriptedAnswer) async throws {
    let outcome = try await outcome(of: answer) {
      ChatCompletions(caller: $0, baseURL: $1, key: nil, isStreamed: true)
    }
    #expect(outcome == answer.outcome)
  }

  @Test("of Anthropic likewise", arguments: messages)
  func ofAnthropic(answer: ScriptedAnswer) async throws {
    let outcome = try await outcome(of: answer) {
      AnthropicMessages(caller: $0, baseURL: $1, key: "k", defaultMaxTokens: 9, isStreamed: true)
    }
    #expect(outcome == answer.outcome)
  }

  func outcome(
    of answer: ScriptedAnswer, _ upstream: (HTTPCaller, String) -> any Upstream
  ) async throws -> ScriptedAnswer.Outcome {
    try await withService(answer.serve) { client, url in
      let short = Duration.milliseconds(200)
      let long = Duration.seconds(60)
      let caller = HTTPCaller(
        client: client,
        deadlines: Deadlines(
          connect: long, firstByte: long, idle: answer.ending == .hang ? short : long,
          total: answer.ending == .drip ? short : long),
        maxBytes: 1 << 20, failures: try Specification.load().failures)
      do throws(CallFailure) {
        let completion = try await upstream(caller, url).complete(
          [ChatMessage(role: "user", content: "hi")], model: "m", maxTokens: nil)
        return .text(completion.text, isTruncated: completion.isTruncated)
      } catch {
        return .failure(error.name)
      }
    }
  }
}

/// A service on a free port and a client for it, ended with the test.
func withService<R>(
  _ handler: @escaping @Sendable (HTTPExchange) -> Void, _ body: (HTTPClient, String) async throws -> R
) async throws -> R {
  let loop = try EventLoop(name: "service")
  loop.start()
  defer { loop.stop() }
  let server = HTTPServer(
    listener: try Listener(loop: loop, host: "127.0.0.1", port: 0), handler: handler)
  server.start()
  let result = try await body(HTTPClient(loop: loop), "http://127.0.0.1:\(server.port)")
  await server.stop(within: .zero)
  return result
}
