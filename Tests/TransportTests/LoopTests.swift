import Synchronization
import Testing

@testable import Transport

@Suite("event loop and listener", .bothBackends)
struct LoopTests {
  @Test("jobs run in order, timers by their time, cancelled ones never")
  func timers() async throws {
    try await withLoop { loop in
      let seen = Mailbox<Int>()
      let cancelled = loop.schedule(after: .milliseconds(5)) { seen.post(-1) }
      for (number, delay) in [(3, 30), (1, 10), (2, 20)] {
        loop.schedule(after: .milliseconds(delay)) { seen.post(number) }
      }
      cancelled.cancel()
      loop.submit { seen.post(loop.isCurrent ? 0 : -2) }
      for expected in 0...3 {
        let number = try await seen.next()
        #expect(number == expected)
      }
      #expect(!loop.isCurrent)
    }
  }

  @Test("the timer heap gives any events in order, whatever is removed or moved")
  func heap() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<50 {
      var heap = TimerHeap()
      let timers = (0..<60).map { _ in TimedEvent() }
      for timer in timers { heap.insert(timer, due: Int64.random(in: 0..<40, using: &random)) }
      for timer in timers[..<30] { heap.insert(timer, due: Int64.random(in: 0..<40, using: &random)) }
      let removed = timers.indices.shuffled().prefix(20)
      for index in removed { heap.remove(timers[index]) }
      var dues: [Int64] = []
      while let timer = heap.popDue(.max) { dues.append(timer.due) }
      let left = timers.indices.filter { !removed.contains($0) }.map { timers[$0].due }
      #expect(dues == left.sorted())
    }
  }

  @Test("a loop that has ended takes no jobs")
  func ended() async throws {
    let loop = try EventLoop(name: "ended")
    loop.start()
    #expect(loop.submit {})
    loop.stop()
    #expect(!loop.submit {})
    let client = HTTPClient(loop: loop)
    await #expect(throws: HTTPClientError.self) {
      try await client.send(HTTPClientRequest(url: "http://127.0.0.1:1/"))
    }
  }

  @Test("a port in use, a foreign address and an unknown host are told in a sentence")
  func listenErrors() async throws {
    try await withLoop { loop in
      let first = try Listener(loop: loop, host: "127.0.0.1", port: 0)
      defer { first.close() }
      func error(_ host: String, _ port: UInt16) -> TransportError? {
        do {
          try Listener(loop: loop, host: host, port: port).close()
          return nil
        } catch { return error }
      }
      let inUse = error("127.0.0.1", first.port)
      #expect(inUse?.kind == .portInUse)
      #expect(inUse?.description == "port \(first.port) on 127.0.0.1 is in use by another program")
      #expect(error("192.0.2.1", 0)?.kind == .badHost)
      #expect(
        error("no-such-host.invalid", 0)?.description == "cannot listen on no-such-host.invalid: no such host"
      )
    }
  }

  @Test("a suspended listener refuses, keeps its port, and serves again")
  func suspend() async throws {
    try await withLoop { loop in
      try await withServer(loop, handler: { $0.respond(status: 200) }) { server in
        let client = HTTPClient(loop: loop, keptPerHost: 0)
        let request = HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/")
        for _ in 0..<3 {
          let served = try await client.send(request)
          #expect(served.status == 200)
          server.listener.suspend()
          await #expect(throws: HTTPClientError.refused("connection to 127.0.0.1:\(server.port) refused")) {
            try await client.send(request)
          }
          try server.listener.resume()
        }
      }
    }
  }

  @Test("the limit of descriptors is never lowered, and raised as far as the system allows")
  func descriptorLimit() {
    let before = DescriptorLimit.raise(to: 0)
    #expect(before > 0)
    let most = DescriptorLimit.raise(to: .max)
    #expect(most >= before)
    #expect(DescriptorLimit.raise(to: before) == most)
  }

  @Test("the Date field")
  func date() {
    let text = HTTPDate().current
    #expect(
      text.wholeMatch(of: /[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/) != nil, "\(text)")
  }
}
