import Diagnostics
import Foundation
import JSON
import ProtocolSpec
import Synchronization
import TestSupport
import Testing
import Transport

@testable import Orchestration
@testable import TaskStore

/// The world outside on simulated time: every call takes a while, and while it is out none succeeds.
private final class World: Sendable {
  struct Calls {
    /// By what was asked, tasks and probes alike.
    var during: [String: Int] = [:]
    var answered: [String: Int] = [:]
    /// How many calls are under way, how many were at most since the last reset, and how many of these
    /// before the first was answered.
    var underWay = 0
    var most = 0
    var mostAtFirst = 0
    var isAnswering = false
  }

  let clock: ManualClock
  /// Calls that began before the outage fail with it.
  let isOut = Mutex(false)
  let calls = Mutex(Calls())
  static let callTime = Duration.milliseconds(200)

  init(_ clock: ManualClock) { self.clock = clock }

  func ask(_ what: String, of name: String) async throws(CallFailure) {
    calls.withLock { calls in
      if isOut.withLock({ $0 }) { calls.during[name, default: 0] += 1 }
      calls.underWay += 1
      calls.most = max(calls.most, calls.underWay)
      if !calls.isAnswering { calls.mostAtFirst = calls.most }
    }
    defer { calls.withLock { $0.underWay -= 1 } }
    try? await clock.sleep(for: Self.callTime)
    guard !Task.isCancelled, !isOut.withLock({ $0 }) else {
      throw CallFailure(name: .gatewayUnreachable, detail: "the world is out")
    }
    calls.withLock { calls in
      calls.answered[what, default: 0] += 1
      if !name.hasPrefix("probe") { calls.isAnswering = true }
    }
  }

  func service(_ name: String) -> Service { Service(world: self, name: name) }

  struct Service: Upstream {
    let world: World
    let name: String

    func complete(
      _ messages: [ChatMessage], model: String, maxTokens: Int?
    ) async throws(CallFailure) -> Completion {
      let what = messages.last?.content ?? ""
      try await world.ask(what, of: what == "ping" ? "probe of \(name)" : name)
      return Completion(text: "done", isTruncated: false)
    }
  }
}

/// The orchestrator as a whole on simulated time.
@Suite("The great outage", .timeLimit(.minutes(10)))
struct OutageTests {
  private static let tasks = 1000
  private static let running = 64

  let folder = URL.temporaryDirectory.appending(path: "outage-\(UUID().uuidString)")
  let clock = ManualClock()
  private let world: World
  let store: TaskStore
  let spec: Specification
  let orchestrator: Orchestrator
  let loop: EventLoop

  init() throws { try self.init(interval: 30) }

  /// - Parameter interval: seconds between two probes.
  private init(interval: Int) throws {
    spec = try Specification.load()
    let environment = [
      "OMNI_ROUTER_MAX_RUNNING": "\(Self.running)", "OMNI_HEALTH_INTERVAL": "\(interval)s",
    ]
    let settings = Settings(
      try Configuration(file: nil, environment: environment, keys: spec.configuration))
    let clock = clock
    let now: @Sendable () -> Timestamp = {
      Timestamp(milliseconds: 1_800_000_000_000).adding(clock.now.offset)
    }
    let world = World(clock)
    self.world = world
    let desk = CreationDesk()
    store = try TaskStore(
      path: folder.appending(path: "omni.db").path, spec: spec, maxUnfinished: 10_000, now: now,
      committed: desk.flush)
    loop = try EventLoop(name: "replies")
    loop.start()
    orchestrator = Orchestrator(
      spec: spec, settings: settings, store: store, readers: try LoopReaders(store, loops: []), desk: desk,
      upstreams: Upstreams(
        litellm: world.service("litellm"), direct: world.service("direct"), local: world.service("local"),
        probeLiteLLM: { () async throws(CallFailure) in
          try await world.ask("readiness", of: "probe of litellm")
        },
        probeCloud: { () async throws(CallFailure) in try await world.ask("cloud", of: "probe of cloud") }),
      log: Log(sink: MemorySink()), version: "0", seed: 1, clock: clock, now: now)
  }

