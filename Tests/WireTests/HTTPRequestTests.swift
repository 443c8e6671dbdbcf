import Testing
import Wire

struct RequestCase: Sendable, CustomTestStringConvertible {
  let name: String
  let text: String
  var testDescription: String { name }
  init(_ name: String, _ text: String) {
    self.name = name
    self.text = text
  }
}

struct RefusalCase: Sendable, CustomTestStringConvertible {
  let name: String
  let text: String
  let status: Int
  var testDescription: String { name }
  init(_ name: String, _ status: Int, _ text: String) {
    self.name = name
    self.text = text
    self.status = status
  }
}

private let host = "Host: a\r\n"

@Suite("HTTP requests")
struct HTTPRequestTests {
  @Test("pipelined requests of every framing, cut at each place")
  func framings() throws {
    let text =
      "\r\nGET /a?b=1 HTTP/1.1\r\nHost: x:1\r\nAccept:  text/html \t\r\n\r\n"
      + "POST /b HTTP/1.1\r\nhost: x\r\nContent-Length: 5\r\n\r\nhello"
      + "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      + "3\r\nabc\r\nA ;ext=\"v\"\r\n0123456789\r\n000\r\nX-Sum: 1\r\n\r\n"
      + "OPTIONS * HTTP/1.0\r\n\r\n"
    for pieces in splits(of: Array(text.utf8)) {
      let messages = try parseRequests(pieces)
      #expect(messages.map(\.head?.method) == ["GET", "POST", "POST", "OPTIONS"])
      #expect(messages.map(\.head?.target) == ["/a?b=1", "/b", "/c", "*"])
      #expect(
        messages.map { String(decoding: $0.body, as: UTF8.self) } == ["", "hello", "abc0123456789", ""])
      #expect(messages.map(\.isComplete) == [true, true, true, true])
      #expect(messages[0].head?.headers["accept"] == "text/html")
      #expect(messages[0].head?.path == "/a")
      #expect(messages[0].head?.query == "b=1")
      #expect(messages[2].trailers["x-sum"] == "1")
      #expect(messages[3].head?.keepsAlive == false)
    }
  }

  @Test(
    "refuses what RFC 9112 forbids",
    arguments: [
      RefusalCase(
        "conflicting Content-Length", 400,
        "POST / HTTP/1.1\r\n\(host)Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
      RefusalCase(
        "repeated Content-Length", 400,
        "POST / HTTP/1.1\r\n\(host)Content-Length: 1\r\nContent-Length: 1\r\n\r\n"),
      RefusalCase("list of Content-Length", 400, "POST / HTTP/1.1\r\n\(host)Content-Length: 1, 1\r\n\r\n"),
      RefusalCase("signed Content-Length", 400, "POST / HTTP/1.1\r\n\(host)Content-Length: +1\r\n\r\n"),
      RefusalCase("empty Content-Length", 400, "POST / HTTP/1.1\r\n\(host)Content-Length:\r\n\r\n"),
      RefusalCase(
        "huge Content-Length", 413, "POST / HTTP/1.1\r\n\(host)Content-Length: 99999999999999999999\r\n\r\n"),
      RefusalCase(
        "both framings", 400,
        "POST / HTTP/1.1\r\n\(host)Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
      RefusalCase("chunked in 1.0", 400, "POST / HTTP/1.0\r\n\(host)Transfer-Encoding: chunked\r\n\r\n"),
      RefusalCase(
        "chunked not last", 400, "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked, gzip\r\n\r\n"),
      RefusalCase(
        "chunked twice", 400,
        "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
      RefusalCase(
        "another coding", 501, "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: gzip, chunked\r\n\r\n"),
      RefusalCase("disguised chunked", 400, "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: xchunked\r\n\r\n"),
      RefusalCase("empty Transfer-Encoding", 400, "POST / HTTP/1.1\r\n\(host)Transfer-Encoding:\r\n\r\n"),
      RefusalCase(
        "chunk size without digits", 400, "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n;a\r\n"
      ),
      RefusalCase(
        "chunk size 0x", 400, "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n0x1\r\n"),
      RefusalCase(
        "negative chunk size", 400, "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n-1\r\n"),
      RefusalCase(
        "long chunk size", 400,
        "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n0000000000000001\r\n"),
      RefusalCase(
        "huge chunk", 413, "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFF\r\n"),
      RefusalCase(
        "space behind the chunk size", 400,
        "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n1 \r\na\r\n"),
      RefusalCase(
        "chunk longer than said", 400,
        "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"),
      RefusalCase(
        "bare LF behind a chunk size", 400,
        "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n1\na\r\n"),
      RefusalCase(
        "bare LF behind a chunk", 400,
        "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n"),
      RefusalCase("bare LF in the request line", 400, "GET / HTTP/1.1\n\(host)\r\n"),
      RefusalCase("bare LF in a field", 400, "GET / HTTP/1.1\r\nHost: a\n\r\n"),
      RefusalCase("bare CR in a value", 400, "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n"),
      RefusalCase("bare CR in the request line", 400, "GET /\rx HTTP/1.1\r\n\(host)\r\n"),
      RefusalCase("NUL in a value", 400, "GET / HTTP/1.1\r\n\(host)X: a\0b\r\n\r\n"),
      RefusalCase("folded field", 400, "GET / HTTP/1.1\r\n\(host)X: a\r\n b\r\n\r\n"),
      RefusalCase("space before the first field", 400, "GET / HTTP/1.1\r\n \(host)\r\n"),
      RefusalCase("space before the colon", 400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
      RefusalCase("no colon", 400, "GET / HTTP/1.1\r\n\(host)nonsense\r\n\r\n"),
      RefusalCase("empty name", 400, "GET / HTTP/1.1\r\n\(host): a\r\n\r\n"),
      RefusalCase("name that is no token", 400, "GET / HTTP/1.1\r\n\(host)a(b): c\r\n\r\n"),
      RefusalCase("no Host", 400, "GET / HTTP/1.1\r\n\r\n"),
      RefusalCase("two Hosts", 400, "GET / HTTP/1.1\r\n\(host)\(host)\r\n"),
      RefusalCase("two Hosts in 1.0", 400, "GET / HTTP/1.0\r\n\(host)\(host)\r\n"),
      RefusalCase("Host with a path", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
      RefusalCase("Host with two names", 400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
      RefusalCase("two spaces", 400, "GET  / HTTP/1.1\r\n\(host)\r\n"),
      RefusalCase("no version", 400, "GET /\r\n\(host)\r\n"),
      RefusalCase("method that is no token", 400, "G(T / HTTP/1.1\r\n\(host)\r\n"),
      RefusalCase("target without a slash", 400, "GET a HTTP/1.1\r\n\(host)\r\n"),
      RefusalCase("target with a fragment", 400, "GET /#a HTTP/1.1\r\n\(host)\r\n"),
      RefusalCase("target with a byte above ASCII", 400, "GET /é HTTP/1.1\r\n\(host)\r\n"),
      RefusalCase("asterisk for GET", 400, "GET * HTTP/1.1\r\n\(host)\r\n"),
      RefusalCase("CONNECT", 501, "CONNECT a:1 HTTP/1.1\r\n\(host)\r\n"),
      RefusalCase("long method", 501, "\(String(repeating: "A", count: 33)) / HTTP/1.1\r\n\(host)\r\n"),
      RefusalCase("HTTP/2", 505, "GET / HTTP/2.0\r\n\(host)\r\n"),
      RefusalCase("lower-case version", 400, "GET / http/1.1\r\n\(host)\r\n"),
      RefusalCase("TLS hello", 400, "\u{16}\u{3}\u{1}\r\n"),
    ])
  func refusals(_ refusal: RefusalCase) {
    let bytes = Array(refusal.text.utf8)
    for pieces in [[bytes], bytes.map { [$0] }] {
      do {
        let messages = try parseRequests(pieces)
        Issue.record("was taken: \(messages)")
      } catch {
        #expect(error.status == refusal.status, "\(error.message)")
      }
    }
  }

  @Test("limits: 16 KiB of head, 128 fields, the body")
  func limits() throws {
    func status(_ text: String, _ limits: HTTPLimits = HTTPLimits()) -> Int? {
      do {
        _ = try parseRequests([Array(text.utf8)], limits: limits)
        return nil
      } catch { return error.status }
    }
    let long = String(repeating: "a", count: 16 * 1024)
    #expect(status("GET /\(long)") == 414)
    #expect(status("GET / HTTP/1.1\r\n\(host)X: \(long)") == 431)
    #expect(status("GET / HTTP/1.1\r\n\(host)" + String(repeating: "A: b\r\n", count: 127) + "\r\n") == nil)
    #expect(status("GET / HTTP/1.1\r\n\(host)" + String(repeating: "A: b\r\n", count: 128) + "\r\n") == 431)
    let small = HTTPLimits(bodyBytes: 4)
    #expect(status("POST / HTTP/1.1\r\n\(host)Content-Length: 4\r\n\r\nabcd", small) == nil)
    #expect(status("POST / HTTP/1.1\r\n\(host)Content-Length: 5\r\n\r\n", small) == 413)
    #expect(
      status("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\n", small) == 413)
  }

  @Test("path and query of an absolute target")
  func absolute() {
    let head = HTTPRequestHead(method: "GET", target: "http://a:1/b/c?d=e?f")
    #expect(head.path == "/b/c")
    #expect(head.query == "d=e?f")
    #expect(HTTPRequestHead(method: "GET", target: "http://a?x").path == "/")
    #expect(HTTPRequestHead(method: "GET", target: "http://a").query == nil)
  }

  @Test("an error names the value and the clause")
  func message() {
    #expect(throws: HTTPError(400, "\"Host \" is no field name (RFC 9112 §5.1)")) {
      try parseRequests([Array("GET / HTTP/1.1\r\nHost : a\r\n".utf8)])
    }
  }
}
