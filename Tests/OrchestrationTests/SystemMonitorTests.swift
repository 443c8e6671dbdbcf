import ProtocolSpec
import Testing

@testable import Orchestration

@Suite("The state of the system")
struct SystemMonitorTests {
  enum Event {
    case call(SystemMonitor.Upstream, Bool)
    case cheapProbe(SystemMonitor.Upstream, Bool)
    case completionProbe(Bool)
    case cooldown
    case refusedRequest
  }

  let spec: Specification
  let settings: Settings

  init() throws {
    spec = try Specification.load()
    settings = Settings(try Configuration(file: nil, environment: [:], keys: spec.configuration))
  }

  /// The states after each event, a second apart.
  func states(_ events: [Event], from state: SystemState = .normal) -> [SystemState] {
    var monitor = SystemMonitor(
      spec: spec, settings: settings, state: state, since: Timestamp(milliseconds: 0))
    return events.enumerated().map { number, event in
      let time = Timestamp(milliseconds: Int64(number) * 1000)
      switch event {
      case .call(let upstream, true): _ = monitor.succeeded(upstream, by: .call, at: time)
      case .call(let upstream, false): _ = monitor.failed(upstream, counts: .always, at: time)
      case .cheapProbe(let upstream, true): _ = monitor.succeeded(upstream, by: .cheapProbe, at: time)
      case .cheapProbe(let upstream, false): _ = monitor.failed(upstream, counts: .always, at: time)
      case .completionProbe(true): _ = monitor.succeeded(.litellm, by: .completionProbe, at: time)
      case .completionProbe(false): _ = monitor.failed(.litellm, counts: .always, at: time)
      case .cooldown: _ = monitor.failed(.litellm, counts: .onceAWindow, at: time)
      case .refusedRequest: _ = monitor.failed(.litellm, counts: .never, at: time)
      }
      return monitor.state
    }
  }

  @Test("two failures in a row turn it degraded, of calls and probes alike")
  func degraded() {
    #expect(states([.call(.litellm, false), .call(.litellm, false)]).last == .degraded)
    #expect(states([.cheapProbe(.litellm, false), .call(.litellm, false)]).last == .degraded)
    #expect(states([.call(.litellm, false), .call(.litellm, true), .call(.litellm, false)]).last == .normal)
  }

  @Test("a good cheap probe between two failures changes nothing")
  func cheapProbe() {
    #expect(
      states([.call(.litellm, false), .cheapProbe(.litellm, true), .call(.litellm, false)]).last == .degraded)
  }

  @Test("a refused request does not count, a cooldown counts once in its window")
  func counting() {
    #expect(states(Array(repeating: .refusedRequest, count: 9)).last == .normal)
    #expect(states(Array(repeating: .cooldown, count: 5)).last == .normal)
    #expect(states(Array(repeating: .cooldown, count: 6)).last == .degraded)
  }

  @Test("two good completions in a row bring LiteLLM back, one between failures does not")
  func recovery() {
    #expect(states([.completionProbe(true), .completionProbe(true)], from: .degraded).last == .normal)
    #expect(
      states([.completionProbe(true), .completionProbe(false), .completionProbe(true)], from: .degraded).last
        == .degraded)
  }

  @Test("cloud failures count while degraded only, three turn it brainstem")
  func brainstem() {
    let three = Array(repeating: Event.call(.cloud, false), count: 3)
    #expect(states(three, from: .degraded) == [.degraded, .degraded, .brainstem])
    #expect(states(three, from: .normal).last == .normal)
    #expect(
      states(
        [.call(.cloud, false), .call(.cloud, false), .call(.cloud, true), .call(.cloud, false)],
        from: .degraded
      )
      .last == .degraded)
  }

  @Test("brainstem is left to degraded, or to normal where LiteLLM is good too")
  func leavingBrainstem() {
    #expect(
      states([.cheapProbe(.cloud, true), .cheapProbe(.cloud, true)], from: .brainstem).last == .degraded)
    #expect(
      states(
        [
          .completionProbe(true), .cheapProbe(.cloud, true), .completionProbe(true),
          .cheapProbe(.cloud, true),
        ],
        from: .brainstem
      ).last == .normal)
    #expect(
      states(
        [.cheapProbe(.cloud, true), .cheapProbe(.cloud, false), .cheapProbe(.cloud, true)], from: .brainstem
      )
      .last == .brainstem)
  }
}

