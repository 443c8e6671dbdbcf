import JSON
import ProtocolSpec

/// Counts what goes well and wrong with the upstreams and says when the system changes its state
/// (`Spec/states/system.yaml`). No I/O and no clock: times are passed in.
struct SystemMonitor: Sendable {
  enum Upstream: String, Sendable {
    case litellm, cloud
  }

  /// Where a success or failure was seen. A cheap probe shows that something listens, a completion
  /// that it works.
  enum Evidence: Sendable {
    case call, cheapProbe, completionProbe
  }

  struct Health: Sendable {
    var failuresInARow = 0
    var goodProbesInARow = 0
    var isHealthy = true
    var checkedAt: Timestamp?
    fileprivate(set) var lastCooldown: Timestamp?
  }

  /// A state that the system came to.
  struct Change: Sendable, Equatable {
    let state: SystemState
    let at: Timestamp
    /// What of, in a few words.
    var cause: String?
  }

  private let litellmThreshold: Int
  private let cloudThreshold: Int
  private let machine: StateMachine<SystemState>
  private let cooldownWindow: Duration
  private let historyLimit: Int

  private(set) var state: SystemState
  private(set) var since: Timestamp
  private(set) var litellm = Health()
  private(set) var cloud = Health()
  /// The states of the system, oldest first; the last is the one it is in.
  private(set) var history: [Change]

  init(spec: Specification, settings: Settings, state: SystemState? = nil, since: Timestamp) {
    machine = spec.systemStates
    litellmThreshold = settings.litellmThreshold
    cloudThreshold = settings.cloudThreshold
    cooldownWindow = spec.failures.policy.cooldownWindow
    historyLimit = spec.limits.systemHistory
    let state = state ?? spec.systemStates.initial
    self.state = state
    self.since = since
    history = [Change(state: state, at: since)]
    if self.state != .normal { litellm.isHealthy = false }
    if self.state == .brainstem { cloud.isHealthy = false }
  }

  /// A validated success. Gives the new state if it changed.
  mutating func succeeded(_ upstream: Upstream, by evidence: Evidence, at time: Timestamp) -> SystemState? {
    update(upstream) { health in
      health.checkedAt = time
      switch evidence {
      // It listens; whether it works, only a completion shows.
      case .cheapProbe where upstream == .litellm: health.isHealthy = health.failuresInARow == 0
      case .cheapProbe, .completionProbe:
        health.goodProbesInARow += 1
        (health.isHealthy, health.failuresInARow) = (true, 0)
      case .call: (health.isHealthy, health.failuresInARow) = (true, 0)
      }
    }
    return recovered(upstream, at: time)
  }

  /// A failed attempt. Gives the new state if it changed.
  ///
  /// - Parameter begun: when the attempt began. One from before the last change of the state tells
  ///   nothing about the time since then: calls that hung through an outage would begin the next one.
  mutating func failed(
    _ upstream: Upstream, _ failure: FailureClass? = nil, counts: FailureCount, begun: Timestamp? = nil,
    at time: Timestamp
  ) -> SystemState? {
    let counts = begun.map { $0 < since } == true ? .never : counts
    let window = cooldownWindow
    var isCounted = counts == .always
    update(upstream) { health in
      health.checkedAt = time
      if counts == .onceAWindow, health.lastCooldown.map({ $0.adding(window) <= time }) ?? true {
        health.lastCooldown = time
        isCounted = true
      }
      guard isCounted else { return }
      health.failuresInARow += 1
      health.goodProbesInARow = 0
      health.isHealthy = false
    }
    guard isCounted else { return nil }
    let cause = failure.map { "\(upstream.rawValue): \($0.rawValue)" } ?? upstream.rawValue
    switch (state, upstream) {
    case (.normal, .litellm) where litellm.failuresInARow >= litellmThreshold:
      cloud = Health()
      return enter(.degraded, cause, at: time)
    case (.degraded, .cloud) where cloud.failuresInARow >= cloudThreshold:
      return enter(.brainstem, cause, at: time)
    default: return nil
    }
  }

