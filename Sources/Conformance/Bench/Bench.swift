package import Transport

/// Why nothing was measured.
package struct BenchFailure: Error, Sendable, CustomStringConvertible {
  package let description: String
}

/// What is seen of a load while it runs.
package struct BenchProgress: Sendable {
  /// Since the first request.
  package let elapsed: Duration
  package let isWarmingUp: Bool
  /// Answers a second since the last progress.
  package let perSecond: Double
  package let p99: Int64
  package let errors: Int
}

/// A load generator: connections on event loops of its own that ask, check each answer, and count.
package final class Bench: Sendable {
  private let plan: BenchPlan
  private let workers: [BenchWorker]

  private static let progressEvery = Duration.milliseconds(250)

  package init(_ plan: BenchPlan) throws(TransportError) {
    self.plan = plan
    var workers: [BenchWorker] = []
    for index in 0..<plan.loops {
      workers.append(BenchWorker(plan, index: index, loop: try EventLoop(name: "bench-\(index)")))
    }
    self.workers = workers
  }

  /// Connects, asks for the time of the plan, waits for the last answers, and disconnects. Used once.
  package func run(
    _ progress: (@Sendable (BenchProgress) -> Void)? = nil
  ) async throws(BenchFailure) -> BenchResult {
    for worker in workers { worker.loop.start() }
    defer {
      for worker in workers {
        worker.loop.submit { worker.close() }
        worker.loop.stop()
      }
    }
    for worker in workers {
      if let problem = await worker.connected() {
        throw BenchFailure(description: "\(plan.target) cannot be reached: \(problem)")
      }
    }
    let start = EventLoop.clock
    let begin = start + plan.warmup.wholeNanoseconds
    let window = BenchWindow(start: start, begin: begin, end: begin + plan.duration.wholeNanoseconds)
    let ticker = progress.map { progress in Task { await self.report(window, progress) } }
    async let all: Void = ended(window)
    await all
    ticker?.cancel()
    await ticker?.value
    let (tally, end) = await snapshot()
    return BenchResult(
      plan: plan, tally: tally, measured: .nanoseconds(max(0, end - begin)),
      isCutShort: end < window.end)
  }

  /// Ends the measuring now; what was measured is the result of `run`.
  package func interrupt() {
    for worker in workers { worker.loop.submit { worker.interrupt() } }
  }

  private func ended(_ window: BenchWindow) async {
    await withTaskGroup { group in
      for worker in workers { group.addTask { await worker.ended(window) } }
    }
  }

  private func report(_ window: BenchWindow, _ progress: @Sendable (BenchProgress) -> Void) async {
    var last: (time: Int64, count: Int) = (window.start, 0)
    while true {
      do { try await Task.sleep(for: Self.progressEvery) } catch { return }
      let (tally, _) = await snapshot()
      let now = EventLoop.clock
      let seconds = Double(max(1, now - last.time)) / 1e9
      progress(
        BenchProgress(
          elapsed: .nanoseconds(now - window.start), isWarmingUp: now < window.begin,
          perSecond: Double(tally.answersInAll - last.count) / seconds,
          p99: tally.allLatencies.percentile(0.99), errors: tally.errors.values.reduce(0, +)))
      last = (now, tally.answersInAll)
    }
  }

  /// What is counted so far, and the end of the window.
  private func snapshot() async -> (BenchTally, end: Int64) {
    var sum = BenchTally()
    var end: Int64 = 0
    for worker in workers {
      guard let (tally, itsEnd) = await worker.snapshot() else { continue }
      sum.merge(tally)
      end = max(end, itsEnd)
    }
    return (sum, end)
  }
}

extension BenchPlan {
  package var target: String { "\(url.scheme)://\(url.hostField)\(url.target == "/" ? "" : url.target)" }
}

extension Duration {
  var wholeNanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}

// From tasks to the loop and back.
extension BenchWorker {
  fileprivate func connected() async -> String? {
    await onLoop { worker, give in worker.connect(give) } ?? "the event loop has ended"
  }

  fileprivate func ended(_ window: BenchWindow) async {
    await onLoop { worker, give in worker.begin(window) { give(()) } }
  }

  fileprivate func snapshot() async -> (BenchTally, end: Int64)? {
    await onLoop { worker, give in give((worker.tally, worker.window.end)) }
  }

  /// Runs `body` on the loop and waits for what it gives, once; nil when the loop has ended.
  private func onLoop<Value: Sendable>(
    _ body: @escaping @Sendable (BenchWorker, @escaping (Value) -> Void) -> Void
  ) async -> Value? {
    await withCheckedContinuation { continuation in
      let isTaken = loop.submit { body(self) { continuation.resume(returning: $0) } }
      if !isTaken { continuation.resume(returning: nil) }
    }
  }
}
