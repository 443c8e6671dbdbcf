import Testing

@testable import Wire

@Suite("WebSocket handshake")
struct HandshakeTests {
  static func request(_ change: (inout HTTPHeaders) -> Void = { _ in }) -> HTTPRequestHead {
    var head = WebSocketHandshake.request(
      host: "a", target: "/", key: "dGhlIHNhbXBsZSBub25jZQ==", subprotocols: ["x", "mcp"])
    change(&head.headers)
    return head
  }

  @Test("a client's request is accepted and its answer verified")
  func roundTrip() throws {
    guard
      case .accept(let head, let chosen) = WebSocketHandshake.decide(Self.request(), choose: { _ in "mcp" })
    else {
      Issue.record("was refused")
      return
    }
    #expect(chosen == "mcp")
    #expect(head.headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    let verified = try WebSocketHandshake.verify(
      head, key: "dGhlIHNhbXBsZSBub25jZQ==", offered: ["x", "mcp"])
    #expect(verified == "mcp")
    #expect(throws: WebSocketHandshake.Refusal.self) {
      try WebSocketHandshake.verify(head, key: "other", offered: ["mcp"])
    }
    #expect(throws: WebSocketHandshake.Refusal.self) {
      try WebSocketHandshake.verify(head, key: "dGhlIHNhbXBsZSBub25jZQ==", offered: ["x"])
    }
    var extended = head
    extended.headers.append("Sec-WebSocket-Extensions", "permessage-deflate")
    #expect(throws: WebSocketHandshake.Refusal.self) {
      try WebSocketHandshake.verify(extended, key: "dGhlIHNhbXBsZSBub25jZQ==", offered: ["mcp"])
    }
  }

  @Test("a subprotocol that was not offered is not chosen, an extension never")
  func notOffered() {
    let head = Self.request { $0.append("Sec-WebSocket-Extensions", "permessage-deflate") }
    guard case .accept(let answer, let chosen) = WebSocketHandshake.decide(head, choose: { _ in "y" }) else {
      Issue.record("was refused")
      return
    }
    #expect(chosen == nil)
    #expect(answer.headers["Sec-WebSocket-Protocol"] == nil)
    #expect(answer.headers["Sec-WebSocket-Extensions"] == nil)
  }

  static let refusals: [(String, Int, @Sendable (inout HTTPRequestHead) -> Void)] = [
    ("no Upgrade", 426, { $0.headers["Upgrade"] = nil }),
    ("method", 405, { $0.method = "POST" }),
    ("HTTP/1.0", 400, { $0.minorVersion = 0 }),
    ("no Connection", 400, { $0.headers["Connection"] = "keep-alive" }),
    ("no version", 426, { $0.headers["Sec-WebSocket-Version"] = nil }),
    ("version 8", 426, { $0.headers["Sec-WebSocket-Version"] = "8" }),
    ("no key", 400, { $0.headers["Sec-WebSocket-Key"] = nil }),
    ("short key", 400, { $0.headers["Sec-WebSocket-Key"] = "c2hvcnQ=" }),
    ("two keys", 400, { $0.headers.append("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==") }),
    ("bad subprotocol", 400, { $0.headers["Sec-WebSocket-Protocol"] = "a b" }),
    ("HEAD", 405, { $0.method = "HEAD" }),
    ("Upgrade to something else", 426, { $0.headers["Upgrade"] = "h2c, web socket" }),
    ("Connection without Upgrade", 400, { $0.headers["Connection"] = nil }),
    ("Connection that only begins alike", 400, { $0.headers["Connection"] = "upgraded" }),
    ("version 14", 426, { $0.headers["Sec-WebSocket-Version"] = "14" }),
    ("version 013", 426, { $0.headers["Sec-WebSocket-Version"] = "013" }),
    ("version list", 426, { $0.headers["Sec-WebSocket-Version"] = "13, 8" }),
    ("version twice", 426, { $0.headers.append("Sec-WebSocket-Version", "13") }),
    ("empty version", 426, { $0.headers["Sec-WebSocket-Version"] = "" }),
    ("empty key", 400, { $0.headers["Sec-WebSocket-Key"] = "" }),
    ("key of 15 bytes", 400, { $0.headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25j" }),
    ("key of 17 bytes", 400, { $0.headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZTE=" }),
    ("key without padding", 400, { $0.headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ" }),
    ("key in another alphabet", 400, { $0.headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25_ZQ==" }),
    ("key and more", 400, { $0.headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ==, x" }),
    ("empty extensions", 400, { $0.headers["Sec-WebSocket-Extensions"] = "" }),
    ("extension that is no token", 400, { $0.headers["Sec-WebSocket-Extensions"] = "a, b c" }),
    ("extension without a name", 400, { $0.headers["Sec-WebSocket-Extensions"] = "; a" }),
    ("extension parameter without a name", 400, { $0.headers["Sec-WebSocket-Extensions"] = "a; =1" }),
    ("extension parameter without a value", 400, { $0.headers["Sec-WebSocket-Extensions"] = "a; b=" }),
    ("quoted value that is no token", 400, { $0.headers["Sec-WebSocket-Extensions"] = "a; b=\"c d\"" }),
    ("empty quoted value", 400, { $0.headers["Sec-WebSocket-Extensions"] = "a; b=\"\"" }),
    ("open quote", 400, { $0.headers["Sec-WebSocket-Extensions"] = "a; b=\"c" }),
  ]

  @Test("refuses with the status that helps", arguments: refusals.indices)
  func refuses(_ index: Int) {
    let (name, status, change) = Self.refusals[index]
    var head = Self.request()
    change(&head)
    guard case .refuse(let refusal) = WebSocketHandshake.decide(head) else {
      Issue.record("\(name) was accepted")
      return
    }
    #expect(refusal.status == status, "\(name)")
    if name.contains("version") { #expect(refusal.headers["Sec-WebSocket-Version"] == "13") }
  }

  static let accepted: [(String, @Sendable (inout HTTPRequestHead) -> Void)] = [
    ("Upgrade in any case", { $0.headers["Upgrade"] = "WebSocket" }),
    ("Upgrade among others", { $0.headers["Upgrade"] = "h2c, websocket" }),
    ("Connection in any case, among others", { $0.headers["Connection"] = "keep-alive, UPGRADE" }),
    (
      "Connection in two fields",
      {
        $0.headers["Connection"] = "keep-alive"
        $0.headers.append("Connection", "upgrade")
      }
    ),
    ("Connection: close beside upgrade", { $0.headers["Connection"] = "close, Upgrade" }),
    ("HTTP/1.2 and up", { $0.minorVersion = 2 }),
    (
      "field names in lower case",
      {
        $0.headers = HTTPHeaders($0.headers.map { ($0.name.lowercased(), $0.value) })
      }
    ),
    ("no subprotocol", { $0.headers["Sec-WebSocket-Protocol"] = nil }),
    ("empty subprotocol", { $0.headers["Sec-WebSocket-Protocol"] = "" }),
    (
      "extensions of every form",
      {
        $0.headers["Sec-WebSocket-Extensions"] = "a, b; c; d=1;e = \"f\\g\""
        $0.headers.append("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
      }
    ),
  ]

  @Test("accepts what RFC 6455 §4.2.1 allows, and never an extension", arguments: accepted.indices)
  func accepts(_ index: Int) {
    let (name, change) = Self.accepted[index]
    var head = Self.request()
    change(&head)
    guard case .accept(let answer, nil) = WebSocketHandshake.decide(head) else {
      Issue.record("\(name) was refused")
      return
    }
    #expect(
      answer.headers == [
        "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
      ], "\(name)")
  }

  @Test("Upgrade in HTTP/1.0 asks for nothing (RFC 9110 §7.8)")
  func old() {
    var head = Self.request()
    #expect(WebSocketHandshake.isUpgrade(head))
    head.minorVersion = 0
    #expect(!WebSocketHandshake.isUpgrade(head))
  }

  @Test("a subprotocol is echoed as it was offered, by its exact bytes")
  func subprotocols() {
    func chosen(_ wanted: String) -> String? {
      guard
        case .accept(let head, let chosen) = WebSocketHandshake.decide(
          Self.request(), choose: { _ in wanted })
      else { return nil }
      #expect(head.headers["Sec-WebSocket-Protocol"] == chosen)
      return chosen
    }
    #expect(chosen("x") == "x")
    #expect(chosen("mcp") == "mcp")
    #expect(chosen("MCP") == nil)
    #expect(chosen("x, mcp") == nil)
    #expect(chosen("") == nil)
  }

  @Test("a client asks as RFC 6455 §4.1 wants it, with a fresh key")
  func asks() {
    let head = Self.request()
    #expect(head.method == "GET" && head.minorVersion == 1)
    #expect(head.headers.first { _ in true }?.name == "Host")
    #expect(head.headers["Upgrade"] == "websocket" && head.headers["Connection"] == "Upgrade")
    #expect(head.headers["Sec-WebSocket-Version"] == "13")
    #expect(head.headers["Sec-WebSocket-Protocol"] == "x, mcp")
    let keys = (0..<100).map { _ in WebSocketHandshake.newKey() }
    #expect(Set(keys).count == 100)
    #expect(keys.allSatisfy { Base64.decodedCount($0) == 16 })
  }

  static let wrongAnswers: [(String, @Sendable (inout HTTPResponseHead) -> Void)] = [
    ("200", { $0.status = 200 }), ("no Upgrade", { $0.headers["Upgrade"] = nil }),
    ("another Upgrade", { $0.headers["Upgrade"] = "h2c" }),
    ("two Upgrades", { $0.headers.append("Upgrade", "websocket") }),
    ("Upgrade list", { $0.headers["Upgrade"] = "websocket, h2c" }),
    ("no Connection", { $0.headers["Connection"] = nil }),
    ("Connection without upgrade", { $0.headers["Connection"] = "keep-alive" }),
    ("no accept", { $0.headers["Sec-WebSocket-Accept"] = nil }),
    ("accept of another key", { $0.headers["Sec-WebSocket-Accept"] = WebSocketHandshake.accept(for: "x") }),
    ("accept in another case", { $0.headers["Sec-WebSocket-Accept"] = "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=" }),
    (
      "accept with a letter that looks alike",
      {
        $0.headers["Sec-WebSocket-Accept"] = "s3pPLMBiTxaQ9kYGzzhZRb\u{212A}+xOo="
      }
    ),
    ("accept twice", { $0.headers.append("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") }),
    ("subprotocol not offered", { $0.headers["Sec-WebSocket-Protocol"] = "y" }),
    ("subprotocol in another case", { $0.headers["Sec-WebSocket-Protocol"] = "MCP" }),
    ("two subprotocols", { $0.headers["Sec-WebSocket-Protocol"] = "x, mcp" }),
    ("empty subprotocol", { $0.headers["Sec-WebSocket-Protocol"] = "" }),
    ("an extension", { $0.headers["Sec-WebSocket-Extensions"] = "permessage-deflate" }),
    ("empty extensions", { $0.headers["Sec-WebSocket-Extensions"] = "" }),
  ]

  @Test("a client fails on an answer that is none (RFC 6455 §4.1)", arguments: wrongAnswers.indices)
  func wrongAnswer(_ index: Int) throws {
    let (name, change) = Self.wrongAnswers[index]
    guard case .accept(var head, _) = WebSocketHandshake.decide(Self.request()) else {
      Issue.record("was refused")
      return
    }
    let key = "dGhlIHNhbXBsZSBub25jZQ=="
    #expect(try WebSocketHandshake.verify(head, key: key, offered: ["x", "mcp"]) == nil)
    change(&head)
    #expect(throws: WebSocketHandshake.Refusal.self, "\(name)") {
      try WebSocketHandshake.verify(head, key: key, offered: ["x", "mcp"])
    }
  }
}
