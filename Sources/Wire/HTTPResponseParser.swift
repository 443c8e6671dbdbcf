/// Reads responses from bytes in any pieces (RFC 9112 §4, §6.3).
///
/// `expect` says to which method the next response belongs. Interim responses other than 101 are
/// skipped; after 101 the rest of the input belongs to the new protocol.
package struct HTTPResponseParser: HTTPMessageParser, Sendable {
  package typealias Event = HTTPParseEvent<HTTPResponseHead>

  static let status = 502
  static let unfolds = true
  private static let mostInterim = 16

  let limits: HTTPLimits
  private var method: String
  var phase = HTTPParsePhase.startLine
  var lines = LineReader()
  var head = HTTPResponseHead(status: 0)
  var headers: HTTPHeaders {
    get { head.headers }
    _modify { yield &head.headers }
  }
  /// Interim responses seen, so that a peer cannot send them for ever.
  private var interim = 0

  package init(method: String = "GET", limits: HTTPLimits = HTTPLimits()) {
    self.method = method
    self.limits = limits
  }

  /// The method the next response answers: HEAD has no body.
  package mutating func expect(method: String) { self.method = method }

  /// Whether a response has begun and not ended.
  package var isMidMessage: Bool { hasBegun }

  /// Takes bytes from `input` behind `offset` until there is something to tell.
  package mutating func next(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(HTTPError) -> Event? {
    try read(input, &offset)
  }

  /// Call when the connection has ended: true if that completed a response, an error if it cut
  /// one short, false between responses (RFC 9112 §8).
  package mutating func finish() throws(HTTPError) -> Bool {
    guard isMidMessage else { return false }
    if case .body(let reader) = phase, reader.endsAtClose {
      phase = .startLine
      return true
    }
    if case .failed(let error) = phase { throw error }
    throw HTTPError(502, "the connection ended inside the response (RFC 9112 §8)")
  }

  static func overflow(_ limit: Int, inStartLine: Bool) -> HTTPError {
    HTTPError(502, "the response head is past \(limit) bytes")
  }

  /// HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 §4); the second space may be missing.
  mutating func readStartLine(_ line: UnsafeRawBufferPointer) throws(HTTPError) -> Bool {
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
    return true
  }

  mutating func framing() throws(HTTPError) -> HTTPBodyReader? {
    if head.status < 200 && head.status != 101 {
      interim += 1
      guard interim <= Self.mostInterim else {
        throw HTTPError(502, "more than \(Self.mostInterim) interim responses")
      }
      return nil
    }
    interim = 0
    if method == "HEAD" || HTTPStatus.hasNoBody(head.status) {
      return .length(0, limits: limits, status: Self.status)
    }
    return try announcedFraming(minorVersion: head.minorVersion)
      ?? .untilClose(limits: limits, status: Self.status)
  }
}
