import Foundation
import JSON
import Testing

@testable import mock_litellm

@Suite("verification of the journal, and metrics")
struct VerificationTests {
  private static let direct = ["x-api-key: k", "anthropic-version: 2023-06-01"]

  /// Two completions, one that meets a 500, then a message.
  private static func asked(_ body: (RunningMock) throws -> Void) async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"status":500,"times":1}]}"#)
      _ = try mock.chat()
      _ = try mock.chat()
      _ = try mock.ask("direct", "POST /v1/messages", headers: direct, body: RunningMock.message)
      try body(mock)
    }
  }

  private static func verify(_ mock: RunningMock, _ expectations: String) throws -> HTTPAnswer {
    try mock.ask("admin", "POST /_mock/verify", headers: [], body: expectations)
  }

  @Test(
    "what was asked is verified",
    arguments: [
      #"{"litellm": {"path": "/v1/chat/completions", "count": 2}}"#,
      #"{"litellm": {"method": "POST", "path": "/v1/*", "count": {"atLeast": 1}}}"#,
      #"{"litellm": {"count": {"atMost": 2}}, "direct": {"path": "/v1/messages", "count": 1}, "local": {"count": 0}}"#,
      #"{"litellm": {"body": {"model": {"$regex": "^gpt"}, "stream": {"$absent": true}}}}"#,
      #"{"direct": [{"path": "/v1/messages", "header": {"anthropic-version": "2023-06-01"}}, {"count": 1}]}"#,
      #"{"order": [{"litellm": {"path": "/v1/chat/completions"}}, {"direct": {"body": {"max_tokens": 50}}}]}"#,
      "litellm: {path: /v1/chat/completions, count: 2, spacing: {atLeast: 0s}}",
      #"{"litellm": {"body": {"messages": [{"content": {"$oneOf": ["\uD83D\uDE00", "hi"]}}]}}}"#,
    ])
  func verified(expectations: String) async throws {
    try await Self.asked { mock in
      let answer = try Self.verify(mock, expectations)
      #expect(try answer.json == ["verified": true], "\(answer.text)")
      #expect(answer.status == 200)
    }
  }

  @Test(
    "what was not asked is told with what was expected and seen",
    arguments: [
      (
        #"{"litellm": {"path": "/v1/chat/completions", "count": 3}}"#,
        ["litellm /v1/chat/completions count", "3", "2"]
      ),
      (
        #"{"litellm": {"count": {"atLeast": 3, "atMost": 4}}}"#,
        ["litellm * count", "{atLeast: 3, atMost: 4}", "2"]
      ),
      (#"{"local": {"path": "/v1/models"}}"#, ["local /v1/models count", "at least 1", "0"]),
      (
        #"{"direct": {"body": {"model": "gpt-4o-mini"}}}"#,
        ["direct * call 1 body model", "gpt-4o-mini", "claude-3-5-sonnet"]
      ),
      (
        #"{"litellm": {"spacing": {"atLeast": "1h"}}}"#,
        ["litellm * spacing before call 2", "at least 3600s", ""]
      ),
      (
        #"{"order": [{"direct": {"path": "/v1/messages"}}, {"litellm": {"path": "/v1/chat/completions"}}]}"#,
        ["order 1", "a call of litellm /v1/chat/completions behind that of element 0", "no call"]
      ),
    ])
  func notVerified(expectations: String, difference: [String]) async throws {
    try await Self.asked { mock in
      let answer = try Self.verify(mock, expectations)
      #expect(answer.status == 409)
      let json = try answer.json
      #expect(json["verified"] == false && json["count"] == 3)
      #expect(json["calls"]?.array?.map { $0["status"] } == [500, 200, 200])
      let first = try #require(json["differences"]?[0])
      #expect(first["at"]?.string == difference[0])
      #expect(first["expected"]?.string == difference[1])
      #expect(first["seen"]?.string?.hasSuffix(difference[2]) == true, "\(first)")
    }
  }

  @Test(
    "expectations that are none are refused",
    arguments: [
      (
        "{}",
        "line 1 column 1: nothing is expected: name a face, such as {litellm: {path: /v1/models, count: 1}}"
      ),
      (#"{"litelm": {}}"#, #"line 1 column 2: unknown key "litelm", did you mean "litellm"?"#),
      (
        #"{"litellm": {"count": {"atLeast": 2, "atMost": 1}}}"#,
        "line 1 column 21: atLeast 2 is more than atMost 1"
      ),
      (
        #"{"order": [{"direct": {"count": 1}}]}"#,
        "line 1 column 11: an element of order is one call: neither count nor spacing belong to it"
      ),
    ])
  func refused(expectations: String, message: String) async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let answer = try Self.verify(mock, expectations)
      #expect(answer.status == 400)
      #expect(try answer.json["error"]?.string == message)
      #expect(try mock.ask("admin", "GET /_mock/verify", headers: []).status == 405)
    }
  }

  @Test("metrics count requests by what they met, and stand on the admin port only")
  func metrics() async throws {
    try await Self.asked { mock in
      _ = try mock.ask(body: RunningMock.streamed)
      _ = try mock.ask("litellm", "GET /nobody/serves/this/1")
      _ = try mock.ask("litellm", "GET /nobody/serves/this/2")
      try mock.arm(#"{"local":[{"fault":"hang","times":3}]}"#)
      let answer = try mock.ask("admin", "GET /metrics", headers: [])
      #expect(answer.status == 200)
      let lines = Set(answer.text.split(separator: "\n").map(String.init))
      let expected = [
        #"requests_total{face="litellm",path="/v1/chat/completions",status="500",fault="status-500"} 1"#,
        #"requests_total{face="litellm",path="/v1/chat/completions",status="200",fault="none"} 2"#,
        #"requests_total{face="litellm",path="other",status="404",fault="none"} 2"#,
        #"requests_total{face="direct",path="/v1/messages",status="200",fault="none"} 1"#,
        #"request_seconds_count{face="litellm"} 5"#, #"streams_open{face="litellm"} 0"#,
        #"connections_open{port="admin"} 1"#, #"faults_armed_total{face="litellm",fault="status-500"} 1"#,
        #"faults_met_total{face="litellm",fault="status-500"} 1"#, #"faults_pending{face="local"} 3"#,
        #"faults_pending{face="litellm"} 0"#,
      ]
      for line in expected { #expect(lines.contains("mock_litellm_\(line)"), "\(line) in \(answer.text)") }
      #expect(try mock.ask("litellm", "GET /metrics").status == 404)
      #expect(try mock.ask("admin", "POST /metrics", headers: []).status == 405)
    }
  }
}
