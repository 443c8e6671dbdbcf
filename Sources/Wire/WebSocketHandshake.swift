/// The opening handshake of both sides (RFC 6455 §4).
package enum WebSocketHandshake {
  /// An answer that refuses an upgrade.
  package struct Refusal: Error, Sendable, Equatable, CustomStringConvertible {
    package let status: Int
    package let headers: HTTPHeaders
    package let text: String

    package init(_ status: Int, _ text: String, headers: HTTPHeaders = []) {
      self.status = status
      self.text = text
      self.headers = headers
    }

    package var description: String { text }
  }

  package enum Decision: Sendable {
    /// The 101 answer and the subprotocol it names.
    case accept(HTTPResponseHead, subprotocol: String?)
    case refuse(Refusal)
  }

  /// Whether a request asks for WebSocket at all, rightly or wrongly; Upgrade means nothing in
  /// HTTP/1.0 (RFC 9110 §7.8).
  package static func isUpgrade(_ head: HTTPRequestHead) -> Bool {
    head.minorVersion >= 1 && head.headers.contains(token: "websocket", in: "Upgrade")
  }

  /// The subprotocols a request offers, in its order of preference (RFC 6455 §11.3.4).
  package static func offeredSubprotocols(_ head: HTTPRequestHead) -> [String] {
    head.headers.list("Sec-WebSocket-Protocol")
  }

  /// Decides a request (RFC 6455 §4.2). `choose` gets what was offered; an answer that was not
  /// offered counts as none.
  package static func decide(
    _ head: HTTPRequestHead, choose: ([String]) -> String? = { _ in nil }
  ) -> Decision {
    do {
      let key = try check(head)
      let offered = offeredSubprotocols(head)
      let chosen = choose(offered).flatMap { offered.contains($0) ? $0 : nil }
      var headers: HTTPHeaders = [
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept(for: key),
      ]
      if let chosen { headers.append("Sec-WebSocket-Protocol", chosen) }
      return .accept(HTTPResponseHead(status: 101, headers: headers), subprotocol: chosen)
    } catch {
      return .refuse(error)
    }
  }

  /// The key of a valid request (RFC 6455 §4.2.1).
  private static func check(_ head: HTTPRequestHead) throws(Refusal) -> String {
    guard head.minorVersion >= 1 else {
      throw Refusal(400, "upgrade in HTTP/1.0, at least 1.1 is needed (RFC 6455 §4.2.1)")
    }
    guard isUpgrade(head) else {
      throw Refusal(
        426, "this is a websocket endpoint: Upgrade: websocket is missing (RFC 6455 §4.2.1)",
        headers: ["Upgrade": "websocket", "Connection": "Upgrade"])
    }
    guard head.method == "GET" else {
      throw Refusal(
        405, "upgrade by \(head.method), only GET is allowed (RFC 6455 §4.1)", headers: ["Allow": "GET"])
    }
    guard head.headers.contains(token: "upgrade", in: "Connection") else {
      throw Refusal(400, "Connection does not name upgrade (RFC 6455 §4.2.1)")
    }
    let versions = head.headers.values("Sec-WebSocket-Version")
    guard versions == ["13"] else {
      let named = versions.isEmpty ? "none" : ASCII.quote(versions.joined(separator: ", ").utf8)
      throw Refusal(
        426, "Sec-WebSocket-Version is \(named), only 13 is supported (RFC 6455 §4.4)",
        headers: ["Sec-WebSocket-Version": "13", "Upgrade": "websocket", "Connection": "Upgrade"])
    }
    let keys = head.headers.values("Sec-WebSocket-Key")
    guard keys.count == 1 else {
      throw Refusal(400, "\(keys.count) Sec-WebSocket-Key fields, exactly one is needed (RFC 6455 §11.3.1)")
    }
    guard Base64.decodedCount(keys[0]) == 16 else {
      throw Refusal(
        400, "Sec-WebSocket-Key \(ASCII.quote(keys[0].utf8)) is not 16 bytes in base64 (RFC 6455 §4.2.1)")
    }
    for offered in offeredSubprotocols(head) where !ASCII.isToken(offered.utf8) {
      throw Refusal(400, "subprotocol \(ASCII.quote(offered.utf8)) is no token (RFC 6455 §4.1)")
    }
    try checkExtensions(head.headers)
    return keys[0]
  }

  /// None is ever accepted, but what is offered must be well formed (RFC 6455 §9.1).
  private static func checkExtensions(_ headers: HTTPHeaders) throws(Refusal) {
    let fields = headers.values("Sec-WebSocket-Extensions")
    let offered = headers.list("Sec-WebSocket-Extensions")
    guard offered.allSatisfy({ FieldScanner.isExtension($0.utf8[...]) }), fields.isEmpty || !offered.isEmpty
    else {
      let named = ASCII.quote(fields.joined(separator: ", ").utf8)
      throw Refusal(400, "Sec-WebSocket-Extensions \(named) is no list of extensions (RFC 6455 §9.1)")
    }
  }

  /// Sec-WebSocket-Accept for a key (RFC 6455 §4.2.2).
  package static func accept(for key: String) -> String {
    Base64.encode(SHA1.hash(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
  }

  /// A fresh Sec-WebSocket-Key (RFC 6455 §4.1).
  package static func newKey() -> String {
    Base64.encode((0..<16).map { _ in UInt8.random(in: .min ... .max) })
  }

  /// A client's request (RFC 6455 §4.1); fields in `headers` replace those made here.
  package static func request(
    host: String, target: String, key: String, subprotocols: [String] = [], headers: HTTPHeaders = []
  ) -> HTTPRequestHead {
    var all: HTTPHeaders = [
      "Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key,
      "Sec-WebSocket-Version": "13",
    ]
    if !subprotocols.isEmpty {
      all.append("Sec-WebSocket-Protocol", subprotocols.joined(separator: ", "))
    }
    for (name, _) in headers { all.remove(name) }
    all.append(contentsOf: headers)
    return HTTPRequestHead(method: "GET", target: target, headers: all)
  }

  /// Checks a server's answer and gives the subprotocol it chose (RFC 6455 §4.1).
  package static func verify(
    _ head: HTTPResponseHead, key: String, offered: [String]
  ) throws(Refusal) -> String? {
    func refuse(_ text: String) -> Refusal { Refusal(head.status, text, headers: head.headers) }
    guard head.status == 101 else {
      throw refuse("the server answered \(head.status), not 101 (RFC 6455 §4.1)")
    }
    guard head.headers.values("Upgrade").count == 1, isUpgradeAnswer(head) else {
      throw refuse("the answer's Upgrade or Connection does not say websocket upgrade (RFC 6455 §4.1)")
    }
    let expected = accept(for: key)
    // By bytes: text that only looks the same is not the same.
    guard head.headers.values("Sec-WebSocket-Accept").map({ Array($0.utf8) }) == [Array(expected.utf8)] else {
      let got = ASCII.quote(head.headers.values("Sec-WebSocket-Accept").joined(separator: ", ").utf8)
      throw refuse("Sec-WebSocket-Accept is \(got), not \"\(expected)\" (RFC 6455 §4.1)")
    }
    if let named = head.headers["Sec-WebSocket-Extensions"] {
      throw refuse("extension \(ASCII.quote(named.utf8)) was not offered (RFC 6455 §4.1)")
    }
    let chosen = head.headers.values("Sec-WebSocket-Protocol")
    guard chosen.count <= 1, chosen.allSatisfy({ offered.contains($0) }) else {
      let named = ASCII.quote(chosen.joined(separator: ", ").utf8)
      throw refuse("subprotocol \(named) was not offered (RFC 6455 §4.1)")
    }
    return chosen.first
  }

  private static func isUpgradeAnswer(_ head: HTTPResponseHead) -> Bool {
    ASCII.equal(head.headers["Upgrade"] ?? "", "websocket")
      && head.headers.contains(token: "upgrade", in: "Connection")
  }
}