  private mutating func recovered(_ upstream: Upstream, at time: Timestamp) -> SystemState? {
    let enough = machine.recoveryProbes
    let cause = "\(upstream.rawValue): answers"
    switch state {
    case .degraded where litellm.goodProbesInARow >= enough: return enter(.normal, cause, at: time)
    case .brainstem where cloud.goodProbesInARow >= enough:
      return enter(litellm.goodProbesInARow >= enough ? .normal : .degraded, cause, at: time)
    default: return nil
    }
  }

  private mutating func enter(_ next: SystemState, _ cause: String, at time: Timestamp) -> SystemState? {
    guard machine.allows(state, next) else { return nil }
    state = next
    since = time
    note(Change(state: next, at: time, cause: cause))
    cloud.goodProbesInARow = 0
    if next != .brainstem { cloud.failuresInARow = 0 }
    if next == .normal || next == .degraded { litellm.goodProbesInARow = 0 }
    return next
  }

  private mutating func note(_ change: Change) {
    history.append(change)
    history.removeFirst(max(history.count - historyLimit, 0))
  }

  private mutating func update(_ upstream: Upstream, _ change: (inout Health) -> Void) {
    switch upstream {
    case .litellm: change(&litellm)
    case .cloud: change(&cloud)
    }
  }
}

// MARK: - From one process to the next

extension SystemMonitor {
  /// Whether something was wrong when it was stored, so that one probe goes before all tasks.
  var isInDoubt: Bool { state != .normal || litellm.failuresInARow > 0 }

  /// What the next process begins with.
  var note: JSONValue {
    [
      "state": .string(state.rawValue), "since": .int(Int(since.milliseconds)), "litellm": litellm.note,
      "cloud": cloud.note,
    ]
  }

  /// Kept apart from the rest, for it is longer and changes less often.
  var historyNote: JSONValue { .array(history.map(\.note)) }

  /// - Parameters:
  ///   - note: of an earlier process; nil if it is none.
  ///   - history: its `historyNote`, if there is one.
  init?(spec: Specification, settings: Settings, note: JSONValue, history: JSONValue? = nil) {
    guard let state = note["state"]?.string.flatMap(SystemState.init(rawValue:)),
      let since = note["since"]?.int
    else { return nil }
    let entered = Timestamp(milliseconds: Int64(since))
    self.init(spec: spec, settings: settings, state: state, since: entered)
    litellm.take(note["litellm"])
    cloud.take(note["cloud"])
    let known = history?.array?.compactMap(Change.init) ?? []
    guard let last = known.last else { return }
    self.history = known.suffix(historyLimit)
    // The last change may not have been written.
    if last.state != state || last.at != entered { self.note(Change(state: state, at: entered)) }
  }
}

extension SystemMonitor.Change {
  /// As `system_status` tells it.
  var json: JSONValue { members(at: .string(at.text)) }

  fileprivate var note: JSONValue { members(at: .int(Int(at.milliseconds))) }

  private func members(at time: JSONValue) -> JSONValue {
    var members = JSONObject([("state", .string(state.rawValue)), ("at", time)])
    members["cause"] = cause.map(JSONValue.string)
    return .object(members)
  }

  fileprivate init?(_ note: JSONValue) {
    guard let state = note["state"]?.string.flatMap(SystemState.init(rawValue:)), let at = note["at"]?.int
    else { return nil }
    self.init(state: state, at: Timestamp(milliseconds: Int64(at)), cause: note["cause"]?.string)
  }
}

extension SystemMonitor.Health {
  fileprivate var note: JSONValue {
    var members = JSONObject([
      ("failures_in_a_row", .int(failuresInARow)), ("good_probes", .int(goodProbesInARow)),
    ])
    members["last_cooldown"] = lastCooldown.map { .int(Int($0.milliseconds)) }
    return .object(members)
  }

  fileprivate mutating func take(_ note: JSONValue?) {
    failuresInARow = note?["failures_in_a_row"]?.int ?? 0
    goodProbesInARow = note?["good_probes"]?.int ?? 0
    lastCooldown = note?["last_cooldown"]?.int.map { Timestamp(milliseconds: Int64($0)) }
    if failuresInARow > 0 { isHealthy = false }
  }
}
