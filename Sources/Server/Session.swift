import Diagnostics
import JSON
import MCP
import Orchestration
import ProtocolSpec
import Transport
import Wire

/// One client on a WebSocket: reads its messages, runs them, and answers in the order its dialect
/// asks for. Confined to the loop of its connection.
final class Session: WebSocketHandler {
  /// Something to do on behalf of the client, or an answer that only waits for its turn.
  private enum Item {
    case request(Request)
    case answer(Answer)
  }

  /// Takes the answer of one request on the loop; nil where nothing is to be answered.
  typealias Done = @Sendable (Session, Answer?) -> Void

  let service: Service
  let connection: WebSocketConnection
  /// The number of this client, whose tasks take turns with those of others.
  let client: Int
  var reader: MessageReader
  var mcp: MCPSession
  /// Requests whose answers do not come at once.
  var underWay = RequestsUnderWay()
  var subscriptions = ConnectionSubscriptions()
  private var rate: RateLimit
  /// Bare requests run one after the other.
  private var bareQueue: ArraySlice<(item: Item, size: Int)> = []
  private var isBareBusy = false
  private var inFlight = 0
  private var inFlightBytes = 0
  private var isPaused = false

  init(_ service: Service, _ connection: WebSocketConnection) {
    self.service = service
    self.connection = connection
    client = service.nextClient()
    let isMCP = connection.subprotocol == service.spec.overview.subprotocol
    reader = MessageReader(spec: service.spec, initial: isMCP ? .jsonrpc : .bare)
    mcp = MCPSession(service.mcp)
    rate = RateLimit(perSecond: service.settings.rateLimit)
  }

  // MARK: - Events of the connection

  func onMessage(
    _ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer, on connection: WebSocketConnection
  ) {
    if case .binary = kind {
      connection.close(code: 1003, reason: "binary messages are not served")
      return
    }
    if answersPlain(bytes) { return }
    take(reader.read(Array(bytes)), size: bytes.count)
  }

  /// Whether an answer may go out now without overtaking one that has to come first.
  func mayAnswerAtOnce(isBare: Bool) -> Bool {
    rate.isUnlimited && (!isBare || !isBareBusy && bareQueue.isEmpty)
  }

  func onClose(code: UInt16?, reason: String, clean: Bool, on connection: WebSocketConnection) {
    underWay.stopAll()
    endSubscriptions()
    // Nobody waits for what has not begun.
    bareQueue = []
    service.log.debug(
      "closed",
      JSONObject([
        ("remote", .string(connection.remote)), ("code", code.map { .int(Int($0)) } ?? .null),
        ("reason", .string(reason)),
      ]))
  }

  // MARK: - Requests

  private func take(_ incoming: Incoming, size: Int) {
    switch incoming {
    case .ignored: break
    case .refused(let answer): admit(incoming, dialect: answer.dialect, size: size)
    case .request(let request): admit(incoming, dialect: request.dialect, size: size)
    case .batch(let elements): run(batch: elements, size: size)
    }
  }

  private func admit(_ incoming: Incoming, dialect: Dialect, size: Int) {
    guard let item = item(incoming) else { return }
    count(1, bytes: size)
    if dialect == .bare {
      bareQueue.append((item, size))
      runNextBare()
    } else {
      run(item) { session, answer in
        if let answer { session.send(answer) }
        session.count(-1, bytes: -size)
      }
    }
  }

  private func item(_ incoming: Incoming) -> Item? {
    switch incoming {
    case .ignored, .batch: nil
    case .refused(let answer): .answer(answer)
    case .request(let request):
      rate.admits() ? .request(request) : refusal(of: request).map(Item.answer)
    }
  }

  private func refusal(of request: Request) -> Answer? {
    guard !request.isNotification else { return nil }
    return request.answer(
      .failure(service.spec.errors.fault(.rateLimited, retryAfter: .seconds(1))))
  }

  private func runNextBare() {
    while !isBareBusy, let (item, size) = bareQueue.popFirst() {
      isBareBusy = true
      run(item) { session, answer in
        if let answer { session.send(answer) }
        session.isBareBusy = false
        session.count(-1, bytes: -size)
        session.runNextBare()
      }
    }
  }

