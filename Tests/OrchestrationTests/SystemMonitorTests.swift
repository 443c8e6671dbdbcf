import JSON
import ProtocolSpec
import Testing

@testable import Orchestration

@Suite("The state of the system")
struct SystemMonitorTests {
  enum Event {
    case call(SystemMonitor.Upstream, Bool)
    case cheapProbe(SystemMonitor.Upstream, Bool)
    case completionProbe(Bool)
    case cooldown
    case refusedRequest
  }

  let spec: Specification
  let settings: Settings

  init() throws {
    spec = try Specification.load()
    settings = Settings(try Configuration(file: nil, environment: [:], keys: spec.configuration))
  }

  /// The states after each event, a second apart.
  func states(_ events: [Event], from state: SystemState = .normal) -> [SystemState] {
    var monitor = SystemMonitor(
      spec: spec, settings: settings, state: state, since: Timestamp(milliseconds: 0))
    return events.enumerated().map { number, event in
      let time = Timestamp(milliseconds: Int64(number) * 1000)
      switch event {
      case .call(let upstream, true): _ = monitor.succeeded(upstream, by: .call, at: time)
      case .call(let upstream, false): _ = monitor.failed(upstream, counts: .always, at: time)
      case .cheapProbe(let upstream, true): _ = monitor.succeeded(upstream, by: .cheapProbe, at: time)
      case .cheapProbe(let upstream, false): _ = monitor.failed(upstream, counts: .always, at: time)
      case .completionProbe(true): _ = monitor.succeeded(.litellm, by: .completionProbe, at: time)
      case .completionProbe(false): _ = monitor.failed(.litellm, counts: .always, at: time)
      case .cooldown: _ = monitor.failed(.litellm, counts: .onceAWindow, at: time)
      case .refusedRequest: _ = monitor.failed(.litellm, counts: .never, at: time)
      }
      return monitor.state
    }
  }

  @Test("two failures in a row turn it degraded, of calls and probes alike")
  func degraded() {
    #expect(states([.call(.litellm, false), .call(.litellm, false)]).last == .degraded)
    #expect(states([.cheapProbe(.litellm, false), .call(.litellm, false)]).last == .degraded)
    #expect(states([.call(.litellm, false), .call(.litellm, true), .call(.litellm, false)]).last == .normal)
  }

