/// Where a parser is in its message.
enum HTTPParsePhase: Sendable {
  case startLine
  case fields
  case body(HTTPBodyReader)
  case failed(HTTPError)
}

/// The way through a message that requests and responses share: start line, fields, body
/// (RFC 9112 §2.1).
protocol HTTPMessageParser {
  associatedtype Head: Sendable

  /// What errors carry: 400 for requests, 502 for responses.
  static var status: Int { get }
  /// Whether folded fields are joined or refused (RFC 9112 §5.2).
  static var unfolds: Bool { get }

  var limits: HTTPLimits { get }
  var phase: HTTPParsePhase { get set }
  var lines: LineReader { get set }
  var head: Head { get set }
  var headers: HTTPHeaders { get set }

  /// Begins `head` with its first line; false skips the line.
  mutating func readStartLine(_ line: UnsafeRawBufferPointer) throws(HTTPError) -> Bool
  /// Checks `head`, now whole, and gives what reads its body; nil for a head that is not told.
  mutating func framing() throws(HTTPError) -> HTTPBodyReader?
  /// The error of a head of more than `limit` bytes.
  static func overflow(_ limit: Int, inStartLine: Bool) -> HTTPError
}

extension HTTPMessageParser {
  /// Whether a message has begun and not ended. Skipped lines begin none.
  var hasBegun: Bool {
    if case .startLine = phase { lines.isMidLine } else { true }
  }

  /// Takes bytes from `input` behind `offset` until there is something to tell; behind an error
  /// that error again.
  mutating func read(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(HTTPError) -> HTTPParseEvent<Head>? {
    do {
      return try step(input, &offset)
    } catch {
      phase = .failed(error)
      throw error
    }
  }

  private mutating func step(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(HTTPError) -> HTTPParseEvent<Head>? {
    while true {
      switch phase {
      case .startLine:
        guard let line = try nextLine(input, &offset, isFirst: true) else { return nil }
        let isTaken = try line.read { (bytes) throws(HTTPError) in try readStartLine(bytes) }
        if isTaken { phase = .fields }
      case .fields:
        guard let line = try nextLine(input, &offset, isFirst: false) else { return nil }
        let isLast = try line.read { (bytes) throws(HTTPError) in
          if bytes.isEmpty { return true }
          try HTTPSyntax.field(
            bytes, into: &headers, limits: limits, status: Self.status, unfolds: Self.unfolds)
          return false
        }
        guard isLast else { continue }
        lines.restart()
        guard let reader = try framing() else {
          phase = .startLine
          continue
        }
        phase = .body(reader)
        return .head(head)
      case .body(var reader):
        let piece = try reader.next(input, &offset)
        phase = .body(reader)
        switch piece {
        case nil: return nil
        case .bytes(let bytes): return .body(bytes)
        case .end(let trailers):
          phase = .startLine
          return .end(trailers: trailers)
        }
      case .failed(let error):
        throw error
      }
    }
  }

  private mutating func nextLine(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int, isFirst: Bool
  ) throws(HTTPError) -> LineReader.Line? {
    let limit = limits.headBytes
    return try lines.next(
      input, &offset, limit: limit, status: Self.status,
      past: Self.overflow(limit, inStartLine: isFirst))
  }

  /// How the body of `headers` is framed, nil if they do not say (RFC 9112 §6.3).
  func announcedFraming(minorVersion: Int) throws(HTTPError) -> HTTPBodyReader? {
    if try HTTPSyntax.isChunked(headers, minorVersion: minorVersion, status: Self.status) {
      return .chunked(limits: limits, status: Self.status)
    }
    guard let length = try HTTPSyntax.contentLength(headers, status: Self.status) else { return nil }
    guard length <= limits.bodyBytes else {
      throw HTTPError(413, "body of \(length) bytes, limit \(limits.bodyBytes) (RFC 9110 §15.5.14)")
    }
    return .length(length, limits: limits, status: Self.status)
  }
}
