import Testing
import Wire

@testable import Transport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How a connection comes into a state and breaks there.
struct Break: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// What the peer sends, each behind the receipt of the one before; at the last it breaks.
  let sends: [[UInt8]]
  /// How the last `receive` comes out.
  var receive = ScriptedKernel.Outcome.real
  /// How the calls of `send` come out.
  var send: [ScriptedKernel.Outcome] = []
  /// Whether somebody is told of the end.
  let isTold: Bool

  /// A reset that reading tells of.
  static func reading(_ name: String, _ sends: [UInt8]..., isTold: Bool) -> Break {
    Break(testDescription: name, sends: sends + [[0x78]], receive: .error(ECONNRESET), isTold: isTold)
  }

  /// A reset that writing tells of.
  static func writing(
    _ name: String, _ sends: [UInt8]..., outcomes: [ScriptedKernel.Outcome], isTold: Bool
  ) -> Break {
    Break(testDescription: name, sends: sends, send: outcomes, isTold: isTold)
  }

  private static func get(_ path: String, _ fields: String = "") -> [UInt8] {
    Array("GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n".utf8)
  }
  private static let upgradeToClose = Array("GET /close".utf8) + upgradeRequest.dropFirst(5)
  private static let message: [UInt8] = [0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]
  private static let reset = ScriptedKernel.Outcome.error(ECONNRESET)
  private static let pipe = ScriptedKernel.Outcome.error(EPIPE)
  private static let later = ScriptedKernel.Outcome.error(EAGAIN)

  static let all: [Break] = [
    .reading("before a request", isTold: false),
    .reading("inside a head", Array("GET / HT".utf8), isTold: false),
    .reading("inside a body", get("/", "Content-Length: 9\r\n") + [1, 2], isTold: false),
    .reading("between requests", get("/"), isTold: false),
    .reading("behind the last answer", get("/", "Connection: close\r\n"), isTold: false),
    .reading("while a request is worked on", get("/wait"), isTold: true),
    .reading("inside a streamed answer", get("/stream"), isTold: true),
    .reading("on an open WebSocket", upgradeRequest, isTold: true),
    .reading("inside a frame", upgradeRequest, [0x81, 0xFE, 1], isTold: true),
    .reading("behind our own Close", upgradeToClose, isTold: true),
    .writing("an answer", get("/"), outcomes: [reset], isTold: false),
    .writing("inside an answer", get("/"), outcomes: [.upTo(9), later, reset], isTold: false),
    .writing(
      "the last answer", get("/", "Connection: close\r\n"), outcomes: [.upTo(9), pipe], isTold: false),
    .writing("a refusal", Array("?\r\n\r\n".utf8), outcomes: [reset], isTold: false),
    .writing("a streamed answer", get("/stream"), outcomes: [reset], isTold: true),
    .writing("a 101", upgradeRequest, outcomes: [pipe], isTold: true),
    .writing("a message", upgradeRequest, message, outcomes: [.real, reset], isTold: true),
    .writing(
      "inside a message", upgradeRequest, message, outcomes: [.real, .upTo(1), later, pipe], isTold: true),
    .writing("our Close", upgradeRequest, [0x88, 0x80, 0, 0, 0, 0], outcomes: [.real, pipe], isTold: true),
  ]
}

@Suite("Connections that break")
struct BrokenConnectionTests {
  @Test(
    "are given back, told of once, and no harm to others", arguments: Break.all,
    [EventLoop.Backend.system, .poll])
  func breaks(_ broken: Break, _ backend: EventLoop.Backend) async throws {
    let last = broken.sends.count - 1
    let kernel = ScriptedKernel([
      .receive: { $0 == last ? broken.receive : .real }, .send: ScriptedKernel.first(broken.send),
    ])
    let told = Mailbox<String>()
    let handler: @Sendable (HTTPExchange) -> Void = { exchange in
      let path = exchange.request.head.path
      if exchange.isWebSocketUpgrade {
        let connection = exchange.upgradeToWebSocket { _ in EchoHandler { _, _, _ in told.post("ended") } }
        if path == "/close" { connection?.close() }
      } else if path == "/" {
        exchange.respond(status: 200, text: "hello")
      } else {
        exchange.onClose { told.post("ended") }
        guard path == "/stream" else { return }
        exchange.begin(status: 200)
        exchange.write([1])
      }
    }
    try await withLoop(backend, kernel: kernel) { loop in
      try await withLoop { plain in
        try await withServer(loop, handler: handler) { server in
          let raw = try await RawClient.connect(server.port, on: plain)
          for bytes in broken.sends {
            raw.send(bytes)
            try await kernel.received.next()
          }
          _ = try await raw.readToEnd()
          // Runs when the event is over in which the socket was closed.
          loop.submit { told.post("\(server.connectionCount) left") }
          if broken.isTold {
            let end = try await told.next()
            #expect(end == "ended")
          }
          let left = try await told.next()
          #expect(left == "0 left")
          let got = try await HTTPClient(loop: plain).send(
            HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/"))
          #expect(got.status == 200)
        }
      }
    }
  }
}
