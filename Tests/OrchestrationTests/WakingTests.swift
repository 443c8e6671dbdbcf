import Diagnostics
import Foundation
import JSON
import ProtocolSpec
import Testing
import Transport

@testable import Orchestration
@testable import TaskStore

/// The orchestrator with a store of its own, draining from the beginning, so that nothing is
/// dispatched and what is queued can be looked at.
@Suite("Waiting tasks")
struct WakingTests {
  let folder = URL.temporaryDirectory.appending(path: "waking-\(UUID().uuidString)")
  let store: TaskStore
  let desk = CreationDesk()
  /// Never started: nobody is called.
  let loop: EventLoop
  let orchestrator: Orchestrator

  init() async throws {
    let spec = try Specification.load()
    let settings = Settings(try Configuration(file: nil, environment: [:], keys: spec.configuration))
    store = try TaskStore(
      path: folder.appending(path: "omni.db").path, spec: spec, maxUnfinished: 100,
      committed: desk.flush)
    loop = try EventLoop(name: "unused")
    let client = HTTPClient(loop: loop)
    orchestrator = Orchestrator(
      spec: spec, settings: settings, store: store, readers: try LoopReaders(store, loops: []), desk: desk,
      upstreams: Upstreams(settings: settings, spec: spec, client: client),
      log: Log(sink: MemorySink()), version: "0", seed: 1)
    await orchestrator.drain(limit: .zero)
  }

  /// A stored task in `state`.
  func task(_ state: TaskState, wakeAt: Timestamp? = nil) async throws -> String {
    let id = try await idleTask()
    var change = TaskChange()
    change.wakeAt = wakeAt
    _ = try await store.transition(id, to: .dispatching)
    _ = try await store.transition(id, to: state, change)
    return id
  }

  @Test("a task that is created while others are woken stays queued, and takes turns with them")
  func keepsTheQueue() async throws {
    let first = try await task(.waiting)
    let second = try await task(.waiting)
    await orchestrator.enqueue("created")
    await orchestrator.wakeWaiting()
    #expect(await orchestrator.queued == ["created", first, second])
    remove()
  }

  @Test("a task that is suspended after the cloud came back is woken at once")
  func wakesTheLate() async throws {
    let id = try await task(.executing)
    try await orchestrator.suspend(id, message: "late", wakeAt: nil)
    #expect(try await store.task(id)?.state == .idle)
    #expect(await orchestrator.queued == [id])
    remove()
  }

  @Test("a stored time that comes after an outage is waited for when the outage ends")
  func waitsForTheTime() async throws {
    let id = try await task(.waiting, wakeAt: .now().adding(.seconds(3600)))
    await orchestrator.resume()
    await orchestrator.entered(.normal)
    #expect(await orchestrator.wakeUp != nil)
    #expect(try await store.task(id)?.state == .waiting)
    await orchestrator.drain(limit: .zero)
    remove()
  }
}

/// What becomes of tasks where nothing could do them; without a backup key that is so in `degraded`.
@Suite("Tasks without an upstream")
struct SuspensionTests {
  let fixture: WakingTests

  init() async throws {
    fixture = try await WakingTests()
    await fixture.orchestrator.resume()
    await fixture.orchestrator.see(.degraded)
  }

  var store: TaskStore { fixture.store }
  var orchestrator: Orchestrator { fixture.orchestrator }

  /// Keeps the writer of the store busy until the result is signalled.
  func block() -> DispatchSemaphore {
    let gate = DispatchSemaphore(value: 0)
    store.writer.perform({ _ in gate.wait() }, completion: { _ in })
    return gate
  }

  func states(_ ids: [String]) async throws -> [TaskState?] {
    var states: [TaskState?] = []
    for id in ids { states.append(try await store.task(id)?.state) }
    return states
  }

  @Test("what is queued is suspended in one transaction, but not what was cancelled")
  func together() async throws {
    var ids: [String] = []
    for _ in 0..<10 { ids.append(try await fixture.idleTask()) }
    _ = try await store.transition(ids[3], to: .cancelled)
    for id in ids { await orchestrator.enqueue(id) }
    let before = store.writer.commits.now
    await orchestrator.pump()
    #expect(store.writer.commits.now == before + 1)
    var expected: [TaskState?] = Array(repeating: .waiting, count: 10)
    expected[3] = .cancelled
    #expect(try await states(ids) == expected)
    #expect(await orchestrator.queue.isEmpty)
    fixture.remove()
  }

