package import JSON

/// What a load has shown.
package struct BenchResult: Sendable {
  package let plan: BenchPlan
  package let tally: BenchTally
  /// The time that was measured; less than planned if it was cut short.
  package let measured: Duration
  package let isCutShort: Bool

  /// 1 if anything was wrong.
  package var exitCode: Int32 { tally.errors.isEmpty && tally.lostConnections == 0 ? 0 : 1 }

  package var seconds: Double { measured.milliseconds / 1000 }
  package var requestsPerSecond: Double { perSecond(tally.answersInWindow) }

  func perSecond(_ count: Int) -> Double { seconds > 0 ? Double(count) / seconds : 0 }

  /// How much of its cores the generator used itself; 1 is all of each of its loops.
  package var generatorLoad: Double {
    seconds > 0 ? Double(tally.processorTime) / 1e9 / seconds / Double(plan.loops) : 0
  }

  /// Most frequent first.
  var errors: [(kind: String, count: Int)] {
    tally.errors.map { (kind: $0.key, count: $0.value) }.sorted { ($1.count, $0.kind) < ($0.count, $1.kind) }
  }
}

// The file of `--output`; its members are only ever added to within one format.
extension BenchResult {
  package func document(version: String) -> JSONValue {
    var run = JSONObject([
      ("version", .string(version)), ("target", .string(plan.target)),
      ("dialect", .string(plan.dialect.rawValue)), ("mode", plan.rate == nil ? "closed" : "open"),
      ("connections", .int(plan.connections)), ("pipeline", .int(plan.pipeline)), ("loops", .int(plan.loops)),
      (
        "mix", .object(JSONObject(plan.mix.weights.map { ($0.method.name, .int($0.weight)) }))
      ),
      ("warmup_s", Self.rounded(plan.warmup.milliseconds / 1000)),
      ("duration_s", Self.rounded(plan.duration.milliseconds / 1000)), ("measured_s", Self.rounded(seconds)),
      ("cut_short", .bool(isCutShort)), ("exit_code", .int(Int(exitCode))),
      ("generator_load", Self.rounded(generatorLoad)),
    ])
    run["rate"] = plan.rate.map { .int($0) }
    let methods = plan.mix.weights.map { ($0.method.name, Self.latency(tally.latencies[$0.method.rawValue])) }
    return [
      "format": 1, "run": .object(run),
      "requests": [
        "sent": .int(tally.sent), "answered": .int(tally.answered), "failed": .int(tally.failed),
        "unanswered": .int(tally.unanswered), "not_sent": .int(tally.notSent),
      ],
      "throughput": [
        "requests_per_s": Self.rounded(requestsPerSecond),
        "bytes_sent_per_s": Self.rounded(perSecond(tally.bytesSent)),
        "bytes_received_per_s": Self.rounded(perSecond(tally.bytesReceived)),
      ],
      "bytes": ["sent": .int(tally.bytesSent), "received": .int(tally.bytesReceived)],
      "latency_us": Self.latency(tally.allLatencies), "methods": .object(JSONObject(methods)),
      "connections_lost": .int(tally.lostConnections),
      "errors": .array(errors.map { ["kind": .string($0.kind), "count": .int($0.count)] }),
    ]
  }

  private static func latency(_ histogram: LatencyHistogram) -> JSONValue {
    func micro(_ nanoseconds: Int64) -> JSONValue { rounded(Double(nanoseconds) / 1000) }
    return [
      "count": .int(histogram.count), "min": micro(histogram.shortest),
      "mean": rounded(histogram.mean / 1000), "p50": micro(histogram.percentile(0.5)),
      "p90": micro(histogram.percentile(0.9)), "p99": micro(histogram.percentile(0.99)),
      "p99_9": micro(histogram.percentile(0.999)), "max": micro(histogram.longest),
    ]
  }

  private static func rounded(_ value: Double) -> JSONValue {
    .number(JSONNumber((value * 1000).rounded() / 1000))
  }
}