@Suite("Retries")
struct RetryPolicyTests {
  let policy: FailureTable.Policy

  init() throws { policy = try Specification.load().failures.policy }

  @Test("pauses are below base·2ⁿ and the cap, and never before Retry-After")
  func pauses() {
    var retry = RetryPolicy(policy, seed: 7)
    for failures in 1...40 {
      let limit = min(policy.backoffCap, policy.backoffBase * (1 << min(failures - 1, 10)))
      #expect(retry.pause(afterFailures: failures, retryAfter: nil) < limit)
      #expect(retry.pause(afterFailures: failures, retryAfter: .seconds(3)) >= .seconds(3))
    }
  }

  @Test("the same seed gives the same pauses")
  func seeds() {
    func pauses(_ seed: UInt64) -> [Duration] {
      var retry = RetryPolicy(policy, seed: seed)
      return (1...5).map { retry.pause(afterFailures: $0, retryAfter: nil) }
    }
    #expect(pauses(1) == pauses(1))
    #expect(pauses(1) != pauses(2))
  }

  @Test("the budget allows its minimum, a share of the successes, and recovers with time")
  func budget() {
    var retry = RetryPolicy(policy, seed: 1)
    let start = Timestamp(milliseconds: 0)
    #expect((0..<30).count { _ in retry.mayRetry(at: start) } == policy.budgetMinimum)
    for _ in 0..<50 { retry.noteSuccess(at: start) }
    #expect((0..<30).count { _ in retry.mayRetry(at: start) } == 5)
    let later = start.adding(policy.budgetWindow + .seconds(1))
    #expect((0..<30).count { _ in retry.mayRetry(at: later) } == policy.budgetMinimum)
  }
}

@Suite("What an upstream's answer means")
struct AnswerTests {
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

  @Test(
    "is classified by type and status",
    arguments: [
      (
        500, #"{"error":{"message":"x","type":"internal_server_error","code":"500"}}"#,
        FailureClass.upstreamUnavailable
      ),
      (529, "", .upstreamUnavailable), (408, "{}", .upstreamUnavailable),
      (429, #"{"error":{"type":"throttling_error"}}"#, .rateLimited),
      (429, #"{"error":{"type":"all_deployments_in_cooldown"}}"#, .gatewayCooldown),
      (422, #"{"error":{"type":"budget_exceeded"}}"#, .budgetExceeded),
      (429, #"{"error":{"code":"insufficient_quota"}}"#, .budgetExceeded),
      (422, "{}", .invalidRequest), (400, "{}", .invalidRequest), (404, "{}", .invalidRequest),
      (400, #"{"error":{"type":"no_db_connection"}}"#, .auth), (401, "{}", .auth), (403, "{}", .auth),
      (200, "<html>", .badResponse), (200, "[]", .badResponse), (200, #"{"error":"x"}"#, .badResponse),
      (302, "", .badResponse), (418, "", .invalidRequest), (599, "", .upstreamUnavailable),
    ])
  func classes(status: Int, body: String, expected: FailureClass) {
    #expect(failure(status, body)?.name == expected)
  }

  @Test("Retry-After counts on 429 and 5xx, in seconds, as a date, and under LiteLLM's name")
  func retryAfter() throws {
    #expect(failure(429, "", [("Retry-After", "7")])?.retryAfter == .seconds(7))
    #expect(failure(503, "", [("llm_provider-retry-after", "1.5")])?.retryAfter == .seconds(1.5))
    #expect(failure(400, "", [("retry-after", "7")])?.retryAfter == nil)
    #expect(failure(429, "", [("retry-after", "soon")])?.retryAfter == nil)
    #expect(failure(429, "", [("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")])?.retryAfter == .zero)
    let future = try #require(
      failure(429, "", [("retry-after", "Fri, 01 Jan 2100 00:00:00 GMT")])?.retryAfter)
    #expect(future > .seconds(1_000_000))
  }
}
