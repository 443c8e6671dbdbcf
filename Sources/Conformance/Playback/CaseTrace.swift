package import YAML

/// How long one step of a case took.
package struct StepTiming: Sendable, Equatable {
  package let place: SourcePlace
  /// What the step does, in words.
  package let what: String
  /// Since the case began.
  package let began: Duration
  package let took: Duration
  /// The time it had; nil for what waits for nobody.
  package let within: Duration?
}

/// What a case did, step by step, and what went over the wire meanwhile.
package struct CaseTrace: Sendable, Equatable {
  package let steps: [StepTiming]
  /// Empty where the failure of the case has it.
  package let wire: [WireEntry]

  /// Of a case that passed, how it began and how it ended are enough.
  private static let firstEntries = 20
  private static let lastEntries = 40
  private static let textLimit = 500

  package init(steps: [StepTiming], wire: [WireEntry] = []) {
    self.steps = steps
    self.wire = wire
  }

  /// Without the wire.
  var stepsOnly: CaseTrace { CaseTrace(steps: steps) }

  /// Small enough to be kept for every case of a run.
  var bounded: CaseTrace {
    let hidden = wire.count - Self.firstEntries - Self.lastEntries
    var kept = wire
    if hidden > 0 {
      let gap = WireEntry(
        at: wire[Self.firstEntries].at, direction: .aside, connection: "", text: "(\(hidden) more)")
      kept = wire.prefix(Self.firstEntries) + [gap] + wire.suffix(Self.lastEntries)
    }
    return CaseTrace(steps: steps, wire: kept.map { $0.cut(to: Self.textLimit) })
  }
}

/// Of which cases the wire is kept.
package enum TracePolicy: String, Sendable, CaseIterable { case failures, all }

extension WireEntry {
  fileprivate func cut(to limit: Int) -> WireEntry {
    guard text.utf8.count > limit else { return self }
    return WireEntry(at: at, direction: direction, connection: connection, text: text.prefix(limit) + "…")
  }
}

extension Step {
  /// What it does, in half a line.
  var words: String {
    switch action {
    case .say: "the client sends a message"
    case .expect: "the server answers"
    case .unordered(let frames): "the server sends \(frames.count) messages in any order"
    case .raw: "the client sends raw bytes"
    case .pong: "the server sends a pong"
    case .close: "the client closes"
    case .closed: "the connection ends"
    case .poll: "the client asks until the answer is as awaited"
    case .quiet(let time): "nothing comes for \(time.short)"
    case .connect: "the client connects"
    case .http(let exchange): "the client asks \(exchange.method) \(exchange.path)"
    case .restart(let signal, _): "the target is restarted with \(signal.rawValue)"
    case .arm: "the backend is told to fail"
    case .await: "the backend is asked"
    case .host(let action): action.words
    }
  }

  /// The time that it has; nil where nobody is waited for.
  func limit(slack: Double) -> Duration? {
    switch action {
    case .expect, .unordered, .pong, .closed, .connect, .http, .await: within * slack
    case .poll(let poll): poll.limit * slack
    case .host(.await), .host(.connect), .host(.closed), .host(.goesOn): within * slack
    case .say, .raw, .close, .quiet, .restart, .arm, .host: nil
    }
  }
}

extension HostAction {
  /// The same of a case that plays the server.
  fileprivate var words: String {
    switch self {
    case .await(let request): "the client asks \(request.method ?? "something")"
    case .answer: "the server answers"
    case .connect: "the client connects"
    case .connects(let most, let time): "at most \(most) handshakes come within \(time.short)"
    case .quiet(let silence): "nothing is asked for \(silence.time.short)"
    case .closed: "the client closes"
    case .delay(let time), .holds(let time): "the server takes \(time.short)"
    case .rests(let time): "the client rests for \(time.short)"
    case .drop: "the server cuts the connection"
    case .goesOn: "the client asks on, or ends in order"
    }
  }
}
