import ProtocolSpec
import Testing

@testable import Orchestration

@Suite("The queue of tasks")
struct TaskQueueTests {
  private func task(_ id: String, _ lane: String = "m", of client: Int = 1) -> QueuedTask {
    QueuedTask(id: id, lane: .model(lane), client: client)
  }

  @Test("gives the tasks of one client as an array would, whatever is put at which end")
  func order() {
    var queue = TaskQueue()
    var expected: [QueuedTask] = []
    for number in 0..<2000 {
      switch Int.random(in: 0..<4) {
      case 0:
        let two = [task("p\(number)"), task("q\(number)")]
        queue.prepend(two)
        expected.insert(contentsOf: two, at: 0)
      case 1, 2:
        #expect(queue.popFirst() == expected.first)
        if !expected.isEmpty { expected.removeFirst() }
      default:
        queue.append(task("\(number)"))
        expected.append(task("\(number)"))
      }
      #expect(queue.count == expected.count)
      #expect(queue.isEmpty == expected.isEmpty)
    }
    #expect(queue.inOrder == expected)
  }

  @Test("a client with many tasks does not delay the one task of another")
  func fair() {
    var queue = TaskQueue()
    for number in 0..<10_000 { queue.append(task("\(number)")) }
    queue.append(task("one", of: 2))
    #expect(queue.popFirst()?.id == "0")
    #expect(queue.popFirst()?.id == "one")
    #expect((1..<10_000).allSatisfy { queue.popFirst()?.id == "\($0)" })
    #expect(queue.popFirst() == nil)
  }

  @Test("a lane without place does not hold up the others")
  func lanes() {
    var queue = TaskQueue()
    for number in 0..<3 { queue.append(task("slow \(number)", "slow")) }
    for number in 0..<3 { queue.append(task("fast \(number)", "fast")) }
    let fast = (0..<4).map { _ in queue.popFirst { $0 == .model("fast") }?.id }
    #expect(fast == ["fast 0", "fast 1", "fast 2", nil])
    #expect(queue.inOrder.map(\.id) == ["slow 0", "slow 1", "slow 2"])
  }

  @Test("lanes and clients take turns")
  func turns() {
    var queue = TaskQueue()
    for (lane, client) in [("x", 1), ("x", 1), ("x", 2), ("y", 1), ("y", 1)] {
      queue.append(task("\(lane)\(client)", lane, of: client))
    }
    #expect(queue.inOrder.map(\.id) == ["x1", "y1", "x2", "y1", "x1"])
  }

  @Test("cancelled tasks are passed over, and do not pile up behind a lane that is full")
  func cancelled() {
    var queue = TaskQueue()
    queue.append(task("kept"))
    for number in 0..<100_000 {
      queue.append(task("\(number)"))
      queue.cancel("\(number)")
      // Some that are not there, too.
      queue.cancel("waiting \(number)")
    }
    #expect(queue.count < 5000)
    #expect(queue.popFirst()?.id == "kept")
    #expect(queue.popFirst() == nil)
    #expect(queue.isEmpty)
  }
}

@Suite("Places to run in")
struct PlacesTests {
  private func task(_ id: Int, _ lane: String) -> QueuedTask {
    QueuedTask(id: "\(id)", lane: .model(lane), client: 1)
  }

  @Test("one model takes its share, and leaves the rest to the others")
  func bounds() {
    var places = Places(most: 10, mostOfModel: 6, mostOfExecutor: ["e": 1], slowStart: 4)
    for number in 0..<6 { places.take(task(number, "slow"), in: .model("slow")) }
    #expect(!places.isFree(.model("slow")))
    for number in 6..<10 {
      #expect(places.isFree(.model("fast")))
      places.take(task(number, "fast"), in: .model("fast"))
    }
    #expect(!places.isFree(.model("fast")) && !places.isFree(.executor("e")))
    #expect(places.free("9")?.lane == .model("fast"))
    #expect(places.isFree(.executor("e")) && !places.isFree(.model("slow")))
    #expect(places.free("9") == nil)
    places.take(task(10, "slow"), in: .executor("e"))
    #expect(places.free("8") != nil)
    #expect(!places.isFree(.executor("e")) && places.isFree(.model("fast")))
    places.redirect("10", to: .model("fast"))
    #expect(places.lane(of: "10") == .executor("e"))
    #expect(places.free("10")?.lane == .model("fast"))
    #expect(places.isFree(.executor("e")))
  }

  @Test("after an outage few may run, and twice as many after each round of successes")
  func slowStart() {
    var places = Places(most: 100, mostOfModel: 100, slowStart: 16)
    places.startSlowly()
    var windows: [Int] = []
    for _ in 0..<4 {
      windows.append(places.window)
      for _ in 0..<places.window { places.noteSuccess() }
    }
    #expect(windows == [16, 32, 64, 100])
  }

  @Test("even one place is one")
  func single() {
    var places = Places(most: 1, mostOfModel: 1, slowStart: 16)
    places.startSlowly()
    #expect(places.isFree(.model("m")))
  }
}
