import JSON
import Testing

@testable import mock_litellm

@Suite("the faces when nothing is wrong")
struct FaceTests {
  private let anthropic = ["x-api-key: k", "anthropic-version: 2023-06-01"]

  @Test("a completion says the same to the same request and names the caller's id")
  func completion() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let headers = ["Authorization: Bearer sk-1", "x-litellm-call-id: mine-1"]
      let first = try mock.ask(headers: headers, body: RunningMock.chat)
      let second = try mock.ask(
        "litellm", "POST /engines/gpt-4o-mini/chat/completions", headers: headers, body: RunningMock.chat)
      #expect(first["x-litellm-call-id"] == "mine-1")
      #expect(first["x-litellm-attempted-retries"] == "0")
      let choice = try first.json["choices"]?[0]
      #expect(choice?["message"]?["content"] == "Mock answer to: hi")
      #expect(choice?["finish_reason"] == "stop")
      #expect(try second.json["choices"]?[0] == choice)
      #expect(try first.json["usage"]?["total_tokens"] == 12)
    }
  }

  @Test("the engine in the path is the model when the body names none")
  func engine() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let answer = try mock.ask(
        "litellm", "POST /engines/gpt%2D4o-mini/chat/completions", body: #"{"messages":[]}"#)
      #expect(answer.status == 200)
      #expect(try answer.json["model"] == "gpt-4o-mini")
    }
  }

  @Test("an answer longer than max_tokens stops for length")
  func length() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let answer = try mock.ask(
        body: #"{"model":"gpt-4o-mini","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}"#)
      #expect(try answer.json["choices"]?[0]?["finish_reason"] == "length")
      #expect(try answer.json["usage"]?["completion_tokens"] == 1)
    }
  }

  @Test("a stream joins to the same text, with usage where asked, and ends with [DONE]")
  func stream() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let answer = try mock.ask(
        body:
          #"{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"a b"}]}"#
      )
      #expect(answer["transfer-encoding"] == "chunked" && answer.isComplete)
      #expect(answer.events.last == "[DONE]")
      let chunks = try answer.events.dropLast().map { try JSONParser.parse($0) }
      #expect(
        chunks.compactMap { $0["choices"]?[0]?["delta"]?["content"]?.string }.joined()
          == "Mock answer to: a b")
      #expect(chunks.first?["choices"]?[0]?["delta"]?["role"] == "assistant")
      #expect(chunks.dropLast().last?["choices"]?[0]?["finish_reason"] == "stop")
      #expect(chunks.last?["usage"]?["completion_tokens"] == 5)
      let plain = try mock.ask(body: RunningMock.streamed)
      #expect(!plain.text.contains("usage"))
    }
  }

  @Test("the direct API speaks Anthropic's messages, whole and streamed")
  func messages() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let whole = try mock.ask("direct", "POST /v1/messages", headers: anthropic, body: RunningMock.message)
      #expect(try whole.json["content"]?[0]?["text"] == "Mock answer to: hi")
      #expect(try whole.json["stop_reason"] == "end_turn")
      let stream = try mock.ask(
        "direct", "POST /v1/messages", headers: anthropic,
        body:
          #"{"model":"claude-3-5-sonnet-20241022","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#
      )
      let events = try stream.events.map { try JSONParser.parse($0) }
      #expect(
        events.compactMap { $0["type"]?.string }.filter { $0 != "content_block_delta" } == [
          "message_start", "content_block_start", "ping", "content_block_stop", "message_delta",
          "message_stop",
        ])
      #expect(events.compactMap { $0["delta"]?["text"]?.string }.joined() == "Mock answer to: hi")
    }
  }

  @Test(
    "what the direct API refuses",
    arguments: [
      ("no key", ["anthropic-version: 2023-06-01"], RunningMock.message, 401, "authentication_error"),
      ("no version", ["x-api-key: k"], RunningMock.message, 400, "invalid_request_error"),
      ("bad JSON", ["x-api-key: k", "anthropic-version: 1"], "{", 400, "invalid_request_error"),
      (
        "no max_tokens", ["x-api-key: k", "anthropic-version: 1"],
        #"{"model":"claude-3-5-sonnet","messages":[]}"#, 400, "invalid_request_error"
      ),
      (
        "unknown model", ["x-api-key: k", "anthropic-version: 1"],
        #"{"model":"nope","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}"#, 404,
        "not_found_error"
      ),
    ])
  func directRefusals(_: String, headers: [String], body: String, status: Int, type: String) async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let answer = try mock.ask("direct", "POST /v1/messages", headers: headers, body: body)
      #expect(answer.status == status)
      #expect(try answer.json["type"] == "error")
      #expect(try answer.json["error"]?["type"]?.string == type)
      #expect(try mock.ask("direct", "GET /", headers: []).status == 200)
    }
  }

  @Test("the local model answers without a key, and knows its models")
  func local() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let answer = try mock.ask(
        "local", headers: [],
        body: #"{"model":"qwen:7b-instruct","messages":[{"role":"user","content":"ok?"}]}"#)
      #expect(try answer.json["choices"]?[0]?["message"]?["content"] == "Mock answer to: ok?")
      let unknown = try mock.ask("local", headers: [], body: #"{"model":"nope","messages":[]}"#)
      #expect(unknown.status == 404)
    }
  }

  @Test("models of the command line come before those of the scenario")
  func models() async throws {
    var options = Options()
    options.models = ["m1"]
    try await RunningMock.run(options, scenario: "format: 1\nmodels: [m2]\n") {
      (mock: RunningMock) async throws in
      #expect(try mock.ask("litellm", "GET /v1/models").json["data"]?.array?.map { $0["id"] } == ["m1"])
    }
    try await RunningMock.run(scenario: "format: 1\nmodels: [m2]\n") { (mock: RunningMock) async throws in
      #expect(
        try mock.ask("litellm", "GET /v1/model/info").json["data"]?.array?.map { $0["model_name"] } == ["m2"])
      #expect(
        try mock.ask("local", "GET /v1/models").json["data"]?.array?.map { $0["id"] } == [
          "m2", "qwen:7b-instruct",
        ])
    }
  }

  @Test("rules of a scenario are armed from the start, a closed port too")
  func scenario() async throws {
    let text = """
      format: 1
      seed: 3
      arm:
        litellm: [{status: 500, times: 1}]
        local: [{refuse: true}]
      """
    try await RunningMock.run(scenario: text) { (mock: RunningMock) async throws in
      #expect(try mock.chat().status == 500)
      #expect(try mock.chat().status == 200)
      #expect(RawClient(port: mock.port("local")) == nil)
    }
  }

  @Test("a base latency comes before every answer")
  func latency() async throws {
    var options = Options()
    options.latency = .milliseconds(60)
    try await RunningMock.run(options) { (mock: RunningMock) async throws in
      let start = ContinuousClock.now
      #expect(try mock.chat().status == 200)
      #expect(ContinuousClock.now - start >= .milliseconds(60))
    }
  }
}
