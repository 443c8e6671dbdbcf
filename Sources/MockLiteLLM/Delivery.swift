import Transport
import Wire

extension FaceRequest {
  init(_ request: HTTPRequest) {
    self.init(
      method: request.head.method, path: request.head.path, query: request.head.query,
      headers: request.head.headers.map { ($0.name, $0.value) }, body: request.body)
  }
}

/// Puts replies on the wire.
enum Delivery {
  /// A reply as it is, at once.
  static func send(_ reply: Reply, on exchange: HTTPExchange) {
    switch reply.content {
    case .whole(let body): exchange.respond(status: reply.status, headers: fields(reply), body: body)
    case .events(let events):
      exchange.begin(status: reply.status, headers: fields(reply))
      for event in events { exchange.write(event.bytes) }
      exchange.finish()
    }
  }

  static func fields(_ reply: Reply) -> HTTPHeaders {
    HTTPHeaders(reply.headers.map { ($0.name, $0.value) })
  }
}

/// Sends the pieces of a script in their time. Belongs to the loop of its exchange.
final class AnswerPlayer: @unchecked Sendable {
  // Invariant: used only on the loop of the exchange.
  private let exchange: HTTPExchange
  private let script: AnswerScript
  private let whenOver: () -> Void
  private let begin = ContinuousClock.now
  private var next = 0
  private var timer: ScheduledTimer?
  private var isOver = false

  /// - Parameter whenOver: called once, when the answer has ended or the peer has left.
  init(_ script: AnswerScript, on exchange: HTTPExchange, whenOver: @escaping () -> Void) {
    self.script = script
    self.exchange = exchange
    self.whenOver = whenOver
  }

  func start() {
    exchange.onClose { [weak self] in self?.peerLeft() }
    play(isHurried: false)
  }

  /// Sends what is left without waiting; what would hang is reset.
  func hurry() {
    guard !isOver else { return }
    timer?.cancel()
    play(isHurried: true)
  }

  private func play(isHurried: Bool) {
    timer = nil
    guard !isOver else { return }
    while next < script.pieces.count {
      let piece = script.pieces[next]
      if !isHurried, wait(until: piece.time) { return }
      send(piece.part)
      next += 1
    }
    if !isHurried, wait(until: script.endTime) { return }
    end(isHurried: isHurried)
  }

  /// Whether there is time left until then; comes back when it is over.
  private func wait(until time: Duration) -> Bool {
    guard time > .zero else { return false }
    let left = begin + time - .now
    guard left > .zero else { return false }
    timer = exchange.loop.schedule(after: left) { [weak self] in self?.play(isHurried: false) }
    return true
  }

  private func send(_ part: AnswerScript.Part) {
    switch part {
    case .head(let status, let headers): exchange.begin(status: status, headers: headers)
    case .body(let bytes): exchange.write(bytes)
    case .raw(let bytes): exchange.writeRaw(bytes)
    }
  }

  private func end(isHurried: Bool) {
    switch script.end {
    case .finish: exchange.finish()
    case .close: exchange.close()
    case .reset: exchange.reset()
    case .hang:
      guard isHurried else { return }
      exchange.reset()
    }
    over()
  }

  private func peerLeft() {
    guard !isOver else { return }
    timer?.cancel()
    // Nobody waits any more; the connection is given back.
    exchange.close()
    over()
  }

  private func over() {
    isOver = true
    whenOver()
  }
}

/// What a fault keeps waiting. Belongs to the loop.
final class HeldExchanges: @unchecked Sendable {
  // Invariant: used only on the loop of the exchanges it holds.
  private var players: [ObjectIdentifier: AnswerPlayer] = [:]
  private var waiting: [ObjectIdentifier: (action: (Bool) -> Void, timer: ScheduledTimer)] = [:]

  /// Plays a script until it is over or released.
  func play(_ script: AnswerScript, on exchange: HTTPExchange, whenOver: @escaping () -> Void) {
    let key = ObjectIdentifier(exchange)
    let player = AnswerPlayer(script, on: exchange) { [weak self] in
      self?.players[key] = nil
      whenOver()
    }
    players[key] = player
    player.start()
  }

  /// Calls `action` when `time` is over, with `true` before that if all are released; never if the
  /// peer leaves, which `whenLeft` tells.
  func hold(
    _ exchange: HTTPExchange, for time: Duration, then action: @escaping @Sendable (Bool) -> Void,
    whenLeft: @escaping @Sendable () -> Void
  ) {
    let key = ObjectIdentifier(exchange)
    let timer = exchange.loop.schedule(after: time) {
      self.waiting[key] = nil
      action(false)
    }
    waiting[key] = (action, timer)
    exchange.onClose {
      guard let held = self.waiting.removeValue(forKey: key) else { return }
      held.timer.cancel()
      exchange.close()
      whenLeft()
    }
  }

  /// Ends every wait: what has an action does it now, what is being sent is sent, what hangs is reset.
  func release() {
    let held = waiting.values
    waiting = [:]
    for wait in held {
      wait.timer.cancel()
      wait.action(true)
    }
    for player in Array(players.values) { player.hurry() }
  }
}
