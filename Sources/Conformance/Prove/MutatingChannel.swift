internal import JSON
internal import Synchronization
internal import Wire

/// Stands before a channel and does one thing to what comes on it, as `MutatingInterceptor` does it on the
/// wire of a WebSocket.
final class MutatingChannel: MessageChannel {
  private struct State {
    /// What comes before anything else is taken from the channel, and not sooner than then.
    var waiting: [(event: ChannelEvent, from: ContinuousClock.Instant)] = []
    /// A message that changes its place with the next one.
    var kept: ChannelEvent?
    var isOver = false
  }

  private let channel: any MessageChannel
  private let number: Int
  private let stage: MutationStage
  private let state = Mutex(State())

  init(_ channel: any MessageChannel, _ number: Int, _ stage: MutationStage) {
    self.channel = channel
    self.number = number
    self.stage = stage
  }

  var notes: [String] { channel.notes }
  func ask(_ mark: [UInt8]) { channel.ask(mark) }
  func close(code: UInt16?, reason: String) { channel.close(code: code, reason: reason) }
  func hangUp() async { await channel.hangUp() }

  func say(_ bytes: [UInt8]) async {
    stage.said(bytes, on: number)
    await channel.say(bytes)
  }

  func say(_ bytes: [UInt8], headers: [(name: String, value: String?)]) async {
    stage.said(bytes, on: number)
    await channel.say(bytes, headers: headers)
  }

  func next(within limit: Duration) async -> ChannelReceived? {
    let deadline = ContinuousClock.now + limit
    while true {
      if let (event, from) = state.withLock({ $0.waiting.first }) {
        guard from <= deadline else {
          try? await Task.sleep(until: deadline)
          return nil
        }
        try? await Task.sleep(until: from)
        state.withLock { _ = $0.waiting.removeFirst() }
        return ChannelReceived(event)
      }
      guard !state.withLock(\.isOver) else {
        try? await Task.sleep(until: deadline)
        return nil
      }
      guard let received = await channel.next(within: max(deadline - .now, .zero)) else { return nil }
      if let unchanged = take(received) { return unchanged }
    }
  }

  /// What is to be told at once; nil: what is told stands in `waiting`.
  private func take(_ received: ChannelReceived) -> ChannelReceived? {
    let change: FrameChange?
    switch received.event {
    case .message(let bytes, _): change = stage.change(of: .message, bytes, on: number)
    case .ended: change = stage.change(of: .close, [], on: number)
    case .binary, .ping, .pong, .breach: return received
    }
    return state.withLock { state in
      if let kept = state.kept {
        state.kept = nil
        state.waiting.append((received.event, received.at))
        state.waiting.append((kept, received.at))
        return nil
      }
      guard let change else { return received }
      if case .swapWithNext = change { state.kept = received.event }
      state.waiting += change.events(received)
      if case .ended = state.waiting.last?.event { state.isOver = true }
      return nil
    }
  }
}

extension FrameChange {
  /// What comes in the stead of an event, and from when on.
  fileprivate func events(
    _ received: ChannelReceived
  ) -> [(event: ChannelEvent, from: ContinuousClock.Instant)] {
    let event = received.event
    guard case .message(let bytes, let status) = event else { return forEnding(received) }
    func message(_ bytes: [UInt8]) -> ChannelEvent { .message(bytes, status: status) }
    let events: [ChannelEvent]
    switch self {
    case .edit(let edit):
      guard let value = try? JSONParser.parse(bytes) else { return [(event, received.at)] }
      events = [message(JSONWriter.bytes(edit.edited(value)))]
    case .cutText: events = [message(Array(bytes.prefix(bytes.count / 2)))]
    case .drop, .swapWithNext: events = []
    case .twice: events = [event, event]
    case .wait(let time): return [(event, received.at + time)]
    case .binary: events = [.binary(bytes)]
    case .cutFrame, .close, .end: events = [.ended(Ending(text: "end of stream"))]
    case .addBehind(let value): events = [event, message(JSONWriter.bytes(value))]
    case .addBefore(let value): events = [message(JSONWriter.bytes(value)), event]
    case .status(let status): events = [.message(bytes, status: status)]
    case .bytes: events = [event]
    }
    return events.map { ($0, received.at) }
  }

  private func forEnding(
    _ received: ChannelReceived
  ) -> [(event: ChannelEvent, from: ContinuousClock.Instant)] {
    switch self {
    case .wait(let time): return [(received.event, received.at + time)]
    case .addBefore(let value):
      let message = ChannelEvent.message(JSONWriter.bytes(value), status: nil)
      return [(message, received.at), (received.event, received.at)]
    default: return [(received.event, received.at)]
    }
  }
}

extension AnswerChange {
  /// What is taken for an answer; nil: none.
  func changed(_ answer: PlayedAnswer) -> PlayedAnswer? {
    var answer = answer
    switch self {
    case .cut: return nil
    case .refuse: answer.status = 403
    case .accept: break
    case .status(let status): answer.status = status
    case .header(let name, let value):
      if let value { answer.headers.set(name, value) } else { answer.headers.remove(name) }
    case .edit(let edit):
      if let value = try? JSONParser.parse(answer.body) {
        answer.body = JSONWriter.bytes(edit.edited(value))
      }
    case .body(let text): answer.body = Array(text.utf8)
    }
    return answer
  }
}
