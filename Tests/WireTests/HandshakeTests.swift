import Testing
import Wire

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
}