  @Test("who waits for a task that is suspended with others is told")
  func waiters() async throws {
    let id = try await fixture.idleTask()
    async let told = orchestrator.ending(of: id)
    while await orchestrator.waiters[id] == nil { await Task.yield() }
    await orchestrator.enqueue(id)
    await orchestrator.pump()
    #expect(try await told["status"] == "suspended")
    #expect(try await told["message"] == "LiteLLM unavailable, task suspended")
    fixture.remove()
  }

  @Test("an upstream that comes back while tasks are suspended wakes them all the same")
  func lostWakeUp() async throws {
    let ids = [try await fixture.idleTask(), try await fixture.idleTask()]
    for id in ids { await orchestrator.enqueue(id) }
    let gate = block()
    async let pumped: Void = orchestrator.pump()
    while await !orchestrator.isSuspending { await Task.yield() }
    // It woke who waited, which was nobody yet. Draining, so that nothing is dispatched.
    await orchestrator.see(.normal)
    await orchestrator.stopTaking()
    gate.signal()
    await pumped
    #expect(try await states(ids) == [.idle, .idle])
    #expect(await orchestrator.queued == ids)
    fixture.remove()
  }

  @Test("tasks queued while others are suspended are suspended after them")
  func later() async throws {
    let first = try await fixture.idleTask()
    await orchestrator.enqueue(first)
    let gate = block()
    async let pumped: Void = orchestrator.pump()
    while await !orchestrator.isSuspending { await Task.yield() }
    async let created = store.create(fixture.newTask)
    gate.signal()
    guard case .created(let second) = try await created else { throw NotCreated() }
    await orchestrator.take([CreationDesk.Created(task: queuedTask(second.id), isSuspended: false)])
    await pumped
    while await orchestrator.isSuspending { await Task.yield() }
    #expect(try await states([first, second.id]) == [.waiting, .waiting])
    #expect(await orchestrator.queue.isEmpty)
    fixture.remove()
  }

  @Test("a task created in an outage is suspended with the row it is created by")
  func atOnce() async throws {
    let before = store.writer.commits.now
    let created = try await create(["description": "x", "wait": false])
    #expect(created["status"] == "idle")
    let id = try #require(created["task_id"]?.string)
    #expect(try await states([id]) == [.waiting])
    #expect(store.writer.commits.now == before + 1)
    #expect(try await create(["description": "x"])["status"] == "suspended")
    #expect(store.writer.commits.now == before + 2)
    fixture.remove()
  }

  @Test("a task that was suspended at once is woken if the upstream is back when that is known")
  func atOnceTooLate() async throws {
    let created = try await create(["description": "x", "wait": false])
    let id = try #require(created["task_id"]?.string)
    await orchestrator.see(.normal)
    await orchestrator.stopTaking()
    var news = fixture.desk.news.makeAsyncIterator()
    await orchestrator.take(try #require(await news.next()))
    #expect(try await states([id]) == [.idle])
    #expect(await orchestrator.queued == [id])
    fixture.remove()
  }

  @Test("a drain refuses new tasks")
  func draining() async throws {
    await orchestrator.stopTaking()
    for wait: JSONValue in [false, true] {
      await #expect(throws: orchestrator.spec.errors.fault(.shuttingDown)) {
        try await create(["description": "x", "wait": wait])
      }
    }
    fixture.remove()
  }

  func create(_ params: JSONObject) async throws -> JSONValue {
    let handler = try #require(orchestrator.handlers["create_task"])
    let loop = try EventLoop(name: "replies")
    loop.start()
    defer { loop.stop() }
    return try await withCheckedThrowingContinuation { continuation in
      _ = handler(params, Reply(on: loop) { continuation.resume(with: $0) })
    }
  }
}

struct NotCreated: Error {}

/// A task of a client of its own.
private func queuedTask(_ id: String) -> QueuedTask { QueuedTask(id: id, lane: .model("m"), client: 1) }

extension WakingTests {
  var newTask: NewTask {
    NewTask(description: "x", type: "general", executor: "e", model: "m", complexity: 50)
  }

  func idleTask() async throws -> String {
    guard case .created(let task) = try await store.create(newTask) else { throw NotCreated() }
    return task.id
  }

  func remove() {
    loop.stop()
    try? FileManager.default.removeItem(at: folder)
  }
}

extension Orchestrator {
  /// As if the system were in this state, without what entering it does.
  fileprivate func see(_ state: SystemState) {
    monitor = SystemMonitor(spec: spec, settings: settings, state: state, since: .now())
  }

  fileprivate func stopTaking() { isDraining = true }
  fileprivate func enqueue(_ id: String) { queue.append(queuedTask(id)) }
  fileprivate var queued: [String] { queue.inOrder.map(\.id) }
  fileprivate func resume() { isDraining = false }
}
