internal import JSON

/// Which cases may be played beside others. Two things forbid it: the case judges time, which others
/// would take from it, or it looks at what all clients of an endpoint share.
package struct Schedule {
  /// In an order in which equal environments follow each other, so that they share a start.
  package let beside: [Int]
  /// One after the other, when nothing else is played.
  package let alone: [Int]

  /// - Parameter sharesTarget: whether the cases that are played at one time meet one target; else
  ///   each has one of its own, and what they share is only the machine.
  package init(_ cases: [TranscriptCase], sharesTarget: Bool) {
    var (beside, alone): ([Int], [Int]) = ([], [])
    for (place, transcript) in cases.enumerated() {
      if transcript.isAlone || transcript.isTimed || sharesTarget && transcript.looksBeyondItself {
        alone.append(place)
      } else {
        beside.append(place)
      }
    }
    let order = beside.map { (place: $0, key: cases[$0].startKey) }
    // The slow ones begin first: a start each, or an outage that is waited for.
    self.beside = order.sorted { ($0.key, $0.place) < ($1.key, $1.place) }.map(\.place)
    self.alone = alone
  }
}

extension TranscriptCase {
  /// Cases of one key can share a start; those that begin anew come first, the plain ones last.
  fileprivate var startKey: String {
    if isFresh { return "0" }
    if environment.isEmpty { return "2" }
    return "1 " + environment.map { "\($0.name)=\($0.value)" }.sorted().joined(separator: " ")
  }

  /// Below this a `within` is a promise about time, not a guard against waiting for ever.
  private static var guardTime: Duration { .seconds(1) }

  /// Whether it judges time.
  var isTimed: Bool {
    let hasTimedStep = steps.contains { step in
      if step.notBefore != nil || step.within < Self.guardTime { return true }
      switch step.action {
      case .quiet: return true
      case .await(let faces): return faces.contains(where: \.isTimed)
      default: return false
      }
    }
    return hasTimedStep || observe.contains(where: \.isTimed)
  }

  /// Whether it reads or changes what other clients of the target see: the state of the system, the
  /// list of all tasks, the backend, the process.
  var looksBeyondItself: Bool {
    if usesMock || isFresh || !environment.isEmpty { return true }
    let isShared = covers.contains { tag in
      if case .system = tag { true } else { false }
    }
    return isShared || steps.contains(where: \.looksBeyondItself)
  }
}

extension ObservedFace {
  fileprivate var isTimed: Bool { expectations.contains { $0.spacing != nil } }
}

extension Step {
  private static var sharedNames: [String] {
    ["list_tasks", "system_status", "idempotency_key", "subscribe", "resources/"]
  }

  fileprivate var looksBeyondItself: Bool {
    switch action {
    case .restart, .arm, .await, .http: true
    case .say(let matcher): Self.namesShared(JSONWriter.text(matcher.source))
    case .poll(let poll): Self.namesShared(JSONWriter.text(poll.request.source))
    case .raw(.text(let parts)):
      Self.namesShared(
        parts.map { part in
          switch part {
          case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
          case .repeated: ""
          }
        }.joined())
    default: false
    }
  }

  private static func namesShared(_ text: String) -> Bool { sharedNames.contains(where: text.contains) }
}
