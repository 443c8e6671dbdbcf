import Wire

extension FuzzTarget {
  /// `HTTPRequestParser` in any pieces, back through `HTTPEncoder`, and the upgrade decision.
  static let httpRequest = FuzzTarget(
    name: "http-request", form: .bytes, dictionary: HTTPSeeds.dictionary, seeds: { HTTPSeeds.requests },
    check: { bytes in
      func read(_ pieces: [ArraySlice<UInt8>], _ limits: HTTPLimits) -> Reading<HTTPRequestHead> {
        var parser = HTTPRequestParser(limits: limits)
        return Reading(pieces, &parser)
      }
      let ways = pieces(of: bytes).map { read($0, .small) }
      let whole = ways[0]
      for other in ways.dropFirst() {
        try expect(other == whole, "in pieces \(other), whole \(whole)")
      }
      if let error = whole.error {
        try expect(
          [400, 413, 414, 431, 501, 505].contains(error.status), "\(error.status) for a request: \(error)")
      }
      var shape = Shape(whole.error?.kind ?? "")
      for message in whole.messages {
        try expect(message.body.count <= HTTPLimits.small.bodyBytes, "body of \(message.body.count) bytes")
        shape.add(message.body.isEmpty ? 0 : 1)
        shape.add(try checkUpgrade(message.head) ? 1 : 0)
        guard message.isComplete else { continue }
        var encoded: [UInt8] = []
        HTTPEncoder.append(message.head, to: &encoded)
        message.appendBody(message.head.headers, to: &encoded)
        let again = read([encoded[...]], HTTPLimits())
        try expect(again.messages == [message] && again.error == nil, "\(message) came back as \(again)")
      }
      return shape
    })

  /// `HTTPResponseParser`, for a GET and for a HEAD.
  static let httpResponse = FuzzTarget(
    name: "http-response", form: .bytes, dictionary: HTTPSeeds.dictionary, seeds: { HTTPSeeds.responses },
    check: { bytes in
      func read(_ pieces: [ArraySlice<UInt8>], _ method: String, _ limits: HTTPLimits) -> Reading<
        HTTPResponseHead
      > {
        var parser = HTTPResponseParser(method: method, limits: limits)
        var reading = Reading(pieces, &parser)
        guard reading.error == nil else { return reading }
        do throws(HTTPError) {
          let endsHere = try parser.finish()
          if endsHere { reading.complete() }
        } catch {
          reading.error = error
        }
        return reading
      }
      var shape = Shape()
      for method in ["GET", "HEAD"] {
        let ways = pieces(of: bytes).map { read($0, method, .small) }
        let whole = ways[0]
        for other in ways.dropFirst() {
          try expect(other == whole, "\(method) in pieces \(other), whole \(whole)")
        }
        if let error = whole.error {
          try expect([413, 502].contains(error.status), "\(error.status) for a response: \(error)")
        }
        shape.add(whole.error?.kind ?? "")
        for message in whole.messages where message.isComplete {
          var message = message
          var encoded: [UInt8] = []
          // What is written is always HTTP/1.1, which may be chunked.
          message.head.minorVersion = 1
          HTTPEncoder.append(message.head, to: &encoded)
          if method == "GET", !HTTPStatus.hasNoBody(message.head.status) {
            message.appendBody(message.head.headers, to: &encoded)
          }
          let again = read([encoded[...]], method, HTTPLimits())
          try expect(again.messages == [message] && again.error == nil, "\(message) came back as \(again)")
          shape.add(message.body.isEmpty ? 0 : 1)
        }
      }
      return shape
    })

