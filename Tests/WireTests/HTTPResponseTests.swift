import Testing
import Wire

struct ResponseCase: Sendable, CustomTestStringConvertible {
  let name: String
  let method: String
  let text: String
  let body: String
  /// Whether the message is complete only when the connection ends.
  let ends: Bool
  var testDescription: String { name }
  init(_ name: String, _ method: String, _ text: String, _ body: String, ends: Bool = false) {
    self.name = name
    self.method = method
    self.text = text
    self.body = body
    self.ends = ends
  }
}

@Suite("HTTP responses")
struct HTTPResponseTests {
  @Test(
    "every framing, cut at each place",
    arguments: [
      ResponseCase("length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc"),
      ResponseCase(
        "chunked with trailers", "GET",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\n", "abc"),
      ResponseCase("until close", "GET", "HTTP/1.1 200 OK\r\n\r\nabc", "abc", ends: true),
      ResponseCase("1.0 until close", "GET", "HTTP/1.0 200 OK\r\n\r\nabc", "abc", ends: true),
      ResponseCase("HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", ""),
      ResponseCase("204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", ""),
      ResponseCase("304 with a length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", ""),
      ResponseCase(
        "204 with framing", "GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", ""),
      ResponseCase("HEAD, chunked", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ""),
      ResponseCase("HEAD without framing", "HEAD", "HTTP/1.0 200 OK\r\n\r\n", ""),
      ResponseCase("101", "GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", ""),
      ResponseCase(
        "body of a refusal", "GET", "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 1\r\n\r\na", "a"),
      ResponseCase("empty until close", "GET", "HTTP/1.1 200 OK\r\n\r\n", "", ends: true),
      ResponseCase(
        "until close, CR LF inside", "GET", "HTTP/1.1 200 OK\r\n\r\n\r\n0\r\n", "\r\n0\r\n", ends: true),
      ResponseCase(
        "coding in a folded field", "GET",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "a"),
      ResponseCase("status of no class", "GET", "HTTP/1.1 999 \r\nContent-Length: 1\r\n\r\na", "a"),
      ResponseCase("no reason phrase", "GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", ""),
      ResponseCase(
        "interim responses before it", "GET",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
        "a"),
    ])
  func framings(_ response: ResponseCase) throws {
    for pieces in splits(of: Array(response.text.utf8)) {
      let messages = try parseResponse(pieces, to: response.method, ends: response.ends)
      #expect(messages.count == 1)
      #expect(messages.first?.isComplete == true)
      #expect(String(decoding: messages.first?.body ?? [], as: UTF8.self) == response.body)
    }
  }

  @Test("one response behind the other, the one in between to HEAD")
  func following() throws {
    let text =
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
      + "HTTP/1.1 304 X\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\n\r\nrest"
    let bytes = Array(text.utf8)
    let methods = ["GET", "HEAD", "GET", "GET"]
    for pieces in splits(of: bytes) {
      var parser = HTTPResponseParser()
      var told: [String] = []
      for piece in pieces {
        var offset = 0
        try piece.withUnsafeBytes { buffer in
          while let event = try parser.next(buffer, &offset) {
            switch event {
            case .head(let head): told.append("\(head.status)")
            case .body(let bytes): told[told.count - 1] += String(decoding: bytes, as: UTF8.self)
            case .end: parser.expect(method: methods[told.count])
            }
          }
        }
      }
      #expect(try parser.finish())
      #expect(told == ["200a", "200", "304", "200rest"])
    }
  }

  @Test("behind 101 the rest is not touched")
  func switching() throws {
    let head = Array("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n".utf8)
    let bytes = head + [0x81, 0x00]
    var parser = HTTPResponseParser()
    var offset = 0
    try bytes.withUnsafeBytes { buffer in
      guard case .head(let head)? = try parser.next(buffer, &offset) else {
        Issue.record("no head")
        return
      }
      #expect(head.status == 101)
    }
    #expect(offset == head.count)
  }

  @Test("a folded value is joined")
  func folded() throws {
    let text = "HTTP/1.1 200 OK\r\nX: a\r\n\t b\r\nContent-Length: 0\r\n\r\n"
    #expect(try parseResponse([Array(text.utf8)])[0].head?.headers["X"] == "a b")
  }

  @Test(
    "an answer cut short is told",
    arguments: [
      "HTTP/1.1 2", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
    ])
  func truncated(_ text: String) {
    #expect(throws: HTTPError(502, "the connection ended inside the response (RFC 9112 §8)")) {
      try parseResponse([Array(text.utf8)], ends: true)
    }
  }

  @Test(
    "refuses what is no response",
    arguments: [
      "garbage\r\n", "HTTP/1.1 20 OK\r\n", "HTTP/1.1 abc OK\r\n", "HTTP/2 200 OK\r\n", "HTTP/1.1 099 X\r\n",
      "HTTP/1.1 200 OK\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
      "\r\nHTTP/1.1 200 OK\r\n", "HTTP/1.1  200 OK\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/1.1 +20 OK\r\n",
      "HTTP/1.1\t200 OK\r\n", "HTTP/1.1 200 O\rK\r\n", "HTTP/1.1 200 O\0K\r\n",
      "HTTP/1.1 200 OK\r\n folded: a\r\n",
      "HTTP/1.1 200 OK\r\nA : b\r\n", "HTTP/1.1 200 OK\r\nA: b\rc\r\n", "HTTP/1.1 200 OK\r\nA: b\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;\r\na\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n c\r\n\r\n",
      String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 17),
    ])
  func refusals(_ text: String) {
    let bytes = Array(text.utf8)
    for pieces in bytes.count > 200 ? [[bytes]] : splits(of: bytes) {
      do {
        let messages = try parseResponse(pieces)
        Issue.record("was taken: \(messages)")
      } catch {
        #expect(error.status == 502, "\(error.message)")
      }
    }
  }

  @Test("what the encoder writes is read back, and a value cannot start a field")
  func encoder() throws {
    var bytes: [UInt8] = []
    let head = HTTPResponseHead(
      status: 200, headers: ["Transfer-Encoding": "chunked", "X": "a\r\nInjected: b"])
    HTTPEncoder.append(head, to: &bytes)
    Array("hello".utf8).withUnsafeBytes { HTTPEncoder.appendChunk($0, to: &bytes) }
    HTTPEncoder.appendLastChunk(trailers: ["T": "1"], to: &bytes)
    let message = try parseResponse([bytes])[0]
    #expect(message.head?.headers["Injected"] == nil)
    #expect(message.head?.headers["X"] == "a  Injected: b")
    #expect(message.body == Array("hello".utf8))
    #expect(message.trailers == ["T": "1"])
  }

  @Test("header fields: order, case, lists")
  func headers() {
    var headers: HTTPHeaders = ["A": "1", "b": "x, y ,, Z", "a": "2"]
    #expect(headers["a"] == "1")
    #expect(headers.values("A") == ["1", "2"])
    #expect(headers.contains(token: "z", in: "B"))
    #expect(!headers.contains(token: "x,", in: "B"))
    headers.set("a", "3")
    #expect(headers == ["A": "3", "b": "x, y ,, Z"])
    headers["b"] = nil
    #expect(headers.map(\.name) == ["A"])
  }
}
