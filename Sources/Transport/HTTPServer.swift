import Synchronization
package import Wire

/// What a server does with a new connection.
package enum ConnectDecision: Sendable {
  case serve
  /// Closes with RST, unread.
  case reset
  /// Closes with FIN, unread.
  case close
  /// Answers 503 and closes.
  case refuse
}

/// A connection as the accept hook sees it.
package struct HTTPConnectionHandle: Sendable {
  /// Counts the server's connections from 1.
  package let number: Int
  package let remote: String
}

package struct HTTPServerOptions: Sendable {
  package var limits = HTTPLimits()
  /// From accept, or from the first byte of a later request, to the end of its head (408).
  package var headTime = Duration.seconds(10)
  /// Between two pieces of a body (408).
  package var bodyTime = Duration.seconds(30)
  /// Between two requests of a connection.
  package var idleTime = Duration.seconds(75)
  package var maxConnections = 10_000
  /// Unsent bytes past which a streaming exchange is reset.
  package var maxUnsentBytes = 8 << 20
  /// Seconds in the Retry-After of a 503.
  package var retryAfter = 1

  package init() {}
}

/// Serves HTTP/1.1 on a listener, its connections spread over loops.
package final class HTTPServer: Sendable {
  package let listener: Listener
  package let options: HTTPServerOptions
  let handler: @Sendable (HTTPExchange) -> Void
  let refused: @Sendable (Int) -> Void
  private let onConnect: @Sendable (HTTPConnectionHandle) -> ConnectDecision
  private let shards: [HTTPServerShard]
  private let accepted = Atomic<Int>(0)
  private let open = OpenCount()
  private let isDraining = Atomic<Bool>(false)

  /// `handler` is called on the connection's loop for each complete request; `onConnect` at each
  /// accept, `refused` with the status of what is refused without the handler. Without `loops` everything
  /// runs on the listener's.
  package init(
    listener: Listener, loops: [EventLoop] = [], options: HTTPServerOptions = HTTPServerOptions(),
    onConnect: @escaping @Sendable (HTTPConnectionHandle) -> ConnectDecision = { _ in .serve },
    refused: @escaping @Sendable (Int) -> Void = { _ in },
    handler: @escaping @Sendable (HTTPExchange) -> Void
  ) {
    self.listener = listener
    self.options = options
    self.onConnect = onConnect
    self.refused = refused
    self.handler = handler
    shards = (loops.isEmpty ? [listener.loop] : loops).map { [open] in HTTPServerShard($0, open: open) }
  }

  package var port: UInt16 { listener.port }
  package var connectionCount: Int { open.value.load(ordering: .relaxed) }

  /// Starts accepting.
  package func start() {
    listener.accept { [weak self] fd, remote in
      guard let self else { return Sys.close(fd) }
      let number = accepted.wrappingAdd(1, ordering: .relaxed).newValue
      let shard = shards[number % shards.count]
      let isTaken = shard.loop.run {
        self.begin(fd, HTTPConnectionHandle(number: number, remote: remote), shard)
      }
      if !isTaken { Sys.close(fd) }
    }
  }

  /// So many of those that are refused may take their time to read why. They hold no place of the
  /// others, and past this none of them holds a descriptor.
  private static let maxRefused = 64

  private func begin(_ fd: Int32, _ handle: HTTPConnectionHandle, _ shard: HTTPServerShard) {
    var decision = onConnect(handle)
    let isFull = open.value.wrappingAdd(1, ordering: .relaxed).newValue > options.maxConnections
    if case .serve = decision, isFull || isDraining.load(ordering: .relaxed) { decision = .refuse }
    let channel = Channel(fd, loop: shard.loop, remote: handle.remote)
    switch decision {
    case .reset, .close:
      open.value.wrappingSubtract(1, ordering: .relaxed)
      if case .reset = decision { channel.reset() } else { channel.close() }
      return
    case .serve, .refuse: break
    }
    let connection = HTTPConnection(channel, server: self, shard: shard)
    shard.connections[ObjectIdentifier(channel)] = connection
    if case .refuse = decision {
      connection.isRefused = true
      open.value.wrappingSubtract(1, ordering: .relaxed)
      open.refused.wrappingAdd(1, ordering: .relaxed)
    }
    guard connection.start(), connection.isRefused else { return }
    connection.refuse(isFull ? "too many connections" : "shutting down")
    if open.refused.load(ordering: .relaxed) > Self.maxRefused { channel.closeNow() }
  }

  /// From now on new connections are answered 503; the existing ones are served.
  package func drain() { isDraining.store(true, ordering: .relaxed) }

  /// Closes the connections on which nothing runs, and the others after their current exchange;
  /// new ones are served. Calls `done` on a loop when the idle ones are gone for their peers too,
  /// at the latest after `limit` for each loop.
  package func closeConnections(
    within limit: Duration = .zero, then done: @escaping @Sendable () -> Void = {}
  ) {
    let all = shards.reduce(done) { next, shard in { shard.closeIdle(within: limit, then: next) } }
    all()
  }

  /// Gives the port up, closes idle connections and WebSockets (1001), and waits for running
  /// exchanges, at most `limit`; what is left then is reset.
  package func stop(within limit: Duration) async {
    isDraining.store(true, ordering: .relaxed)
    listener.close()
    await withTaskGroup(of: Void.self) { group in
      for shard in shards { group.addTask { await shard.stop(within: limit) } }
    }
  }
}

