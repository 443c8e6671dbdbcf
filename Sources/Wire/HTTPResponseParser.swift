/// Reads responses from bytes in any pieces (RFC 9112 §4, §6.3).
///
/// `expect` says to which method the next response belongs. Interim responses other than 101 are
/// skipped; after 101 the rest of the input belongs to the new protocol.
package struct HTTPResponseParser: Sendable {
  package typealias Event = HTTPParseEvent<HTTPResponseHead>

  private enum Phase {
    case statusLine
    case fields
    case body(HTTPBodyReader)
    case failed(HTTPError)
  }

  private let limits: HTTPLimits
  private var method: String
  private var phase = Phase.statusLine
  private var lines = LineReader()
  private var head = HTTPResponseHead(status: 0)
  /// Interim responses seen, so that a peer cannot send them for ever.
  private var interim = 0

  package init(method: String = "GET", limits: HTTPLimits = HTTPLimits()) {
    self.method = method
    self.limits = limits
  }

  /// The method the next response answers: HEAD has no body.
  package mutating func expect(method: String) { self.method = method }

  package var isMidMessage: Bool {
    if case .statusLine = phase { lines.used > 0 } else { true }
  }

  package mutating func next(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(HTTPError) -> Event? {
    do {
      return try step(input, &offset)
    } catch {
      phase = .failed(error)
      throw error
    }
  }

  /// Call when the connection has ended: true if that completed a response, an error if it cut
  /// one short, false between responses (RFC 9112 §8).
  package mutating func finish() throws(HTTPError) -> Bool {
    guard isMidMessage else { return false }
    if case .body(let reader) = phase, reader.endsAtClose {
      phase = .statusLine
      return true
    }
    if case .failed(let error) = phase { throw error }
    throw HTTPError(502, "the connection ended inside the response (RFC 9112 §8)")
  }

  private mutating func step(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(HTTPError) -> Event? {
    while true {
      switch phase {
      case .statusLine:
        guard let line = try nextLine(input, &offset) else { return nil }
        try line.read { (bytes) throws(HTTPError) in try statusLine(bytes) }
        phase = .fields
      case .fields:
        guard let line = try nextLine(input, &offset) else { return nil }
        let isLast = try line.read { (bytes) throws(HTTPError) in
          if bytes.isEmpty { return true }
          try HTTPSyntax.field(
            bytes, into: &head.headers, limits: limits, status: 502, unfolds: true)
          return false
        }
        guard isLast else { continue }
        lines.restart()
        if head.status < 200 && head.status != 101 {
          interim += 1
          guard interim <= 16 else { throw HTTPError(502, "more than 16 interim responses") }
          phase = .statusLine
          continue
        }
        interim = 0
        phase = .body(try framing())
        return .head(head)
      case .body(var reader):
        let piece = try reader.next(input, &offset)
        phase = .body(reader)
        switch piece {
        case nil: return nil
        case .bytes(let bytes): return .body(bytes)
        case .end(let trailers):
          phase = .statusLine
          return .end(trailers: trailers)
        }
      case .failed(let error):
        throw error
      }
    }
  }

  private mutating func nextLine(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(HTTPError) -> LineReader.Line? {
    try lines.next(
      input, &offset, limit: limits.headBytes, status: 502,
      past: HTTPError(502, "the response head is past \(limits.headBytes) bytes"))
  }

  /// HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 §4); the second space may be missing.
  private mutating func statusLine(_ line: UnsafeRawBufferPointer) throws(HTTPError) {
    let parts = line.split(separator: ASCII.space, maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count >= 2, parts[1].count == 3,
      parts[1].allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
      let status = Int(String(decoding: parts[1], as: UTF8.self)), status >= 100
    else { throw HTTPError(502, "\(ASCII.quote(line)) is no status line (RFC 9112 §4)") }
    let reason = parts.count == 3 ? Array(parts[2]) : []
    guard reason.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == ASCII.tab }) else {
      throw HTTPError(502, "reason phrase \(ASCII.quote(reason)) has a control character (RFC 9112 §4)")
    }
    head = HTTPResponseHead(
      status: status, reason: String(decoding: reason, as: UTF8.self),
      minorVersion: try HTTPSyntax.minorVersion(parts[0], status: 502))
  }

  private func framing() throws(HTTPError) -> HTTPBodyReader {
    if method == "HEAD" || HTTPStatus.hasNoBody(head.status) {
      return .length(0, limits: limits, status: 502)
    }
    if try HTTPSyntax.isChunked(head.headers, minorVersion: head.minorVersion, status: 502) {
      return .chunked(limits: limits, status: 502)
    }
    guard let length = try HTTPSyntax.contentLength(head.headers, status: 502) else {
      return .untilClose(limits: limits, status: 502)
    }
    guard length <= limits.bodyBytes else {
      throw HTTPError(413, "body of \(length) bytes, limit \(limits.bodyBytes)")
    }
    return .length(length, limits: limits, status: 502)
  }
}
