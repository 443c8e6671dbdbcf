import Foundation
import JSON
import ProtocolSpec
import Testing

@testable import TaskStore

/// A store in a folder of its own that goes when the test has ended.
final class StoreFixture {
  let folder = FileManager.default.temporaryDirectory.appending(path: "store-\(UUID().uuidString)")
  let spec: Specification
  let store: TaskStore

  init(maxUnfinished: Int = 1000) throws {
    spec = try Specification.load()
    store = try TaskStore(
      path: folder.appending(path: "omni.db").path, spec: spec, maxUnfinished: maxUnfinished)
  }

  func reopened() throws -> TaskStore {
    try TaskStore(path: folder.appending(path: "omni.db").path, spec: spec, maxUnfinished: 1000)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }
}

func newTask(_ description: String = "hi", key: String? = nil) -> NewTask {
  NewTask(
    description: description, type: "general", idempotencyKey: key, executor: "litellm", model: "small",
    complexity: 50)
}

extension TaskStore {
  func page(state: TaskState?, before cursor: PageCursor?, limit: Int) async throws -> TaskPage {
    try await withCheckedThrowingContinuation { continuation in
      page(state: state, before: cursor, limit: limit) { continuation.resume(with: $0) }
    }
  }
}

extension CreateOutcome {
  var task: StoredTask? {
    switch self {
    case .created(let task), .existing(let task): task
    case .conflict, .full: nil
    }
  }
}

@Suite("The store of tasks")
struct TaskStoreTests {
  @Test("a created task is read back, also from a store opened again")
  func persistence() async throws {
    let fixture = try StoreFixture()
    let created = try #require(try await fixture.store.create(newTask("naïve\u{0}\u{1F600}")).task)
    let read = try #require(try await fixture.store.task(created.id))
    #expect(read.json == created.json)
    #expect(read.description == "naïve\u{0}\u{1F600}")
    #expect(read.state == .idle)
    let again = try #require(try await fixture.reopened().task(created.id))
    #expect(again.json == created.json)
  }

  @Test("every transition of the specification is done and every other refused")
  func transitions() async throws {
    let fixture = try StoreFixture()
    for from in TaskState.allCases {
      for to in TaskState.allCases {
        let task = try #require(try await fixture.store.create(newTask()).task)
        try await fixture.bring(task.id, to: from)
        let outcome = try await fixture.store.transition(task.id, to: to)
        if fixture.spec.taskStates.allows(from, to) {
          guard case .done(let moved) = outcome else {
            Issue.record("\(from) → \(to) is allowed and was refused")
            continue
          }
          #expect(moved.state == to)
        } else {
          guard case .refused(let kept) = outcome else {
            Issue.record("\(from) → \(to) is not allowed and was done")
            continue
          }
          #expect(kept.state == from)
        }
      }
    }
  }

  @Test("a transition of a task that is not there is told as such")
  func unknownTask() async throws {
    let fixture = try StoreFixture()
    guard case .unknown = try await fixture.store.transition("nobody", to: .cancelled) else {
      Issue.record("a task that is not there was moved")
      return
    }
  }

  @Test("an idempotency key gives its task again, and refuses another description")
  func idempotency() async throws {
    let fixture = try StoreFixture()
    let first = try #require(try await fixture.store.create(newTask("a", key: "k")).task)
    guard case .existing(let same) = try await fixture.reopened().create(newTask("a", key: "k")) else {
      Issue.record("the key was not known")
      return
    }
    #expect(same.id == first.id)
    guard case .conflict = try await fixture.store.create(newTask("b", key: "k")) else {
      Issue.record("another description was taken for the same task")
      return
    }
    _ = try await fixture.store.create(newTask("\u{E9}", key: "accent"))
    guard case .conflict = try await fixture.store.create(newTask("e\u{301}", key: "accent")) else {
      Issue.record("other characters were taken for the same description")
      return
    }
  }

