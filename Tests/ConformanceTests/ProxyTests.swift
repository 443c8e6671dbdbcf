import Conformance
import Synchronization
import Testing
import Transport
import Wire

/// What an interceptor saw, from any thread.
final class Seen: Sendable {
  private let lines = Mutex<[String]>([])
  var all: [String] { lines.withLock { $0 } }
  func add(_ line: String) { lines.withLock { $0.append(line) } }

  /// Waits until a line is there.
  func until(_ line: String) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(20)
    while !all.contains(line), ContinuousClock.now < deadline {
      try? await Task.sleep(for: .milliseconds(2))
    }
    return all.contains(line)
  }
}

/// An interceptor made of one function.
private final class Scripted: ProxyInterceptor {
  typealias Script = @Sendable (ProxyMessage, ProxyDirection) -> [ProxyAction]
  private let seen: Seen
  private let script: Script?

  init(_ seen: Seen, _ script: Script?) {
    self.seen = seen
    self.script = script
  }

  func holds(_ direction: ProxyDirection) -> Bool { script != nil }
  func opened(_ request: HTTPRequestHead, _ response: HTTPResponseHead) { seen.add("opened \(request.path)") }
  func answered(_ exchange: ProxiedExchange) {
    let body = String(decoding: exchange.responseBody, as: UTF8.self)
    seen.add("\(exchange.request.method) \(exchange.request.path): \(exchange.response.status) \(body)")
  }
  func unreachable(_ reason: String) { seen.add("unreachable") }
  func ended(_ direction: ProxyDirection, cause: String?) { seen.add("ended \(direction)") }
  func finished() { seen.add("finished") }

  func intercept(_ message: ProxyMessage, _ direction: ProxyDirection) -> [ProxyAction] {
    let arrow = direction == .toServer ? ">" : "<"
    switch message.content {
    case .text(let bytes):
      let pieces = message.frames == 1 ? "" : " in \(message.frames) frames"
      seen.add("\(arrow) \(String(decoding: bytes, as: UTF8.self))\(pieces)")
    case .binary(let bytes): seen.add("\(arrow) binary \(bytes.count)")
    case .ping(let bytes): seen.add("\(arrow) ping \(String(decoding: bytes, as: UTF8.self))")
    case .pong(let bytes): seen.add("\(arrow) pong \(String(decoding: bytes, as: UTF8.self))")
    case .close(let code, _): seen.add("\(arrow) close \(code.map(String.init) ?? "none")")
    case .invalid: seen.add("\(arrow) invalid")
    }
    return script?(message, direction) ?? []
  }
}

/// A proxy before a peer, and a client behind it.
private struct Between {
  let peer: Peer
  let proxy: Proxy
  let seen = Seen()

  init(_ peer: Peer, script: Scripted.Script? = nil) throws {
    self.peer = peer
    proxy = try Proxy(target: HTTPURL(peer.url), on: peer.loop) { [seen] _, _ in Scripted(seen, script) }
    proxy.start()
  }

  func connect() async throws -> WebSocketClient {
    try await WebSocketClient.connect(url: proxy.url + "/here", on: peer.loop)
  }
}

private func text(_ client: WebSocketClient) async throws -> String? {
  guard case .message(.text, let bytes)? = try await client.next(within: .seconds(20))?.event else {
    return nil
  }
  return String(decoding: bytes, as: UTF8.self)
}

private let echo: Peer.Behaviour = { text, _ in [.text("\(text)!")] }

@Suite("The proxy")
struct ProxyTests {
  @Test(
    "passes on and shows messages, pieces, pings and closes in both directions", arguments: [false, true])
  func passesOn(isHeld: Bool) async throws {
    let forward: Scripted.Script = { _, _ in [ProxyAction.forward] }
    let between = try Between(Peer(behaviour: echo), script: isHeld ? forward : nil)
    let client = try await between.connect()
    client.send(text: "one")
    #expect(try await text(client) == "one!")
    client.send(.text, Array("tw".utf8), fin: false)
    client.send(.continuation, Array("o".utf8))
    #expect(try await text(client) == "two!")
    client.ping(Array("p".utf8))
    #expect(try await client.next(within: .seconds(20))?.event == .pong(Array("p".utf8)))
    client.close(code: 1000)
    let end = try await client.next(within: .seconds(20))?.event
    #expect(end == .closed(code: 1000, reason: "", clean: true, how: .closeFrame))
    #expect(await between.seen.until("finished"))
    let lines = [
      "opened /here", "> one", "< one!", "> two in 2 frames", "< two!", "> ping p", "< pong p",
      "> close 1000", "< close 1000",
    ]
    #expect(between.seen.all.prefix(9) == lines[...])
  }

