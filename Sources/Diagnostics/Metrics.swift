import Synchronization

/// The figures of a program, as Prometheus reads them: counters, gauges and histograms by name and labels.
///
/// Everything may be used from any thread. Whoever counts often keeps the `Counter`, `Gauge` or `Histogram` that
/// `with` gives: using it costs one uncontended lock.
///
/// Source: the text format 0.0.4 of https://prometheus.io/docs/instrumenting/exposition_formats/
package final class MetricsRegistry: Sendable {
  /// The Content-Type of `text`.
  package static let contentType = "text/plain; version=0.0.4; charset=utf-8"
  /// The label that stands for what is past the limit of a family.
  package static let overflow = "other"

  private let families = Mutex<[any MetricText]>([])
  private let seriesLimit: Int

  /// - Parameter seriesLimit: combinations of labels that one name takes. What comes past it is counted together
  ///   under `other`, so that a client who makes labels up costs no memory.
  package init(seriesLimit: Int = 1000) { self.seriesLimit = seriesLimit }

  /// Figures that only grow, and begin at 0 with the program.
  ///
  /// - Parameters:
  ///   - name: of letters, digits and `_`, by custom with the unit and `_total` at its end; used once.
  ///   - help: one line for who reads.
  ///   - labels: the names of the labels, in the order in which `with` takes their values.
  package func counters(_ name: String, _ help: String, labels: [String] = []) -> MetricFamily<Counter> {
    add(MetricFamily(name, help, labels, limit: seriesLimit) { Counter() })
  }

  /// Figures that rise and fall. See `counters` for the parameters.
  package func gauges(_ name: String, _ help: String, labels: [String] = []) -> MetricFamily<Gauge> {
    add(MetricFamily(name, help, labels, limit: seriesLimit) { Gauge() })
  }

  /// Figures of which is counted how many were at most so large. See `counters` for the other parameters.
  ///
  /// - Parameter bounds: the upper bounds of the buckets, rising; one for everything is added.
  package func histograms(
    _ name: String, _ help: String, labels: [String] = [], bounds: [Double]
  ) -> MetricFamily<Histogram> {
    precondition(zip(bounds, bounds.dropFirst()).allSatisfy(<), "the bounds of \(name) must rise")
    precondition(!labels.contains("le"), "the label le of \(name) belongs to its buckets")
    return add(MetricFamily(name, help, labels, limit: seriesLimit) { Histogram(bounds: bounds) })
  }

  /// Every figure, the families in the order they were made.
  package var text: String {
    families.withLock { $0 }.map(\.text).joined()
  }

  private func add<Metric>(_ family: MetricFamily<Metric>) -> MetricFamily<Metric> {
    register(family)
    return family
  }

  func register(_ family: any MetricText) {
    families.withLock { families in
      precondition(!families.contains { $0.name == family.name }, "\(family.name) is registered twice")
      families.append(family)
    }
  }

  /// The names of the families, in the order they were made.
  package var names: [String] { families.withLock { $0.map(\.name) } }
}

/// What the registry writes.
protocol MetricText: Sendable {
  var name: String { get }
  /// Lines with their line feeds.
  var text: String { get }
}

/// One kind of figure.
package protocol Metric: AnyObject, Sendable {
  /// The word of the `# TYPE` line.
  static var type: String { get }
  /// What is written now: the suffix of the name, a label beside those of the series, and the value.
  var samples: [MetricSample] { get }
}

/// One line of the text.
package struct MetricSample: Sendable, Equatable {
  let suffix: String
  let label: (name: String, value: String)?
  let value: Double

  init(_ value: Double, suffix: String = "", label: (name: String, value: String)? = nil) {
    self.suffix = suffix
    self.label = label
    self.value = value
  }

  package static func == (left: MetricSample, right: MetricSample) -> Bool {
    left.suffix == right.suffix && left.value == right.value && left.label?.name == right.label?.name
      && left.label?.value == right.label?.value
  }
}

/// The figures of one name, a series for each combination of label values.
package final class MetricFamily<Series: Metric>: MetricText {
  package let name: String
  private let help: String
  private let labels: [String]
  private let limit: Int
  private let make: @Sendable () -> Series
  private let series = Mutex<[[String]: Series]>([:])

  init(_ name: String, _ help: String, _ labels: [String], limit: Int, make: @escaping @Sendable () -> Series)
  {
    for word in [name] + labels {
      precondition(isMetricName(word), "\(word) is no name of a metric or label")
    }
    self.name = name
    self.help = help
    self.labels = labels
    self.limit = limit
    self.make = make
    // Without labels there is one series, which is 0 before anything happens.
    if labels.isEmpty { series.withLock { $0[[]] = make() } }
  }

  /// The series of these values, made if it is new.
  ///
  /// - Parameter values: one for each label, in their order.
  package func with(_ values: String...) -> Series {
    precondition(values.count == labels.count, "\(name) has the labels \(labels), not \(values)")
    return series.withLock { series in
      if let known = series[values] { return known }
      let key = series.count < limit ? values : labels.map { _ in MetricsRegistry.overflow }
      if let known = series[key] { return known }
      let new = make()
      series[key] = new
      return new
    }
  }

  var text: String {
    var text = metricHead(name, help, Series.type)
    let all = series.withLock { $0 }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    for (values, series) in all {
      let own = zip(labels, values).map { (name: $0, value: $1) }
      for sample in series.samples { text += metricLine(name, sample, own) }
    }
    return text
  }
}

/// The lines before the samples of a family.
func metricHead(_ name: String, _ help: String, _ type: String) -> String {
  "# HELP \(name) \(escaped(help, quotes: false))\n# TYPE \(name) \(type)\n"
}

/// One sample, with the labels of its series and those of its own.
func metricLine(_ name: String, _ sample: MetricSample, _ own: [(name: String, value: String)]) -> String {
  let all = own + [sample.label].compactMap(\.self)
  let shown = all.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }.joined(separator: ",")
  return name + sample.suffix + (shown.isEmpty ? "" : "{\(shown)}") + " " + metricText(sample.value) + "\n"
}

/// Text as it stands in a HELP line, or between the quotes of a label.
private func escaped(_ text: String, quotes: Bool) -> String {
  let text = text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
  return quotes ? text.replacing("\"", with: "\\\"") : text
}

/// A number as Go's ParseFloat reads it, whole ones without a point.
func metricText(_ value: Double) -> String {
  if value.isNaN { return "NaN" }
  if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
  return Int(exactly: value).map(String.init) ?? "\(value)"
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`; colons are for rules of Prometheus.
private func isMetricName(_ text: String) -> Bool {
  let isLetter: (UInt8) -> Bool = { byte in
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "_")
  }
  return text.utf8.first.map(isLetter) ?? false
    && text.utf8.allSatisfy { isLetter($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
}
