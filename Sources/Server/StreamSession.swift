import JSON
import Orchestration
import ProtocolSpec
import Transport

/// One client whose messages come one after the other: answers go out in the order its dialect asks
/// for, and no more is read than it may have under way. Subclasses carry the messages.
class StreamSession: Session {
  /// Something to do on behalf of the client, or an answer that only waits for its turn.
  private enum Item {
    case request(Request)
    case answer(Answer)
  }

  var reader: MessageReader
  private var rate: RateLimit
  /// Bare requests run one after the other.
  private var bareQueue: ArraySlice<(item: Item, size: Int)> = []
  private var isBareBusy = false
  private var inFlight = 0
  private var inFlightBytes = 0
  private var isPaused = false

  /// - Parameter dialect: that of what is not readable, before anything was.
  init(_ service: Service, on loop: EventLoop, remote: String, dialect: Dialect) {
    reader = MessageReader(spec: service.spec, initial: dialect)
    rate = RateLimit(perSecond: service.settings.rateLimit)
    super.init(service, on: loop, remote: remote)
  }

  // MARK: - What a carrier does

  /// Stops or goes on reading what the client sends.
  func read(_ goesOn: Bool) { preconditionFailure("a carrier reads") }

  /// Everything that was asked is answered.
  func isNowIdle() {}

  // MARK: - Messages

  /// Takes one message of the client.
  func take(_ bytes: UnsafeRawBufferPointer) { take(reader.read(Array(bytes)), size: bytes.count) }

  /// Refuses a message of which nothing is kept, for it is longer than the limit.
  func refuseLongMessage() { take(reader.refuseLongMessage(), size: 0) }

  /// Whether an answer may go out now without overtaking one that has to come first.
  func mayAnswerAtOnce(isBare: Bool) -> Bool {
    rate.isUnlimited && (!isBare || !isBareBusy && bareQueue.isEmpty)
  }

  /// Whether nothing of the client is under way.
  var isIdle: Bool { inFlight == 0 }

  override func end() {
    super.end()
    // Nobody waits for what has not begun.
    bareQueue = []
  }

  override func agreed(on revision: MCPRevision) { reader.revision = revision }

  private func take(_ incoming: Incoming, size: Int) {
    switch incoming {
    case .ignored: break
    case .response(let response): answered(response)
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
    case .ignored, .batch, .response: nil
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
    for case .response(let response) in elements { answered(response) }
    let items = elements.compactMap(item)
    guard !items.isEmpty else { return }
    let batch = Batch(count: items.count)
    count(items.count, bytes: size)
    for (position, item) in items.enumerated() {
      run(item) { session, answer in
        if let bytes = batch.put(answer, at: position) { bytes.withUnsafeBytes { session.tell($0) } }
        session.count(-1, bytes: batch.isWhole ? -size : 0)
      }
    }
  }

  /// Runs `item` and calls `done` on the loop.
  private func run(_ item: Item, done: @escaping @Sendable (StreamSession, Answer?) -> Void) {
    switch item {
    case .answer(let answer):
      refused(answer)
      done(self, answer)
    case .request(let request):
      let bound = LoopBound(self, on: loop)
      run(request) { _, answer in done(bound.value, answer) }
    }
  }

  /// Past the limits of what is in flight, the connection is not read until some of it is answered.
  private func count(_ requests: Int, bytes: Int) {
    inFlight += requests
    inFlightBytes += bytes
    if inFlight == 0 { isNowIdle() }
    let limits = service.spec.limits
    let isFull = inFlight >= limits.inFlight || inFlightBytes >= limits.inFlightBytes
    guard isFull != isPaused else { return }
    isPaused = isFull
    read(!isFull)
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
struct RateLimit {
  /// 0 for no limit.
  let perSecond: Int
  private var windowStart = ContinuousClock.now
  private var used = 0

  init(perSecond: Int) { self.perSecond = perSecond }

  var isUnlimited: Bool { perSecond == 0 }
  /// Whether the second that is counted has not passed.
  var isCurrent: Bool { windowStart.duration(to: .now) < .seconds(1) }

  mutating func admits() -> Bool {
    if isUnlimited { return true }
    let now = ContinuousClock.now
    if windowStart.duration(to: now) >= .seconds(1) { (windowStart, used) = (now, 0) }
    used += 1
    return used <= perSecond
  }
}
