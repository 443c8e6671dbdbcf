/// Reads a message body of any framing (RFC 9112 §6, §7).
struct HTTPBodyReader {
  private enum Phase {
    case plain(left: Int)
    case chunkSize
    case chunk(left: Int)
    /// Waiting for the CR LF behind chunk data; the number already read.
    case chunkEnd(Int)
    case trailers
    case untilClose
    case ended
  }

  private static let chunkLineLimit = 1024

  private var phase: Phase
  private var lines = LineReader()
  private var trailers = HTTPHeaders()
  private var total = 0
  /// What chunk extensions take beside the body, which has a limit of its own (RFC 9112 §7.1.1).
  private var extensionBytes = 0
  private let limits: HTTPLimits
  private let status: Int

  private init(_ phase: Phase, limits: HTTPLimits, status: Int) {
    self.phase = phase
    self.limits = limits
    self.status = status
  }

  /// `status` is what errors carry: 400 for requests, 502 for responses.
  static func length(_ count: Int, limits: HTTPLimits, status: Int) -> HTTPBodyReader {
    HTTPBodyReader(.plain(left: count), limits: limits, status: status)
  }
  static func chunked(limits: HTTPLimits, status: Int) -> HTTPBodyReader {
    HTTPBodyReader(.chunkSize, limits: limits, status: status)
  }
  static func untilClose(limits: HTTPLimits, status: Int) -> HTTPBodyReader {
    HTTPBodyReader(.untilClose, limits: limits, status: status)
  }

  /// Whether the end of the connection ends the body.
  var endsAtClose: Bool { if case .untilClose = phase { true } else { false } }

  enum Piece {
    case bytes(UnsafeRawBufferPointer)
    case end(HTTPHeaders)
  }

  mutating func next(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(HTTPError) -> Piece? {
    while true {
      switch phase {
      case .plain(0):
        phase = .ended
        return .end([])
      case .plain(let left):
        guard let bytes = take(left, input, &offset) else { return nil }
        phase = .plain(left: left - bytes.count)
        return .bytes(bytes)
      case .untilClose:
        guard let bytes = take(.max, input, &offset) else { return nil }
        try count(bytes.count)
        return .bytes(bytes)
      case .chunk(let left):
        guard let bytes = take(left, input, &offset) else { return nil }
        phase = left == bytes.count ? .chunkEnd(0) : .chunk(left: left - bytes.count)
        return .bytes(bytes)
      case .chunkEnd(let read):
        guard let byte = take(1, input, &offset)?[0] else { return nil }
        guard byte == (read == 0 ? ASCII.carriageReturn : ASCII.lineFeed) else {
          throw HTTPError(status, "chunk data is not followed by CR LF (RFC 9112 §7.1)")
        }
        phase = read == 0 ? .chunkEnd(1) : .chunkSize
      case .chunkSize:
        guard let line = try nextLine(input, &offset, limit: Self.chunkLineLimit) else { return nil }
        let (size, behind) = try line.read { (bytes) throws(HTTPError) in try chunkSize(bytes) }
        lines.restart()
        extensionBytes += behind
        guard extensionBytes <= limits.headBytes else {
          throw Self.tooLong("chunk extensions past \(limits.headBytes) bytes (RFC 9112 §7.1.1)", status)
        }
        try count(size)
        phase = size == 0 ? .trailers : .chunk(left: size)
      case .trailers:
        guard let line = try nextLine(input, &offset, limit: limits.headBytes) else { return nil }
        let isLast = try line.read { (bytes) throws(HTTPError) in
          if bytes.isEmpty { return true }
          try HTTPSyntax.field(bytes, into: &trailers, limits: limits, status: status)
          return false
        }
        guard isLast else { continue }
        phase = .ended
        return .end(trailers)
      case .ended:
        return nil
      }
    }
  }

  private mutating func nextLine(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int, limit: Int
  ) throws(HTTPError) -> LineReader.Line? {
    try lines.next(
      input, &offset, limit: limit, status: status,
      past: Self.tooLong("chunk line or trailers past \(limit) bytes (RFC 9112 §7.1)", status))
  }

  private static func tooLong(_ message: String, _ status: Int) -> HTTPError {
    HTTPError(status == 400 ? 431 : status, message)
  }

  private func take(
    _ most: Int, _ input: UnsafeRawBufferPointer, _ offset: inout Int
  ) -> UnsafeRawBufferPointer? {
    let count = min(most, input.count - offset)
    guard count > 0 else { return nil }
    defer { offset += count }
    return UnsafeRawBufferPointer(rebasing: input[offset..<(offset + count)])
  }

  private mutating func count(_ bytes: Int) throws(HTTPError) {
    guard bytes <= limits.bodyBytes - total else {
      throw HTTPError(
        status == 400 ? 413 : status, "body past the limit of \(limits.bodyBytes) bytes (RFC 9110 §15.5.14)")
    }
    total += bytes
  }

  /// chunk-size [ chunk-ext ], as the number and the length of what is behind it (RFC 9112 §7.1).
  private func chunkSize(_ line: UnsafeRawBufferPointer) throws(HTTPError) -> (Int, behind: Int) {
    var size = 0
    var index = 0
    while index < line.count, let digit = hexValue(line[index]) {
      guard index < 15 else {
        throw HTTPError(status, "chunk size \(ASCII.quote(line)) has more than 15 digits (RFC 9112 §7.1)")
      }
      size = size << 4 | digit
      index += 1
    }
    let behind = line[index...]
    guard index > 0, FieldScanner.areParameters(behind) else {
      throw HTTPError(status, "\(ASCII.quote(line)) is no chunk size (RFC 9112 §7.1)")
    }
    return (size, behind.count)
  }

  private func hexValue(_ byte: UInt8) -> Int? {
    switch byte {
    case 0x30...0x39: Int(byte) - 0x30
    case 0x41...0x46: Int(byte) - 0x37
    case 0x61...0x66: Int(byte) - 0x57
    default: nil
    }
  }
}