  @Test("a good cheap probe between two failures changes nothing")
  func cheapProbe() {
    #expect(
      states([.call(.litellm, false), .cheapProbe(.litellm, true), .call(.litellm, false)]).last == .degraded)
  }

  @Test("a refused request does not count, a cooldown counts once in its window")
  func counting() {
    #expect(states(Array(repeating: .refusedRequest, count: 9)).last == .normal)
    #expect(states(Array(repeating: .cooldown, count: 5)).last == .normal)
    #expect(states(Array(repeating: .cooldown, count: 6)).last == .degraded)
  }

  @Test("two good completions in a row bring LiteLLM back, one between failures does not")
  func recovery() {
    #expect(states([.completionProbe(true), .completionProbe(true)], from: .degraded).last == .normal)
    #expect(
      states([.completionProbe(true), .completionProbe(false), .completionProbe(true)], from: .degraded).last
        == .degraded)
  }

  @Test("cloud failures count while degraded only, three turn it brainstem")
  func brainstem() {
    let three = Array(repeating: Event.call(.cloud, false), count: 3)
    #expect(states(three, from: .degraded) == [.degraded, .degraded, .brainstem])
    #expect(states(three, from: .normal).last == .normal)
    #expect(
      states(
        [.call(.cloud, false), .call(.cloud, false), .call(.cloud, true), .call(.cloud, false)],
        from: .degraded
      )
      .last == .degraded)
  }

  @Test("brainstem is left to degraded, or to normal where LiteLLM is good too")
  func leavingBrainstem() {
    #expect(
      states([.cheapProbe(.cloud, true), .cheapProbe(.cloud, true)], from: .brainstem).last == .degraded)
    #expect(
      states(
        [
          .completionProbe(true), .cheapProbe(.cloud, true), .completionProbe(true),
          .cheapProbe(.cloud, true),
        ],
        from: .brainstem
      ).last == .normal)
    #expect(
      states(
        [.cheapProbe(.cloud, true), .cheapProbe(.cloud, false), .cheapProbe(.cloud, true)], from: .brainstem
      )
      .last == .brainstem)
  }

  @Test("an upstream that works and fails in turn neither recovers nor is given up")
  func flapping() {
    let turns = (0..<40).map { Event.completionProbe($0.isMultiple(of: 2)) }
    #expect(Set(states(turns, from: .degraded)) == [.degraded])
    let calls = (0..<40).map { Event.call(.litellm, $0.isMultiple(of: 2)) }
    #expect(Set(states(calls)) == [.normal])
    let cloud = (0..<40).map { Event.call(.cloud, $0 % 3 == 2) }
    #expect(Set(states(cloud, from: .degraded)) == [.degraded])
  }

  @Test("a good call does not bring LiteLLM back, nor does a good cheap probe")
  func halfOpen() {
    #expect(states([.call(.litellm, true), .call(.litellm, true)], from: .degraded).last == .degraded)
    #expect(
      states([.cheapProbe(.litellm, true), .cheapProbe(.litellm, true)], from: .degraded).last == .degraded)
  }

  func monitor(_ state: SystemState = .normal) -> SystemMonitor {
    SystemMonitor(spec: spec, settings: settings, state: state, since: Timestamp(milliseconds: 0))
  }

  @Test("what was called before the last change of the state counts no more")
  func lateFailures() {
    var monitor = monitor(.degraded)
    let begun = Timestamp(milliseconds: 500)
    let later = Timestamp(milliseconds: 1000)
    for _ in 0..<2 { _ = monitor.succeeded(.litellm, by: .completionProbe, at: later) }
    #expect(monitor.state == .normal)
    for _ in 0..<9 { _ = monitor.failed(.litellm, counts: .always, begun: begun, at: later) }
    #expect(monitor.state == .normal)
    #expect(monitor.litellm.failuresInARow == 0)
    for _ in 0..<2 { _ = monitor.failed(.litellm, counts: .always, begun: later, at: later) }
    #expect(monitor.state == .degraded)
  }

  @Test("the history has the last changes, and the next process goes on with it")
  func history() throws {
    var before = monitor()
    for turn in 0..<40 {
      let time = Timestamp(milliseconds: Int64(turn + 1) * 1000)
      for _ in 0..<2 { _ = before.failed(.litellm, .timeout, counts: .always, at: time) }
      for _ in 0..<2 { _ = before.succeeded(.litellm, by: .completionProbe, at: time) }
    }
    #expect(before.history.count == spec.limits.systemHistory)
    #expect(before.history.suffix(2).map(\.cause) == ["litellm: timeout", "litellm: answers"])
    #expect(before.history.last?.state == .normal && before.history.last?.at == before.since)
    var after = try #require(
      SystemMonitor(spec: spec, settings: settings, note: before.note, history: before.historyNote))
    #expect(after.history == before.history)
    // A change that was written, and its place in the history not.
    let kept = before.historyNote
    for _ in 0..<2 { _ = before.failed(.litellm, counts: .always, at: Timestamp(milliseconds: 99_000)) }
    after = try #require(SystemMonitor(spec: spec, settings: settings, note: before.note, history: kept))
    #expect(after.history.last == SystemMonitor.Change(state: .degraded, at: before.since))
    #expect(after.history.count == spec.limits.systemHistory)
    for strange: JSONValue? in [nil, "old", [["state": "lost", "at": 1]]] {
      after = try #require(SystemMonitor(spec: spec, settings: settings, note: before.note, history: strange))
      #expect(after.history == [SystemMonitor.Change(state: .degraded, at: before.since)])
    }
  }

  @Test("the next process goes on counting where this one ended")
  func restart() throws {
    var before = monitor(.degraded)
    let time = Timestamp(milliseconds: 1000)
    _ = before.succeeded(.litellm, by: .completionProbe, at: time)
    for _ in 0..<2 { _ = before.failed(.cloud, counts: .always, at: time) }
    var after = try #require(SystemMonitor(spec: spec, settings: settings, note: before.note))
    #expect(after.note == before.note)
    #expect(after.isInDoubt)
    #expect(after.failed(.cloud, counts: .always, at: time) == .brainstem)

    var resting = monitor()
    _ = resting.failed(.litellm, counts: .onceAWindow, at: time)
    after = try #require(SystemMonitor(spec: spec, settings: settings, note: resting.note))
    #expect(after.failed(.litellm, counts: .onceAWindow, at: time.adding(.seconds(1))) == nil)
    #expect(after.failed(.litellm, counts: .onceAWindow, at: time.adding(.seconds(5))) == .degraded)

    #expect(SystemMonitor(spec: spec, settings: settings, note: "old") == nil)
    #expect(SystemMonitor(spec: spec, settings: settings, note: ["state": "lost", "since": 1]) == nil)
  }
}
