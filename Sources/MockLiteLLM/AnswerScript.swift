import JSON
import ProtocolSpec
import Wire

/// An answer as a sequence of pieces in time, and how it ends: what a fault and a pace make of a reply.
struct AnswerScript: Sendable {
  enum Part: Sendable {
    case head(status: Int, HTTPHeaders)
    /// A piece of the body, in a chunk of its own where the answer is chunked.
    case body([UInt8])
    /// Bytes with no regard to HTTP.
    case raw([UInt8])
  }

  enum End: Sendable { case finish, close, reset, hang }

  /// The parts, each with its time since the begin.
  private(set) var pieces: [(time: Duration, part: Part)] = []
  private(set) var end = End.finish
  private(set) var endTime = Duration.zero

  /// Between the last piece and a reset, so that the piece is read before.
  private static let pause = Duration.milliseconds(50)

  /// An answer as it is told, that ends behind its last piece.
  init(_ pieces: [(time: Duration, part: Part)], end: End) {
    self.pieces = pieces
    self.end = end
    endTime = pieces.last?.time ?? .zero
  }

  /// - Parameters:
  ///   - action: what spoils the reply; nil for nothing.
  ///   - isLiteLLM: whether errors in a stream have LiteLLM's form.
  init(
    _ reply: Reply, _ action: FaultAction?, pace: AnswerPace, isLiteLLM: Bool,
    random: inout SeededGenerator
  ) {
    switch action {
    case .raw(let bytes)?:
      add(.raw(bytes))
      end = .close
    case .breakOff(let point, let end, let events)?:
      breakOff(reply, at: point, end, events: events, pace, &random)
    default: begin(reply, action, pace, isLiteLLM, &random)
    }
    shift(by: reply.wait)
  }

  private mutating func add(_ part: Part, at time: Duration = .zero) { pieces.append((time, part)) }

  private mutating func shift(by wait: Duration) {
    guard wait > .zero else { return }
    for place in pieces.indices { pieces[place].time += wait }
    endTime += wait
  }

  private mutating func begin(
    _ reply: Reply, _ action: FaultAction?, _ pace: AnswerPace, _ isLiteLLM: Bool,
    _ random: inout SeededGenerator
  ) {
    switch reply.content {
    case .whole(let body):
      var sent = body
      var headers = Delivery.fields(reply)
      headers["content-length"] = String(body.count)
      switch action {
      case .truncate(let bytes)?:
        sent = Array(body.dropLast(bytes))
        end = .close
      case .malformed?:
        sent = Self.spoiled(body)
        headers["content-length"] = String(sent.count)
      default: break
      }
      whole(reply, headers, sent, pace, &random)
    case .events(let events):
      add(.head(status: reply.status, Delivery.fields(reply)))
      switch action {
      case .truncate(let bytes)?:
        stream(Self.cut(events, by: bytes), pace, &random)
        end = .close
      case .malformed?: stream(Array(events.prefix(1)) + [.broken], pace, &random)
      case .stream(let fault, let count)?:
        let shaped = StreamShape(events, isLiteLLM: isLiteLLM).under(fault, after: count)
        stream(shaped, pace, &random)
      default: stream(events, pace, &random)
      }
    }
  }

  /// The head and the body when the model has said it all, or at once and then byte by byte.
  private mutating func whole(
    _ reply: Reply, _ headers: HTTPHeaders, _ body: [UInt8], _ pace: AnswerPace,
    _ random: inout SeededGenerator
  ) {
    var time = pace.firstToken
    if pace.tokensPerSecond != nil {
      for _ in 0..<max(reply.tokens - 1, 0) { time += pace.interval(&random) }
    }
    add(.head(status: reply.status, headers), at: time)
    trickle(body, pace, from: time)
    endTime = max(endTime, time)
  }

  private mutating func stream(
    _ events: [StreamEvent], _ pace: AnswerPace, _ random: inout SeededGenerator
  ) {
    var time = Duration.zero
    var isFirst = true
    for event in events {
      if event.kind == .token {
        time += isFirst ? pace.firstToken : pace.interval(&random)
        isFirst = false
      }
      guard pace.bytesPerSecond != nil else {
        add(.body(event.bytes), at: time)
        continue
      }
      trickle(event.bytes, pace, from: max(time, endTime))
    }
    endTime = max(endTime, time)
  }

  /// The shortest time between two pieces of a body that trickles.
  private static let tick = Duration.milliseconds(10)

  /// Adds `bytes` from `start` on, as fast as the pace says; the end comes behind them.
  private mutating func trickle(_ bytes: [UInt8], _ pace: AnswerPace, from start: Duration) {
    guard let rate = pace.bytesPerSecond else {
      if !bytes.isEmpty { add(.body(bytes), at: start) }
      return
    }
    let size = max(rate / 100, 1)
    let interval = max(Duration.seconds(1) / rate * size, Self.tick)
    var time = start
    var rest = bytes[...]
    while !rest.isEmpty {
      time += interval
      add(.body(Array(rest.prefix(size))), at: time)
      rest = rest.dropFirst(size)
    }
    endTime = time
  }

  private mutating func breakOff(
    _ reply: Reply, at point: BreakPoint, _ end: BreakEnd, events count: Int?, _ pace: AnswerPace,
    _ random: inout SeededGenerator
  ) {
    self.end =
      switch end {
      case .reset: .reset
      case .close: .close
      case .hang: .hang
      }
    switch point {
    case .accept, .request: break
    case .status: add(.raw(Array("HTTP/1.1 2".utf8)))
    case .head:
      add(.raw(Array("HTTP/1.1 \(reply.status) OK\r\nvary: Origin\r\ncontent-ty".utf8)))
    case .body, .middle:
      var headers = Delivery.fields(reply)
      switch reply.content {
      case .whole(let body):
        headers["content-length"] = String(body.count)
        whole(reply, headers, point == .body ? [] : Array(body.prefix(max(body.count / 2, 1))), pace, &random)
      case .events(let events):
        add(.head(status: reply.status, headers))
        let half = max(events.count / 2, 1)
        stream(point == .body ? [] : Array(events.prefix(count ?? half)), pace, &random)
      }
    }
    if end == .reset, !pieces.isEmpty { endTime += Self.pause }
  }

  /// The events without their last `count` bytes.
  private static func cut(_ events: [StreamEvent], by count: Int) -> [StreamEvent] {
    var left = max(events.reduce(0) { $0 + $1.bytes.count } - count, 0)
    var kept: [StreamEvent] = []
    for event in events where left > 0 {
      kept.append(StreamEvent(event.kind, Array(event.bytes.prefix(left))))
      left -= min(left, event.bytes.count)
    }
    return kept
  }

  /// Half of the JSON, never JSON itself.
  private static func spoiled(_ body: [UInt8]) -> [UInt8] {
    let half = Array(body.prefix(body.count / 2))
    // Half of an object is never JSON; half of anything else may be.
    return body.first == UInt8(ascii: "{") && half.count > 1 ? half : Array("{\"id\":".utf8)
  }
}

extension AnswerPace {
  /// The time from one token to the next.
  fileprivate func interval(_ random: inout SeededGenerator) -> Duration {
    guard let tokensPerSecond else { return .zero }
    let usual = 1 / tokensPerSecond
    guard jitter > 0 else { return .seconds(usual) }
    return .seconds(usual * (1 + jitter * (2 * random.unit() - 1)))
  }
}
