import Diagnostics
import JSON
import ProtocolSpec
import Transport

/// The figures of `GET /metrics` on the admin port. They grow over resets, as counters have to.
struct MockMetrics: Sendable {
  private let registry = MetricsRegistry()
  private let requests: MetricFamily<Counter>
  private let seconds: MetricFamily<Histogram>
  private let streams: MetricFamily<Gauge>
  private let connections: MetricFamily<Gauge>
  private let armedFaults: MetricFamily<Counter>
  private let metFaults: MetricFamily<Counter>
  private let pendingFaults: MetricFamily<Gauge>

  /// From a local answer to the timeout of a patient client.
  private static let bounds = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
  ]
  private static let prefix = "mock_litellm_"

  init() {
    func name(_ rest: String) -> String { Self.prefix + rest }
    requests = registry.counters(
      name("requests_total"), "Requests that were answered or cut, by the fault they met.",
      labels: ["face", "path", "status", "fault"])
    seconds = registry.histograms(
      name("request_seconds"), "From the whole request to the end of its answer.", labels: ["face"],
      bounds: Self.bounds)
    streams = registry.gauges(name("streams_open"), "Streams under way.", labels: ["face"])
    connections = registry.gauges(name("connections_open"), "Open connections.", labels: ["port"])
    armedFaults = registry.counters(
      name("faults_armed_total"), "Rules that were armed.", labels: ["face", "fault"])
    metFaults = registry.counters(
      name("faults_met_total"), "Requests and connections to which a rule happened.",
      labels: ["face", "fault"])
    pendingFaults = registry.gauges(
      name("faults_pending"), "How often armed rules with a number of times are still to happen.",
      labels: ["face"])
    for face in MockFace.allCases { streams.with(face.rawValue).set(0) }
  }

  /// Counts the request when its answer has ended. To be called on the loop of `exchange`.
  ///
  /// - Parameter rule: the rule that the request met, as it was given.
  func follow(_ exchange: HTTPExchange, _ request: FaceRequest, on face: MockFace, rule: JSONValue?) {
    let start = ContinuousClock.now
    let fault = rule.map(Self.faultName)
    if let fault { metFaults.with(face.rawValue, fault).add() }
    let path = Self.pathLabel(request)
    exchange.onEnd { [requests, seconds] status in
      requests.with(face.rawValue, path, status.map(String.init) ?? "none", fault ?? "none").add()
      seconds.with(face.rawValue).observe((ContinuousClock.now - start) / .seconds(1))
    }
  }

  /// Counts a stream as under way until its answer ends.
  func streamBegan(_ exchange: HTTPExchange, on face: MockFace) {
    let open = streams.with(face.rawValue)
    open.add(1)
    exchange.onEnd { _ in open.add(-1) }
  }

  /// A connection was refused by a rule.
  func refusedConnection(on face: MockFace) { metFaults.with(face.rawValue, "refuse").add() }

  func armed(_ rule: JSONValue, on face: MockFace) {
    armedFaults.with(face.rawValue, Self.faultName(rule)).add()
  }

  /// - Parameters:
  ///   - open: how many connections each port has now.
  ///   - pending: rules with the times they have left, as the journal shows them.
  func reply(open: [(port: String, count: Int)], pending: [JSONValue]) -> Reply {
    for (port, count) in open { connections.with(port).set(Double(count)) }
    for face in MockFace.allCases {
      let left = pending.filter { $0["face"]?.string == face.rawValue }.compactMap { $0["left"]?.int }
      pendingFaults.with(face.rawValue).set(Double(left.reduce(0, +)))
    }
    return Reply(200, body: Array(registry.text.utf8), type: MetricsRegistry.contentType)
  }

  /// The path with its variable part named, and one word for all that nobody serves.
  static func pathLabel(_ request: FaceRequest) -> String {
    switch LiteLLMRoute(request) {
    case .chat(engine: .some)?: "/engines/{model}/chat/completions"
    case .model?: "/v1/models/{model}"
    case nil: MetricsRegistry.overflow
    default: request.path
    }
  }

  /// What a rule does, in one word: the name of its fault, its status, or the key of its action.
  static func faultName(_ rule: JSONValue) -> String {
    if let name = rule["fault"]?.string { return name }
    if let status = rule["status"]?.int { return "status-\(status)" }
    return rule.object?.keys.first { !conditions.contains($0) } ?? "delay"
  }

  /// Keys of rules that say when and for which requests, or add to what happens.
  private static let conditions: Set = [
    "on", "times", "after", "probability", "at", "for", "at_a_time", "delay", "headers", "retry_after",
    "retry_after_date", "events", "repeat", "jitter",
  ]
}
