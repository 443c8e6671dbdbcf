import Foundation
import JSON
import Testing

@testable import mock_litellm

@Suite("faults on the wire")
struct FaultTests {
  @Test("a status has LiteLLM's body, as often as told, then service goes on")
  func status() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let armed = try mock.arm(#"{"litellm":[{"on":"POST /v1/chat/completions","status":500,"times":2}]}"#)
      #expect(armed.text == #"{"armed":1}"#)
      #expect(try mock.ask("litellm", "GET /v1/models").status == 200)
      for _ in 0..<2 {
        let answer = try mock.chat()
        #expect(answer.status == 500)
        #expect(try answer.json["error"]?["code"] == "500")
        #expect(try answer.json["error"]?["type"] == "internal_server_error")
      }
      #expect(try mock.chat().status == 200)
    }
  }

  @Test(
    "the types that orchestrators tell apart",
    arguments: [
      ("http-401", 401, "auth_error", "None"), ("http-400", 400, "invalid_request_error", nil),
      ("budget-exceeded", 422, "budget_exceeded", nil), ("cooldown", 429, "all_deployments_in_cooldown", nil),
      ("http-429-retry-after", 429, "throttling_error", nil),
      ("http-503-retry-after", 503, "internal_server_error", nil),
    ] as [(String, Int, String, String?)])
  func types(name: String, status: Int, type: String, param: String?) async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"fault":"\#(name)","times":1}]}"#)
      let answer = try mock.chat()
      #expect(answer.status == status)
      let error = try #require(try answer.json["error"])
      #expect(error["type"]?.string == type)
      #expect(error["code"]?.string == String(status))
      #expect(error["param"] == (param.map { .string($0) } ?? .null))
      #expect(error["message"]?.string?.isEmpty == false)
      let waits = name.hasSuffix("retry-after") || name == "cooldown"
      #expect(answer["retry-after"] == (waits ? "1" : nil))
    }
  }

  @Test("a body, a message and headers of the rule's own")
  func ownBody() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(
        #"""
        {"litellm":[{"status":502,"body":"<html>bad gateway</html>","times":1},
          {"status":500,"message":"boom","headers":{"x-why":"test"},"times":1},
          {"fault":"empty-choices","times":1}]}
        """#)
      let page = try mock.chat()
      #expect(page.status == 502 && page.text == "<html>bad gateway</html>")
      #expect(page["content-type"] == "text/html; charset=utf-8")
      let boom = try mock.chat()
      #expect(try boom.json["error"]?["message"] == "boom")
      #expect(boom["x-why"] == "test")
      let empty = try mock.chat()
      #expect(empty.status == 200)
      #expect(try empty.json["choices"] == [])
      #expect(empty["x-litellm-call-id"] != nil)
    }
  }

  @Test("the direct API and the local model fail in their own shapes")
  func otherFaces() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"direct":[{"status":529,"times":1}],"local":[{"status":503,"times":1}]}"#)
      let direct = try mock.ask(
        "direct", "POST /v1/messages", headers: ["x-api-key: k", "anthropic-version: 2023-06-01"],
        body: RunningMock.message)
      #expect(direct.status == 529)
      #expect(try direct.json["type"] == "error")
      #expect(try direct.json["error"]?["type"] == "overloaded_error")
      let local = try mock.ask("local", headers: [], body: RunningMock.chat)
      #expect(local.status == 503)
      #expect(try local.json["error"]?["code"] == .null)
      #expect(try mock.ask("local", headers: [], body: RunningMock.chat).status == 200)
    }
  }

  @Test("reset ends the connection with RST before a byte")
  func reset() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"reset":true,"times":1}]}"#)
      let (bytes, end) = try mock.raw(
        "litellm", RunningMock.text("POST /v1/chat/completions", body: RunningMock.chat))
      #expect(bytes.isEmpty)
      #expect(end == .reset)
    }
  }

  @Test("truncate lacks the last bytes of what Content-Length announces")
  func truncate() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"truncate":20,"times":1}]}"#)
      let (bytes, end) = try mock.raw(
        "litellm", RunningMock.text("POST /v1/chat/completions", body: RunningMock.chat))
      let answer = try #require(HTTPAnswer(bytes))
      #expect(answer.status == 200)
      #expect(answer["content-length"] == String(answer.body.count + 20))
      #expect(end == .closed)
    }
  }

  @Test("malformed is 200 with a body that is no JSON, and whole")
  func malformed() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"malformed":true,"times":1}]}"#)
      let answer = try mock.chat()
      #expect(answer.status == 200 && answer.isComplete)
      #expect(throws: JSONError.self) { try answer.json }
    }
  }

  @Test("hang never answers, and a reset of the mock lets it go")
  func hang() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"hang":true}]}"#)
      let client = try #require(RawClient(port: mock.port("litellm")))
      client.write(RunningMock.text("POST /v1/chat/completions", body: RunningMock.chat))
      #expect(try mock.journal("?after=0&wait=20s")["calls"]?[0]?["status"] == .null)
      try mock.reset()
      let (bytes, end) = client.readAll()
      #expect(bytes.isEmpty)
      #expect(end == .reset)
      #expect(try mock.chat().status == 200)
    }
  }

  @Test("a client that leaves a hanging request is forgotten")
  func hangLeft() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"hang":true,"times":1}]}"#)
      var client = RawClient(port: mock.port("litellm"))
      client?.write(RunningMock.text("POST /v1/chat/completions", body: RunningMock.chat))
      _ = try mock.journal("?after=0&wait=20s")
      client = nil
      #expect(try mock.chat().status == 200)
    }
  }

  @Test("a delay comes before the usual answer, and a reset ends it")
  func delay() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"delay":"150ms","times":1},{"delay":"1h","status":500,"times":1}]}"#)
      let start = ContinuousClock.now
      #expect(try mock.chat().status == 200)
      #expect(ContinuousClock.now - start >= .milliseconds(150))
      let client = try #require(RawClient(port: mock.port("litellm")))
      client.write(RunningMock.text("POST /v1/chat/completions", body: RunningMock.chat))
      _ = try mock.journal("?after=1&wait=20s")
      try mock.reset()
      #expect(HTTPAnswer(client.readAll().bytes)?.status == 200)
    }
  }

  @Test("a counted refusal resets new connections and closes idle ones")
  func refuseConnections() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let idle = try #require(RawClient(port: mock.port("litellm")))
      idle.write(RunningMock.text("GET /health/liveliness", keepAlive: true))
      #expect(idle.readOne()?.status == 200)
      try mock.arm(#"{"litellm":[{"refuse":true,"times":2}]}"#)
      #expect(idle.readAll().end == .closed)
      for _ in 0..<2 {
        // The reset may already meet the connect.
        guard let client = RawClient(port: mock.port("litellm")) else { continue }
        client.write(RunningMock.text("GET /health/liveliness"))
        let (bytes, end) = client.readAll()
        #expect(bytes.isEmpty && end == .reset)
      }
      #expect(try mock.ask("litellm", "GET /health/liveliness").status == 200)
      #expect(try mock.journal()["connections"]?["litellm"] == 4)
      #expect(try mock.journal()["pending"] == [])
    }
  }

  @Test("a refusal without a count closes the port until a reset")
  func refuseListening() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"refuse":true}]}"#)
      #expect(RawClient(port: mock.port("litellm")) == nil)
      #expect(RawClient(port: mock.port("litellm")) == nil)
      #expect(try mock.ask("local", "GET /").status == 200)
      try mock.reset()
      #expect(try mock.chat().status == 200)
    }
  }

  @Test("a refusal for a time opens the port again by itself")
  func refuseForTime() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"refuse":true,"for":"300ms"}]}"#)
      let deadline = ContinuousClock.now + .seconds(20)
      var tries = 0
      while RawClient(port: mock.port("litellm")) == nil, ContinuousClock.now < deadline { tries += 1 }
      #expect(tries > 0)
      #expect(try mock.chat().status == 200)
    }
  }

  @Test("one clock tells all faces when an outage begins")
  func clock() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(
        #"""
        {"litellm":[{"status":500,"at":"0s","for":"1h"}],"direct":[{"status":503,"at":"1h"}],
          "local":[{"refuse":true,"at":"0s","for":"1h"}]}
        """#)
      func check() throws {
        #expect(try mock.chat().status == 500)
        #expect(try mock.ask("direct", "GET /").status == 200)
        #expect(RawClient(port: mock.port("local")) == nil)
      }
      try check()
      #expect(try mock.ask("admin", "POST /_mock/clock", headers: []).status == 200)
      try check()
      let clock = try mock.ask("admin", "GET /_mock/clock", headers: []).json
      #expect(try #require(clock["at_ms"]?.double) >= 0)
    }
  }

  @Test("a stream is cut without its end")
  func truncatedStream() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"truncate":60,"times":1}]}"#)
      let answer = try mock.ask(body: RunningMock.streamed)
      #expect(answer.status == 200 && !answer.isComplete)
      #expect(!answer.text.contains("[DONE]"))
      #expect(answer.events.first?.contains(#""role":"assistant""#) == true)
    }
  }

  @Test("a stream is reset after half of it")
  func resetStream() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"reset":"middle","times":1}]}"#)
      let (bytes, end) = try mock.raw(
        "litellm", RunningMock.text("POST /v1/chat/completions", body: RunningMock.streamed))
      let answer = try #require(HTTPAnswer(bytes))
      #expect(end == .reset)
      #expect(!answer.events.isEmpty && !answer.text.contains("finish_reason"))
    }
  }

  @Test("a stream carries an event that is no JSON")
  func malformedStream() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"malformed":true,"times":1}]}"#)
      let answer = try mock.ask(body: RunningMock.streamed)
      #expect(answer.isComplete && answer.events.count == 2)
      #expect(throws: JSONError.self) { try JSONParser.parse(answer.events.last ?? "") }
    }
  }

  @Test("an error inside of a stream, as LiteLLM sends it, is a body of the rule's own")
  func errorInStream() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let text = #"data: {\"error\":{\"message\":\"cut\",\"type\":null,\"param\":null,\"code\":\"500\"}}\n\n"#
      try mock.arm(
        #"{"litellm":[{"status":200,"body":"\#(text)","headers":{"Content-Type":"text/event-stream"},"times":1}]}"#
      )
      let answer = try mock.ask(body: RunningMock.streamed)
      #expect(answer["content-type"] == "text/event-stream")
      #expect(answer.events == [#"{"error":{"message":"cut","type":null,"param":null,"code":"500"}}"#])
    }
  }

  @Test("the same seed gives the same run, another seed another")
  func seeds() async throws {
    func run(seed: UInt64) async throws -> [Int] {
      var options = Options()
      options.seed = seed
      var statuses: [Int] = []
      try await RunningMock.run(options) { (mock: RunningMock) async throws in
        try mock.arm(#"{"litellm":[{"status":500,"probability":0.5}]}"#)
        for _ in 0..<32 { statuses.append(try mock.ask("litellm", "GET /health/liveliness").status) }
      }
      return statuses
    }
    let first = try await run(seed: 7)
    #expect(try await run(seed: 7) == first)
    #expect(try await run(seed: 8) != first)
    #expect(Set(first) == [200, 500])
  }
}
