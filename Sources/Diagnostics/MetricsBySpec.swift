package import ProtocolSpec

extension MetricsRegistry {
  /// The family that `Spec/metrics.yaml` describes. What it says of the type is checked, so that a change
  /// there that has no maker ends the start.
  package func counters(_ spec: MetricSpec) -> MetricFamily<Counter> {
    precondition(spec.kind == .counter, "\(spec.name.rawValue) is made as a counter")
    return counters(spec.name.rawValue, spec.help, labels: spec.labels)
  }

  package func gauges(_ spec: MetricSpec) -> MetricFamily<Gauge> {
    precondition(spec.kind == .gauge, "\(spec.name.rawValue) is made as a gauge")
    return gauges(spec.name.rawValue, spec.help, labels: spec.labels)
  }

  package func histograms(_ spec: MetricSpec) -> MetricFamily<Histogram> {
    precondition(spec.kind == .histogram, "\(spec.name.rawValue) is made as a histogram")
    return histograms(spec.name.rawValue, spec.help, labels: spec.labels, bounds: spec.buckets)
  }

  /// A family whose figures are counted elsewhere and read when somebody asks.
  ///
  /// - Parameter read: gives each series with its label values; called on the thread that asks.
  package func observed(_ spec: MetricSpec, read: @escaping @Sendable () -> [ObservedSeries]) {
    register(ObservedFamily(spec, read: read))
  }
}

/// One series of an observed family.
package struct ObservedSeries: Sendable {
  package enum Value: Sendable {
    case number(Double)
    /// How many fell into each bucket of the specification and no smaller one, those past every bound
    /// last, and their sum.
    case histogram(counts: [Int], sum: Double)
  }

  package let labels: [String]
  package let value: Value

  /// - Parameter labels: the values, in the order of the specification.
  package init(_ labels: [String] = [], _ value: Double) {
    self.labels = labels
    self.value = .number(value)
  }

  package init(_ labels: [String], counts: [Int], sum: Double) {
    self.labels = labels
    value = .histogram(counts: counts, sum: sum)
  }
}

/// The figures of one name, counted by whom they are about.
private final class ObservedFamily: MetricText {
  let spec: MetricSpec
  let read: @Sendable () -> [ObservedSeries]
  var name: String { spec.name.rawValue }

  init(_ spec: MetricSpec, read: @escaping @Sendable () -> [ObservedSeries]) {
    self.spec = spec
    self.read = read
  }

  var text: String {
    read().reduce(into: metricHead(name, spec.help, spec.kind.rawValue)) { text, series in
      let own = zip(spec.labels, series.labels).map { (name: $0, value: $1) }
      let samples =
        switch series.value {
        case .number(let value): [MetricSample(value)]
        case .histogram(let counts, let sum): histogramSamples(counts, sum: sum, bounds: spec.buckets)
        }
      for sample in samples { text += metricLine(name, sample, own) }
    }
  }
}
