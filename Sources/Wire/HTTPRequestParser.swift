/// Reads requests, one after the other, from bytes in any pieces (RFC 9112).
///
/// Call `next` until it gives nil; after `.end` it starts on the next request, so a server that
/// answers in order stops calling there and keeps what is behind `offset`.
package struct HTTPRequestParser: Sendable {
  package typealias Event = HTTPParseEvent<HTTPRequestHead>

  private enum Phase {
    case requestLine
    case fields
    case body(HTTPBodyReader)
    case failed(HTTPError)
  }

  private static let longestMethod = 32

  private let limits: HTTPLimits
  private var phase = Phase.requestLine
  private var lines = LineReader()
  private var head = HTTPRequestHead(method: "", target: "")

  package init(limits: HTTPLimits = HTTPLimits()) { self.limits = limits }

  /// Whether a request has begun and not ended.
  package var isMidMessage: Bool {
    if case .requestLine = phase { lines.used > 0 } else { true }
  }

  /// Takes bytes from `input` behind `offset` until there is something to tell.
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

  private mutating func step(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(HTTPError) -> Event? {
    while true {
      switch phase {
      case .requestLine:
        guard let line = try nextLine(input, &offset, 414, "the request line") else { return nil }
        try line.read { (bytes) throws(HTTPError) in
          // An empty line before a request is skipped (RFC 9112 §2.2).
          if bytes.isEmpty { return }
          try requestLine(bytes)
          phase = .fields
        }
      case .fields:
        guard let line = try nextLine(input, &offset, 431, "the request head") else { return nil }
        let isLast = try line.read { (bytes) throws(HTTPError) in
          if bytes.isEmpty { return true }
          try HTTPSyntax.field(bytes, into: &head.headers, limits: limits, status: 400)
          return false
        }
        guard isLast else { continue }
        try checkHost()
        phase = .body(try framing())
        return .head(head)
      case .body(var reader):
        let piece = try reader.next(input, &offset)
        phase = .body(reader)
        switch piece {
        case nil: return nil
        case .bytes(let bytes): return .body(bytes)
        case .end(let trailers):
          phase = .requestLine
          lines.restart()
          head = HTTPRequestHead(method: "", target: "")
          return .end(trailers: trailers)
        }
      case .failed(let error):
        throw error
      }
    }
  }

  private mutating func nextLine(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int, _ status: Int, _ what: String
  ) throws(HTTPError) -> LineReader.Line? {
    try lines.next(
      input, &offset, limit: limits.headBytes, status: 400,
      past: HTTPError(status, "\(what) is past \(limits.headBytes) bytes (RFC 9110 §15.5, RFC 6585 §5)"))
  }

  /// method SP request-target SP HTTP-version (RFC 9112 §3).
  private mutating func requestLine(_ line: UnsafeRawBufferPointer) throws(HTTPError) {
    let parts = line.split(separator: ASCII.space, omittingEmptySubsequences: false)
    guard parts.count == 3 else {
      throw HTTPError(
        400, "\(ASCII.quote(line)) is no request line: three parts, one space between (RFC 9112 §3)")
    }
    guard ASCII.isToken(parts[0]) else {
      throw HTTPError(400, "\(ASCII.quote(parts[0])) is no method (RFC 9110 §9.1)")
    }
    head.minorVersion = try HTTPSyntax.minorVersion(parts[2], status: 400)
    guard parts[0].count <= Self.longestMethod else {
      throw HTTPError(501, "method \(ASCII.quote(parts[0])) is longer than any known (RFC 9112 §3)")
    }
    head.method = String(decoding: parts[0], as: UTF8.self)
    guard head.method != "CONNECT" else {
      throw HTTPError(501, "CONNECT is not supported (RFC 9110 §9.3.6)")
    }
    guard parts[1].allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x23 }) else {
      throw HTTPError(
        400, "request target \(ASCII.quote(parts[1])) has a character outside URIs (RFC 9112 §3.2)")
    }
    head.target = String(decoding: parts[1], as: UTF8.self)
    let scheme = head.target.prefix(8).lowercased()
    guard
      parts[1].first == 0x2F || (head.target == "*" && head.method == "OPTIONS")
        || scheme.hasPrefix("http://") || scheme == "https://"
    else {
      throw HTTPError(
        400, "request target \(ASCII.quote(parts[1])) is neither a path nor an http URI (RFC 9112 §3.2)")
    }
  }

  /// Exactly one Host in HTTP/1.1, at most one in 1.0 (RFC 9112 §3.2).
  private func checkHost() throws(HTTPError) {
    let hosts = head.headers.values("Host")
    guard hosts.count == 1 || (hosts.isEmpty && head.minorVersion == 0) else {
      throw HTTPError(400, "\(hosts.count) Host fields, exactly one is needed (RFC 9112 §3.2)")
    }
    for byte in (hosts.first ?? "").utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: continue
      default:
        guard ".-_~:[]%!$&'()*+;=".utf8.contains(byte) else {
          throw HTTPError(
            400, "Host \(ASCII.quote((hosts.first ?? "").utf8)) is no host and port (RFC 9110 §7.2)")
        }
      }
    }
  }

  private func framing() throws(HTTPError) -> HTTPBodyReader {
    if try HTTPSyntax.isChunked(head.headers, minorVersion: head.minorVersion, status: 400) {
      return .chunked(limits: limits, status: 400)
    }
    let length = try HTTPSyntax.contentLength(head.headers, status: 400) ?? 0
    guard length <= limits.bodyBytes else {
      throw HTTPError(413, "body of \(length) bytes, limit \(limits.bodyBytes) (RFC 9110 §15.5.14)")
    }
    return .length(length, limits: limits, status: 400)
  }
}
