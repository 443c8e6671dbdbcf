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
  /// What the peer sends, each behind the receipt of the one before.
  let sends: [[UInt8]]
  /// Whether the peer cuts the connection behind that.
  var byPeer = false
  /// How the last `receive` comes out.
  var receive = ScriptedKernel.Outcome.real
  /// How the calls of `send` come out.
  var send: @Sendable (Int) -> ScriptedKernel.Outcome = { _ in .real }
  /// Whether somebody is told of the end.
  let isTold: Bool

  private static func get(_ path: String, _ fields: String = "") -> [UInt8] {
    Array("GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n".utf8)
  }
  private static func upgrade(_ path: String) -> [UInt8] {
    Array("GET \(path)".utf8) + upgradeRequest.dropFirst(5)
  }
  private static let message: [UInt8] = [0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]
  private static let close: [UInt8] = [0x88, 0x80, 0, 0, 0, 0]
  private static let reset = ScriptedKernel.Outcome.error(ECONNRESET)
  private static let pipe = ScriptedKernel.Outcome.error(EPIPE)
  private static let later = ScriptedKernel.Outcome.error(EAGAIN)
  private static let never: @Sendable (Int) -> ScriptedKernel.Outcome = { _ in later }

  /// The states in which the server reads.
  private static let readingStates: [Break] = [
    Break(testDescription: "before a request", sends: [], isTold: false),
    Break(testDescription: "inside a head", sends: [Array("GET / HT".utf8)], isTold: false),
    Break(
      testDescription: "inside a body", sends: [get("/", "Content-Length: 9\r\n") + [1, 2]], isTold: false),
    Break(testDescription: "between requests", sends: [get("/")], isTold: false),
    Break(
      testDescription: "behind the last answer", sends: [get("/", "Connection: close\r\n")], isTold: false),
    Break(testDescription: "behind a refusal", sends: [Array("?\r\n\r\n".utf8)], isTold: false),
    Break(testDescription: "while a request is worked on", sends: [get("/wait")], isTold: true),
    Break(testDescription: "inside a streamed answer", sends: [get("/stream")], isTold: true),
    Break(testDescription: "with an answer queued", sends: [get("/")], send: never, isTold: false),
    Break(
      testDescription: "with the last answer queued",
      sends: [get("/", "Connection: close\r\n")], send: never, isTold: false),
    Break(testDescription: "in a WebSocket handshake", sends: [upgrade("/later")], isTold: true),
    Break(testDescription: "with a 101 queued", sends: [upgrade("/")], send: never, isTold: true),
    Break(testDescription: "on an open WebSocket", sends: [upgrade("/")], isTold: true),
    Break(testDescription: "inside a frame", sends: [upgrade("/"), [0x81, 0xFE, 1]], isTold: true),
    Break(
      testDescription: "between the frames of a message",
      sends: [upgrade("/"), [0x01, 0x81, 0, 0, 0, 0, 0x68]], isTold: true),
    Break(testDescription: "behind our own Close", sends: [upgrade("/close")], isTold: true),
    Break(testDescription: "behind both Closes", sends: [upgrade("/"), close], isTold: true),
    Break(testDescription: "with our Close queued", sends: [upgrade("/close")], send: never, isTold: true),
  ]

  /// Those in which it does not, so that only the poller can tell.
  private static let pausedStates: [Break] = [
    Break(testDescription: "on a paused WebSocket", sends: [upgrade("/pause"), message], isTold: true),
    Break(
      testDescription: "behind more requests than are held",
      sends: [get("/wait")] + Array(repeating: Array(repeating: 0x78, count: 40_000), count: 2), isTold: true),
  ]

  static let all: [Break] =
    readingStates.map { state in
      Break(
        testDescription: "reading \(state.testDescription)", sends: state.sends + [[0x78]], receive: reset,
        send: state.send, isTold: state.isTold)
    }
    + (readingStates + pausedStates).map { state in
      Break(
        testDescription: "by RST \(state.testDescription)", sends: state.sends, byPeer: true,
        send: state.send,
        isTold: state.isTold)
    } + [
      .writing("an answer", get("/"), outcomes: [reset], isTold: false),
      .writing("inside an answer", get("/"), outcomes: [.upTo(9), later, reset], isTold: false),
      .writing(
        "the last answer", get("/", "Connection: close\r\n"), outcomes: [.upTo(9), pipe], isTold: false),
      .writing("a refusal", Array("?\r\n\r\n".utf8), outcomes: [reset], isTold: false),
      .writing("a streamed answer", get("/stream"), outcomes: [reset], isTold: true),
      .writing("a 101", upgrade("/"), outcomes: [pipe], isTold: true),
      .writing("a message", upgrade("/"), message, outcomes: [.real, reset], isTold: true),
      .writing(
        "inside a message", upgrade("/"), message, outcomes: [.real, .upTo(1), later, pipe], isTold: true),
      .writing("our Close", upgrade("/"), close, outcomes: [.real, pipe], isTold: true),
    ]

  /// A reset that writing tells of.
  private static func writing(
    _ name: String, _ sends: [UInt8]..., outcomes: [ScriptedKernel.Outcome], isTold: Bool
  ) -> Break {
    Break(
      testDescription: "writing \(name)", sends: sends, send: ScriptedKernel.first(outcomes), isTold: isTold)
  }
}

