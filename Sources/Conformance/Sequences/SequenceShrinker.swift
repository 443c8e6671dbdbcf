internal import ProtocolSpec

/// Makes a failing plan as small as it gets while it still fails: steps are left out in ever smaller
/// pieces (delta debugging), then what is left is made simpler.
package struct SequenceShrinker {
  /// Plays a plan; gives its failure.
  package typealias Trial = (SequencePlan) async -> SequenceFailure?

  private let trial: Trial
  /// How often a plan is played before it counts as one that passes.
  private var repeats = 1
  private(set) var plan: SequencePlan
  private(set) var failure: SequenceFailure
  package private(set) var trials = 0
  private static let most = 600

  package init(_ plan: SequencePlan, _ failure: SequenceFailure, trial: @escaping Trial) {
    self.plan = plan
    self.failure = failure
    self.trial = trial
  }

  /// - Returns: the smallest plan, its failure, and in how many of three plays the first plan failed.
  package mutating func shrink() async -> (plan: SequencePlan, failure: SequenceFailure, reproduced: Int) {
    var reproduced = 0
    for _ in 0..<3 where await trial(plan) != nil { reproduced += 1 }
    guard reproduced > 0 else { return (plan, failure, 0) }
    // A race needs more than one try.
    if reproduced < 3 { repeats = 5 }
    cutBehindFailure()
    var last: SequencePlan?
    while last != plan && trials < Self.most {
      last = plan
      await dropPieces()
      await simplify()
    }
    return (plan, failure, reproduced)
  }

  private mutating func cutBehindFailure() {
    plan.steps = Array(plan.steps.prefix(failure.steps))
  }

  /// Keeps a candidate that fails.
  private mutating func take(_ candidate: SequencePlan) async -> Bool {
    guard candidate != plan, trials < Self.most else { return false }
    for _ in 0..<repeats {
      trials += 1
      if let found = await trial(candidate) {
        (plan, failure) = (candidate, found)
        cutBehindFailure()
        return true
      }
    }
    return false
  }

  private mutating func dropPieces() async {
    var size = max(plan.steps.count / 2, 1)
    while size >= 1 {
      var start = 0
      while start < plan.steps.count {
        var candidate = plan
        candidate.steps.removeSubrange(start..<min(start + size, candidate.steps.count))
        if !(await take(candidate)) { start += size }
      }
      if size == 1 { break }
      size /= 2
    }
  }

  private mutating func simplify() async {
    var place = 0
    while place < plan.steps.count {
      for simpler in Self.simpler(plan.steps[place]) where place < plan.steps.count {
        var candidate = plan
        candidate.steps[place] = simpler
        if await take(candidate) { break }
      }
      place += 1
    }
    if plan.isBare {
      var candidate = plan
      candidate.isBare = false
      _ = await take(candidate)
    }
  }

  /// What a step could be instead, the simplest first.
  static func simpler(_ step: SequenceStep) -> [SequenceStep] {
    var list: [SequenceStep] = []
    func add(_ action: SequenceStep.Action, _ connection: Int = step.connection) {
      let candidate = SequenceStep(action: action, connection: connection)
      if candidate != step && !list.contains(candidate) { list.append(candidate) }
    }
    switch step.action {
    case .create(let creation):
      add(.create(Creation(mode: .wait, text: 0, type: 0, key: nil)), 0)
      add(.create(Creation(mode: .wait, text: creation.text, type: creation.type, key: creation.key)))
      add(.create(Creation(mode: creation.mode, text: 0, type: creation.type, key: creation.key)))
      add(.create(Creation(mode: creation.mode, text: creation.text, type: 0, key: creation.key)))
      add(.create(Creation(mode: creation.mode, text: creation.text, type: creation.type, key: nil)))
      if creation.key != nil {
        add(.create(Creation(mode: creation.mode, text: creation.text, type: creation.type, key: 0)))
      }
      if creation.mode == .blocked {
        add(.create(Creation(mode: .held, text: creation.text, type: creation.type, key: creation.key)))
      }
    case .get(let pick): for simpler in Self.simpler(pick) { add(.get(simpler)) }
    case .cancel(let pick): for simpler in Self.simpler(pick) { add(.cancel(simpler)) }
    case .burst(let pick):
      add(.get(pick))
      for simpler in Self.simpler(pick) { add(.burst(simpler)) }
    case .settle(let pick): for simpler in Self.simpler(pick) { add(.settle(simpler)) }
    case .list(let state, let limit):
      add(.list(state: nil, limit: 500))
      add(.list(state: nil, limit: limit))
      add(.list(state: state, limit: 1))
    case .page(let limit):
      add(.list(state: nil, limit: limit))
      add(.page(limit: 500))
    case .refused: add(.refused(0))
    case .notify: add(.notify(0))
    case .ping, .status, .reconnect, .restart: break
    }
    add(step.action, 0)
    return list
  }

  private static func simpler(_ pick: Pick) -> [Pick] {
    switch pick {
    case .task(0), .unknown(0): []
    case .task(let number): [.task(0), .task(1)].filter { $0 != .task(number) }
    case .unknown: [.unknown(0)]
    }
  }
}
