import Synchronization

/// A figure that only grows.
package final class Counter: Metric {
  package static let type = "counter"
  private let count = Mutex(0.0)

  /// - Parameter amount: at least 0.
  package func add(_ amount: Double = 1) {
    precondition(amount >= 0, "a counter does not fall")
    count.withLock { $0 += amount }
  }

  package var value: Double { count.withLock { $0 } }
  package var samples: [MetricSample] { [MetricSample(value)] }
}

/// A figure that rises and falls.
package final class Gauge: Metric {
  package static let type = "gauge"
  private let level = Mutex(0.0)

  package func set(_ value: Double) { level.withLock { $0 = value } }
  package func add(_ amount: Double = 1) { level.withLock { $0 += amount } }

  package var value: Double { level.withLock { $0 } }
  package var samples: [MetricSample] { [MetricSample(value)] }
}

/// How many figures were at most so large, their sum and their number.
package final class Histogram: Metric {
  package static let type = "histogram"

  private struct State {
    /// How many fell into each bucket and no smaller one; the last takes what is past every bound.
    var counts: [Int]
    var sum = 0.0
  }

  private let bounds: [Double]
  private let state: Mutex<State>

  init(bounds: [Double]) {
    self.bounds = bounds
    state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
  }

  package func observe(_ value: Double) {
    let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
    state.withLock { state in
      state.counts[bucket] += 1
      state.sum += value
    }
  }

  package var samples: [MetricSample] {
    let state = state.withLock { $0 }
    return histogramSamples(state.counts, sum: state.sum, bounds: bounds)
  }
}

/// The samples of a histogram.
///
/// - Parameter counts: for each bound, and one more for what is past all of them.
func histogramSamples(_ counts: [Int], sum: Double, bounds: [Double]) -> [MetricSample] {
  var total = 0
  var samples: [MetricSample] = []
  for (count, bound) in zip(counts, bounds + [.infinity]) {
    total += count
    samples.append(MetricSample(Double(total), suffix: "_bucket", label: ("le", metricText(bound))))
  }
  return samples + [MetricSample(sum, suffix: "_sum"), MetricSample(Double(total), suffix: "_count")]
}
