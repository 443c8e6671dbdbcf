internal import Transport
package import Wire

/// What went over the connections of one client, or of several, as a proxy saw it or a file tells.
package struct Recording: Sendable {
  package struct Entry: Sendable {
    /// Counts connections from 0, in the order in which they were opened.
    package let connection: Int
    package let at: Duration
    package let event: Event

    package init(connection: Int, at: Duration, event: Event) {
      self.connection = connection
      self.at = at
      self.event = event
    }
  }

  package enum Event: Sendable {
    /// The upgrade was accepted.
    case opened(HTTPRequestHead, HTTPResponseHead)
    /// A request was answered in HTTP: an upgrade that was refused, or one that asked for none.
    case answered(HTTPRequestHead, body: [UInt8], HTTPResponseHead)
    /// `wire`: all of its frames, where it breaks RFC 6455.
    case message(ProxyMessage.Content, ProxyDirection, wire: [UInt8] = [])
    /// A message of the server that is the whole body of an HTTP answer.
    case answer([UInt8], status: Int)
    /// One side ended the stream.
    case ended(ProxyDirection)
  }

  /// In the order in which they were seen.
  package var entries: [Entry] = []
  /// What carried them.
  package var transport = PlayTransport.ws

  package init() {}
}

/// Collects a recording from the connections of a proxy.
package final class RecordingLog: @unchecked Sendable {
  // Invariant: every var is touched under `lock`.
  private let lock = Lock()
  private let start: ContinuousClock.Instant
  private var recording = Recording()
  private var opened = 0
  private var open = 0
  private var problems: [String] = []
  private var bytes = 0

  /// Of messages. A transcript takes far less.
  private static let maxBytes = 256 << 20

  package init(start: ContinuousClock.Instant = .now, over transport: PlayTransport = .ws) {
    self.start = start
    recording.transport = transport
  }

  /// The number of a connection that no interceptor watches.
  func newConnection() -> Int {
    lock.withLock {
      opened += 1
      return opened - 1
    }
  }

  /// What watches the next connection.
  package func interceptor() -> any ProxyInterceptor {
    let number = lock.withLock {
      opened += 1
      open += 1
      return opened - 1
    }
    return RecordingInterceptor(self, connection: number)
  }

  package var result: Recording { lock.withLock { recording } }
  /// How many connections there were, and how many of them have not ended.
  package var connections: (opened: Int, open: Int) { lock.withLock { (opened, open) } }
  /// Why clients could not be connected to the target.
  package var unreachable: [String] { lock.withLock { problems } }

  /// Whether something was left out because it was too much.
  package var isFull: Bool { lock.withLock { bytes > Self.maxBytes } }

  /// Adds an event with what it weighs, unless it is too much.
  func add(
    _ event: Recording.Event, on connection: Int, at: ContinuousClock.Instant = .now, weight: Int? = nil
  ) {
    let weight = weight ?? event.weight
    lock.withLock {
      bytes += weight
      guard bytes <= Self.maxBytes else { return }
      recording.entries.append(Recording.Entry(connection: connection, at: at - start, event: event))
    }
  }

  fileprivate func ended() { lock.withLock { open -= 1 } }
  func add(problem: String) { lock.withLock { problems.append(problem) } }
}

extension Recording.Event {
  /// Bytes that it takes, about.
  fileprivate var weight: Int {
    switch self {
    case .message(.text(let bytes), _, _), .answer(let bytes, _): bytes.count + 64
    default: 64
    }
  }
}

private final class RecordingInterceptor: ProxyInterceptor {
  private let log: RecordingLog
  private let connection: Int

  init(_ log: RecordingLog, connection: Int) {
    self.log = log
    self.connection = connection
  }

  func holds(_ direction: ProxyDirection) -> Bool { false }

  func opened(_ request: HTTPRequestHead, _ response: HTTPResponseHead) {
    log.add(.opened(request, response), on: connection)
  }

  func answered(_ exchange: ProxiedExchange) {
    log.add(.answered(exchange.request, body: exchange.requestBody, exchange.response), on: connection)
  }

  func intercept(_ message: ProxyMessage, _ direction: ProxyDirection) -> [ProxyAction] {
    var wire: [UInt8] = []
    if case .invalid = message.content { wire = message.wire }
    log.add(
      .message(message.content, direction, wire: wire), on: connection, at: message.at,
      weight: message.wire.count + 64)
    return []
  }

  func ended(_ direction: ProxyDirection, cause: String?) { log.add(.ended(direction), on: connection) }
  func unreachable(_ reason: String) { log.add(problem: reason) }
  func finished() { log.ended() }
}
