import Foundation
import JSON
import ProtocolSpec
import Testing

@testable import mock_litellm

@Suite("streams")
struct StreamTests {
  private static let prompt = "one two three four five six"
  private static let chat =
    #"{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"\#(prompt)"}]}"#
  private static let usual = "Mock answer to: one two three four five six"

  /// The text of the tokens of chat chunks.
  private func text(_ answer: HTTPAnswer) -> String {
    answer.events.compactMap { try? JSONParser.parse($0) }.compactMap {
      $0["choices"]?[0]?["delta"]?["content"]?.string
    }.joined()
  }

  @Test("chat, completions and messages say the same in pieces")
  func endpoints() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let chat = try mock.ask(body: Self.chat)
      #expect(text(chat) == Self.usual && chat.events.last == "[DONE]")
      let completion = try mock.ask(
        "litellm", "POST /v1/completions",
        body: #"{"model":"gpt-4o-mini","stream":true,"prompt":"\#(Self.prompt)"}"#)
      let parts = completion.events.dropLast().compactMap { try? JSONParser.parse($0) }
      #expect(parts.compactMap { $0["choices"]?[0]?["text"]?.string }.joined() == Self.usual)
      #expect(parts.last?["choices"]?[0]?["finish_reason"] == "stop")
      let message = try mock.ask(
        "litellm", "POST /v1/messages",
        body:
          #"{"model":"gpt-4o-mini","stream":true,"max_tokens":99,"messages":[{"role":"user","content":"\#(Self.prompt)"}]}"#
      )
      let events = message.events.compactMap { try? JSONParser.parse($0) }
      #expect(events.compactMap { $0["delta"]?["text"]?.string }.joined() == Self.usual)
      #expect(events.first?["type"] == "message_start" && events.last?["type"] == "message_stop")
    }
  }

  @Test("usage comes last where it is asked for")
  func usage() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let body = Self.chat.dropLast() + #","stream_options":{"include_usage":true}}"#
      let gateway = try JSONParser.parse(mock.ask(body: String(body)).events.dropLast().last ?? "")
      #expect(gateway["choices"] == [["index": 0, "delta": [:]]] && gateway["usage"] != nil)
      let local = try JSONParser.parse(
        mock.ask("local", headers: [], body: String(body)).events.dropLast().last ?? "")
      #expect(local["choices"] == [] && local["usage"] != nil)
    }
  }

  @Test(
    "faults that leave the answer whole",
    arguments: [
      "stream-no-done", "stream-after-done", "stream-bytes", "stream-comments", "stream-crlf", "stream-lines",
    ])
  func whole(name: String) async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"fault":"\#(name)"}]}"#)
      let answer = try mock.ask(body: Self.chat)
      #expect(answer.isComplete)
      let expected = name == "stream-after-done" ? Self.usual + " six" : Self.usual
      #expect(text(answer) == expected)
      #expect(answer.events.contains("[DONE]") == (name != "stream-no-done"))
      #expect(answer.text.contains("\r\n") == (name == "stream-crlf"))
      #expect(answer.text.contains(": keep-alive") == (name == "stream-comments"))
    }
  }

  @Test("chunks end inside of characters")
  func split() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"fault":"stream-split"}]}"#)
      let (bytes, _) = try mock.raw("litellm", RunningMock.text("POST /v1/chat/completions", body: Self.chat))
      let answer = try #require(HTTPAnswer(bytes))
      #expect(text(answer) == "Grüße aus Zürich: déjà vu, 你好 👋")
      #expect(String(decoding: bytes, as: UTF8.self).contains("\u{FFFD}"), "no character is split")
    }
  }

  @Test(
    "faults that a client must not take for an answer",
    arguments: [
      ("stream-error", 3, #""code":"500""#), ("stream-error-first", 1, #""code":"500""#),
      ("stream-malformed", 3, #"{"id":"chatcmpl-","#), ("stream-no-finish", 10, "[DONE]"),
      ("stream-only-done", 1, "[DONE]"), ("stream-empty", 0, ""),
    ])
  func broken(name: String, count: Int, last: String) async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"fault":"\#(name)"}]}"#)
      let answer = try mock.ask(body: Self.chat)
      #expect(answer.status == 200 && answer.isComplete)
      #expect(answer.events.count == count)
      #expect(last.isEmpty || answer.events.last?.contains(last) == true)
      #expect(!answer.text.contains("finish_reason"))
      // Only streams meet it.
      #expect(try mock.chat().json["choices"]?[0]?["message"]?["content"] != nil)
    }
  }

  @Test("a stream that is cut, reset or stalls has its two events", arguments: ["cut", "reset", "stall"])
  func midway(name: String) async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"fault":"stream-\#(name)"}]}"#)
      let client = try #require(RawClient(port: mock.port("litellm")))
      client.write(RunningMock.text("POST /v1/chat/completions", body: Self.chat))
      if name == "stall" {
        // Nothing more comes until the mock lets it go.
        #expect(client.readUntil { HTTPAnswer($0)?.events.count == 2 })
        try mock.reset()
      }
      let (bytes, end) = client.readAll()
      if name != "stall" { #expect(HTTPAnswer(bytes)?.events.count == 2) }
      #expect(end == (name == "cut" ? .closed : .reset))
    }
  }

  @Test("the direct API tells of an error in a stream in its own words")
  func directError() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"direct":[{"fault":"stream-error"}]}"#)
      let body = RunningMock.message.dropLast() + #","stream":true}"#
      let answer = try mock.ask(
        "direct", "POST /v1/messages", headers: ["x-api-key: k", "anthropic-version: 2023-06-01"],
        body: String(body))
      #expect(answer.text.contains("event: error\n"))
      let last = try JSONParser.parse(answer.events.last ?? "")
      #expect(last["error"]?["type"] == "overloaded_error")
    }
  }

  @Test("tokens come no faster than told, and a whole answer when its tokens would be over")
  func pace() async throws {
    var options = Options()
    var pace = AnswerPace()
    pace.firstToken = .milliseconds(120)
    pace.tokensPerSecond = 50
    options.pace = pace
    try await RunningMock.run(options) { (mock: RunningMock) async throws in
      for body in [Self.chat, Self.chat.replacing("true", with: "false")] {
        let start = ContinuousClock.now
        let answer = try mock.ask(body: body)
        // Nine tokens: eight times 20 ms after the first.
        #expect(ContinuousClock.now - start >= .milliseconds(280))
        #expect(answer.isComplete)
      }
      // A rule has a pace of its own, and errors have none.
      try mock.arm(#"{"litellm":[{"first_token":"5ms","times":1}]}"#)
      #expect(try text(mock.ask(body: Self.chat)) == Self.usual)
    }
  }

  @Test("bytes trickle, and a reset of the mock sends the rest at once")
  func trickle() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"bytes_per_second":2}]}"#)
      let client = try #require(RawClient(port: mock.port("litellm")))
      client.write(RunningMock.text("POST /v1/chat/completions", body: RunningMock.chat))
      #expect(client.readUntil { HTTPAnswer($0)?.body.isEmpty == false })
      try mock.reset()
      let (bytes, end) = client.readAll()
      #expect(String(decoding: bytes, as: UTF8.self).hasSuffix("}"))
      #expect(end == .closed)
    }
  }

  @Test("a client that leaves in the middle of a paced stream frees its place in the queue")
  func leaves() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(
        #"""
        {"litellm":[{"on":"POST *","at_a_time":1,
          "sequence":[{"tokens_per_second":0.01},{"headers":{"x-second":"1"}}]}]}
        """#)
      var client = RawClient(port: mock.port("litellm"))
      client?.write(RunningMock.text("POST /v1/chat/completions", body: Self.chat))
      #expect(client?.readUntil { HTTPAnswer($0)?.events.count == 1 } == true)
      client = nil
      #expect(try mock.chat()["x-second"] == "1")
    }
  }
}
