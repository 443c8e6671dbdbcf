import Diagnostics
import Foundation
import JSON
import ProtocolSpec
import TaskStore
import Testing
import Transport

@testable import Orchestration

/// The orchestrator with a store of its own, draining from the beginning, so that nothing is
/// dispatched and what is queued can be looked at.
@Suite("Waiting tasks")
struct WakingTests {
  let folder = URL.temporaryDirectory.appending(path: "waking-\(UUID().uuidString)")
  let store: TaskStore
  let orchestrator: Orchestrator

  init() async throws {
    let spec = try Specification.load()
    let settings = Settings(try Configuration(file: nil, environment: [:], keys: spec.configuration))
    store = try TaskStore(path: folder.appending(path: "omni.db").path, spec: spec, maxUnfinished: 100)
    let client = HTTPClient(loop: try EventLoop(name: "unused"))
    orchestrator = Orchestrator(
      spec: spec, settings: settings, store: store,
      upstreams: Upstreams(settings: settings, spec: spec, client: client),
      log: Log(sink: MemorySink()), version: "0", seed: 1)
    await orchestrator.drain(limit: .zero)
  }

  /// A stored task in `state`.
  func task(_ state: TaskState, wakeAt: Timestamp? = nil) async throws -> String {
    let id = UUID().uuidString
    _ = try await store.create(
      NewTask(id: id, description: "x", type: "general", executor: "e", model: "m", complexity: 50))
    var change = TaskChange()
    change.wakeAt = wakeAt
    _ = try await store.transition(id, to: .dispatching)
    _ = try await store.transition(id, to: state, change)
    return id
  }

  @Test("a task that is created while others are woken stays queued, behind them")
  func keepsTheQueue() async throws {
    let first = try await task(.waiting)
    let second = try await task(.waiting)
    await orchestrator.enqueue("created")
    await orchestrator.wakeWaiting()
    #expect(await orchestrator.queue == [first, second, "created"])
    try? FileManager.default.removeItem(at: folder)
  }

  @Test("a task that is suspended after the cloud came back is woken at once")
  func wakesTheLate() async throws {
    let id = try await task(.executing)
    try await orchestrator.suspend(id, message: "late", wakeAt: nil)
    #expect(try await store.task(id)?.state == .idle)
    #expect(await orchestrator.queue == [id])
    try? FileManager.default.removeItem(at: folder)
  }

  @Test("a stored time that comes after an outage is waited for when the outage ends")
  func waitsForTheTime() async throws {
    let id = try await task(.waiting, wakeAt: .now().adding(.seconds(3600)))
    await orchestrator.resume()
    await orchestrator.entered(.normal)
    #expect(await orchestrator.wakeUp != nil)
    #expect(try await store.task(id)?.state == .waiting)
    await orchestrator.drain(limit: .zero)
    try? FileManager.default.removeItem(at: folder)
  }
}

extension Orchestrator {
  fileprivate func enqueue(_ id: String) { queue.append(id) }
  fileprivate func resume() { isDraining = false }
}
