import Foundation
import JSON
import ProtocolSpec
import Synchronization
import Testing
import Transport

@testable import Orchestration
@testable import TaskStore

/// What subscriptions were told, from any loop.
private final class Heard: Sendable {
  private let words = Mutex<[String]>([])

  func add(_ word: String) { words.withLock { $0.append(word) } }
  var all: [String] { words.withLock { $0 } }
}

/// Two loops that run, and a store whose commits reach them.
@Suite("Subscriptions")
struct SubscriptionTests {
  private let folder = URL.temporaryDirectory.appending(path: "subscriptions-\(UUID().uuidString)")
  private let loops: [EventLoop]
  private let subscriptions: Subscriptions
  private let store: TaskStore
  private let heard = Heard()

  init() throws {
    loops = [try EventLoop(name: "one"), try EventLoop(name: "two")]
    subscriptions = Subscriptions(loops: loops)
    store = try TaskStore(
      path: folder.appending(path: "omni.db").path, spec: Specification.load(), maxUnfinished: 100,
      watch: subscriptions)
    for loop in loops { loop.start() }
  }

  private func end() {
    for loop in loops { loop.stop() }
    try? FileManager.default.removeItem(at: folder)
  }

  /// Runs `body` on a loop and returns after it.
  private func run(on number: Int, _ body: @escaping @Sendable () -> Void) async {
    await withCheckedContinuation { continuation in
      loops[number].submit {
        body()
        continuation.resume()
      }
    }
  }

  /// A subscription that writes down what it hears behind `name`; it is active.
  @discardableResult
  private func subscribe(
    _ name: String, _ subjects: Set<Subscription.Subject>, on number: Int = 0
  ) async -> LoopBound<Subscription> {
    let heard = heard
    let subscriptions = subscriptions
    let loop = loops[number]
    return await withCheckedContinuation { continuation in
      loop.submit {
        let subscription = Subscription(subjects) { news in
          switch news {
          case .task(let step):
            let task = try? JSONParser.parse(step.text)
            heard.add("\(name) \(task?["description"]?.string ?? "?") \(task?["state"]?.string ?? "?")")
          case .system(let change): heard.add("\(name) \(change.from) \(change.to)")
          case .list: break
          case .newTasks: heard.add("\(name) new")
          }
        }
        subscription.isActive = true
        subscriptions.add(subscription, on: loop)
        continuation.resume(returning: LoopBound(subscription, on: loop))
      }
    }
  }

  /// What was heard, when the commits until now have been told on both loops.
  private func told() async throws -> [String] {
    try await withCheckedThrowingContinuation { continuation in
      store.settle { continuation.resume(with: $0) }
    }
    for number in loops.indices { await run(on: number) {} }
    return heard.all
  }

  private func create(_ description: String) async throws -> String {
    let new = NewTask(
      description: description, type: "general", executor: "litellm", model: "small", complexity: 50)
    guard case .created(let task) = try await store.create(new) else {
      throw StoreError(description: "no task was created")
    }
    return task.id
  }

  @Test("all loops hear what they have subscribed to")
  func loopsHear() async throws {
    await subscribe("all", [.allTasks, .system])
    await subscribe("list", [.newTasks], on: 1)
    let first = try await create("a")
    // A commit is told behind its answers.
    #expect(try await told().sorted() == ["all a idle", "list new"])
    await subscribe("one", [.task(id: first)], on: 1)
    let second = try await create("b")
    _ = try await store.transition(second, to: .cancelled)
    _ = try await store.transition(first, to: .dispatching)
    subscriptions.changed(SystemChange(from: .normal, to: .degraded, since: .now()))
    let told = try await told()
    #expect(
      told.filter { $0.hasPrefix("all") }.sorted() == [
        "all a dispatching", "all a idle", "all b cancelled", "all b idle", "all normal degraded",
      ])
    #expect(
      told.filter { $0.hasPrefix("all b") || $0.hasPrefix("all a") } == [
        "all a idle", "all b idle", "all b cancelled", "all a dispatching",
      ])
    #expect(told.filter { $0.hasPrefix("one") } == ["one a dispatching"])
    #expect(told.filter { $0.hasPrefix("list") } == ["list new", "list new"])
    end()
  }

  @Test("without subscriptions no steps are wanted, and one that is removed hears no more")
  func removal() async throws {
    #expect(!subscriptions.wantsSteps)
    let subscription = await subscribe("all", [.allTasks])
    #expect(subscriptions.wantsSteps)
    _ = try await create("a")
    #expect(try await told() == ["all a idle"])
    let (subscriptions, loop) = (subscriptions, loops[0])
    await run(on: 0) {
      for _ in 0..<2 { subscriptions.remove(subscription.value, on: loop) }
    }
    #expect(!subscriptions.wantsSteps)
    _ = try await create("b")
    #expect(try await told() == ["all a idle"])
    await subscribe("again", [.allTasks])
    #expect(subscriptions.wantsSteps)
    end()
  }

  @Test("a subscription that is not active yet hears nothing")
  func inactive() async throws {
    let subscription = await subscribe("all", [.allTasks])
    await run(on: 0) { subscription.value.isActive = false }
    _ = try await create("a")
    #expect(try await told() == [])
    await run(on: 0) { subscription.value.isActive = true }
    _ = try await create("b")
    #expect(try await told() == ["all b idle"])
    end()
  }
}