  /// Whether a request is upgraded; if so its client must agree.
  private static func checkUpgrade(_ head: HTTPRequestHead) throws -> Bool {
    _ = (head.path, head.query, head.keepsAlive)
    switch WebSocketHandshake.decide(head, choose: \.last) {
    case .refuse(let refusal):
      try expect((400...499).contains(refusal.status), "an upgrade is refused with \(refusal.status)")
      return false
    case .accept(let answer, let subprotocol):
      let key = head.headers["Sec-WebSocket-Key"] ?? ""
      let offered = WebSocketHandshake.offeredSubprotocols(head)
      let chosen = try WebSocketHandshake.verify(answer, key: key, offered: offered)
      try expect(chosen == subprotocol, "chosen \(subprotocol ?? "none"), told \(chosen ?? "none")")
      return true
    }
  }
}

extension HTTPLimits {
  /// Small, so that inputs reach them.
  fileprivate static let small = HTTPLimits(headBytes: 1024, fields: 16, bodyBytes: 2048)
}

extension HTTPError {
  /// The clause it names, without the words that came from the input.
  fileprivate var kind: String { "\(status) " + String(message.suffix(24)) }
}

private protocol MessageParser {
  associatedtype Head: Equatable & Sendable
  mutating func next(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(HTTPError) -> HTTPParseEvent<Head>?
}
extension HTTPRequestParser: MessageParser {}
extension HTTPResponseParser: MessageParser {}

/// What a parser told of some pieces.
private struct Reading<Head: Equatable & Sendable>: Equatable {
  struct Message: Equatable {
    var head: Head
    var body: [UInt8] = []
    var trailers = HTTPHeaders()
    var isComplete = false

    func appendBody(_ headers: HTTPHeaders, to bytes: inout [UInt8]) {
      guard headers["Transfer-Encoding"] != nil else {
        bytes += body
        return
      }
      body.withUnsafeBytes { HTTPEncoder.appendChunk($0, to: &bytes) }
      HTTPEncoder.appendLastChunk(trailers: trailers, to: &bytes)
    }
  }

  var messages: [Message] = []
  var error: HTTPError?

  init<Parser: MessageParser>(_ pieces: [ArraySlice<UInt8>], _ parser: inout Parser)
  where Parser.Head == Head {
    for piece in pieces {
      do throws(HTTPError) {
        try piece.withUnsafeBufferPointer { (bytes) throws(HTTPError) in
          let buffer = UnsafeRawBufferPointer(bytes)
          var offset = 0
          while let event = try parser.next(buffer, &offset) { take(event) }
        }
      } catch {
        self.error = error
        // How much of a body was told before it turned out too long depends on the pieces.
        if let last = messages.indices.last, !messages[last].isComplete { messages[last].body = [] }
        return
      }
    }
  }

  private mutating func take(_ event: HTTPParseEvent<Head>) {
    switch event {
    case .head(let head): messages.append(Message(head: head))
    case .body(let bytes): messages[messages.count - 1].body += bytes
    case .end(let trailers):
      messages[messages.count - 1].trailers = trailers
      complete()
    }
  }

  mutating func complete() { messages[messages.count - 1].isComplete = true }
}

private enum HTTPSeeds {
  static let dictionary = [
    "\r\n", "\r\n\r\n", "\n", "\r", "\t", ":", ", ", ";", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "GET ", "HEAD ",
    "Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n", "Content-Length: 99999999999999999999\r\n",
    "Connection: close\r\n", "Host: a\r\n", "\r\n folded", "0\r\n\r\n", "5\r\nhello\r\n",
    "ffffffffffffffff\r\n",
    "gzip, chunked", "http://a", "https://", "*", "%00", "?", "#", "\u{0}", "é", "1XX",
    "Upgrade: websocket\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "Sec-WebSocket-Protocol: mcp, mcp.auth.x\r\n",
  ]

  static let requests = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET http://a.b:80/x?y=z HTTP/1.1\r\nHost: a.b:80\r\nAccept: */*\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloPOST /y HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mcp, x\r\n\r\n",
  ].map { Array($0.utf8) }

  static let responses = [
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n c\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: 1\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.0 200 OK\r\n\r\nuntil the end", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "HTTP/1.1 304\r\n\r\n",
  ].map { Array($0.utf8) }
}
