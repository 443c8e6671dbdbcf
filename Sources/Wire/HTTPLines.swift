/// Cuts lines ending in CR LF out of bytes that come in any pieces, counting them against a limit.
struct LineReader {
  /// A line without its end; `.slice` points into the input.
  enum Line {
    case slice(UnsafeRawBufferPointer)
    case carried([UInt8])

    func read<R>(_ body: (UnsafeRawBufferPointer) throws(HTTPError) -> R) throws(HTTPError) -> R {
      switch self {
      case .slice(let bytes): try body(bytes)
      case .carried(let bytes):
        try bytes.withUnsafeBufferPointer { (buffer) throws(HTTPError) -> R in
          try body(UnsafeRawBufferPointer(buffer))
        }
      }
    }
  }

  private var carry: [UInt8] = []
  private var used = 0

  /// Whether a line has begun and not ended.
  var isMidLine: Bool { !carry.isEmpty }

  /// Starts counting anew, for the next head or chunk line.
  mutating func restart() {
    used = 0
    carry.removeAll(keepingCapacity: false)
  }

  /// `status` is what errors carry: 400 for requests, 502 for responses.
  mutating func next(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int, limit: Int, status: Int,
    past overflow: @autoclosure () -> HTTPError
  ) throws(HTTPError) -> Line? {
    let rest = UnsafeRawBufferPointer(rebasing: input[offset...])
    let end = rest.firstIndex(of: ASCII.lineFeed)
    let taken = end.map { $0 + 1 } ?? rest.count
    guard used + taken <= limit else { throw overflow() }
    used += taken
    offset += taken
    guard let end else {
      carry.append(contentsOf: rest)
      return nil
    }
    if carry.isEmpty {
      guard end > 0, rest[end - 1] == ASCII.carriageReturn else { throw Self.bareLineFeed(status) }
      return .slice(UnsafeRawBufferPointer(rebasing: rest[..<(end - 1)]))
    }
    carry.append(contentsOf: rest[..<end])
    guard carry.last == ASCII.carriageReturn else { throw Self.bareLineFeed(status) }
    carry.removeLast()
    let line = carry
    carry = []
    return .carried(line)
  }

  private static func bareLineFeed(_ status: Int) -> HTTPError {
    HTTPError(status, "a line ends in LF without CR (RFC 9112 §2.2)")
  }
}

/// The grammar of field lines and of the fields that frame a message.
enum HTTPSyntax {
  /// Adds one field line to `headers` (RFC 9112 §5).
  static func field(
    _ line: UnsafeRawBufferPointer, into headers: inout HTTPHeaders, limits: HTTPLimits,
    status: Int, unfolds: Bool = false
  ) throws(HTTPError) {
    if let first = line.first, first == ASCII.space || first == ASCII.tab {
      guard unfolds, !headers.isEmpty else {
        throw HTTPError(status, "a header line starts with space: folded fields are refused (RFC 9112 §5.2)")
      }
      headers.continueLast(try value(line, named: "folded line", status: status))
      return
    }
    guard let colon = line.firstIndex(of: ASCII.colon) else {
      throw HTTPError(status, "header line \(ASCII.quote(line)) has no colon (RFC 9112 §5)")
    }
    let name = line[..<colon]
    guard ASCII.isToken(name) else {
      throw HTTPError(status, "\(ASCII.quote(name)) is no field name (RFC 9112 §5.1)")
    }
    guard headers.count < limits.fields else {
      throw HTTPError(
        status == 400 ? 431 : status, "more than \(limits.fields) header fields (RFC 6585 §5)")
    }
    let nameText = String(decoding: name, as: UTF8.self)
    let rest = UnsafeRawBufferPointer(rebasing: line[(colon + 1)...])
    headers.append(nameText, try value(rest, named: nameText, status: status))
  }

  /// A field value without surrounding space; control characters are refused (RFC 9110 §5.5).
  private static func value(
    _ bytes: UnsafeRawBufferPointer, named name: String, status: Int
  ) throws(HTTPError) -> String {
    var start = 0
    var end = bytes.count
    while start < end, bytes[start] == ASCII.space || bytes[start] == ASCII.tab { start += 1 }
    while end > start, bytes[end - 1] == ASCII.space || bytes[end - 1] == ASCII.tab { end -= 1 }
    let trimmed = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    for byte in trimmed where (byte < 0x20 && byte != ASCII.tab) || byte == 0x7F {
      throw HTTPError(
        status, "the value of \(name) has control character \(byte) (RFC 9110 §5.5)")
    }
    return String(decoding: trimmed, as: UTF8.self)
  }

  /// The single Content-Length, nil without one (RFC 9112 §6.2, §6.3).
  static func contentLength(_ headers: HTTPHeaders, status: Int) throws(HTTPError) -> Int? {
    let values = headers.values("Content-Length")
    guard let text = values.first else { return nil }
    guard values.count == 1 else {
      throw HTTPError(status, "\(values.count) Content-Length fields (RFC 9112 §6.3)")
    }
    guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
      throw HTTPError(
        status, "Content-Length \(ASCII.quote(text.utf8)) is no decimal number (RFC 9110 §8.6)")
    }
    guard let length = Int(text) else {
      throw HTTPError(status == 400 ? 413 : status, "Content-Length \(ASCII.quote(text.utf8)) is too large")
    }
    return length
  }

  /// Whether the body is chunked; any other transfer coding is refused (RFC 9112 §6.1).
  static func isChunked(
    _ headers: HTTPHeaders, minorVersion: Int, status: Int
  ) throws(HTTPError) -> Bool {
    let values = headers.values("Transfer-Encoding")
    guard !values.isEmpty else { return false }
    guard minorVersion >= 1 else {
      throw HTTPError(status, "Transfer-Encoding in an HTTP/1.0 message (RFC 9112 §6.1)")
    }
    guard headers["Content-Length"] == nil else {
      throw HTTPError(status, "both Transfer-Encoding and Content-Length (RFC 9112 §6.1)")
    }
    let codings = headers.list("Transfer-Encoding")
    guard let last = codings.last, ASCII.equal(last, "chunked"),
      codings.filter({ ASCII.equal($0, "chunked") }).count == 1
    else {
      throw HTTPError(
        status,
        "Transfer-Encoding \(ASCII.quote(values.joined(separator: ", ").utf8)) does not end in one chunked (RFC 9112 §6.3)"
      )
    }
    guard codings.count == 1 else {
      throw HTTPError(
        status == 400 ? 501 : status,
        "transfer coding \(ASCII.quote(codings[0].utf8)) is not supported, only chunked (RFC 9112 §6.1)")
    }
    return true
  }

  /// The minor version of `HTTP/1.y`.
  static func minorVersion(_ bytes: some Collection<UInt8>, status: Int) throws(HTTPError) -> Int {
    let text = Array(bytes)
    guard text.count == 8, text[..<5].elementsEqual("HTTP/".utf8), text[6] == 0x2E,
      (0x30...0x39).contains(text[5]), (0x30...0x39).contains(text[7])
    else { throw HTTPError(status, "\(ASCII.quote(text)) is no HTTP version (RFC 9112 §2.3)") }
    guard text[5] == 0x31 else {
      throw HTTPError(
        status == 400 ? 505 : status, "version \(ASCII.quote(text)) is not HTTP/1 (RFC 9110 §15.6.6)")
    }
    return text[7] == 0x30 ? 0 : 1
  }
}