/// Echoes, and does not read behind the first message.
private final class PausingHandler: WebSocketHandler {
  private let onEnd: @Sendable () -> Void
  init(_ onEnd: @escaping @Sendable () -> Void) { self.onEnd = onEnd }

  func onMessage(
    _ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer, on connection: WebSocketConnection
  ) { connection.pauseReading() }

  func onClose(code: UInt16?, reason: String, clean: Bool, on connection: WebSocketConnection) { onEnd() }
}

@Suite("Connections that break", .bothBackends)
struct BrokenConnectionTests {
  private static func serve(_ exchange: HTTPExchange, _ told: Mailbox<String>) {
    let ended: @Sendable () -> Void = { told.post("ended") }
    let path = exchange.request.head.path
    switch (path, exchange.isWebSocketUpgrade) {
    case ("/later", true):
      exchange.onClose { exchange.upgradeToWebSocket { _ in EchoHandler { _, _, _ in ended() } } }
    case ("/pause", true): exchange.upgradeToWebSocket { _ in PausingHandler(ended) }
    case (_, true):
      let connection = exchange.upgradeToWebSocket { _ in EchoHandler { _, _, _ in ended() } }
      if path == "/close" { connection?.close() }
    case ("/", false): exchange.respond(status: 200, text: "hello")
    case ("/wait", false): exchange.onClose { ended() }
    case ("/stream", false):
      exchange.onClose { ended() }
      exchange.begin(status: 200)
      exchange.write([1])
    // Some other program of this machine that knew a server on this port, and asks whether it is still there.
    default: exchange.reset()
    }
  }

  @Test("are given back, told of once, and no harm to others", arguments: Break.all)
  func breaks(_ broken: Break) async throws {
    let last = broken.sends.count - 1
    let kernel = ScriptedKernel([
      .receive: { $0 == last ? broken.receive : .real }, .send: broken.send,
    ])
    let told = Mailbox<String>()
    try await withLoop(kernel: kernel) { loop in
      try await withLoop { plain in
        try await withServer(loop, handler: { Self.serve($0, told) }) { server in
          let raw = try await RawClient.connect(server.port, on: plain)
          try await loop.turns { server.connectionCount == 1 }
          for bytes in broken.sends {
            raw.send(bytes)
            try await kernel.received.next()
          }
          if broken.byPeer { raw.reset() }
          _ = try await raw.readToEnd()
          try await loop.turns { server.connectionCount == 0 }
          told.post("over")
          for expected in broken.isTold ? ["ended", "over"] : ["over"] {
            let next = try await told.next()
            #expect(next == expected)
          }
        }
      }
    }
  }

  @Test("do not keep the next client from being served")
  func others() async throws {
    let kernel = ScriptedKernel([.receive: ScriptedKernel.first([.error(ECONNRESET)])])
    try await withLoop(kernel: kernel) { loop in
      try await withLoop { plain in
        try await withServer(loop, handler: { Self.serve($0, Mailbox()) }) { server in
          let raw = try await RawClient.connect(server.port, on: plain)
          raw.send("GET")
          _ = try await raw.readToEnd()
          let got = try await HTTPClient(loop: plain).send(
            HTTPClientRequest(url: "http://127.0.0.1:\(server.port)/"))
          #expect(got.status == 200)
        }
      }
    }
  }
}
