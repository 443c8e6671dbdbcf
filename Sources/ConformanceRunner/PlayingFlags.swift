import Conformance
import Foundation
import ProtocolSpec
import YAML

/// What the flags of `CommonFlags.playing` ask for beside the selection.
struct PlayingFlags {
  let seed: UInt64
  let slack: Double
  let threshold: RequirementLevel
  let traces: TracePolicy
  /// How many cases at one time; nil: as the machine can.
  let jobs: Int?
  let times: Int
  let shard: Shard?
  let stopsEarly: Bool
  let baseline: Baseline

  /// - Parameter defaultSeed: nil for one at random.
  init(_ arguments: Arguments, defaultSeed: UInt64? = nil) throws {
    seed =
      try Self.number(arguments, "--seed", UInt64.init, "a whole number") ?? defaultSeed
      ?? .random(in: 1...999_999)
    slack = try Self.number(arguments, "--slack", Double.init, "a number above 0") ?? 1
    guard slack > 0, slack.isFinite else { throw UsageError(description: "--slack needs a number above 0") }
    let level = arguments["--level"] ?? "should"
    guard let threshold = RequirementLevel(rawValue: level) else {
      throw UsageError(description: unknown("level", level, known: RequirementLevel.allCases.map(\.rawValue)))
    }
    self.threshold = threshold
    let which = arguments[ReportFlags.traces.name] ?? TracePolicy.failures.rawValue
    guard let traces = TracePolicy(rawValue: which) else {
      throw UsageError(
        description: unknown("choice of traces", which, known: TracePolicy.allCases.map(\.rawValue)))
    }
    self.traces = traces
    jobs = try Self.number(arguments, "--jobs", Self.count, "a number from 1 to 1000")
    times = try Self.number(arguments, "--repeat", Self.count, "a number from 1 to 1000") ?? 1
    shard = try arguments["--shard"].map { text throws(UsageError) in
      guard let shard = Shard(text) else {
        throw UsageError(
          description: "--shard needs a part and how many there are, such as 1/4, not \"\(text)\"")
      }
      return shard
    }
    stopsEarly = arguments.has("--fail-fast")
    var baseline = Baseline()
    for (flag, list) in [("--known-failing", KnownFailure.List.failing), ("--known-flaky", .flaky)] {
      if let file = arguments[flag] { try baseline.add(YAMLParser.parse(contentsOf: file), as: list) }
    }
    self.baseline = baseline
  }

  private static func count(_ text: String) -> Int? {
    Int(text).flatMap { (1...1000).contains($0) ? $0 : nil }
  }

  private static func number<Number>(
    _ arguments: Arguments, _ name: String, _ read: (String) -> Number?, _ expected: String
  ) throws(UsageError) -> Number? {
    guard let text = arguments[name] else { return nil }
    guard let number = read(text) else {
      throw UsageError(description: "\(name) needs \(expected), not \"\(text)\"")
    }
    return number
  }

  /// Twice as many as the machine has cores: most cases wait more than they work.
  var wantedJobs: Int { jobs ?? 2 * max(1, ProcessInfo.processInfo.activeProcessorCount) }

  /// - Parameter known: all cases that lists of known failures may name.
  func plan(lanes: Int, known: [TranscriptCase]) -> RunPlan {
    var plan = RunPlan()
    plan.lanes = lanes
    plan.times = times
    plan.stopsEarly = stopsEarly
    plan.baseline = baseline
    plan.known = known
    return plan
  }
}