  @Test("passes on what breaks RFC 6455 unchanged, and tells of it")
  func invalid() async throws {
    let between = try Between(Peer(behaviour: echo))
    let client = try await between.connect()
    client.sendRaw([0x81, 0x02, 0x7b, 0x7d])
    let end = try await client.next(within: .seconds(20))?.event
    guard case .closed(1002, _, _, _)? = end else {
      Issue.record("ended with \(String(describing: end))")
      return
    }
    #expect(await between.seen.until("< close 1002"))
    #expect(between.seen.all.contains("> invalid"))
  }

  @Test("drops, replaces, repeats and delays as it is told, and keeps the order")
  func changes() async throws {
    let between = try Between(Peer(behaviour: echo)) { message, direction in
      guard direction == .toClient, let bytes = message.text else { return [.forward] }
      switch String(decoding: bytes, as: UTF8.self) {
      case "drop!": return []
      case "twice!": return [.forward, .wait(.milliseconds(30)), .forward]
      case "other!": return [.send(.text(Array("another".utf8)))]
      default: return [.forward]
      }
    }
    let client = try await between.connect()
    for word in ["drop", "twice", "other", "last"] { client.send(text: word) }
    #expect(try await text(client) == "twice!")
    #expect(try await text(client) == "twice!")
    #expect(try await text(client) == "another")
    #expect(try await text(client) == "last!")
  }

  @Test("closes with a code, cuts a frame and cuts the connection as it is told")
  func endings() async throws {
    let between = try Between(Peer(behaviour: echo)) { message, direction in
      guard direction == .toClient, let bytes = message.text else { return [.forward] }
      switch String(decoding: bytes, as: UTF8.self) {
      case "close!": return [.close(code: 4321, reason: "as told"), .forward]
      case "half!": return [.raw(Array(message.wire.prefix(4))), .end]
      default: return [.cut]
      }
    }
    for (word, expected) in [("close", "4321"), ("half", "eof"), ("cut", "reset")] {
      let client = try await between.connect()
      client.send(text: word)
      guard case .closed(let code, _, _, let how)? = try await client.next(within: .seconds(20))?.event else {
        Issue.record("\(word): no end")
        continue
      }
      switch how {
      case .closeFrame: #expect(code.map(String.init) == expected)
      case .eof: #expect(expected == "eof")
      case .reset: #expect(expected == "reset")
      default: Issue.record("\(word) ended by \(how)")
      }
    }
  }

  @Test("passes on and shows what is answered in HTTP, refusals too")
  func http() async throws {
    let peer = try Peer(pages: { request in
      request.head.path == "/page"
        ? (200, [:], "read \(String(decoding: request.body, as: UTF8.self))") : (401, [:], "no token")
    })
    let between = try Between(peer)
    let http = HTTPClient(loop: peer.loop)
    let page = "http://127.0.0.1:\(between.proxy.port)/page"
    for body in ["a", "b"] {
      let answer = try await http.send(HTTPClientRequest(method: "POST", url: page, body: Array(body.utf8)))
      #expect(String(decoding: answer.body, as: UTF8.self) == "read \(body)")
    }
    await #expect {
      _ = try await between.connect()
    } throws: { error in
      if case .rejected(401, _, let body, _)? = error as? WebSocketClientError {
        return body == Array("no token".utf8)
      }
      return false
    }
    #expect(await between.seen.until("GET /here: 401 no token"))
    #expect(
      between.seen.all.filter { $0.hasPrefix("POST") } == [
        "POST /page: 200 read a", "POST /page: 200 read b",
      ])
  }

  @Test("lets a fast sender wait for a slow reader, and loses nothing")
  func bounded() async throws {
    let between = try Between(
      Peer(behaviour: { _, _ in
        (0..<64).map { .text(String(repeating: "\($0 % 10)", count: 100_000)) }
      }))
    var options = WebSocketClientOptions()
    options.maxQueuedBytes = 200_000
    let client = try await WebSocketClient.connect(
      url: between.proxy.url, options: options, on: between.peer.loop)
    client.send(text: "go")
    for number in 0..<64 {
      #expect(try await text(client)?.prefix(1) == "\(number % 10)")
    }
  }

  @Test("cuts the client off when there is no target, and says so")
  func unreachable() async throws {
    let loop = try EventLoop(name: "lonely")
    loop.start()
    defer { loop.stop() }
    let free = try Listener(loop: loop, host: "127.0.0.1", port: 0)
    free.suspend()
    let seen = Seen()
    let proxy = try Proxy(target: HTTPURL("ws://127.0.0.1:\(free.port)"), on: loop) { _, _ in
      Scripted(seen, nil)
    }
    proxy.start()
    await #expect(throws: WebSocketClientError.self) {
      _ = try await WebSocketClient.connect(url: proxy.url, on: loop)
    }
    #expect(await seen.until("finished"))
    #expect(seen.all == ["unreachable", "finished"])
  }
}

