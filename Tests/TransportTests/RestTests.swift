import Testing
import Wire

@testable import Transport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How often a loop wakes up. A loop that is not needed sleeps; one that spins does thousands of turns
/// in the time a test looks at it, or hundreds on a machine that has little time for it.
@Suite("A loop with nothing to do sleeps", .bothBackends)
struct RestTests {
  private static let lookTime = Duration.milliseconds(200)
  private static let few = 20

  /// The turns of the loop of `kernel` over a while in which nothing is done to it.
  private func turns(_ kernel: ScriptedKernel, of call: ScriptedKernel.Call = .wait, on plain: EventLoop)
    async throws -> Int
  {
    let before = kernel.count(call)
    let over = Mailbox<Void>()
    plain.schedule(after: Self.lookTime) { over.post(()) }
    try await over.next()
    return kernel.count(call) - before
  }

  private func withScripted(
    _ scripts: [ScriptedKernel.Call: @Sendable (Int) -> ScriptedKernel.Outcome] = [:],
    _ body: (ScriptedKernel, EventLoop, EventLoop) async throws -> Void
  ) async throws {
    let kernel = ScriptedKernel(scripts)
    try await withLoop(kernel: kernel) { loop in
      try await withLoop { plain in try await body(kernel, loop, plain) }
    }
  }

  @Test("after jobs from other threads")
  func jobs() async throws {
    try await withScripted { kernel, loop, plain in
      let done = Mailbox<Void>()
      loop.submit { done.post(()) }
      try await done.next()
      #expect(try await turns(kernel, on: plain) < Self.few)
    }
  }

  @Test("until a timer is due, and not a turn longer than its job needs")
  func timers() async throws {
    try await withScripted { kernel, loop, plain in
      let done = Mailbox<Void>()
      let before = kernel.count(.wait)
      for number in 1...10 {
        loop.schedule(after: .microseconds(number * 2_700)) {
          // A job of the loop's own thread needs no wake-up to be run.
          loop.submit { done.post(()) }
        }
      }
      for _ in 0..<10 { try await done.next() }
      #expect(kernel.count(.wait) - before < 10 * 5)
      #expect(try await turns(kernel, on: plain) < Self.few)
    }
  }

  @Test("beside a client that has sent its last byte, and one that is not read")
  func waitingClients() async throws {
    try await withScripted { kernel, loop, plain in
      let serve: @Sendable (HTTPExchange) -> Void = { _ in }
      try await withServer(loop, handler: serve) { server in
        let half = try await RawClient.connect(server.port, on: plain)
        half.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        half.shutdownWrite()
        let eager = try await RawClient.connect(server.port, on: plain)
        eager.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        // Twice: the first time they are still read.
        eager.send([UInt8](repeating: 0x78, count: 20_000_000))
        _ = try await turns(kernel, on: plain)
        #expect(try await turns(kernel, on: plain) < Self.few)
        // No more is read than may be held.
        #expect(kernel.count(.receive) < 100)
      }
    }
  }

  @Test("beside a hang-up that nobody reads, and tells it to who does")
  func unreadHangUp() async throws {
    try await withScripted { kernel, loop, plain in
      let serve: @Sendable (HTTPExchange) -> Void = { $0.respond(status: 200, text: "bye") }
      try await withServer(plain, handler: serve) { server in
        let raw = try await RawClient.connect(server.port, on: loop)
        raw.pause()
        raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        raw.shutdownWrite()
        try await plain.turns { server.connectionCount == 0 }
        #expect(try await turns(kernel, on: plain) < Self.few)
        raw.resume()
        #expect(String(decoding: try await raw.readToEnd(), as: UTF8.self).hasSuffix("bye"))
      }
    }
  }

  @Test("beside clients that cannot be accepted for want of descriptors")
  func exhausted() async throws {
    try await withScripted([.accept: { _ in .error(EMFILE) }]) { kernel, loop, plain in
      try await withServer(loop, handler: { $0.respond(status: 200) }) { server in
        _ = try await RawClient.connect(server.port, on: plain)
        #expect(try await turns(kernel, on: plain) < Self.few)
        #expect(kernel.count(.accept) < Self.few)
      }
    }
  }
}