/// How many connections a server has on all its loops.
final class OpenCount: Sendable {
  let value = Atomic<Int>(0)
  /// Those beside that were answered 503 and have not ended.
  let refused = Atomic<Int>(0)
}

/// What serves a connection: HTTP first, and a WebSocket after an upgrade.
protocol ServedConnection: AnyObject {
  /// Whether nothing runs on it that is to be waited for.
  var isIdle: Bool { get }
  /// Whether it was refused when it came, and holds no place of those that are served.
  var isRefused: Bool { get }
  /// Ends the connection when nothing runs on it, else after what does.
  func windDown()
  /// Cuts it.
  func reset()
}

/// The connections of a server on one loop.
final class HTTPServerShard: @unchecked Sendable {
  // Invariant: everything mutable is used only on `loop`.
  let loop: EventLoop
  /// By their channels, which outlive an upgrade.
  var connections: [ObjectIdentifier: any ServedConnection] = [:]
  private let open: OpenCount
  private var whenEmpty: [CheckedContinuation<Void, Never>] = []
  /// Who waits for the end of certain connections.
  private var departures: [Int: (waiting: Set<ObjectIdentifier>, done: @Sendable () -> Void)] = [:]
  private var nextDeparture = 0

  init(_ loop: EventLoop, open: OpenCount) {
    self.loop = loop
    self.open = open
  }

  /// Called when a connection has ended, once or more often.
  func ended(_ channel: Channel) {
    let place = ObjectIdentifier(channel)
    guard let connection = connections.removeValue(forKey: place) else { return }
    if connection.isRefused {
      open.refused.wrappingSubtract(1, ordering: .relaxed)
    } else {
      open.value.wrappingSubtract(1, ordering: .relaxed)
    }
    for number in Array(departures.keys) {
      departures[number]?.waiting.remove(place)
      if departures[number]?.waiting.isEmpty == true { depart(number) }
    }
    guard connections.isEmpty else { return }
    let waiting = whenEmpty
    whenEmpty = []
    for continuation in waiting { continuation.resume() }
  }

  private func depart(_ number: Int) {
    departures.removeValue(forKey: number)?.done()
  }

  func closeIdle(within limit: Duration, then done: @escaping @Sendable () -> Void) {
    let isTaken = loop.run {
      let idle = self.connections.filter { $0.value.isIdle }.keys
      for connection in Array(self.connections.values) { connection.windDown() }
      // Closing may already have ended some.
      let waiting = Set(idle).intersection(self.connections.keys)
      guard !waiting.isEmpty, limit > .zero else { return done() }
      let number = self.nextDeparture
      self.nextDeparture += 1
      self.departures[number] = (waiting, done)
      self.loop.schedule(after: limit) { self.depart(number) }
    }
    if !isTaken { done() }
  }

  func stop(within limit: Duration) async {
    await withCheckedContinuation { continuation in
      let isTaken = loop.run {
        for connection in Array(self.connections.values) { connection.windDown() }
        guard !self.connections.isEmpty else { return continuation.resume() }
        self.whenEmpty.append(continuation)
        self.loop.schedule(after: limit) {
          for connection in Array(self.connections.values) { connection.reset() }
        }
      }
      if !isTaken { continuation.resume() }
    }
  }
}
