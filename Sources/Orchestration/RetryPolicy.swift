import ProtocolSpec

/// When the next try may come, and whether there may be one: full jitter, `Retry-After` as the
/// minimum, and a budget that keeps an outage from being amplified.
struct RetryPolicy: Sendable {
  private let policy: FailureTable.Policy
  private var backoff: Backoff
  private var successes: SlidingCount
  private var retries: SlidingCount

  init(_ policy: FailureTable.Policy, seed: UInt64) {
    self.policy = policy
    backoff = Backoff(base: policy.backoffBase, cap: policy.backoffCap, SeededGenerator(seed: seed))
    successes = SlidingCount(window: policy.budgetWindow)
    retries = SlidingCount(window: policy.budgetWindow)
  }

  mutating func noteSuccess(at time: Timestamp) { successes.add(at: time) }

  /// Takes one retry from the budget, if one is left.
  mutating func mayRetry(at time: Timestamp) -> Bool {
    let allowed = policy.budgetMinimum + Int(policy.budgetShare * Double(successes.count(at: time)))
    guard retries.count(at: time) < allowed else { return false }
    retries.add(at: time)
    return true
  }

  /// `random(0, min(cap, base·2ⁿ))`, and not before `retryAfter`.
  ///
  /// - Parameter failures: tries that have failed, from 1.
  mutating func pause(afterFailures failures: Int, retryAfter: Duration?) -> Duration {
    max(backoff.pause(afterFailures: failures), retryAfter ?? .zero)
  }
}

/// How often something happened in the last seconds; one number for each second.
private struct SlidingCount: Sendable {
  private let seconds: Int64
  private var counts: [Int64: Int] = [:]

  init(window: Duration) { seconds = window.components.seconds }

  mutating func add(at time: Timestamp) { counts[time.milliseconds / 1000, default: 0] += 1 }

  mutating func count(at time: Timestamp) -> Int {
    let start = time.milliseconds / 1000 - seconds
    counts = counts.filter { $0.key > start }
    return counts.values.reduce(0, +)
  }
}
