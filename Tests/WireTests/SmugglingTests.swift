import Testing
import Wire

/// What one server could take for the end of a request and another for its middle (RFC 9112 §11.2).
@Suite("Request smuggling")
struct SmugglingTests {
  private static func post(_ fields: String, _ body: String = "", version: String = "1.1") -> String {
    "POST / HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n\(body)"
  }

  private static func chunked(_ body: String) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
  }

  static let lengths = [
    RefusalCase("two lengths", 400, post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab")),
    RefusalCase(
      "two lengths apart, other case", 400, post("content-length: 1\r\nX: y\r\nCONTENT-LENGTH: 2\r\n")),
    RefusalCase("list of different lengths", 400, post("Content-Length: 1, 2\r\n")),
    RefusalCase("length and trailing comma", 400, post("Content-Length: 1,\r\n")),
    RefusalCase("negative", 400, post("Content-Length: -1\r\n")),
    RefusalCase("hexadecimal", 400, post("Content-Length: 0x1\r\n")),
    RefusalCase("with a space inside", 400, post("Content-Length: 1 1\r\n")),
    RefusalCase("with an underscore", 400, post("Content-Length: 1_0\r\n")),
    RefusalCase("with a point", 400, post("Content-Length: 1.0\r\n")),
    RefusalCase("in another script", 400, post("Content-Length: \u{FF11}\r\n")),
    RefusalCase("with a vertical tab", 400, post("Content-Length: \u{B}1\r\n")),
    RefusalCase("quoted", 400, post("Content-Length: \"1\"\r\n")),
    RefusalCase("past 64 bits", 413, post("Content-Length: 18446744073709551617\r\n")),
    RefusalCase("length 0 beside chunked", 400, post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n")),
    RefusalCase("length behind chunked", 400, post("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n")),
    RefusalCase("length beside identity", 400, post("Transfer-Encoding: identity\r\nContent-Length: 6\r\n")),
    RefusalCase("space before the colon", 400, post("Content-Length : 1\r\n")),
    RefusalCase("NUL in the name", 400, post("Content-Length\0: 1\r\n")),
    RefusalCase("folded", 400, post("Content-Length:\r\n 1\r\n")),
  ]

  static let codings = [
    RefusalCase("chunked twice in one field", 400, post("Transfer-Encoding: chunked, chunked\r\n")),
    RefusalCase(
      "chunked twice, other case", 400,
      post("Transfer-Encoding: chunked\r\ntransfer-encoding: Chunked\r\n")),
    RefusalCase("identity", 400, post("Transfer-Encoding: identity\r\n")),
    RefusalCase("identity, then chunked", 501, post("Transfer-Encoding: identity, chunked\r\n")),
    RefusalCase("chunked, then identity", 400, post("Transfer-Encoding: chunked, identity\r\n")),
    RefusalCase(
      "two fields, chunked first", 400,
      post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n")),
    RefusalCase("gzip alone", 400, post("Transfer-Encoding: gzip\r\n")),
    RefusalCase("chunked with a parameter", 400, post("Transfer-Encoding: chunked;q=1\r\n")),
    RefusalCase("quoted", 400, post("Transfer-Encoding: \"chunked\"\r\n")),
    RefusalCase("hidden in a quoted parameter", 400, post("Transfer-Encoding: x;a=\", chunked\"\r\n")),
    RefusalCase("cut short", 400, post("Transfer-Encoding: chunke\r\n")),
    RefusalCase("with a letter that looks alike", 400, post("Transfer-Encoding: chun\u{212A}ed\r\n")),
    RefusalCase("vertical tab before", 400, post("Transfer-Encoding: \u{B}chunked\r\n")),
    RefusalCase("form feed behind", 400, post("Transfer-Encoding: chunked\u{C}\r\n")),
    RefusalCase("NUL behind", 400, post("Transfer-Encoding: chunked\0\r\n")),
    RefusalCase("CR behind", 400, post("Transfer-Encoding: chunked\r\r\n")),
    RefusalCase("space between", 400, post("Transfer-Encoding: chun ked\r\n")),
    RefusalCase("only commas", 400, post("Transfer-Encoding: , ,\r\n")),
    RefusalCase("space before the colon", 400, post("Transfer-Encoding : chunked\r\n")),
    RefusalCase("tab before the colon", 400, post("Transfer-Encoding\t: chunked\r\n")),
    RefusalCase("space before the name", 400, post("X: y\r\n Transfer-Encoding: chunked\r\n")),
    RefusalCase("folded", 400, post("Transfer-Encoding:\r\n\tchunked\r\n")),
    RefusalCase("behind a bare CR", 400, post("X: y\rTransfer-Encoding: chunked\r\n")),
    RefusalCase("behind a bare LF", 400, post("X: y\nTransfer-Encoding: chunked\r\n")),
    RefusalCase("in HTTP/1.0", 400, post("Transfer-Encoding: chunked\r\n", version: "1.0")),
    RefusalCase(
      "in HTTP/1.0, kept alive", 400,
      post("Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", version: "1.0")),
  ]

  static let chunks = [
    RefusalCase("no size", 400, chunked("\r\n")),
    RefusalCase("space before the size", 400, chunked(" 1\r\na\r\n")),
    RefusalCase("plus", 400, chunked("+1\r\na\r\n")),
    RefusalCase("underscore", 400, chunked("1_\r\na\r\n")),
    RefusalCase("size past 64 bits", 400, chunked("10000000000000001\r\na\r\n")),
    RefusalCase("size that is negative in 64 bits", 400, chunked("FFFFFFFFFFFFFFFF\r\na\r\n")),
    RefusalCase("largest size of 15 digits", 413, chunked("FFFFFFFFFFFFFFF\r\na\r\n")),
    RefusalCase("sizes whose sum wraps around", 413, chunked("1\r\na\r\n7FFFFFFFFFFFFFF\r\n")),
    RefusalCase("bare CR behind the size", 400, chunked("1\ra\r\n")),
    RefusalCase("bare CR in an extension", 400, chunked("1;a\rb\r\na\r\n")),
    RefusalCase("bare LF in an extension", 400, chunked("1;a\n0\r\n\r\n")),
    RefusalCase("bare LF in a quoted extension", 400, chunked("1;a=\"\n\"\r\na\r\n")),
    RefusalCase("NUL in an extension", 400, chunked("1;a=\0\r\na\r\n")),
    RefusalCase("extension without a name", 400, chunked("1;\r\na\r\n")),
    RefusalCase("extension without a value", 400, chunked("1;a=\r\na\r\n")),
    RefusalCase("extension that is no token", 400, chunked("1;a b\r\na\r\n")),
    RefusalCase("extension with an open quote", 400, chunked("1;a=\"b\r\na\r\n")),
    RefusalCase("extension with an open escape", 400, chunked("1;a=\"b\\\r\na\r\n")),
    RefusalCase("text behind a quote", 400, chunked("1;a=\"b\"c\r\na\r\n")),
    RefusalCase("space behind an extension", 400, chunked("1;a \r\na\r\n")),
    RefusalCase("CR CR LF behind a chunk", 400, chunked("1\r\na\r\r\n0\r\n\r\n")),
    RefusalCase("chunk shorter than said", 400, chunked("4\r\nab\r\n0\r\n\r\n")),
    RefusalCase("no CR LF behind a chunk", 400, chunked("1\r\na0\r\n\r\n")),
    RefusalCase("folded trailer", 400, chunked("0\r\nX: a\r\n b\r\n\r\n")),
    RefusalCase("space before the first trailer", 400, chunked("0\r\n X: a\r\n\r\n")),
    RefusalCase("trailer without a colon", 400, chunked("0\r\nX\r\n\r\n")),
    RefusalCase("space before a trailer's colon", 400, chunked("0\r\nX : a\r\n\r\n")),
    RefusalCase("bare LF in a trailer", 400, chunked("0\r\nX: a\n\r\n")),
    RefusalCase("bare LF at the end", 400, chunked("0\r\n\n")),
    RefusalCase("bare CR in a trailer", 400, chunked("0\r\nX: a\rb\r\n\r\n")),
  ]

  @Test(
    "is refused with its status, cut at each place", arguments: lengths + codings + chunks)
  func refused(_ refusal: RefusalCase) {
    for pieces in splits(of: Array(refusal.text.utf8)) {
      do {
        let messages = try parseRequests(pieces)
        Issue.record("was taken: \(messages)")
      } catch {
        #expect(error.status == refusal.status, "\(error.message)")
      }
    }
  }

  static let taken = [
    RequestCase("leading zeros of a length", post("Content-Length: 0002\r\n", "ab")),
    RequestCase("space and tab around a length", post("Content-Length:\t 2 \t\r\n", "ab")),
    RequestCase("tab around chunked", post("Transfer-Encoding:\tchunked\t\r\n", "2\r\nab\r\n0\r\n\r\n")),
    RequestCase("chunked in any case", post("transfer-encoding: cHuNkEd\r\n", "2\r\nab\r\n0\r\n\r\n")),
    // Empty members of a list are to be skipped (RFC 9110 §5.6.1.2).
    RequestCase("empty members", post("Transfer-Encoding: ,chunked,\r\n", "2\r\nab\r\n0\r\n\r\n")),
    RequestCase("sizes in both cases, leading zeros", chunked("000000000000002\r\nab\r\n00\r\n\r\n")),
    RequestCase(
      "extensions of every form",
      chunked("2 ;a\t; b = c;d=\"x;\\\"y\té\"\r\nab\r\n0;last\r\n\r\n")),
    RequestCase("HTTP/1.0 with a length", post("Content-Length: 2\r\n", "ab", version: "1.0")),
  ]

  @Test("what only looks odd is read, and what follows is the next request", arguments: taken)
  func read(_ request: RequestCase) throws {
    let text = request.text + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
    for pieces in splits(of: Array(text.utf8)) {
      let messages = try parseRequests(pieces)
      #expect(messages.map(\.body) == [Array("ab".utf8), []])
      #expect(messages.last?.head?.target == "/next")
      #expect(messages.last?.isComplete == true)
    }
  }

  @Test("framing fields in trailers frame nothing, and stay apart from the head's")
  func trailers() throws {
    let text =
      Self.chunked(
        "2\r\nab\r\n0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: b\r\nConnection: close\r\n\r\n"
      )
      + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
    for pieces in splits(of: Array(text.utf8)) {
      let messages = try parseRequests(pieces)
      #expect(messages.map(\.head?.target) == ["/", "/next"])
      #expect(messages[0].body == Array("ab".utf8))
      #expect(messages[0].head?.headers["Content-Length"] == nil)
      #expect(messages[0].head?.headers.values("Host") == ["a"])
      #expect(messages[0].head?.keepsAlive == true)
      #expect(messages[0].trailers["Content-Length"] == "5")
    }
  }

  @Test("chunk extensions have a limit of their own, for a line and for all")
  func extensions() throws {
    func status(_ chunks: Int, _ length: Int) -> Int? {
      let chunk = "1;" + String(repeating: "x", count: length) + "\r\na\r\n"
      let text = Self.chunked(String(repeating: chunk, count: chunks) + "0\r\n\r\n")
      do {
        _ = try parseRequests([Array(text.utf8)])
        return nil
      } catch { return error.status }
    }
    #expect(status(1, 1000) == nil)
    #expect(status(1, 1100) == 431)
    #expect(status(16, 1000) == nil)
    #expect(status(17, 1000) == 431)
  }

  @Test("trailers are bounded like a head")
  func trailerLimits() {
    func status(_ trailers: String) -> Int? {
      do {
        _ = try parseRequests([Array(Self.chunked("0\r\n\(trailers)\r\n").utf8)])
        return nil
      } catch { return error.status }
    }
    #expect(status(String(repeating: "A: b\r\n", count: 128)) == nil)
    #expect(status(String(repeating: "A: b\r\n", count: 129)) == 431)
    #expect(status("A: " + String(repeating: "b", count: 16 * 1024) + "\r\n") == 431)
  }

  @Test("behind an error nothing is read any more")
  func stays() {
    var parser = HTTPRequestParser()
    for text in ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
      let error = error(of: text, &parser)
      #expect(error == HTTPError(400, "0 Host fields, exactly one is needed (RFC 9112 §3.2)"))
    }
  }

  private func error(of text: String, _ parser: inout HTTPRequestParser) -> HTTPError? {
    Array(text.utf8).withUnsafeBytes { bytes -> HTTPError? in
      var offset = 0
      do throws(HTTPError) {
        while try parser.next(bytes, &offset) != nil {}
        return nil
      } catch {
        return error
      }
    }
  }
}
