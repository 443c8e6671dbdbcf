import JSON
import MCP
import ProtocolSpec
import Synchronization
import Transport
import Wire

/// One stream of events to a client. With a session it outlives its connection: who comes back is given what
/// was missed (2025-11-25, transports, resumability and redelivery).
final class HTTPEventStream: @unchecked Sendable {
  // Invariant: used only on `loop`, but for what the exchange takes from any thread.
  private let loop: EventLoop
  private let limits: Limits
  private let open: HTTPOpenStreams
  /// Numbers the events and keeps them; nil where there is nothing to come back to.
  private weak var session: HTTPSession?
  let number: Int
  /// Whether the stream begins with an event without data.
  private let isPrimed: Bool
  private var exchange: HTTPExchange?
  private var timer: ScheduledTimer?
  /// The number of the last event that went out.
  private var lastSent = 0

  /// A stream that nobody can come back to.
  init(on loop: EventLoop, _ service: Service) {
    self.loop = loop
    limits = service.spec.limits
    open = service.openStreams
    number = 0
    isPrimed = false
  }

  init(of session: HTTPSession, number: Int, isPrimed: Bool) {
    loop = session.loop
    limits = session.service.spec.limits
    open = session.service.openStreams
    self.session = session
    self.number = number
    self.isPrimed = isPrimed
  }

  /// Whether the client has been told of a place that it can come back to.
  var hasPlace: Bool { session != nil && (isPrimed || lastSent > 0) }

  /// Sends what comes from now on to `exchange`, whoever was there before: it is ended.
  ///
  /// - Parameter place: behind which the client wants everything again; nil for behind what went out.
  func attach(_ exchange: HTTPExchange, headers: HTTPHeaders = [], after place: EventStore.ID? = nil) {
    close()
    self.exchange = exchange
    open.add(self, on: loop)
    var all: HTTPHeaders = [
      "Content-Type": HTTPRules.eventStream, "Cache-Control": "no-cache, no-transform",
      // Proxies are asked not to hold events back (2026-07-28, streamable HTTP, receiving messages).
      "X-Accel-Buffering": "no",
    ]
    all.append(contentsOf: headers)
    exchange.begin(status: 200, headers: all)
    if let session {
      let from = place ?? EventStore.ID(stream: number, number: lastSent)
      if isPrimed, place == nil { prime(from) }
      for event in session.events.events(after: from) ?? [] { write(event) }
    }
    exchange.onClose { [weak self] in
      guard let self else { return }
      loop.run { self.left(exchange) }
    }
    beat()
  }

  /// Sends a message, or keeps it for who comes.
  func send(_ message: [UInt8]) {
    guard let session else { return write(message, id: nil) }
    let id = session.events.append(message, to: number)
    write(EventStore.Event(id: id, data: message))
  }

  /// Ends the connection, not the stream: the client is to come back.
  func leave() {
    exchange?.write(Array("retry: \(limits.streamRetry.wholeMilliseconds)\n\n".utf8))
    close()
  }

  /// Ends the connection in order.
  func close() {
    guard let exchange else { return }
    self.exchange = nil
    timer?.cancel()
    timer = nil
    open.remove(self)
    exchange.finish()
  }

  private func prime(_ place: EventStore.ID) {
    var bytes: [UInt8] = []
    ServerSentEventEncoder.append(
      data: [], id: place.text, retry: limits.streamRetry.wholeMilliseconds, to: &bytes)
    exchange?.write(bytes)
  }

  private func write(_ event: EventStore.Event) {
    guard exchange != nil else { return }
    lastSent = max(lastSent, event.id.number)
    write(event.data, id: event.id.text)
  }

  private func write(_ data: [UInt8], id: String?) {
    guard let exchange else { return }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(data.count + 32)
    ServerSentEventEncoder.append(data: data, id: id, to: &bytes)
    exchange.write(bytes)
  }

  private func left(_ exchange: HTTPExchange) {
    guard self.exchange === exchange else { return }
    close()
  }

  /// A comment every so often, so that nobody on the way takes the connection for dead.
  private func beat() {
    timer = loop.schedule(after: limits.streamKeepAlive) { [weak self] in
      guard let self, let exchange else { return }
      session?.touch()
      var bytes: [UInt8] = []
      ServerSentEventEncoder.appendComment(to: &bytes)
      exchange.write(bytes)
      beat()
    }
  }
}

/// The streams that are open, which end in order when the server does.
final class HTTPOpenStreams: Sendable {
  private let all = Mutex<[ObjectIdentifier: (stream: HTTPEventStream, loop: EventLoop)]>([:])

  func add(_ stream: HTTPEventStream, on loop: EventLoop) {
    all.withLock { $0[ObjectIdentifier(stream)] = (stream, loop) }
  }

  func remove(_ stream: HTTPEventStream) { all.withLock { $0[ObjectIdentifier(stream)] = nil } }

  func closeAll() {
    for (stream, loop) in all.withLock({ Array($0.values) }) { loop.run { stream.close() } }
  }
}
