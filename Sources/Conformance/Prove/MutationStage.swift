internal import JSON
internal import ProtocolSpec
internal import Synchronization
internal import Wire

/// What was said in one play of a case, by whom and to which step.
struct PlayRecording: Sendable {
  /// A message to the client, and the step that took it.
  struct Heard: Sendable {
    let step: Int
    let place: FramePlace
    let bytes: [UInt8]
  }

  enum Answer: Sendable {
    case upgraded(HTTPResponseHead)
    case answered(ProxiedExchange)
  }

  var heard: [Heard] = []
  /// What came from the client, by connection.
  var said: [Int: [JSONValue]] = [:]
  /// By connection: the step that opened it.
  var openedBy: [Int: Int] = [:]
  var answers: [Int: Answer] = [:]
  /// What the mock told last in a step.
  var journals: [Int: JSONValue] = [:]
}

/// What the player of one play and the proxy before its target know of each other: which step is
/// played, and so which message is the one that is to be changed.
final class MutationStage: PlayWatch {
  private struct State {
    var recording = PlayRecording()
    var step = 0
    var connections = 0
    var numbers: [String: Int] = [:]
    /// How many polls a connection has had.
    var epochs: [Int: Int] = [:]
    var counts: [FramePlace: Int] = [:]
    /// What has come through the proxy and was not taken by the player yet.
    var underWay: [Int: [(place: FramePlace, bytes: [UInt8])]] = [:]
    var isApplied = false
  }

  let mutation: Mutation?
  private let steps: [Step]
  private let state = Mutex(State())
  /// Who waits for what will never come does not wait for long.
  static let shortWait = Duration.milliseconds(250)
  /// Later than that.
  static let tooLate = Duration.milliseconds(700)

  /// The number of a poll's answers before the last one.
  private static let onTheWay = -1

  init(_ transcript: TranscriptCase, mutation: Mutation?) {
    steps = transcript.steps
    self.mutation = mutation
  }

  var recording: PlayRecording { state.withLock { $0.recording } }
  /// Whether the mutation has happened.
  var isApplied: Bool { state.withLock { $0.isApplied } }
  /// Whether the step that has to notice was reached.
  var isReached: Bool { state.withLock { $0.step >= mutation?.step ?? 0 } }

  // MARK: The player

  func begins(_ step: Int) {
    state.withLock { state in
      if steps.indices.contains(state.step), case .poll = steps[state.step].action,
        let connection = state.numbers[steps[state.step].connection]
      {
        state.epochs[connection, default: 0] += 1
      }
      state.step = step
    }
  }

  func connects(_ name: String?) {
    state.withLock { state in
      state.connections += 1
      state.recording.openedBy[state.connections] = state.step
      if let name { state.numbers[name] = state.connections }
    }
  }

  func heard(_ event: ChannelEvent, on name: String) { take(event, on: name, isKept: true) }

  func skips(_ event: ChannelEvent, on name: String) { take(event, on: name, isKept: false) }

  private func take(_ event: ChannelEvent, on name: String, isKept: Bool) {
    let kind: FramePlace.Kind
    switch event {
    case .message, .binary: kind = .message
    case .pong: kind = .pong
    case .ended: kind = .close
    case .ping, .breach: return
    }
    state.withLock { state in
      guard let number = state.numbers[name],
        let place = state.underWay[number]?.firstIndex(where: { $0.place.kind == kind }),
        let taken = state.underWay[number]?.remove(at: place)
      else { return }
      // Of a poll only the last answer is sure to come again.
      guard isKept, taken.place.number != Self.onTheWay else { return }
      let heard = PlayRecording.Heard(step: state.step, place: taken.place, bytes: taken.bytes)
      state.recording.heard.append(heard)
    }
  }

  func limit(_ limit: Duration) -> Duration {
    guard let mutation, state.withLock({ $0.step >= mutation.step }) else { return limit }
    switch mutation.change {
    case .frame(_, .drop), .frame(_, .wait): return min(limit, Self.shortWait)
    case .calls: return min(limit, Self.shortWait * 2)
    default: return limit
    }
  }

