import Foundation

/// Runs inputs of one target in this process, until one is a find or the time is over.
struct Session {
  struct Report: Codable, Sendable {
    var inputs = 0
    /// Different shapes of outcome that were met.
    var shapes = 0
    var seconds = 0.0
    /// Processor time of the slowest input.
    var slowest = 0.0
    /// What was found at the last input.
    var finding: String?
  }

  private static let poolLimit = 2048

  private let target: FuzzTarget
  private let limit: Double
  private var mutator: Mutator
  private var pool: [[UInt8]]
  private var shapes: Set<Shape> = []
  private var report = Report()

  /// - Parameters:
  ///   - limit: processor time in seconds that an input may take.
  ///   - stored: cases of earlier finds, which are run first.
  init(_ target: FuzzTarget, seed: UInt64, limit: Double, stored: [[UInt8]]) throws {
    self.target = target
    self.limit = limit
    mutator = Mutator(seed: seed, form: target.form, dictionary: target.dictionary)
    pool = stored + (try target.seeds())
  }

  /// `begin` hears of each input before it runs.
  mutating func run(
    for time: Duration, inputs: Int = .max, begin: ([UInt8]) -> Void = { _ in }
  ) -> Report {
    let clock = ContinuousClock()
    let start = clock.now
    let seeds = pool
    for seed in seeds {
      begin(seed)
      run(seed)
      if report.finding != nil { break }
    }
    while report.finding == nil, report.inputs < inputs, clock.now - start < time {
      let input = mutator.input(from: pool)
      begin(input)
      guard run(input) else { continue }
      pool.append(input)
      // Old ones make room, but the seeds stay.
      if pool.count > seeds.count + Self.poolLimit { pool.remove(at: seeds.count) }
    }
    report.shapes = shapes.count
    report.seconds = (clock.now - start) / .seconds(1)
    return report
  }

  /// Whether the outcome has a shape not met before.
  @discardableResult
  private mutating func run(_ input: [UInt8]) -> Bool {
    report.inputs += 1
    let before = Self.processorTime
    let result = Result { try target.check(input) }
    let took = Self.processorTime - before
    report.slowest = max(report.slowest, took)
    switch result {
    case .failure(let error): report.finding = "\(error)"
    case .success where took > limit: report.finding = "took \(took) s, limit \(limit) s"
    case .success(let shape): return shapes.insert(shape).inserted
    }
    return false
  }

  private static var processorTime: Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