  /// Half of the tasks are for each model, each with a text of its own.
  private func create(_ number: Int) async throws {
    let handler = try #require(orchestrator.handlers["create_task"])
    let word = number.isMultiple(of: 2) ? "implement" : "list"
    let params: JSONObject = ["description": .string("\(word) \(number)"), "wait": false]
    _ = try await withCheckedThrowingContinuation { continuation in
      _ = handler(params, Reply(on: loop, client: 1) { continuation.resume(with: $0) })
    }
  }

  /// Goes on in time until `condition` holds, whenever everybody waits for the time to go on.
  private func advance(
    to limit: ManualClock.Instant = .init(offset: .seconds(3600)), until condition: () async -> Bool
  ) async {
    while await !condition(), clock.now < limit {
      if await orchestrator.isAsleep(clock) { clock.advance(notPast: limit) } else { await Task.yield() }
    }
  }

  @Test("a minute without any upstream: no storm of calls, no task lost, none done twice")
  func outage() async throws {
    world.isOut.withLock { $0 = true }
    try await orchestrator.start()
    // Time stands still: the first call cannot fail before all are queued.
    for number in 0..<Self.tasks { try await create(number) }
    while await orchestrator.known < Self.tasks { await Task.yield() }
    #expect(world.calls.withLock { $0.during["litellm"] ?? 0 } <= Self.running)

    await advance(to: .init(offset: .seconds(60))) { false }
    let calls = world.calls.withLock { $0.during }
    let policy = spec.failures.policy
    let firstTries = Self.running + policy.slowStart
    #expect(calls["litellm", default: 0] <= Self.running + policy.budgetMinimum)
    #expect(calls["direct", default: 0] <= policy.slowStart + policy.budgetMinimum)
    #expect(
      calls["litellm", default: 0] + calls["direct", default: 0] <= firstTries + policy.budgetMinimum)
    // At once and at every interval of 30 seconds, each for what it was in doubt about.
    #expect(calls["probe of litellm", default: 0] <= 3 && calls["probe of cloud", default: 0] <= 3)
    #expect(world.calls.withLock { $0.answered.isEmpty })
    #expect(await orchestrator.monitor.state == .brainstem)
    #expect(store.counts[.waiting] == Self.tasks)

    world.isOut.withLock { $0 = false }
    world.calls.withLock { $0.most = 0 }
    await advance { store.counts[.completed] == Self.tasks }
    #expect(store.counts[.completed] == Self.tasks)
    let answered = world.calls.withLock { $0.answered }
    let words = ["implement", "list"]
    let done = answered.filter { what in words.contains { what.key.hasPrefix($0) } }
    #expect(done.count == Self.tasks && done.values.allSatisfy { $0 == 1 })
    // Probes of both may be under way beside them.
    #expect(world.calls.withLock { $0.mostAtFirst } <= policy.slowStart + 2)
    #expect(world.calls.withLock { $0.most } <= Self.running + 2)
    await end()
  }

  @Test("an ended task is removed when its days are over, and not before")
  func retention() async throws {
    // With few probes, days pass in few steps.
    let month = try OutageTests(interval: 12 * 3600)
    try await month.orchestrator.start()
    try await month.create(0)
    await month.advance { month.store.counts[.completed] == 1 }
    let day = 24 * 3600
    func advance(toHour hour: Int) async {
      await month.advance(to: .init(offset: .seconds(30 * day + hour * 3600))) { false }
    }
    await advance(toHour: -1)
    // The newest is kept in any case.
    try await month.create(1)
    #expect(month.store.counts[.completed] == 1)
    await advance(toHour: 2)
    await month.advance(to: .init(offset: .seconds(31 * day))) { month.store.counts[.completed] == 1 }
    let left = try await month.store.rows(in: .completed)
    #expect(try await month.store.task(left.first?.id ?? "")?.description == "list 1")
    #expect(left.count == 1)
    await month.end()
    await end()
  }

  private func end() async {
    await orchestrator.drain(limit: .zero)
    loop.stop()
    try? FileManager.default.removeItem(at: folder)
  }
}

extension Orchestrator {
  /// How many tasks it has taken over, whatever became of them.
  fileprivate var known: Int { queue.count + running.count }

  /// Whether everything it does waits for the clock: each task that runs, the two loops, and the wake-up.
  /// What its turns on the actor begin, they begin before this one's.
  fileprivate func isAsleep(_ clock: ManualClock) -> Bool {
    clock.sleepers >= running.count + 2 + (wakeUp == nil ? 0 : 1)
  }
}
