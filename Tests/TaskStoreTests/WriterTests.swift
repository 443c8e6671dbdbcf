import Foundation
import JSON
import ProtocolSpec
import Synchronization
import Testing

@testable import TaskStore

/// Numbers that are the same in every run (SplitMix64).
private struct Numbers: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}

/// What happened, in order.
private final class Events: Sendable {
  private let events = Mutex<[String]>([])

  var all: [String] { events.withLock { $0 } }

  /// Gives how many there are now.
  @discardableResult
  func add(_ event: String) -> Int {
    events.withLock {
      $0.append(event)
      return $0.count
    }
  }
}

extension StoreFixture {
  /// The tasks in each state as SQL counts them.
  func counted() throws -> [TaskState: Int] {
    let connection = try SQLiteConnection(path: folder.appending(path: "omni.db").path, isReadOnly: true)
    var counts = Dictionary(uniqueKeysWithValues: TaskState.allCases.map { ($0, 0) })
    try connection.statement("SELECT state, count(*) FROM tasks GROUP BY state").step([]) { row in
      if let state = row.text(0).flatMap(TaskState.init(rawValue:)) { counts[state] = Int(row.number(1)) }
      return true
    }
    return counts
  }
}

extension TaskStore {
  /// Lets `body` ask the writer for things that then share a transaction.
  func together(_ body: () -> Void) {
    let gate = DispatchSemaphore(value: 0)
    let isReached = DispatchSemaphore(value: 0)
    writer.perform(
      { _ in
        isReached.signal()
        gate.wait()
      }, completion: { _ in })
    isReached.wait()
    body()
    gate.signal()
  }
}

@Suite("The writer")
struct WriterTests {
  @Test("counts in memory what SQL would count, whatever happens", arguments: [1, 2, 3] as [UInt64])
  func counts(seed: UInt64) async throws {
    let fixture = try StoreFixture(maxUnfinished: 40)
    let store = fixture.store
    var numbers = Numbers(state: seed)
    var ids: [String] = ["nobody"]
    for step in 0..<400 {
      let id = ids.randomElement(using: &numbers) ?? ""
      let state = TaskState.allCases.randomElement(using: &numbers) ?? .idle
      switch Int.random(in: 0..<12, using: &numbers) {
      case 0..<5:
        let key = Bool.random(using: &numbers) ? "key \(Int.random(in: 0..<30, using: &numbers))" : nil
        let suspended = Bool.random(using: &numbers)
        let text = Bool.random(using: &numbers) ? "a" : "b"
        if let task = try await store.create(newTask(text, key: key), isSuspended: suspended).task {
          ids.append(task.id)
        }
      case 5..<9: _ = try await store.transition(id, to: state)
      case 9: _ = try await store.move(id) { _ in TaskMove(along: [.dispatching, state], TaskChange()) }
      case 10:
        if fixture.spec.taskStates.allows(.idle, state) {
          try await store.transitionAll(from: .idle, to: state)
        } else {
          try await store.transitionAll(from: .waiting, to: .idle, dueOnly: true)
        }
      default: _ = try await store.removeEnded(before: .now().adding(.seconds(1)))
      }
      if step % 20 == 19 { #expect(store.counts == (try fixture.counted())) }
    }
    #expect(try fixture.reopened().counts == store.counts)
  }

  @Test("does steps that belong together as one, and only if all are allowed")
  func moves() async throws {
    let fixture = try StoreFixture()
    let task = try #require(try await fixture.store.create(newTask()).task)
    let before = fixture.store.writer.commits.now
    guard
      case .refused(let kept) = try await fixture.store.move(
        task.id, { _ in TaskMove(along: [.dispatching, .completed], TaskChange()) })
    else {
      Issue.record("dispatching → completed is not allowed and was done")
      return
    }
    #expect(kept.state == .idle)
    guard
      case .done(let moved) = try await fixture.store.move(
        task.id, { _ in TaskMove(along: [.dispatching, .executing], TaskChange()) })
    else {
      Issue.record("idle → dispatching → executing is allowed and was refused")
      return
    }
    #expect(moved.state == .executing)
    #expect(fixture.store.writer.commits.now == before + 2)
  }

  @Test("a task that is suspended at once is never idle on disk, and wakes like others")
  func suspended() async throws {
    let fixture = try StoreFixture()
    let task = try #require(try await fixture.store.create(newTask(), isSuspended: true).task)
    #expect(try await fixture.store.task(task.id)?.state == .waiting)
    #expect(
      try await fixture.store.transitionAll(from: .waiting, to: .idle, dueOnly: true) == [TaskRow(task)])
  }

  @Test("a full disk fails everything of the transaction, and leaves nothing of it behind")
  func fullDisk() async throws {
    let fixture = try StoreFixture()
    let store = fixture.store
    _ = try await store.create(newTask("before"))
    func limit(pages: Int) async throws {
      try await store.writer.perform { table throws(StoreError) in
        try table.connection.execute("PRAGMA max_page_count = \(pages)")
      }
    }
    try await limit(pages: 20)
    let outcomes = Events()
    await withCheckedContinuation { continuation in
      store.together {
        for description in ["small", String(repeating: "x", count: 200_000), "behind"] {
          store.create(newTask(description)) { result in
            let isDone = if case .success = result { true } else { false }
            if outcomes.add(isDone ? "done" : "failed") == 3 { continuation.resume() }
          }
        }
      }
    }
    #expect(outcomes.all == ["failed", "failed", "failed"])
    #expect(store.counts[.idle] == 1)
    #expect(try fixture.counted() == store.counts)
    #expect(store.writer.lastFailure != nil)
    try await limit(pages: 100_000)
    #expect(await store.trouble() == nil)
    #expect(try await store.create(newTask("after")).task != nil)
    #expect(try fixture.counted() == store.counts)
    let page = try await store.page(state: nil, before: nil, limit: 10)
    #expect(page.tasks.map(\.description) == ["after", "before"])
  }

  @Test("tells once of each transaction, after its answers")
  func committed() async throws {
    let events = Events()
    let folder = URL.temporaryDirectory.appending(path: "store-\(UUID().uuidString)")
    let store = try TaskStore(
      path: folder.appending(path: "omni.db").path, spec: Specification.load(), maxUnfinished: 10,
      committed: { events.add("committed") })
    store.together {
      for _ in 0..<3 { store.create(newTask()) { _ in events.add("created") } }
    }
    _ = try await store.create(newTask())
    // Those that are done together are answered together; the first commit is that of the gate.
    #expect(events.all.prefix(4) == ["committed", "created", "created", "created"])
    try? FileManager.default.removeItem(at: folder)
  }
}
