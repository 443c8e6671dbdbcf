import Transport
import Wire

extension FaceRequest {
  init(_ request: HTTPRequest) {
    self.init(
      method: request.head.method, path: request.head.path, query: request.head.query,
      headers: request.head.headers.map { ($0.name, $0.value) }, body: request.body)
  }
}

/// Puts replies on the wire, whole or spoiled.
enum Delivery {
  /// Between the part of a stream and its reset, so that the part is read before.
  private static let pause = Duration.milliseconds(50)

  static func send(_ reply: Reply, on exchange: HTTPExchange) {
    switch reply.content {
    case .whole(let body): exchange.respond(status: reply.status, headers: fields(reply), body: body)
    case .events(let events):
      exchange.begin(status: reply.status, headers: fields(reply))
      for event in events { exchange.write(event) }
      exchange.finish()
    }
  }

  /// Announces the whole body and sends it without its last `count` bytes, then closes; a stream
  /// lacks its end too.
  static func truncate(_ reply: Reply, by count: Int, on exchange: HTTPExchange) {
    switch reply.content {
    case .whole(let body):
      var headers = fields(reply)
      headers["content-length"] = String(body.count)
      exchange.begin(status: reply.status, headers: headers)
      exchange.write(Array(body.dropLast(count)))
    case .events(let events):
      exchange.begin(status: reply.status, headers: fields(reply))
      var left = max(events.reduce(0) { $0 + $1.count } - count, 0)
      for event in events where left > 0 {
        exchange.write(Array(event.prefix(left)))
        left -= min(left, event.count)
      }
    }
    exchange.close()
  }

  /// Sends the usual head and half of the JSON; a stream goes wrong after its first event.
  static func malform(_ reply: Reply, on exchange: HTTPExchange) {
    var spoiled = reply
    switch reply.content {
    case .whole(let body):
      let half = Array(body.prefix(body.count / 2))
      // Half of an object is never JSON; half of anything else may be.
      spoiled.content = .whole(
        body.first == UInt8(ascii: "{") && half.count > 1 ? half : Array("{\"id\":".utf8))
    case .events(let events): spoiled.content = .events(Array(events.prefix(1)) + [StreamEvent.broken])
    }
    send(spoiled, on: exchange)
  }

  /// Sends half of a stream, then resets the connection.
  static func resetMidway(_ reply: Reply, on exchange: HTTPExchange) {
    guard case .events(let events) = reply.content else { return exchange.reset() }
    exchange.begin(status: reply.status, headers: fields(reply))
    for event in events.prefix(max(events.count / 2, 1)) { exchange.write(event) }
    exchange.loop.schedule(after: pause) { exchange.reset() }
  }

  private static func fields(_ reply: Reply) -> HTTPHeaders {
    HTTPHeaders(reply.headers.map { ($0.name, $0.value) })
  }
}

/// Exchanges that a fault keeps waiting. Belongs to the loop.
final class HeldExchanges: @unchecked Sendable {
  // Invariant: used only on the loop of the exchanges it holds.
  private struct Held {
    let exchange: HTTPExchange
    /// What is done when the time is over, or at once with `true` when all are released.
    let action: ((Bool) -> Void)?
    let timer: ScheduledTimer?
  }

  private var all: [ObjectIdentifier: Held] = [:]

  /// Keeps the exchange until it is released or the peer leaves.
  func hold(_ exchange: HTTPExchange) {
    all[ObjectIdentifier(exchange)] = Held(exchange: exchange, action: nil, timer: nil)
    forgetWhenLeft(exchange)
  }

  /// Calls `action` when `time` is over.
  func hold(_ exchange: HTTPExchange, for time: Duration, then action: @escaping @Sendable (Bool) -> Void) {
    let key = ObjectIdentifier(exchange)
    let timer = exchange.loop.schedule(after: time) {
      self.all[key] = nil
      action(false)
    }
    all[key] = Held(exchange: exchange, action: action, timer: timer)
    forgetWhenLeft(exchange)
  }

  /// Ends every wait: what has an action does it now, the rest is given to `end`.
  func release(_ end: (HTTPExchange) -> Void) {
    let waiting = all.values
    all = [:]
    for held in waiting {
      held.timer?.cancel()
      if let action = held.action { action(true) } else { end(held.exchange) }
    }
  }

  private func forgetWhenLeft(_ exchange: HTTPExchange) {
    let key = ObjectIdentifier(exchange)
    exchange.onClose {
      guard let held = self.all.removeValue(forKey: key) else { return }
      held.timer?.cancel()
      // Nobody waits any more; the connection is given back.
      exchange.close()
    }
  }
}