@Suite("Finding messages in bytes")
struct MessageTapTests {
  /// Frames of every kind, right and wrong, one behind the other.
  private static let stream: [UInt8] = {
    var bytes: [UInt8] = []
    FrameEncoder.append(.text, Array("{}".utf8), mask: 7, to: &bytes)
    FrameEncoder.append(.text, Array("é".utf8.prefix(1)), fin: false, mask: 9, to: &bytes)
    FrameEncoder.append(.ping, Array("p".utf8), mask: 9, to: &bytes)
    FrameEncoder.append(.continuation, Array("é".utf8.suffix(1)), mask: 11, to: &bytes)
    FrameEncoder.append(.binary, [UInt8](repeating: 3, count: 300), mask: 1, to: &bytes)
    FrameEncoder.append(.text, [0xFF], mask: 1, to: &bytes)
    FrameEncoder.append(.text, [], mask: 1, to: &bytes)
    FrameEncoder.append(FrameEncoder.RawFrame(opcode: 3, payload: [1], mask: 1), to: &bytes)
    FrameEncoder.append(FrameEncoder.RawFrame(opcode: 1, payload: [1], rsv: 4, mask: 1), to: &bytes)
    FrameEncoder.append(.text, [1], to: &bytes)
    FrameEncoder.append(.continuation, [1], mask: 1, to: &bytes)
    FrameEncoder.append(.ping, [], fin: false, mask: 1, to: &bytes)
    FrameEncoder.appendClose(code: 1000, reason: "bye", mask: 1, to: &bytes)
    FrameEncoder.append(.close, [3], mask: 1, to: &bytes)
    return bytes
  }()

  private static func found(_ pieces: [[UInt8]]) -> (shown: [String], wire: [UInt8]) {
    var tap = MessageTap(.toServer)
    var messages: [ProxyMessage] = []
    for piece in pieces { messages += piece.withUnsafeBytes { tap.feed($0) } }
    let shown = messages.map { message in
      switch message.content {
      case .invalid: "invalid"
      case .binary(let bytes): "binary \(bytes.count)"
      default: "\(message.content) \(message.frames)"
      }
    }
    return (shown, messages.flatMap(\.wire) + tap.takeRest())
  }

  @Test("does not depend on where the bytes are cut, and loses none")
  func cuts() {
    let whole = Self.found([Self.stream])
    #expect(whole.shown.filter { $0 == "invalid" }.count == 7)
    #expect(whole.shown.count == 13)
    for width in [1, 2, 3, 7, 64] {
      let pieces = stride(from: 0, to: Self.stream.count, by: width).map {
        Array(Self.stream[$0..<min($0 + width, Self.stream.count)])
      }
      let cut = Self.found(pieces)
      #expect(cut.shown == whole.shown)
      // A ping between two fragments stands before the message they make.
      #expect(cut.wire.sorted() == Self.stream.sorted())
    }
  }

  @Test("gives up where frames cannot be told apart, and still owes the bytes")
  func lost() {
    for bytes: [UInt8] in [
      [0x81, 0xFF] + [UInt8](repeating: 0xFF, count: 12), [0x81, 0xFE, 0xFF, 0xFF, 1, 1, 1, 1, 9],
    ] {
      var tap = MessageTap(.toServer, maxBytes: 1000)
      let messages = bytes.withUnsafeBytes { tap.feed($0) }
      #expect(messages.isEmpty && tap.lost != nil)
      #expect(tap.takeRest() == bytes)
    }
  }
}
