import Testing

@testable import omni_server

@Suite("memory given back")
struct MemoryReturnTests {
  @Test("once when a busy time is over, and never in it or in rest")
  func once() {
    var times = MemoryReturn()
    let busy = MemoryReturn.busy
    var used = Duration.zero
    let course: [(work: Duration, isOver: Bool)] = [
      (.zero, false), (busy / 2, false), (busy, false), (busy * 4, false), (busy / 10, true), (.zero, false),
      (busy * 2, false), (.zero, true),
    ]
    for step in course {
      used += step.work
      #expect(times.isOver(used: used) == step.isOver)
    }
  }
}
