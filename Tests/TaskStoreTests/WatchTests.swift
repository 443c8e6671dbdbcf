import Foundation
import JSON
import ProtocolSpec
import Synchronization
import Testing

@testable import TaskStore

/// Remembers what it is told, as words: the description and the state of each step.
private final class Witness: CommitWatch {
  let wantsSteps: Bool
  private let told = Mutex<(steps: [StoredTask], news: Int)>(([], 0))

  init(wantsSteps: Bool = true) { self.wantsSteps = wantsSteps }

  func committed(_ changes: CommittedChanges) {
    told.withLock { told in
      told.steps += changes.steps
      told.news += changes.hasNewTasks ? 1 : 0
    }
  }

  var steps: [StoredTask] { told.withLock { $0.steps } }
  var words: [String] { steps.map { "\($0.description) \($0.state.rawValue)" } }
  var news: Int { told.withLock { $0.news } }
}

@Suite("Who watches the commits of the store")
struct WatchTests {
  private let witness = Witness()
  private let folder = URL.temporaryDirectory.appending(path: "watch-\(UUID().uuidString)")

  private func store(_ watch: Witness) throws -> TaskStore {
    try TaskStore(
      path: folder.appending(path: "omni.db").path, spec: Specification.load(), maxUnfinished: 3, watch: watch
    )
  }

  /// Returns when the watch has been told of everything before.
  private func settle(_ store: TaskStore) async throws {
    try await withCheckedThrowingContinuation { continuation in
      store.settle { continuation.resume(with: $0) }
    }
  }

  private func remove() { try? FileManager.default.removeItem(at: folder) }

  @Test("every step of a task is told once and in order, those that pass at once as well")
  func steps() async throws {
    let store = try store(witness)
    let id = try #require(try await store.create(newTask("a")).task).id
    _ = try await store.move(id) { _ in
      var change = TaskChange()
      (change.executor, change.model) = ("direct", "large")
      return TaskMove(along: [.dispatching, .executing], change)
    }
    var change = TaskChange()
    change.result = "done"
    let ended = try await store.transition(id, to: .completed, change)
    _ = try await store.create(newTask("b"), isSuspended: true)
    try await settle(store)
    #expect(
      witness.words == ["a idle", "a dispatching", "a executing", "a completed", "b idle", "b waiting"])
    #expect(witness.steps.prefix(4).map(\.model) == ["small", "small", "large", "large"])
    #expect(witness.steps.prefix(4).map(\.result) == [nil, nil, nil, "done"])
    guard case .done(let task) = ended else { throw StoreError(description: "it did not end") }
    #expect(witness.steps[3].json == task.json)
    #expect(witness.news == 2)
    remove()
  }

  @Test("what ends in a step is not to be seen in those before it")
  func failing() async throws {
    let store = try store(witness)
    let id = try #require(try await store.create(newTask("a")).task).id
    _ = try await store.move(id) { _ in
      var change = TaskChange()
      change.error = "attempts_exhausted: 5 attempts"
      return TaskMove(along: [.dispatching, .failed], change)
    }
    try await settle(store)
    #expect(witness.words == ["a idle", "a dispatching", "a failed"])
    #expect(witness.steps.map(\.error) == [nil, nil, "attempts_exhausted: 5 attempts"])
    remove()
  }

  @Test("tasks that are moved together are told oldest first, as a read shows them")
  func together() async throws {
    let store = try store(witness)
    var ids: [String] = []
    for name in ["a", "b", "c"] {
      ids.append(try #require(try await store.create(newTask(name), isSuspended: true).task).id)
    }
    try await store.transitionAll(from: .waiting, to: .idle, attempts: 1)
    try await settle(store)
    #expect(witness.words.suffix(3) == ["a idle", "b idle", "c idle"])
    for (step, id) in zip(witness.steps.suffix(3), ids) {
      #expect(step.json == (try await store.task(id))?.json)
    }
    remove()
  }

  @Test("what changes nothing is not told")
  func nothing() async throws {
    let store = try store(witness)
    let id = try #require(try await store.create(newTask("a", key: "k")).task).id
    _ = try await store.create(newTask("a", key: "k"))
    _ = try await store.create(newTask("other", key: "k"))
    _ = try await store.transition(id, to: .completed)
    _ = try await store.transition("unknown", to: .cancelled)
    try await store.transitionAll(from: .waiting, to: .idle)
    try await store.remember("x", as: "note")
    try await settle(store)
    #expect(witness.words == ["a idle"])
    remove()
  }

  @Test("who wants no steps is told of new tasks alone")
  func newTasks() async throws {
    let witness = Witness(wantsSteps: false)
    let store = try store(witness)
    let id = try #require(try await store.create(newTask("a")).task).id
    _ = try await store.transition(id, to: .cancelled)
    try await settle(store)
    #expect(witness.words == [])
    #expect(witness.news == 1)
    remove()
  }
}
