import ProtocolSpec

/// Pauses that grow, with full jitter: `random(0, min(cap, base·2ⁿ))`.
struct Backoff: Sendable {
  private let base: Duration
  private let cap: Duration
  private var random: SeededGenerator

  init(base: Duration, cap: Duration, _ random: SeededGenerator) {
    self.base = base
    self.cap = cap
    self.random = random
  }

  /// - Parameter failures: in a row, from 1.
  mutating func pause(afterFailures failures: Int) -> Duration {
    let doublings = min(max(failures - 1, 0), 30)
    return min(cap, base * (1 << doublings)) * Double.random(in: 0..<1, using: &random)
  }
}

/// How many lines a program may put into the log.
struct NoteBudget: Sendable {
  enum Verdict: Sendable {
    case write
    /// The first that is left out.
    case last
    case drop
  }

  private let lines: Int
  private let window: Duration
  private var began: ContinuousClock.Instant?
  private var count = 0

  /// - Parameters:
  ///   - lines: the most within one window.
  init(lines: Int, window: Duration) {
    self.lines = lines
    self.window = window
  }

  mutating func take(at now: ContinuousClock.Instant) -> Verdict {
    if began.map({ $0 + window <= now }) ?? true { (began, count) = (now, 0) }
    count += 1
    return count <= lines ? .write : count == lines + 1 ? .last : .drop
  }
}
