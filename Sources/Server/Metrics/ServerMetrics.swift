import Diagnostics
import Foundation
import Orchestration
import ProtocolSpec
import Transport

/// What `/metrics` tells: what the server itself counts, and what its parts do.
final class ServerMetrics: Sendable {
  /// How a client is connected.
  enum Carrier: String, CaseIterable {
    case webSocket = "websocket"
    case http
    case stdio
  }

  let orchestration: OrchestrationMetrics
  private let registry = MetricsRegistry()
  private let tallies: [RequestTally]
  private let open: MetricFamily<Gauge>
  private let opened: MetricFamily<Counter>
  private let refusals: MetricFamily<Counter>
  private let closes: MetricFamily<Counter>
  private let loopLag: MetricFamily<Histogram>
  private let sockets: MetricFamily<Gauge>

  init(spec: Specification, settings: Settings, loops: [EventLoop]) {
    let places = RequestPlaces(spec)
    let tallies = loops.map { RequestTally(places, on: $0) }
    self.tallies = tallies
    let metrics = spec.metrics
    registry.observed(metrics[.requests]) { Self.requests(RequestTally.sum(tallies), places) }
    registry.observed(metrics[.requestSeconds]) { Self.seconds(RequestTally.sum(tallies), places) }
    open = registry.gauges(metrics[.connectionsOpen])
    opened = registry.counters(metrics[.connections])
    sockets = registry.gauges(metrics[.socketsOpen])
    refusals = registry.counters(metrics[.refusals])
    closes = registry.counters(metrics[.webSocketCloses])
    for carrier in Carrier.allCases {
      open.with(carrier.rawValue).set(0)
      _ = opened.with(carrier.rawValue)
    }
    orchestration = OrchestrationMetrics(registry, spec)
    Self.observeStore(registry, metrics, path: settings.databasePath)
    loopLag = registry.histograms(metrics[.loopLag])
    registry.observed(metrics[.logLinesDropped]) {
      [ObservedSeries([], Double(DescriptorSink.standardError.dropped))]
    }
    registry.observed(metrics[.buildInfo]) { [ObservedSeries([kitVersion, spec.overview.revision], 1)] }
    ProcessFigures.observe(registry, metrics)
    let missing = Set(MetricName.allCases.map(\.rawValue)).subtracting(registry.names)
    precondition(missing.isEmpty, "nobody makes \(missing.sorted().joined(separator: ", "))")
  }

  /// The tally of a loop; a client that is served elsewhere counts with the first.
  func tally(of loop: EventLoop) -> RequestTally {
    tallies.first { $0.loop === loop } ?? tallies[0]
  }

  func opened(_ carrier: Carrier) {
    open.with(carrier.rawValue).add(1)
    opened.with(carrier.rawValue).add()
  }

  func closed(_ carrier: Carrier) { open.with(carrier.rawValue).add(-1) }

  func refused(status: Int) { refusals.with(String(status)).add() }

  func closed(code: UInt16?) { closes.with(code.map(String.init) ?? "none").add() }

  /// Measures how long a job waits for its turn on each loop. Whoever asks pays for it: a timer would wake a
  /// server that has nothing to do.
  private func measureLag() async {
    for tally in tallies {
      let begun = ContinuousClock.now
      await withCheckedContinuation { continuation in
        if !tally.loop.submit({ continuation.resume() }) { continuation.resume() }
      }
      loopLag.with(tally.loop.name).observe(begun.duration(to: .now) / .seconds(1))
    }
  }

  /// Everything as it is now.
  ///
  /// - Parameter sockets: that are open.
  func text(sockets count: Int, _ orchestrator: Orchestrator) async -> String {
    sockets.with().set(Double(count))
    await measureLag()
    await orchestrator.observe()
    return registry.text
  }

  private static func requests(_ sums: [Int], _ places: RequestPlaces) -> [ObservedSeries] {
    var series: [ObservedSeries] = []
    for (method, name) in places.methods.enumerated() {
      for dialect in Dialect.allCases {
        for (outcome, word) in places.outcomes.enumerated() {
          let count = sums[places.request(method: method, dialect, outcome: outcome)]
          if count > 0 { series.append(ObservedSeries([name, dialect.rawValue, word], Double(count))) }
        }
      }
    }
    return series
  }

  private static func seconds(_ sums: [Int], _ places: RequestPlaces) -> [ObservedSeries] {
    places.methods.enumerated().compactMap { method, name in
      let first = places.requestCount + method * (places.bucketCount + 1)
      let counts = Array(sums[first..<(first + places.bucketCount)])
      guard counts.contains(where: { $0 > 0 }) else { return nil }
      return ObservedSeries([name], counts: counts, sum: Double(sums[first + places.bucketCount]) / 1e9)
    }
  }

  private static func observeStore(_ registry: MetricsRegistry, _ metrics: MetricTable, path: String) {
    registry.observed(metrics[.storeBytes]) {
      [("database", path), ("wal", path + "-wal")].map { label, path in
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size]) as? Int
        return ObservedSeries([label], Double(size ?? 0))
      }
    }
    registry.observed(metrics[.storeFreeBytes]) {
      let folder = URL(filePath: path).deletingLastPathComponent().path
      let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder)
      guard let free = attributes?[.systemFreeSize] as? NSNumber else { return [] }
      return [ObservedSeries([], free.doubleValue)]
    }
  }
}