  func journal(_ value: JSONValue) -> JSONValue {
    state.withLock { state in
      state.recording.journals[state.step] = value
      guard let mutation, case .calls(let change) = mutation.change, state.step == mutation.step else {
        return value
      }
      let changed = change.changed(value)
      if changed != value { state.isApplied = true }
      return changed
    }
  }

  /// What no proxy can be put before is changed in the channel itself.
  func channel(_ channel: any MessageChannel, _ transport: PlayTransport, on name: String)
    -> any MessageChannel
  {
    guard transport != .ws, let number = state.withLock({ $0.numbers[name] }) else { return channel }
    return MutatingChannel(channel, number, self)
  }

  // MARK: The proxy

  func said(_ message: ProxyMessage, on connection: Int) {
    if let text = message.text { said(text, on: connection) }
  }

  func said(_ text: [UInt8], on connection: Int) {
    guard text.count < 1 << 20, let value = try? JSONParser.parse(text) else { return }
    state.withLock { $0.recording.said[connection, default: []].append(value) }
  }

  func answered(_ answer: PlayRecording.Answer, on connection: Int) {
    state.withLock { $0.recording.answers[connection] = answer }
  }

  /// What is to be done to a message that goes to the client; nil for nothing.
  func change(of message: ProxyMessage, on connection: Int) -> FrameChange? {
    let kind: FramePlace.Kind
    let bytes: [UInt8]
    switch message.content {
    case .text(let text), .binary(let text): (kind, bytes) = (.message, text)
    case .pong(let payload): (kind, bytes) = (.pong, payload)
    case .close: (kind, bytes) = (.close, [])
    case .ping, .invalid: return nil
    }
    return change(of: kind, bytes, on: connection)
  }

  func change(of kind: FramePlace.Kind, _ bytes: [UInt8], on connection: Int) -> FrameChange? {
    state.withLock { state in
      let place = Self.place(of: bytes, kind, connection, steps, &state)
      state.underWay[connection, default: []].append((place, bytes))
      guard let mutation, case .frame(place, let change) = mutation.change, !state.isApplied else {
        return nil
      }
      state.isApplied = true
      return change
    }
  }

  /// What is to be done to an answer in HTTP; nil for nothing.
  func answerChange(on connection: Int) -> AnswerChange? {
    guard let mutation, case .answer(connection: connection, let change) = mutation.change else { return nil }
    state.withLock { $0.isApplied = true }
    return change
  }

  /// Where no proxy stands before the target.
  func answer(_ exchange: ProxiedExchange, _ transport: PlayTransport) -> PlayedAnswer? {
    let answer = PlayedAnswer(
      status: exchange.response.status, headers: exchange.response.headers, body: exchange.responseBody)
    guard transport != .ws else { return answer }
    let number = state.withLock(\.connections)
    answered(.answered(exchange), on: number)
    guard let change = answerChange(on: number) else { return answer }
    return change.changed(answer)
  }

  func exits() -> Bool {
    guard let mutation, case .exit = mutation.change else { return false }
    return state.withLock { state in
      guard state.step == mutation.step else { return false }
      state.isApplied = true
      return true
    }
  }

  private static func place(
    of bytes: [UInt8], _ kind: FramePlace.Kind, _ connection: Int, _ steps: [Step], _ state: inout State
  ) -> FramePlace {
    let epoch = state.epochs[connection] ?? 0
    let isPolled =
      kind == .message && steps.indices.contains(state.step)
      && state.numbers[steps[state.step].connection] == connection
    if isPolled, case .poll(let poll) = steps[state.step].action {
      var bindings = Bindings()
      let value = (try? JSONParser.parse(bytes))?[poll.pointer]
      let isLast = poll.until.match(value, &bindings).isEmpty
      return FramePlace(connection: connection, kind: kind, epoch: epoch, number: isLast ? nil : onTheWay)
    }
    let key = FramePlace(connection: connection, kind: kind, epoch: epoch, number: nil)
    let number = state.counts[key] ?? 0
    state.counts[key] = number + 1
    return FramePlace(connection: connection, kind: kind, epoch: epoch, number: number)
  }
}
