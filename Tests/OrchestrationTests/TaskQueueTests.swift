import Testing

@testable import Orchestration

@Suite("The queue of tasks")
struct TaskQueueTests {
  @Test("gives what an array would, whatever is put at which end")
  func order() {
    var queue = TaskQueue(["a", "b"])
    var expected = ["a", "b"]
    for number in 0..<2000 {
      switch Int.random(in: 0..<4) {
      case 0:
        queue.prepend(["p\(number)", "q\(number)"])
        expected.insert(contentsOf: ["p\(number)", "q\(number)"], at: 0)
      case 1, 2:
        #expect(queue.popFirst() == expected.first)
        if !expected.isEmpty { expected.removeFirst() }
      default:
        queue.append("\(number)")
        expected.append("\(number)")
      }
      #expect(queue.count == expected.count)
      #expect(queue.isEmpty == expected.isEmpty)
    }
    #expect(queue.ids == expected)
  }
}