  /// The elements of a batch run side by side and are answered together, in their order.
  private func run(batch elements: [Incoming], size: Int) {
    let items = elements.compactMap(item)
    guard !items.isEmpty else { return }
    let batch = Batch(count: items.count)
    count(items.count, bytes: size)
    for (position, item) in items.enumerated() {
      run(item) { session, answer in
        if let bytes = batch.put(answer, at: position) { session.connection.send(text: bytes) }
        session.count(-1, bytes: batch.isWhole ? -size : 0)
      }
    }
  }

  /// Runs `item` and calls `done` on the loop.
  private func run(_ item: Item, done: @escaping Done) {
    switch item {
    case .answer(let answer): done(self, answer)
    case .request(let request):
      if let result = service.immediate(request) {
        done(self, request.isNotification ? nil : request.answer(.success(result)))
      } else if request.method.mcp != nil {
        runMCP(request, done: done)
      } else {
        switch request.method.name {
        case Self.subscribeMethod: subscribe(request, done: done)
        case Self.unsubscribeMethod: unsubscribe(request, done: done)
        default: start(request, done: done)
        }
      }
    }
  }

  /// Runs a native request beside the loop; the answer is its outcome as `shape` tells it.
  func start(
    _ request: Request, shape: @escaping @Sendable (Outcome) -> Outcome = { $0 }, done: @escaping Done
  ) {
    let bound = LoopBound(self, on: connection.loop)
    // Nothing that is said in JSON-RPC stops a bare request.
    let number = underWay.begin(id: request.dialect == .jsonrpc ? request.id : nil)
    let reply = Reply(on: connection.loop, client: client) { outcome in
      let session = bound.value
      let isAwaited = session.underWay.end(number) && !request.isNotification
      done(session, isAwaited ? request.answer(shape(outcome)) : nil)
    }
    if let stop = service.run(request, reply) { underWay.keep(stop, for: number) }
  }

  private func send(_ answer: Answer) {
    var bytes: [UInt8] = []
    answer.write(to: &bytes)
    bytes.withUnsafeBytes { connection.sendHere(.text, $0) }
  }

  /// Past the limits of what is in flight, the connection is not read until some of it is answered.
  private func count(_ requests: Int, bytes: Int) {
    inFlight += requests
    inFlightBytes += bytes
    let limits = service.spec.limits
    let isFull = inFlight >= limits.inFlight || inFlightBytes >= limits.inFlightBytes
    guard isFull != isPaused else { return }
    isPaused = isFull
    if isFull { connection.pauseReading() } else { connection.resumeReading() }
  }
}

/// Gathers the answers of a batch. Confined to a loop.
private final class Batch: @unchecked Sendable {
  // Invariant: made and filled on the loop of one session only.
  private var answers: [Answer?]
  private var missing: Int
  var isWhole: Bool { missing == 0 }

  init(count: Int) {
    answers = Array(repeating: nil, count: count)
    missing = count
  }

  /// The whole answer once the last one is there; nil before, and if there is nothing to answer.
  func put(_ answer: Answer?, at position: Int) -> [UInt8]? {
    answers[position] = answer
    missing -= 1
    guard missing == 0 else { return nil }
    let present = answers.compactMap(\.self)
    guard !present.isEmpty else { return nil }
    var bytes: [UInt8] = [UInt8(ascii: "[")]
    for (position, answer) in present.enumerated() {
      if position > 0 { bytes.append(UInt8(ascii: ",")) }
      answer.write(to: &bytes)
    }
    bytes.append(UInt8(ascii: "]"))
    return bytes
  }
}

/// How many requests of one connection are served in a second.
private struct RateLimit {
  /// 0 for no limit.
  let perSecond: Int
  private var windowStart = ContinuousClock.now
  private var used = 0

  init(perSecond: Int) { self.perSecond = perSecond }

  var isUnlimited: Bool { perSecond == 0 }

  mutating func admits() -> Bool {
    if isUnlimited { return true }
    let now = ContinuousClock.now
    if windowStart.duration(to: now) >= .seconds(1) { (windowStart, used) = (now, 0) }
    used += 1
    return used <= perSecond
  }
}
