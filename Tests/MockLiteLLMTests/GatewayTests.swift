import Foundation
import JSON
import ProtocolSpec
import Testing
import YAML

@testable import mock_litellm

@Suite("the gateway")
struct GatewayTests {
  private func gateway(_ yaml: String, seed: UInt64 = 1) throws -> Gateway {
    let value = try YAMLParser.parse(yaml, file: "g.yaml").json
    return Gateway(try GatewaySettings(value, spec: specification.get()), seed: seed)
  }

  private func call(
    _ gateway: inout Gateway, _ model: String = "m", _ body: JSONValue = [:], headers: [HeaderField] = [],
    at seconds: Double = 0
  ) -> Gateway.Outcome {
    let request = FaceRequest(method: "POST", path: "/v1/chat/completions", headers: headers)
    return gateway.call(model, request, body, now: .seconds(seconds))
  }

  @Test("what may pass is tried again, at most as often as told")
  func retries() throws {
    var flaky = try gateway("deployments: {m: [{faults: [{status: 500, times: 2}]}]}\nretry_pause: 500ms\n")
    let answered = call(&flaky)
    #expect(answered.failure == nil && answered.retries == 2)
    // Half a second, then a whole one.
    #expect(answered.time == .milliseconds(1500))
    var dead = try gateway("deployments: {m: [{faults: [{close: request}]}]}\n")
    let failed = call(&dead)
    #expect(failed.failure?.status == 500 && failed.retries == 2)
    #expect(failed.failure?.message?.hasSuffix("Connection error.") == true)
    #expect(call(&dead, "m", ["num_retries": 0]).retries == 0)
    #expect(call(&dead, headers: [("x-litellm-num-retries", "1")]).retries == 1)
    var refusing = try gateway("deployments: {m: [{faults: [{status: 400}]}]}\n")
    #expect(call(&refusing).retries == 0)
  }

  @Test("a deployment alone waits for Retry-After and never rests")
  func alone() throws {
    var alone = try gateway("deployments: {m: [{faults: [{status: 429, retry_after: 7}]}]}\n")
    let outcome = call(&alone)
    #expect(outcome.time == .seconds(14) && outcome.failure?.status == 429)
    #expect(outcome.failure?.isCooldown == false && outcome.failure?.retryAfter == "7")
  }

  @Test("of two throttled deployments each rests, then the gateway says how long")
  func cooldown() throws {
    var two = try gateway(
      """
      deployments:
        m:
        - {faults: [{status: 429, retry_after: 7}]}
        - {faults: [{status: 401}]}
      """)
    let first = call(&two)
    let second = call(&two, at: 0.1)
    #expect(Set([first.failure?.status, second.failure?.status]) == [429, 401])
    #expect(first.retries == 0)
    let third = call(&two, at: 1)
    #expect(third.failure?.isCooldown == true && third.failure?.status == 429)
    // The one that was refused rests for the usual five seconds.
    #expect(["4", "5"].contains(third.failure?.retryAfter))
    let later = call(&two, at: 6)
    #expect(later.failure?.status == 401)
  }

  @Test("falls back to another model, but not with a request that is refused")
  func fallback() throws {
    let text =
      "fallbacks: {m: [other, third]}\ndeployments: {m: [{faults: [{status: 500}]}], other: [{faults: [%]}]}\n"
    var once = try gateway(text.replacing("%", with: "{status: 401}"))
    let outcome = call(&once)
    #expect(outcome.failure == nil && outcome.model == "third" && outcome.fallbacks == 2)
    #expect(call(&once, "m", ["disable_fallbacks": true]).failure?.status == 500)
    var refused = try gateway("fallbacks: {m: [other]}\ndeployments: {m: [{faults: [{status: 400}]}]}\n")
    #expect(call(&refused).failure?.status == 400)
    var long = try gateway(
      "fallbacks: {m: [other]}\ndeployments: {m: [{faults: [{fault: context-window}]}]}\n")
    #expect(call(&long).model == "other")
  }