  @Test("a list leaves the history out, which may be megabytes for each task")
  func historyOfLists() async throws {
    let fixture = try StoreFixture()
    var new = newTask()
    new.history = [["role": "user", "content": "before"]]
    let created = try #require(try await fixture.store.create(new).task)
    #expect(try await fixture.store.task(created.id)?.history == new.history)
    let page = try await fixture.store.page(state: nil, before: nil, limit: 1)
    #expect(page.tasks.map(\.id) == [created.id])
    #expect(page.tasks.first?.historyText == nil)
  }

  @Test("a full queue refuses, and takes again once a task has ended")
  func fullQueue() async throws {
    let fixture = try StoreFixture(maxUnfinished: 2)
    let first = try #require(try await fixture.store.create(newTask()).task)
    _ = try await fixture.store.create(newTask())
    guard case .full = try await fixture.store.create(newTask()) else {
      Issue.record("a third task was taken")
      return
    }
    _ = try await fixture.store.transition(first.id, to: .cancelled)
    #expect(try await fixture.store.create(newTask()).task != nil)
  }

  @Test("concurrent creations are all there, in an order of their own")
  func groupCommit() async throws {
    let fixture = try StoreFixture()
    let store = fixture.store
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<200 { group.addTask { _ = try await store.create(newTask("task \(number)")) } }
      try await group.waitForAll()
    }
    let page = try await store.page(state: nil, before: nil, limit: 500)
    #expect(page.tasks.count == 200)
    #expect(page.tasks.map(\.sequence) == page.tasks.map(\.sequence).sorted(by: >))
    #expect(store.counts[.idle] == 200)
  }

  @Test("pages give every task once while others are added")
  func pages() async throws {
    let fixture = try StoreFixture()
    for number in 0..<25 { _ = try await fixture.store.create(newTask("old \(number)")) }
    var seen: [String] = []
    var cursor: PageCursor?
    repeat {
      let page = try await fixture.store.page(state: nil, before: cursor, limit: 10)
      seen += page.tasks.map(\.description)
      cursor = page.next.flatMap { PageCursor($0.text) }
      _ = try await fixture.store.create(newTask("new"))
    } while cursor != nil
    #expect(seen == (0..<25).reversed().map { "old \($0)" })
  }

  @Test("a page ends where its bytes would pass the limit")
  func pageBytes() async throws {
    let fixture = try StoreFixture()
    let long = String(repeating: "x", count: 32_768)
    for _ in 0..<40 { _ = try await fixture.store.create(newTask(long)) }
    let page = try await fixture.store.page(state: nil, before: nil, limit: 500)
    let bytes = page.tasks.reduce(0) { $0 + $1.json.description.utf8.count }
    #expect(page.next != nil)
    #expect(page.tasks.count > 20 && bytes <= fixture.spec.limits.pageBytes)
  }

  @Test(
    "what is no cursor is refused",
    arguments: ["", "t", "t0", "x5", "t-1", "t01", "T5", "t5 ", "tzzzzzzzzzzzzzzzz"])
  func badCursors(text: String) { #expect(PageCursor(text) == nil) }

  @Test("waiting tasks are woken when their time has come and not before")
  func wakeTimes() async throws {
    let fixture = try StoreFixture()
    let due = try #require(try await fixture.store.create(newTask("due")).task)
    let later = try #require(try await fixture.store.create(newTask("later")).task)
    let far = Timestamp.now().adding(.seconds(3600))
    for (task, time) in [(due, Timestamp(milliseconds: 1)), (later, far)] {
      var change = TaskChange()
      change.wakeAt = time
      _ = try await fixture.store.transition(task.id, to: .waiting, change)
    }
    #expect(try await fixture.store.nextWake() == Timestamp(milliseconds: 1))
    #expect(
      try await fixture.store.transitionAll(from: .waiting, to: .idle, dueOnly: true).map(\.id) == [due.id])
    #expect(try await fixture.store.rows(in: .idle) == [TaskRow(due)])
    #expect(try await fixture.store.nextWake() == far)
  }

  @Test("notes are kept")
  func notes() async throws {
    let fixture = try StoreFixture()
    try await fixture.store.remember(["state": "degraded"], as: "system")
    try await fixture.store.remember(["state": "normal"], as: "system")
    #expect(try await fixture.reopened().recall("system") == ["state": "normal"])
    #expect(try await fixture.store.recall("other") == nil)
  }

  @Test("a path that cannot be a database is one clear error")
  func badPath() throws {
    let spec = try Specification.load()
    #expect {
      _ = try TaskStore(path: "/dev/null/omni/omni.db", spec: spec, maxUnfinished: 1)
    } throws: { error in
      "\(error)" == "cannot create the folder /dev/null/omni"
    }
  }

  @Test("ended tasks are removed after their time, others stay")
  func retention() async throws {
    let fixture = try StoreFixture()
    let ended = try #require(try await fixture.store.create(newTask()).task)
    _ = try await fixture.store.create(newTask())
    _ = try await fixture.store.transition(ended.id, to: .cancelled)
    #expect(try await fixture.store.removeEnded(before: Timestamp.now().adding(.seconds(1))) == 1)
    #expect(try await fixture.store.task(ended.id) == nil)
    #expect(fixture.store.counts[.idle] == 1)
  }

  @Test("many ended tasks are removed a few at a time, with their keys, and those behind younger ones too")
  func retentionInBatches() async throws {
    let fixture = try StoreFixture()
    let store = fixture.store
    var old: [String] = []
    for number in 0..<50 {
      let task = try #require(try await store.create(newTask("t\(number)", key: "k\(number)")).task)
      try await fixture.bring(task.id, to: [.completed, .failed, .cancelled, .idle][number % 4])
      // Every fifth has ended just now; the others, so it is told, long ago.
      if number % 5 != 0 { old.append(task.id) }
    }
    _ = try await store.create(newTask("the newest stays"))
    let past = Timestamp.now().adding(.seconds(-40 * 86_400)).milliseconds
    for id in old {
      try await store.writer.perform { table throws(StoreError) in
        try table.connection.execute(
          "UPDATE tasks SET created_at = \(past), updated_at = \(past) WHERE id = '\(id)'")
      }
    }
    let before = store.writer.commits.now
    let limit = Timestamp.now().adding(.seconds(-30 * 86_400))
    let idle = try Set(await store.rows(in: .idle).map(\.id))
    let expected = old.filter { !idle.contains($0) }
    #expect(try await store.removeEnded(before: limit, batch: 3) == expected.count)
    #expect(store.writer.commits.now > before + 9)
    for id in expected { #expect(try await store.task(id) == nil) }
    for id in idle { #expect(try await store.task(id) != nil) }
    #expect(store.counts == (try fixture.counted()))
    // A key is free again with its task.
    guard case .created = try await store.create(newTask("other", key: "k1")) else {
      Issue.record("the key of a removed task is still taken")
      return
    }
    guard case .conflict = try await store.create(newTask("other", key: "k0")) else {
      Issue.record("the key of a kept task is free")
      return
    }
  }
}

extension StoreFixture {
  /// Moves a new task along the shortest way to `state`.
  func bring(_ id: String, to state: TaskState) async throws {
    let ways: [TaskState: [TaskState]] = [
      .idle: [], .dispatching: [.dispatching], .executing: [.dispatching, .executing],
      .waiting: [.waiting], .completed: [.dispatching, .executing, .completed], .failed: [.failed],
      .cancelled: [.cancelled],
    ]
    for step in ways[state] ?? [] { _ = try await store.transition(id, to: step) }
  }
}

@Suite("The lock of a store")
struct StoreLockTests {
  @Test("is held by one, and free again when that one is gone")
  func oneHolder() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "lock-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appending(path: "omni.db").path
    var first: StoreLock? = try StoreLock(storePath: path)
    #expect {
      _ = try StoreLock(storePath: path)
    } throws: { error in
      "\(error)" == "another server works on \(path)"
    }
    #expect(first != nil)
    first = nil
    _ = try StoreLock(storePath: path)
  }
}
