import Testing
import Wire

@testable import Transport

let patience = Duration.seconds(20)

/// Runs each test under both backends, one after the other.
struct BothBackends: SuiteTrait, TestTrait, TestScoping {
  @TaskLocal static var current = EventLoop.Backend.system

  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    for backend in [EventLoop.Backend.system, .poll] {
      try await Self.$current.withValue(backend) { try await function() }
    }
  }
}

extension Trait where Self == BothBackends {
  static var bothBackends: Self { BothBackends() }
}

/// An event loop for one test, of the backend whose turn it is, stopped with the test.
func withLoop<R>(
  name: String = "test", kernel: Kernel = Kernel(), _ body: (EventLoop) async throws -> R
) async throws -> R {
  let loop = try EventLoop(name: name, backend: BothBackends.current, kernel: kernel)
  loop.start()
  do {
    let result = try await body(loop)
    loop.stop()
    return result
  } catch {
    loop.stop()
    throw error
  }
}

/// A server on a free port, stopped with the test.
func withServer<R>(
  _ loop: EventLoop, options: HTTPServerOptions = HTTPServerOptions(),
  onConnect: @escaping @Sendable (HTTPConnectionHandle) -> ConnectDecision = { _ in .serve },
  handler: @escaping @Sendable (HTTPExchange) -> Void, _ body: (HTTPServer) async throws -> R
) async throws -> R {
  let listener = try Listener(loop: loop, host: "127.0.0.1", port: 0)
  let server = HTTPServer(listener: listener, options: options, onConnect: onConnect, handler: handler)
  server.start()
  do {
    let result = try await body(server)
    await server.stop(within: .zero)
    return result
  } catch {
    await server.stop(within: .zero)
    throw error
  }
}

/// Sends every message back and notes how the connection ended.
final class EchoHandler: WebSocketHandler {
  private let onEnd: @Sendable (UInt16?, String, Bool) -> Void
  init(_ onEnd: @escaping @Sendable (UInt16?, String, Bool) -> Void = { _, _, _ in }) { self.onEnd = onEnd }

  func onMessage(
    _ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer, on connection: WebSocketConnection
  ) { connection.sendHere(kind, bytes) }

  func onClose(code: UInt16?, reason: String, clean: Bool, on connection: WebSocketConnection) {
    onEnd(code, reason, clean)
  }
}

/// Keeps the deadlines of every `Mailbox`.
private let deadlines: EventLoop? = {
  let loop = try? EventLoop(name: "deadlines")
  loop?.start()
  return loop
}()

/// Values that a callback gives and a test waits for.
struct Mailbox<Value: Sendable>: Sendable {
  private let inbox = deadlines.map { Inbox<Value>(loop: $0, limit: .max) {} }

  func post(_ value: Value) { _ = inbox?.push(value, weight: 0) }

  /// The next value; the test fails when none comes in time.
  func next() async throws -> Value {
    try #require(await inbox?.next(within: patience), "nothing came within \(patience)")
  }
}

extension EventLoop {
  /// Asks on the loop, turn after turn, until it is so.
  func turns(until condition: @escaping @Sendable () -> Bool) async throws {
    let asked = Mailbox<Bool>()
    let end = ContinuousClock.now + patience
    repeat {
      try #require(.now < end, "it did not happen within \(patience)")
      schedule(after: .milliseconds(1)) { asked.post(condition()) }
    } while try await !asked.next()
  }
}

extension WebSocketClient {
  /// The next event, which must come.
  func take() async throws -> Event {
    try #require(try await next(within: patience), "nothing came within \(patience)").event
  }

  /// Takes the next event, which must be this one.
  func expect(_ expected: Event, _ place: SourceLocation = #_sourceLocation) async throws {
    let event = try await take()
    #expect(event == expected, sourceLocation: place)
  }

  /// For clients that report pings, which come when it pleases the server.
  func expect(behindPings expected: Event, _ place: SourceLocation = #_sourceLocation) async throws {
    var event = try await take()
    while event == .ping([]) { event = try await take() }
    #expect(event == expected, sourceLocation: place)
  }
}
