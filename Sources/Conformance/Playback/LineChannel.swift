internal import JSON
internal import Synchronization
internal import Transport

/// Messages as lines of a program's standard input and output (MCP, stdio transport).
final class LineChannel: MessageChannel {
  private struct State {
    var notes: [String] = []
    /// Marks that were asked for, by the text of the request's id.
    var marks: [String: [UInt8]] = [:]
    var isClosing = false
  }

  private let process: LineProcess
  /// The request that asks for a sign of life, with an id of the caller's choice.
  private let sign: @Sendable (String) -> JSONValue
  private let state = Mutex(State())

  private static let keptNotes = 30
  /// How long a program has to end once its input has.
  private static let grace = Duration.seconds(3)

  init(_ process: LineProcess, sign: @escaping @Sendable (String) -> JSONValue) {
    self.process = process
    self.sign = sign
  }

  var notes: [String] { state.withLock { $0.notes } }

  func say(_ bytes: [UInt8]) async { process.send(bytes) }

  func next(within limit: Duration) async -> ChannelReceived? {
    let deadline = ContinuousClock.now + limit
    while let event = await process.next(within: max(deadline - .now, .zero)) {
      switch event {
      case .note(let text): keep(text)
      case .line(let bytes):
        if let mark = mark(bytes) { return ChannelReceived(.pong(mark)) }
        return ChannelReceived(.message(bytes, status: nil))
      case .ended(let text): return ChannelReceived(.ended(ending(text)))
      }
    }
    return nil
  }

  private func keep(_ text: String) {
    state.withLock { state in
      state.notes.append(text)
      if state.notes.count > Self.keptNotes { state.notes.removeFirst() }
    }
  }

  private func mark(_ line: [UInt8]) -> [UInt8]? {
    guard state.withLock({ !$0.marks.isEmpty }), let value = try? JSONParser.parse(line),
      value["method"] == nil, let id = value["id"]?.string
    else { return nil }
    return state.withLock { $0.marks.removeValue(forKey: id) }
  }

  /// "The server SHOULD exit when its input ends": a program that must be ended by a signal then, or
  /// that tells of a failure, did not end in order.
  private func ending(_ text: String) -> Ending {
    let isInOrder = text.hasSuffix("exit code 0")
    let isOurs = state.withLock { $0.isClosing }
    let cause = isOurs && !isInOrder ? "the end of its input should end a server in order, but \(text)" : nil
    return Ending(text: "the server's process: \(text)", breach: cause)
  }

  func ask(_ mark: [UInt8]) {
    let id = String(decoding: mark, as: UTF8.self)
    state.withLock { $0.marks[id] = mark }
    process.send(JSONWriter.bytes(sign(id)))
  }

  func close(code: UInt16?, reason: String) {
    state.withLock { $0.isClosing = true }
    let process = process
    Task { await process.stop(grace: Self.grace) }
  }

  func hangUp() async { await process.stop(grace: .seconds(1)) }
}
