import Diagnostics
import Foundation
import JSON
import ProtocolSpec
import Synchronization
import Testing
import Transport
import Wire

@testable import Orchestration
@testable import TaskStore

@Suite("A start in doubt")
struct StartTests {
  /// LiteLLM as a service that answers when it is told to.
  final class Gateway: Sendable {
    private let held = Mutex<[HTTPExchange]>([])
    let arrivals: AsyncStream<String>
    private let arrived: AsyncStream<String>.Continuation

    init() { (arrivals, arrived) = AsyncStream.makeStream() }

    func serve(_ exchange: HTTPExchange) {
      held.withLock { $0.append(exchange) }
      arrived.yield(exchange.request.head.target)
    }

    /// Answers what came first.
    func answer(status: Int, _ text: String) {
      let exchange = held.withLock { $0.removeFirst() }
      exchange.loop.run { exchange.respond(status: status, text: text) }
    }
  }

  static let completion = #"{"choices":[{"message":{"content":"done"},"finish_reason":"stop"}]}"#

  /// An orchestrator with one task, begun with what an earlier process noted.
  func withOrchestrator(
    _ note: JSONValue, _ body: (Orchestrator, String, Gateway) async throws -> Void
  ) async throws {
    let folder = URL.temporaryDirectory.appending(path: "start-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let gateway = Gateway()
    let spec = try Specification.load()
    try await withService(gateway.serve) { client, url in
      let environment = [
        "LITELLM_URL": url, "DIRECT_API_URL": url, "GITHUB_LITELLM_KEY": "k", "OMNI_HEALTH_INTERVAL": "1h",
        "OMNI_LITE_LLM_TIMEOUT": "60s",
      ]
      let settings = Settings(
        try Configuration(file: nil, environment: environment, keys: spec.configuration))
      let desk = CreationDesk()
      let store = try TaskStore(
        path: folder.appending(path: "omni.db").path, spec: spec, maxUnfinished: 100, committed: desk.flush)
      try await store.remember(note, as: Orchestrator.systemNote)
      let created = try await store.create(
        NewTask(description: "x", type: "general", executor: "e", model: "m", complexity: 50))
      guard case .created(let task) = created else { throw NotCreated() }
      let orchestrator = Orchestrator(
        spec: spec, settings: settings, store: store, readers: try LoopReaders(store, loops: []), desk: desk,
        upstreams: Upstreams(settings: settings, spec: spec, client: client),
        log: Log(sink: MemorySink()), version: "0", seed: 1)
      try await orchestrator.start()
      try await body(orchestrator, task.id, gateway)
      await orchestrator.drain(limit: .zero)
    }
  }

  @Test("sends one probe before any task")
  func probeFirst() async throws {
    let note: JSONValue = ["state": "normal", "since": 1, "litellm": ["failures_in_a_row": 1]]
    try await withOrchestrator(note) { orchestrator, id, gateway in
      var arrivals = gateway.arrivals.makeAsyncIterator()
      #expect(await arrivals.next() == "/health/readiness")
      await orchestrator.pump()
      #expect(await orchestrator.running.isEmpty)
      #expect(await orchestrator.queue.inOrder.map(\.id) == [id])
      gateway.answer(status: 200, "{}")
      #expect(await arrivals.next() == "/v1/chat/completions")
      gateway.answer(status: 200, Self.completion)
      await orchestrator.ended(id)
      let task = try await orchestrator.store.task(id)
      #expect(task?.result == "done")
    }
  }

  @Test("turns to the direct API if that probe shows that LiteLLM is lost")
  func probeFails() async throws {
    let note: JSONValue = ["state": "normal", "since": 1, "litellm": ["failures_in_a_row": 1]]
    try await withOrchestrator(note) { orchestrator, id, gateway in
      var arrivals = gateway.arrivals.makeAsyncIterator()
      #expect(await arrivals.next() == "/health/readiness")
      gateway.answer(status: 503, "")
      #expect(await arrivals.next() == "/v1/messages")
      gateway.answer(status: 200, #"{"content":[{"type":"text","text":"direct"}],"stop_reason":"end_turn"}"#)
      await orchestrator.ended(id)
      let task = try await orchestrator.store.task(id)
      #expect(task?.result == "direct")
      #expect(await orchestrator.monitor.state == .degraded)
      let stored = try await orchestrator.store.recall(Orchestrator.systemNote)
      #expect(stored?["state"] == "degraded")
    }
  }
}

extension Orchestrator {
  /// Returns when the task does not run any more.
  fileprivate func ended(_ id: String) async {
    await running[id]?.value
  }
}
