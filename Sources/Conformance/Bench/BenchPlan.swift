package import Transport
package import Wire

/// What a load generator does, from the command line.
package struct BenchPlan: Sendable {
  package var url: HTTPURL
  package var connections = 64
  /// The most requests in flight on one connection. A closed loop keeps so many there.
  package var pipeline = 1
  package var mix: RequestMix
  package var dialect = BenchDialect.jsonrpc
  package var duration = Duration.seconds(10)
  package var warmup = Duration.seconds(1)
  /// Requests a second in all, sent by schedule; nil for the closed loop.
  package var rate: Int?
  package var loops = 1
  /// Fields of the handshake beside its own.
  package var headers: HTTPHeaders = []

  package static let maxPipeline = 4096
  package static let maxConnections = 10_000
  package static let maxRate = 10_000_000
  package static let maxLoops = 64
  /// What an open loop keeps in flight on one connection at most, unless told: the contract's own
  /// limit, past which a server may stop reading.
  package static let openLoopPipeline = 256

  /// The way to an endpoint that speaks TLS.
  package var tunnel: TLSTunnel?
  /// What is connected to: the endpoint, or the tunnel to it.
  var connected: (url: HTTPURL, headers: HTTPHeaders) {
    guard let tunnel, let url = try? HTTPURL(tunnel.url) else { return (url, headers) }
    var headers = headers
    headers.set("Host", tunnel.host)
    return (url, headers)
  }

  package init(url: HTTPURL, mix: RequestMix) {
    self.url = url
    self.mix = mix
  }
}

/// When the requests count, in nanoseconds of `EventLoop.clock`: those sent, or due, from `begin`
/// on and before `end`.
struct BenchWindow: Sendable {
  /// When the first request is sent.
  var start: Int64
  var begin: Int64
  var end: Int64

  func contains(_ time: Int64) -> Bool { time >= begin && time < end }
}

/// Everything counted, by one loop or by all together.
package struct BenchTally: Sendable {
  /// Requests of the window; each is answered rightly, failed or unanswered.
  package var sent = 0
  package var failed = 0
  package var unanswered = 0
  /// Requests that were due in the window and could not be sent in it.
  package var notSent = 0
  /// Right answers that came within the window, whenever they were asked for.
  package var answersInWindow = 0
  /// The same since the start.
  package var answersInAll = 0
  package var bytesSent = 0
  package var bytesReceived = 0
  package var lostConnections = 0
  /// Nanoseconds that the loops spent on a core within the window.
  package var processorTime: Int64 = 0
  /// Of the requests of the window, from when they were sent, or due, to their answer; by
  /// `BenchMethod.rawValue`.
  package var latencies = BenchMethod.allCases.map { _ in LatencyHistogram() }
  /// What was wrong, since the start, and how often.
  package var errors: [String: Int] = [:]

  /// Kinds told apart before the rest is counted together.
  private static let maxKinds = 32

  package var allLatencies: LatencyHistogram {
    latencies.dropFirst().reduce(into: latencies[0]) { $0.merge($1) }
  }

  package var answered: Int { latencies.reduce(0) { $0 + $1.count } }

  mutating func note(_ kind: String, count: Int = 1) {
    let isKnown = errors[kind] != nil || errors.count < Self.maxKinds
    errors[isKnown ? kind : "other errors", default: 0] += count
  }

  mutating func merge(_ other: BenchTally) {
    sent += other.sent
    failed += other.failed
    unanswered += other.unanswered
    notSent += other.notSent
    answersInWindow += other.answersInWindow
    answersInAll += other.answersInAll
    bytesSent += other.bytesSent
    bytesReceived += other.bytesReceived
    lostConnections += other.lostConnections
    processorTime += other.processorTime
    for place in latencies.indices { latencies[place].merge(other.latencies[place]) }
    for (kind, count) in other.errors { note(kind, count: count) }
  }
}
