/// Reads requests, one after the other, from bytes in any pieces (RFC 9112).
///
/// Call `next` until it gives nil; after `.end` it starts on the next request, so a server that
/// answers in order stops calling there and keeps what is behind `offset`.
package struct HTTPRequestParser: HTTPMessageParser, Sendable {
  package typealias Event = HTTPParseEvent<HTTPRequestHead>

  static let status = 400
  static let unfolds = false
  private static let longestMethod = 32

  let limits: HTTPLimits
  var phase = HTTPParsePhase.startLine
  var lines = LineReader()
  var head = HTTPRequestHead(method: "", target: "")
  var headers: HTTPHeaders {
    get { head.headers }
    _modify { yield &head.headers }
  }

  package init(limits: HTTPLimits = HTTPLimits()) { self.limits = limits }

  /// Whether a request has begun and not ended.
  package var isMidMessage: Bool { hasBegun }

  /// Takes bytes from `input` behind `offset` until there is something to tell.
  package mutating func next(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(HTTPError) -> Event? {
    try read(input, &offset)
  }

  static func overflow(_ limit: Int, inStartLine: Bool) -> HTTPError {
    inStartLine
      ? HTTPError(414, "the request line is past \(limit) bytes (RFC 9110 §15.5.15)")
      : HTTPError(431, "the request head is past \(limit) bytes (RFC 6585 §5)")
  }

  /// method SP request-target SP HTTP-version (RFC 9112 §3); an empty line before it is skipped
  /// (RFC 9112 §2.2).
  mutating func readStartLine(_ line: UnsafeRawBufferPointer) throws(HTTPError) -> Bool {
    if line.isEmpty { return false }
    let parts = line.split(separator: ASCII.space, omittingEmptySubsequences: false)
    guard parts.count == 3 else {
      throw HTTPError(
        400, "\(ASCII.quote(line)) is no request line: three parts, one space between (RFC 9112 §3)")
    }
    guard ASCII.isToken(parts[0]) else {
      throw HTTPError(400, "\(ASCII.quote(parts[0])) is no method (RFC 9110 §9.1)")
    }
    let minorVersion = try HTTPSyntax.minorVersion(parts[2], status: 400)
    guard parts[0].count <= Self.longestMethod else {
      throw HTTPError(501, "method \(ASCII.quote(parts[0])) is longer than any known (RFC 9112 §3)")
    }
    let method = String(decoding: parts[0], as: UTF8.self)
    guard method != "CONNECT" else {
      throw HTTPError(501, "CONNECT is not supported (RFC 9110 §9.3.6)")
    }
    guard parts[1].allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x23 }) else {
      throw HTTPError(
        400, "request target \(ASCII.quote(parts[1])) has a character outside URIs (RFC 9112 §3.2)")
    }
    head = HTTPRequestHead(
      method: method, target: String(decoding: parts[1], as: UTF8.self), minorVersion: minorVersion)
    try checkTarget()
    return true
  }

  /// origin-form, absolute-form or, for OPTIONS, asterisk-form (RFC 9112 §3.2).
  private func checkTarget() throws(HTTPError) {
    let quoted = ASCII.quote(head.target.utf8)
    if head.target.utf8.first == ASCII.slash || (head.target == "*" && head.method == "OPTIONS") { return }
    let scheme = head.target.prefix(8).lowercased()
    guard scheme.hasPrefix("http://") || scheme == "https://" else {
      throw HTTPError(
        400, "request target \(quoted) is neither a path nor an http URI (RFC 9112 §3.2)")
    }
    let authority = head.authority.utf8
    guard HTTPAuthority.isValid(authority), authority.first != ASCII.colon, !authority.isEmpty else {
      throw HTTPError(
        400, "request target \(quoted) has no host, or more than host and port (RFC 9110 §4.2)")
    }
  }

  /// Exactly one Host in HTTP/1.1, at most one in 1.0 (RFC 9112 §3.2).
  private func checkHost() throws(HTTPError) {
    let hosts = head.headers.values("Host")
    guard hosts.count == 1 || (hosts.isEmpty && head.minorVersion == 0) else {
      throw HTTPError(400, "\(hosts.count) Host fields, exactly one is needed (RFC 9112 §3.2)")
    }
    guard let host = hosts.first, !HTTPAuthority.isValid(host.utf8) else { return }
    throw HTTPError(400, "Host \(ASCII.quote(host.utf8)) is no host and port (RFC 9110 §7.2)")
  }

  func framing() throws(HTTPError) -> HTTPBodyReader? {
    try checkHost()
    return try announcedFraming(minorVersion: head.minorVersion)
      ?? .length(0, limits: limits, status: Self.status)
  }
}