  @Test(
    "what LiteLLM makes of what its deployments do",
    arguments: [
      ("{fault: reset}", 500), ("{fault: malformed-json}", 500), ("{fault: html-200}", 500),
      ("{fault: no-choices}", 500), ("{fault: truncated-body}", 500), ("{fault: hang}", 408),
      ("{fault: empty-choices}", nil), ("{fault: no-usage}", nil), ("{fault: stream-error-first}", 500),
      ("{fault: stream-cut}", nil), ("{fault: stream-no-finish}", nil), ("{fault: http-529}", 529),
    ] as [(String, Int?)])
  func translation(rule: String, status: Int?) throws {
    var made = try gateway("timeout: 3s\ndeployments: {m: [{faults: [\(rule)]}]}\n")
    let request = FaceRequest(
      method: "POST", path: "/v1/chat/completions", body: Array(#"{"stream":true}"#.utf8))
    let outcome = made.call("m", request, ["stream": true, "num_retries": 0], now: .zero)
    #expect(outcome.failure?.status == status)
    #expect(outcome.time == (status == 408 ? .seconds(3) : .zero))
  }

  private static let scenario = """
    format: 1
    gateway:
      deployments:
        gpt-4o-mini: [{faults: [{status: 503, times: 1}, {close: middle, events: 2, times: 1}]}]
        claude-3-5-haiku: [{faults: [{status: 429, retry_after: 30}]}, {faults: [{status: 429, retry_after: 40}]}]
      keys:
        sk-test: {}
        sk-two: {rpm: 2}
        sk-poor: {budget: 0.00001}
        sk-one: {parallel: 1}
    """

  @Test("shows in the answers of LiteLLM")
  func answers() async throws {
    try await RunningMock.run(scenario: Self.scenario) { (mock: RunningMock) async throws in
      let answer = try mock.chat()
      #expect(answer.status == 200 && answer["x-litellm-attempted-retries"] == "1")
      #expect(try mock.chat().status == 200)
      // A stream that a deployment cuts ends with an error and no [DONE].
      let cut = try mock.ask(body: RunningMock.streamed)
      #expect(cut.isComplete && cut.events.count == 3)
      #expect(cut.events.last?.contains(#""code":"500""#) == true)
      let haiku = RunningMock.chat.replacing("gpt-4o-mini", with: "claude-3-5-haiku")
      let statuses = try (0..<2).map { _ in try mock.ask(body: haiku) }
      #expect(statuses.allSatisfy { $0.status == 429 && $0["retry-after"] == nil })
      #expect(statuses.contains { $0["llm_provider-retry-after"] == "30" })
      let resting = try mock.ask(body: haiku)
      #expect(resting.status == 429)
      #expect(try resting.json["error"]?["type"] == "all_deployments_in_cooldown")
      #expect(resting["retry-after"].flatMap { Int($0) }.map { (1...30).contains($0) } == true)
      try mock.reset()
      #expect(try mock.ask(body: haiku)["retry-after"] == nil)
    }
  }

  @Test("counts what a key asks for")
  func keys() async throws {
    try await RunningMock.run(scenario: Self.scenario) { (mock: RunningMock) async throws in
      func ask(_ key: String) throws -> HTTPAnswer {
        try mock.ask(headers: ["Authorization: Bearer \(key)"], body: RunningMock.chat)
      }
      #expect(try ask("sk-other").status == 400)
      let first = try ask("sk-two")
      #expect(first.status == 200 && first["x-ratelimit-api_key-remaining-requests"] == "1")
      #expect(try ask("sk-two").status == 200)
      let third = try ask("sk-two")
      #expect(third.status == 429 && third["retry-after"] == "60" && third["rate_limit_type"] == "requests")
      #expect(try third.json["error"]?["type"] == "throttling_error")
      #expect(try ask("sk-poor").status == 200)
      let poor = try ask("sk-poor")
      #expect(poor.status == 422)
      #expect(try poor.json["error"]?["type"] == "budget_exceeded")
      // One runs until the mock lets it go, another may not meanwhile.
      try mock.arm(#"{"litellm":[{"hang":true,"times":1}]}"#)
      let running = try #require(RawClient(port: mock.port("litellm")))
      let before = try mock.journal()["count"]?.int ?? 0
      running.write(
        RunningMock.text(
          "POST /v1/chat/completions", headers: ["Authorization: Bearer sk-one"], body: RunningMock.chat))
      _ = try mock.journal("?after=\(before)&wait=20s")
      #expect(try ask("sk-one")["rate_limit_type"] == "max_parallel_requests")
      try mock.reset()
      _ = running.readAll()
      #expect(try ask("sk-one").status == 200)
    }
  }

  @Test("can be set while it runs, and refuses connections while it boots")
  func boot() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let wrong = try mock.ask("admin", "POST /_mock/gateway", headers: [], body: #"{"num_retries":-1}"#)
      #expect(wrong.status == 400 && wrong.text.contains("/num_retries: a whole number of at least 0"))
      let set = try mock.ask("admin", "POST /_mock/gateway", headers: [], body: #"{"boot":"1h"}"#)
      #expect(set.status == 200)
      #expect(RawClient(port: mock.port("litellm")) == nil)
      try mock.reset()
      #expect(try mock.chat().status == 200)
    }
  }

  @Test(
    "mistakes in a scenario are shown at their place",
    arguments: [
      ("gateway:\n  num_retry: 2\n", "s.yaml:3:3: no such key"),
      ("gateway:\n  deployments: {m: [{faults: [{statsu: 500}]}]}\n", "s.yaml:3:32: no such key"),
      ("gateway:\n  keys: {a: {rpm: many}}\n", "s.yaml:3:19: a whole number of at least 0 is expected"),
      ("jitter: 3\n", "s.yaml:2:9: a number from 0 to 1 is expected, not 3"),
    ])
  func mistakes(text: String, message: String) throws {
    let spec = try specification.get()
    let node = try YAMLParser.parse("format: 1\n" + text, file: "s.yaml")
    #expect { try Scenario(node, spec: spec) } throws: { "\($0)".hasPrefix(message) }
  }
}
