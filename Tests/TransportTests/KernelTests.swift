import Testing
import Wire

@testable import Transport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Calls that are cut short, interrupted or put off more often than not.
private let stammer: @Sendable (Int) -> ScriptedKernel.Outcome = { number in
  switch number % 5 {
  case 0: .upTo(1)
  case 1: .error(EINTR)
  case 2: .upTo(997)
  case 3: .error(EAGAIN)
  default: .error(EWOULDBLOCK)
  }
}

private func stammering() -> ScriptedKernel {
  ScriptedKernel([
    .send: stammer, .receive: stammer, .wait: { $0 % 3 == 0 ? .error(EINTR) : .real },
    .accept: ScriptedKernel.first([.error(EINTR), .error(EAGAIN), .error(ECONNABORTED)]),
    .connect: ScriptedKernel.first([.doneBut(EINTR)]),
  ])
}

/// Serves a WebSocket echo on `/ws`, and the request's body elsewhere.
private let serve: @Sendable (HTTPExchange) -> Void = { exchange in
  if exchange.isWebSocketUpgrade {
    exchange.upgradeToWebSocket { _ in EchoHandler() }
  } else {
    exchange.respond(status: 200, body: exchange.request.body)
  }
}

/// Somebody who watches a descriptor.
private final class Source: PollSource {
  private let onReady: (Readiness) -> Void
  init(_ onReady: @escaping (Readiness) -> Void) { self.onReady = onReady }
  func pollReady(_ ready: Readiness) { onReady(ready) }
  func loopEnds() {}
}

/// Two connected sockets; they stay open until the tests end.
private func pair() -> (near: Int32, far: Int32) {
  var ends: [Int32] = [-1, -1]
  #if canImport(Glibc)
    socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends)
  #else
    socketpair(AF_UNIX, SOCK_STREAM, 0, &ends)
  #endif
  return (ends[0], ends[1])
}

@Suite("What the kernel may do", .bothBackends)
struct KernelTests {
  @Test("short, interrupted and deferred calls lose nothing", arguments: [true, false])
  func stammers(_ isServer: Bool) async throws {
    try await withLoop(kernel: stammering()) { scripted in
      try await withLoop { plain in
        try await withServer(isServer ? scripted : plain, handler: serve) { server in
          let loop = isServer ? plain : scripted
          let client = try await WebSocketClient.connect(url: "ws://127.0.0.1:\(server.port)", on: loop)
          for size in [0, 1, 125, 126, 70_000] {
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
            client.send(binary: bytes)
            try await client.expect(.message(.binary, bytes))
          }
          client.close(code: 3000)
          try await client.expect(.closed(code: 3000, reason: "", clean: true, how: .closeFrame))
          let body = (0..<30_000).map { UInt8(truncatingIfNeeded: $0) }
          let got = try await HTTPClient(loop: loop).send(
            HTTPClientRequest(method: "POST", url: "http://127.0.0.1:\(server.port)/", body: body))
          #expect(got.body == body)
        }
      }
    }
  }

  @Test(
    "an accept that fails concerns one connection",
    arguments: [ECONNABORTED, EINTR, EAGAIN, EPROTO, EPERM])
  func accepts(_ code: Int32) async throws {
    #expect(try await connectionsCut([.error(code)]) == 0)
  }

  @Test(
    "without descriptors or memory a connection is cut, and the next one served",
    arguments: [EMFILE, ENFILE, ENOBUFS, ENOMEM])
  func exhausted(_ code: Int32) async throws {
    #expect(try await connectionsCut([.error(code)]) == 1)
    // There is not even one to cut it with: it waits until there is.
    #expect(try await connectionsCut([.error(code), .error(code)]) == 0)
    #expect(try await connectionsCut([.error(code), .error(code), .error(code)]) == 1)
  }

  /// How many connections are cut off before one is served, when `accept` begins with `outcomes`.
  private func connectionsCut(_ outcomes: [ScriptedKernel.Outcome]) async throws -> Int {
    let kernel = ScriptedKernel([.accept: ScriptedKernel.first(outcomes)])
    return try await withLoop(kernel: kernel) { loop in
      try await withLoop { plain in
        try await withServer(loop, handler: serve) { server in
          for count in 0..<10 {
            guard let raw = try await RawClient.attempt(server.port, on: plain) else { continue }
            raw.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            if try await raw.readToEnd().starts(with: "HTTP/1.1 200 OK\r\n".utf8) { return count }
          }
          return 10
        }
      }
    }
  }

  @Test(
    "a connection that cannot be made is told by its error",
    arguments: [
      (ECONNREFUSED, "refused"), (ECONNRESET, "reset"), (ETIMEDOUT, "failed"), (ENETUNREACH, "failed"),
    ], [true, false])
  func connects(_ error: (code: Int32, name: String), _ isPending: Bool) async throws {
    let kernel =
      isPending
      ? ScriptedKernel([
        .connect: { _ in .doneBut(EINPROGRESS) }, .pendingError: ScriptedKernel.first([.error(error.code)]),
      ]) : ScriptedKernel([.connect: ScriptedKernel.first([.error(error.code)])])
    try await withLoop { plain in
      try await withServer(plain, handler: serve) { server in
        try await withLoop(kernel: kernel) { loop in
          let told = Mailbox<String>()
          let port = server.port
          loop.submit {
            let connector = Connector("127.0.0.1", port, on: loop) { result in
              switch result {
              case .success: told.post("connected")
              case .failure(.refused): told.post("refused")
              case .failure(.reset): told.post("reset")
              case .failure(.failed): told.post("failed")
              case .failure(.resolve): told.post("resolve")
              }
            }
            connector.start("127.0.0.1", port)
          }
          #expect(try await told.next() == error.name)
          // The loop goes on, and the next attempt succeeds.
          let got = try await HTTPClient(loop: loop).send(HTTPClientRequest(url: "http://127.0.0.1:\(port)/"))
          #expect(got.status == 200)
        }
      }
    }
  }

  @Test("an event of a closed descriptor is not told to the next owner of its number")
  func staleEvents() async throws {
    let told = Mailbox<String>()
    try await withLoop { loop in
      loop.submit {
        // Both are readable before they are watched, so one wait reports both.
        let pairs = [pair(), pair()]
        var tokens: [UInt64?] = [nil, nil]
        for (index, (near, far)) in pairs.enumerated() {
          write(far, "x", 1)
          let other = 1 - index
          let source = Source { _ in
            guard let mine = tokens[index], let its = tokens[other] else { return }
            tokens = [nil, nil]
            loop.deregister(near, token: mine)
            loop.deregister(pairs[other].near, token: its)
            // The number of the other one, whose event is still to come, is given to a new owner.
            let fresh = pair()
            dup2(fresh.near, pairs[other].near)
            let next = Source { ready in told.post("told \(ready.rawValue)") }
            if loop.register(pairs[other].near, next, .readable) == nil { told.post("not watched") }
            loop.submit {
              told.post("nothing yet")
              write(fresh.far, "y", 1)
            }
          }
          tokens[index] = loop.register(near, source, .readable)
        }
      }
      let first = try await told.next()
      #expect(first == "nothing yet")
      let second = try await told.next()
      #expect(second == "told \(Readiness.readable.rawValue)")
    }
  }
}
