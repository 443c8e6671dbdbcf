import Testing
import Wire

@Suite("Request line, target and Host")
struct HTTPTargetTests {
  static let lines = [
    RefusalCase("tab between", 400, "GET\t/ HTTP/1.1"),
    RefusalCase("tab behind the target", 400, "GET /\tHTTP/1.1"),
    RefusalCase("vertical tab between", 400, "GET\u{B}/ HTTP/1.1"),
    RefusalCase("space before", 400, " GET / HTTP/1.1"), RefusalCase("space behind", 400, "GET / HTTP/1.1 "),
    RefusalCase("two spaces before the version", 400, "GET /  HTTP/1.1"),
    RefusalCase("space in the target", 400, "GET /a b HTTP/1.1"),
    RefusalCase("HTTP/0.9", 400, "GET /"), RefusalCase("empty method", 400, " / HTTP/1.1"),
    RefusalCase("empty target", 400, "GET  HTTP/1.1"),
    RefusalCase("colon in the method", 400, "GE:T / HTTP/1.1"),
    RefusalCase("CR behind the version", 400, "GET / HTTP/1.1\r"),
    RefusalCase("NUL", 400, "GET /\0 HTTP/1.1"),
    RefusalCase("DEL", 400, "GET /\u{7F} HTTP/1.1"), RefusalCase("HTTP/1", 400, "GET / HTTP/1"),
    RefusalCase("HTTP/1.10", 400, "GET / HTTP/1.10"), RefusalCase("HTTP/01.1", 400, "GET / HTTP/01.1"),
    RefusalCase("HTTP/1,1", 400, "GET / HTTP/1,1"), RefusalCase("HTTP/0.1", 505, "GET / HTTP/0.1"),
    RefusalCase("HTTP/2 preface", 505, "PRI * HTTP/2.0"),
    RefusalCase("authority-form", 400, "GET a:1 HTTP/1.1"),
    RefusalCase("another scheme", 400, "GET ftp://a/ HTTP/1.1"),
    RefusalCase("ws scheme", 400, "GET ws://a/ HTTP/1.1"),
    RefusalCase("no slashes", 400, "GET http:a HTTP/1.1"),
    RefusalCase("userinfo", 400, "GET http://u:p@a/ HTTP/1.1"),
    RefusalCase("no host in the target", 400, "GET http:///x HTTP/1.1"),
    RefusalCase("only a port", 400, "GET http://:80/x HTTP/1.1"),
    RefusalCase("port that is no number", 400, "GET http://a:b/ HTTP/1.1"),
    RefusalCase("backslash in the authority", 400, "GET http://a\\b/ HTTP/1.1"),
  ]

  @Test("a request line that is none, cut at each place", arguments: lines)
  func line(_ refusal: RefusalCase) {
    expectRefusal(refusal.text + "\r\nHost: a\r\n\r\n", refusal.status)
  }

  @Test("HTTP/1.2 is read as HTTP/1.1 (RFC 9110 §2.5)")
  func newer() throws {
    let head = try parseRequests([Array("GET / HTTP/1.2\r\nHost: a\r\n\r\n".utf8)])[0].head
    #expect(head?.minorVersion == 1)
    #expect(head?.keepsAlive == true)
  }

  @Test(
    "a Host that is no host and port",
    arguments: [
      "u@a", "u:p@a", "a/", "/", "a?b", "a#b", "a\\b", "a b", "a, b", "a,b", "a:b", "a:1:2", "a:+1", "a:-1",
      "a: 1",
      "http://a", "\"a\"", "<a>", "a%", "a%4", "a%zz", "é", "[", "]", "[]", "[a", "[::1", "::1", "[::1]2",
      "[::1]:x",
      "[1]", "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1::2::3]", "[:::]", "[12345::]", "[::g]",
      "[::1%25eth0]",
      "[::1.2.3]", "[::1.2.3.256]", "[::1.2.3.04]", "[1.2.3.4]", "[1.2.3.4::]", "[v.1]", "[vx.1]", "[v1.]",
      "[1:2:3:4:5:6:7::8]",
    ])
  func badHost(_ host: String) {
    expectRefusal("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n", 400)
  }

  @Test(
    "a Host that is one",
    arguments: [
      "", ":80", "a", "a:", "a:80", "A.b-c_d~e", "127.0.0.1:18765", "a%2Fb", "!$&'()*+;=", "[::]", "[::1]:80",
      "[1:2:3:4:5:6:7:8]", "[1::8]", "[1:2:3:4:5:6:7::]", "[::2:3:4:5:6:7:8]", "[::ffff:1.2.3.4]",
      "[1:2:3:4:5:6:1.2.3.4]",
      "[v1F.a:b]:1", "[FE80::ABCD]",
    ])
  func goodHost(_ host: String) throws {
    let head = try parseRequests([Array("GET / HTTP/1.1\r\nHost:  \(host)\t\r\n\r\n".utf8)])[0].head
    #expect(head?.headers["Host"] == host)
    #expect(head?.authority == host)
  }

  @Test("an absolute target overrules Host, which must be there all the same")
  func absolute() throws {
    for (target, authority, path) in [
      ("http://b", "b", "/"), ("http://b:1/c?d", "b:1", "/c"), ("HTTPS://[::1]?d", "[::1]", "/"),
      ("http://b/@c://d", "b", "/@c://d"),
    ] {
      let head = try parseRequests([Array("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n".utf8)])[0].head
      #expect(head?.authority == authority)
      #expect(head?.path == path)
    }
    expectRefusal("GET http://b/ HTTP/1.1\r\n\r\n", 400)
    expectRefusal("GET http://b/ HTTP/1.1\r\nHost: u@b\r\n\r\n", 400)
    let origin = HTTPRequestHead(method: "GET", target: "/?u=http://b/", headers: ["Host": "a"])
    #expect(origin.authority == "a")
    #expect(origin.path == "/")
    #expect(HTTPRequestHead(method: "GET", target: "/").authority == "")
  }

  @Test("empty lines before a request are skipped and begin none")
  func emptyLines() throws {
    for pieces in splits(of: Array("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n".utf8)) {
      let messages = try parseRequests(pieces)
      #expect(messages.count == 1 && messages[0].isComplete)
    }
    var parser = HTTPRequestParser()
    for (text, isMid) in [("\r\n", false), ("\r", true), ("\n", false), ("G", true)] {
      var offset = 0
      _ = try Array(text.utf8).withUnsafeBytes { try parser.next($0, &offset) }
      #expect(parser.isMidMessage == isMid)
    }
    expectRefusal(String(repeating: "\r\n", count: 9 * 1024), 414)
  }

  private func expectRefusal(_ text: String, _ status: Int, _ place: SourceLocation = #_sourceLocation) {
    let bytes = Array(text.utf8)
    for pieces in bytes.count > 1000 ? [[bytes]] : splits(of: bytes) {
      do {
        let messages = try parseRequests(pieces)
        Issue.record("was taken: \(messages)", sourceLocation: place)
      } catch {
        #expect(error.status == status, "\(error.message)", sourceLocation: place)
      }
    }
  }
}
