import ProtocolSpec
import Testing

@testable import Orchestration

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
