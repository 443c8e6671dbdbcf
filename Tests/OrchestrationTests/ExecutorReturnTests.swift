import ProtocolSpec
import Testing

@testable import Orchestration
@testable import TaskStore

@Suite("Tasks that wait for an executor")
struct ExecutorReturnTests {
  @Test("its return queues those that are suspended, oldest first, and leaves those that run already")
  func isBack() async throws {
    let fixture = try await WakingTests()
    let later = Timestamp.now().adding(.seconds(3600))
    let first = try await fixture.task(.waiting, wakeAt: later)
    let running = try await fixture.task(.executing)
    let second = try await fixture.task(.waiting, wakeAt: later)
    await fixture.orchestrator.wait([second, running, first, "gone"], for: "openclaw")
    await fixture.orchestrator.executorIsBack("openclaw")
    #expect(await fixture.orchestrator.queue.inOrder.map(\.id) == [first, second])
    #expect(try await fixture.store.task(first)?.state == .idle)
    #expect(try await fixture.store.task(running)?.state == .executing)
    #expect(await fixture.orchestrator.waitingForExecutor.isEmpty)
    fixture.remove()
  }
}

extension Orchestrator {
  fileprivate func wait(_ ids: Set<String>, for executor: String) { waitingForExecutor[executor] = ids }
}
