import Foundation
import JSON
import ProtocolSpec
import Testing

@testable import TaskStore

@Suite("The timeline of a task")
struct TimelineTests {
  func timeline(_ id: String, in store: TaskStore) throws -> TaskTimeline {
    try #require(try store.makeReader().timeline(id))
  }

  func words(_ timeline: TaskTimeline) -> [String] {
    timeline.steps.map { step in
      [step.state.rawValue, step.executor, step.model, step.cause].compactMap(\.self).joined(separator: " ")
    }
  }

  @Test("has every step, with who did it and why, and is there when the store is opened again")
  func steps() async throws {
    let fixture = try StoreFixture()
    let store = fixture.store
    let task = try #require(try await store.create(newTask()).task)
    #expect(words(try timeline(task.id, in: store)) == ["idle"])
    _ = try await store.move(task.id) { _ in
      var change = TaskChange()
      (change.executor, change.model) = ("litellm", "small")
      return TaskMove(along: [.dispatching, .executing], change)
    }
    try await store.transitionAll(from: .executing, to: .idle, attempts: 1, cause: StepCause.restart)
    _ = try await store.transition(task.id, to: .cancelled, TaskChange(cause: StepCause.cancelled))
    let expected = [
      "idle", "dispatching", "executing litellm small", "idle restart", "cancelled cancel_task",
    ]
    for store in [store, try fixture.reopened()] {
      let timeline = try timeline(task.id, in: store)
      #expect(words(timeline) == expected)
      #expect(!timeline.isTruncated)
      let ended = try #require(try await store.task(task.id))
      #expect(timeline.steps.first?.at == ended.createdAt)
      #expect(timeline.steps.last?.at == ended.updatedAt)
    }
    #expect(try store.makeReader().timeline("x") == nil)
  }

  @Test("begins with the outage of a task that was suspended at once")
  func suspended() async throws {
    let fixture = try StoreFixture()
    let task = try #require(try await fixture.store.create(newTask(), isSuspended: true).task)
    #expect(words(try timeline(task.id, in: fixture.store)) == ["idle", "waiting outage"])
  }

  @Test("of a long way keeps both ends, and says that the middle is missing")
  func bounded() async throws {
    let fixture = try StoreFixture()
    let store = fixture.store
    let task = try #require(try await store.create(newTask()).task)
    for number in 0..<700 {
      let change = TaskChange(cause: "turn \(number)\nwith\ta break")
      _ = try await store.transition(task.id, to: number.isMultiple(of: 2) ? .waiting : .idle, change)
    }
    let timeline = try timeline(task.id, in: store)
    #expect(timeline.isTruncated)
    #expect(timeline.json["truncated"] == true)
    #expect((50..<300).contains(timeline.steps.count))
    let numbers = timeline.steps.dropFirst().compactMap { step -> Int? in
      let words = step.cause?.split(separator: " ") ?? []
      #expect(words.count == 5 && words.last == "break", "\(step)")
      return words.count > 1 ? Int(words[1]) : nil
    }
    #expect(numbers.prefix(10) == ArraySlice(0..<10) && numbers.suffix(20) == ArraySlice(680..<700))
    #expect(zip(numbers, numbers.dropFirst()).count { $1 != $0 + 1 } == 1)
    for (number, step) in zip(numbers, timeline.steps.dropFirst()) {
      #expect(step.state == (number.isMultiple(of: 2) ? .waiting : .idle))
    }
  }

  @Test("of a name that nobody would choose stays one step")
  func strangeNames() {
    var change = TaskChange(cause: "*")
    change.executor = "a\nb\tc\0d"
    change.model = String(repeating: "ü", count: 500)
    let lines = StepText.lines(along: [.dispatching, .executing], change, at: -5)
    let timeline = StepText.timeline(
      id: "x", state: .executing, createdAt: Timestamp(milliseconds: 1000),
      updatedAt: Timestamp(milliseconds: 995), lines: lines)
    #expect(timeline.steps.map(\.state) == [.idle, .dispatching, .executing])
    #expect(timeline.steps.last?.executor == "a b c d")
    #expect(timeline.steps.last?.model?.count == 128)
    #expect(timeline.steps.last?.at == Timestamp(milliseconds: 995))
    #expect(!timeline.isTruncated)
  }
}
