import Foundation
import Wire

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A client that sends bytes as they are and shows how the connection ended.
final class RawClient {
  enum End: Equatable { case closed, reset, timedOut }

  private let fd: Int32
  /// A write that meets a reset takes the error away; the next read only sees an end.
  private var wroteIntoReset = false

  /// Nil if the connection is refused.
  init?(port: Int) {
    #if canImport(Glibc)
      let stream = Int32(SOCK_STREAM.rawValue)
    #else
      let stream = SOCK_STREAM
    #endif
    fd = socket(AF_INET, stream, 0)
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    // A failing initializer runs `deinit`, which closes.
    guard code == 0 else { return nil }
  }

  deinit { close(fd) }

  func write(_ text: String) {
    let bytes = Array(text.utf8)
    #if canImport(Glibc)
      let count = send(fd, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    #else
      let count = send(fd, bytes, bytes.count, 0)
    #endif
    if count < 0, errno == ECONNRESET || errno == EPIPE { wroteIntoReset = true }
  }

  /// Reads to the end of the connection.
  func readAll() -> (bytes: [UInt8], end: End) {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = recv(fd, &buffer, buffer.count, 0)
      if count > 0 {
        all += buffer[..<count]
      } else if count == 0 {
        return (all, wroteIntoReset ? .reset : .closed)
      } else if errno == EAGAIN || errno == EWOULDBLOCK {
        return (all, .timedOut)
      } else if errno != EINTR {
        return (all, .reset)
      }
    }
  }

  /// Reads until what came is as it should be; false if it never is.
  func readUntil(_ isDone: ([UInt8]) -> Bool) -> Bool {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while !isDone(all) {
      let count = recv(fd, &buffer, buffer.count, 0)
      guard count > 0 else { return false }
      all += buffer[..<count]
    }
    return true
  }

  /// Reads what is there of one answer with a Content-Length, leaving the connection open.
  func readOne() -> HTTPAnswer? {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      if let answer = HTTPAnswer(all), answer.isComplete { return answer }
      let count = recv(fd, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      all += buffer[..<count]
    }
  }
}

/// An answer as it stood on the wire.
struct HTTPAnswer {
  let status: Int
  let headers: [(name: String, value: String)]
  /// Without the frames of chunks.
  let body: [UInt8]
  let isComplete: Bool

  /// Nil if the bytes hold no whole head.
  init?(_ bytes: [UInt8]) {
    // Over bytes: a chunk may end inside of a character.
    guard let headEnd = bytes.firstRange(of: "\r\n\r\n".utf8) ?? bytes.firstRange(of: "\n\n".utf8) else {
      return nil
    }
    let text = String(decoding: bytes[..<headEnd.lowerBound], as: UTF8.self)
    let lines = text.split(whereSeparator: \.isNewline).map(String.init)
    guard let first = lines.first?.split(separator: " ", maxSplits: 2), first.count >= 2,
      let status = Int(first[1])
    else { return nil }
    self.status = status
    headers = lines.dropFirst().map { line in
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      return (parts[0].lowercased(), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
    }
    let rest = Array(bytes[headEnd.upperBound...])
    if headers.contains(where: { $0 == ("transfer-encoding", "chunked") }) {
      (body, isComplete) = Self.unchunk(rest)
    } else {
      body = rest
      let length = headers.first { $0.name == "content-length" }.flatMap { Int($0.value) } ?? 0
      isComplete = rest.count >= length
    }
  }

  subscript(name: String) -> String? { headers.first { $0.name == name }?.value }

  var text: String { String(decoding: body, as: UTF8.self) }

  /// The data of the events.
  var events: [String] {
    var parser = ServerSentEventParser()
    var events: [String] = []
    var offset = 0
    body.withUnsafeBytes { bytes in
      while case .message(let event)? = try? parser.next(bytes, &offset) { events.append(event.data) }
    }
    return events
  }

  private static func unchunk(_ bytes: [UInt8]) -> (body: [UInt8], isComplete: Bool) {
    var body: [UInt8] = []
    var rest = bytes[...]
    while let lineEnd = rest.firstIndex(of: 0x0A) {
      let line = String(decoding: rest[..<lineEnd], as: UTF8.self).trimmingCharacters(
        in: .whitespacesAndNewlines)
      rest = rest[(lineEnd + 1)...]
      guard let size = Int(line, radix: 16) else { return (body, false) }
      if size == 0 { return (body, true) }
      guard rest.count >= size else { return (body + rest, false) }
      body += rest.prefix(size)
      rest = rest.dropFirst(size)
      // The line break behind the chunk.
      while let byte = rest.first, byte == 0x0D || byte == 0x0A { rest = rest.dropFirst() }
    }
    return (body, false)
  }
}
