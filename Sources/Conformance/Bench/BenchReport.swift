/// A load's result as people read it.
package enum BenchReport {
  package static func heading(_ plan: BenchPlan) -> String {
    let connections = count(plan.connections, "connection")
    let how =
      plan.rate.map { "\(number($0)) requests a second by schedule over \(connections)" }
      ?? "\(connections), \(count(plan.pipeline, "request")) in flight on each"
    return
      "\(plan.mix) against \(plan.target) (\(plan.dialect.rawValue)): \(how), \(seconds(plan.duration)) after \(seconds(plan.warmup)) of warm-up"
  }

  package static func text(_ result: BenchResult) -> String {
    let tally = result.tally
    var lines: [String] = []
    func line(_ name: String, _ text: String) {
      lines.append("  \(name.padded(to: 12))\(text)")
    }
    let rate = number(Int(result.requestsPerSecond.rounded()))
    line("requests", "\(number(tally.answered)) answered, \(rate) a second")
    if tally.failed > 0 { line("", "\(number(tally.failed)) answered wrongly or with an error") }
    if tally.unanswered > 0 { line("", "\(number(tally.unanswered)) not answered") }
    if tally.notSent > 0 {
      line("", "\(number(tally.notSent)) were due and could not be sent: every connection was full")
    }
    line(
      "bytes",
      "\(bytes(result.perSecond(tally.bytesSent))) a second sent, \(bytes(result.perSecond(tally.bytesReceived))) received"
    )
    line(
      "generator",
      "\(Int((result.generatorLoad * 100).rounded())) % of \(cores(result.plan.loops))\(busy(result))")
    lines.append("")
    lines += table(result)
    lines.append("")
    let errors = result.errors
    lines.append(errors.isEmpty ? "  no errors" : "  errors")
    let width = errors.map { number($0.count).count }.max() ?? 0
    for (kind, count) in errors {
      let text = number(count)
      lines.append("    \(String(repeating: " ", count: width - text.count))\(text)  \(kind)")
    }
    return lines.joined(separator: "\n")
  }

  private static func table(_ result: BenchResult) -> [String] {
    var rows = [["latency", "p50", "p90", "p99", "p99.9", "max", "mean"]]
    var entries = result.plan.mix.weights.map { ($0.method.name, result.tally.latencies[$0.method.rawValue]) }
    if entries.count > 1 { entries.append(("all", result.tally.allLatencies)) }
    for (name, histogram) in entries {
      let values =
        [0.5, 0.9, 0.99, 0.999].map(histogram.percentile) + [histogram.longest, Int64(histogram.mean)]
      rows.append([name] + (histogram.count == 0 ? values.map { _ in "–" } : values.map(latency)))
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      "  " + row[0].padded(to: max(12, widths[0] + 2))
        + row.indices.dropFirst().map { column in
          String(repeating: " ", count: widths[column] - row[column].count) + row[column]
        }.joined(separator: "  ")
    }
  }

  /// One line for a terminal.
  package static func progress(_ progress: BenchProgress) -> String {
    let rate = "\(seconds(progress.elapsed))  \(number(Int(progress.perSecond.rounded()))) requests/s"
    let errors = progress.errors > 0 ? "  \(count(progress.errors, "error"))" : ""
    return progress.isWarmingUp
      ? "\(rate)  warming up\(errors)" : "\(rate)  p99 \(latency(progress.p99)) so far\(errors)"
  }

  /// Above this a loop has no time to lose, and its own queue shows in the latencies.
  private static let busyLoad = 0.9

  private static func busy(_ result: BenchResult) -> String {
    result.generatorLoad > busyLoad
      ? ": it may be what limits, not the target; more --loops need more cores" : ""
  }

  private static func cores(_ count: Int) -> String { count == 1 ? "one core" : "\(count) cores" }

  private static func count(_ count: Int, _ what: String) -> String {
    "\(number(count)) \(what)\(count == 1 ? "" : "s")"
  }

  /// Digits in groups of three.
  static func number(_ value: Int) -> String {
    let digits = String(value)
    return digits.enumerated().map { place, digit in
      place > 0 && (digits.count - place) % 3 == 0 ? " \(digit)" : "\(digit)"
    }.joined()
  }

  private static func seconds(_ duration: Duration) -> String {
    "\(fixed(duration.milliseconds / 1000, decimals: 1)) s"
  }

  /// Three digits and the unit that fits.
  static func latency(_ nanoseconds: Int64) -> String {
    scaled(Double(nanoseconds), 1000, ["ns", "µs", "ms", "s"])
  }

  static func bytes(_ count: Double) -> String { scaled(count, 1000, ["B", "kB", "MB", "GB"]) }

  private static func scaled(_ value: Double, _ step: Double, _ units: [String]) -> String {
    var value = value
    var units = units[...]
    while value >= step - 0.5, units.count > 1 {
      value /= step
      units.removeFirst()
    }
    return "\(fixed(value, decimals: value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2)) \(units[units.startIndex])"
  }

  private static func fixed(_ value: Double, decimals: Int) -> String {
    let factor = [1, 10, 100][decimals]
    let whole = Int((value * Double(factor)).rounded())
    guard decimals > 0 else { return String(whole) }
    let rest = String(whole % factor)
    return "\(whole / factor).\(String(repeating: "0", count: decimals - rest.count))\(rest)"
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
