import Foundation
import ProtocolSpec
import Testing

@testable import Orchestration

@Suite("What an upstream's answer means")
struct AnswerTests {
  struct Example: Sendable, CustomTestStringConvertible {
    let status: Int
    let body: String
    let expected: FailureClass
    var testDescription: String { "\(status) \(body.prefix(60))" }

    init(_ status: Int, _ body: String, _ expected: FailureClass) {
      (self.status, self.body, self.expected) = (status, body, expected)
    }
  }

  let failures: FailureTable

  init() throws { failures = try Specification.load().failures }

  func failure(_ status: Int, _ body: String, _ headers: [(name: String, value: String)] = []) -> CallFailure?
  {
    do throws(CallFailure) {
      _ = try HTTPAnswer(status: status, headers: headers, body: Array(body.utf8)).success(failures)
      return nil
    } catch {
      return error
    }
  }

  static let examples: [Example] = [
    // What may pass.
    Example(
      500, #"{"error":{"message":"x","type":"internal_server_error","code":"500"}}"#, .upstreamUnavailable),
    Example(408, #"{"error":{"type":"invalid_request_error","code":"408"}}"#, .upstreamUnavailable),
    Example(502, "<html>", .upstreamUnavailable), Example(503, "", .upstreamUnavailable),
    Example(504, "{}", .upstreamUnavailable), Example(529, "", .upstreamUnavailable),
    Example(599, "", .upstreamUnavailable),
    // Too much to do.
    Example(
      529, #"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, .overloaded),
    Example(
      500,
      #"{"error":{"message":"AnthropicException - {\"type\":\"overloaded_error\"}","type":"internal_server_error"}}"#,
      .overloaded),
    // Too many requests.
    Example(429, #"{"error":{"type":"throttling_error"}}"#, .rateLimited), Example(429, "", .rateLimited),
    Example(429, #"{"error":{"type":"internal_server_error","code":"429"}}"#, .rateLimited),
    Example(429, #"{"error":{"type":"all_deployments_in_cooldown"}}"#, .gatewayCooldown),
    // Money, by type, code or message.
    Example(422, #"{"error":{"type":"budget_exceeded"}}"#, .budgetExceeded),
    Example(429, #"{"error":{"type":"budget_exceeded"}}"#, .budgetExceeded),
    Example(429, #"{"error":{"code":"insufficient_quota"}}"#, .budgetExceeded),
    Example(
      429, #"{"error":{"type":"throttling_error","message":"You exceeded your current quota, please"}}"#,
      .budgetExceeded),
    Example(
      400, #"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#,
      .budgetExceeded),
    Example(
      400, #"{"error":{"message":"Budget has been exceeded! Current cost: 2, Max budget: 1"}}"#,
      .budgetExceeded),
    Example(402, "", .budgetExceeded),
    // The request, and who sent it.
    Example(400, "{}", .invalidRequest), Example(404, #"{"detail":"Not Found"}"#, .invalidRequest),
    Example(405, "", .invalidRequest), Example(409, "", .invalidRequest), Example(413, "", .invalidRequest),
    Example(418, "", .invalidRequest), Example(422, "{}", .invalidRequest),
    Example(
      400, #"{"error":{"message":"ContentPolicyViolationError: rejected","code":"400"}}"#, .invalidRequest),
    Example(400, #"{"error":{"type":"no_db_connection"}}"#, .auth), Example(401, "{}", .auth),
    Example(403, "{}", .auth),
    // No completion.
    Example(200, "", .badResponse), Example(200, "<html>", .badResponse), Example(200, "[]", .badResponse),
    Example(200, "42", .badResponse), Example(200, #"{"error":"x"}"#, .badResponse),
    Example(200, #"{"error":{"type":"budget_exceeded"}}"#, .budgetExceeded), Example(302, "", .badResponse),
    Example(204, "", .badResponse),
  ]

  @Test("is told by type, message and status", arguments: examples)
  func classes(example: Example) {
    #expect(failure(example.status, example.body)?.name == example.expected)
  }

  @Test("every class that an answer can have is among the examples")
  func complete() {
    let byOthers: Set<FailureClass> = [
      .gatewayUnreachable, .streamTruncated, .invalidOutput, .timeout, .attemptsExhausted,
      .executorFailed, .executorUnavailable,
    ]
    #expect(Set(Self.examples.map(\.expected)).union(byOthers) == Set(FailureClass.allCases))
  }

  @Test("only a request that is too long asks for a larger model")
  func tooLong() {
    let message = #"{"error":{"message":"litellm.ContextWindowExceededError: maximum context length is 8"}}"#
    #expect(failure(400, message)?.isTooLong == true)
    #expect(failure(400, #"{"error":{"code":"context_length_exceeded"}}"#)?.isTooLong == true)
    #expect(failure(400, #"{"error":{"message":"prompt is too long: 9 tokens"}}"#)?.isTooLong == true)
    #expect(failure(400, "{}")?.isTooLong == false)
    #expect(failure(500, message)?.isTooLong == false)
  }

  @Test("Retry-After counts on 429 and 5xx")
  func retryAfter() {
    #expect(failure(429, "", [("Retry-After", "7")])?.retryAfter == .seconds(7))
    #expect(failure(503, "", [("llm_provider-retry-after", "1.5")])?.retryAfter == .seconds(1.5))
    #expect(failure(400, "", [("retry-after", "7")])?.retryAfter == nil)
    #expect(failure(429, "")?.retryAfter == nil)
  }
}

@Suite("Retry-After")
struct RetryAfterTests {
  /// Sun, 06 Nov 1994 08:49:37 GMT.
  let now = Date(timeIntervalSince1970: 784_111_777)

  func wait(_ headers: [String: String]) -> Duration? { RetryAfter.wait(now: now) { headers[$0] } }

  @Test(
    "is read as seconds or as a date of any of the three forms",
    arguments: [
      ("7", Duration.seconds(7)), ("0", .zero), ("1.5", .seconds(1.5)), ("soon", nil), ("-1", nil), ("", nil),
      ("nan", nil), ("inf", nil), ("1e300", nil),
      ("Sun, 06 Nov 1994 08:49:47 GMT", .seconds(10)), ("Sunday, 06-Nov-94 08:49:47 GMT", .seconds(10)),
      ("Sun Nov  6 08:49:47 1994", .seconds(10)), ("Wed, 21 Oct 1992 07:28:00 GMT", .zero),
      ("Wednesday, 01-Jan-20 00:00:00 GMT", .seconds(793_725_023)), ("Sun, 06 Nov", nil),
    ] as [(String, Duration?)])
  func values(text: String, expected: Duration?) {
    #expect(wait(["retry-after": text]) == expected)
  }

  @Test("milliseconds are more exact, and the longest wait of gateway and provider holds")
  func names() {
    #expect(wait(["retry-after-ms": "1500", "retry-after": "2"]) == .milliseconds(1500))
    #expect(wait(["llm_provider-retry-after-ms": "600"]) == .milliseconds(600))
    #expect(wait(["retry-after": "1", "llm_provider-retry-after": "3"]) == .seconds(3))
    #expect(wait(["retry-after": "5", "llm_provider-retry-after": "3"]) == .seconds(5))
    #expect(wait(["retry-after-ms": "x", "retry-after": "2"]) == .seconds(2))
    #expect(wait([:]) == nil)
  }
}

@Suite("The model that answered")
struct AnsweringModelTests {
  @Test(
    "is the one that was asked for, whatever stands before and behind its name",
    arguments: [
      ("claude-3-5-haiku", "claude-3-5-haiku", true), ("claude-3-5-haiku", "claude-3-5-haiku-20241022", true),
      ("anthropic/claude-3-5-haiku", "claude-3-5-haiku", true), ("gpt-4o", "openai/gpt-4o-2024-08-06", true),
      ("claude-3-5-haiku-20241022", "claude-3-5-haiku", true), ("claude-3-5-haiku", "gpt-4o", false),
      ("claude-3-5-haiku", nil, true),
    ] as [(String, String?, Bool)])
  func names(asked: String, answered: String?, expected: Bool) {
    #expect(Completion(text: "x", isTruncated: false, model: answered).isFrom(asked) == expected)
  }
}
