/// Writes HTTP/1.1 messages (RFC 9112). A line break or NUL inside a name or value becomes a
/// space, so that no value can start a field of its own.
package enum HTTPEncoder {
  package static func append(_ head: HTTPRequestHead, to bytes: inout [UInt8]) {
    text(head.method, to: &bytes)
    bytes.append(ASCII.space)
    text(head.target, to: &bytes)
    bytes.append(contentsOf: head.minorVersion == 0 ? " HTTP/1.0\r\n".utf8 : " HTTP/1.1\r\n".utf8)
    fields(head.headers, to: &bytes)
    endOfLine(&bytes)
  }

  package static func append(_ head: HTTPResponseHead, to bytes: inout [UInt8]) {
    statusLine(head.status, head.reason, to: &bytes)
    fields(head.headers, to: &bytes)
    endOfLine(&bytes)
  }

  /// One chunk; empty bytes write nothing, since an empty chunk would end the body.
  package static func appendChunk(_ chunk: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
    guard !chunk.isEmpty else { return }
    bytes.append(contentsOf: String(chunk.count, radix: 16).utf8)
    endOfLine(&bytes)
    bytes.append(contentsOf: chunk)
    endOfLine(&bytes)
  }

  package static func appendLastChunk(trailers: HTTPHeaders = [], to bytes: inout [UInt8]) {
    bytes.append(0x30)
    endOfLine(&bytes)
    fields(trailers, to: &bytes)
    endOfLine(&bytes)
  }

  package static func statusLine(_ status: Int, _ reason: String, to bytes: inout [UInt8]) {
    bytes.append(contentsOf: "HTTP/1.1 ".utf8)
    bytes.append(contentsOf: String(status).utf8)
    bytes.append(ASCII.space)
    text(reason, to: &bytes)
    endOfLine(&bytes)
  }

  package static func field(_ name: String, _ value: String, to bytes: inout [UInt8]) {
    text(name, to: &bytes)
    bytes.append(ASCII.colon)
    bytes.append(ASCII.space)
    text(value, to: &bytes)
    endOfLine(&bytes)
  }

  package static func fields(_ headers: HTTPHeaders, to bytes: inout [UInt8]) {
    for (name, value) in headers { field(name, value, to: &bytes) }
  }

  package static func endOfLine(_ bytes: inout [UInt8]) {
    bytes.append(ASCII.carriageReturn)
    bytes.append(ASCII.lineFeed)
  }

  private static func text(_ text: String, to bytes: inout [UInt8]) {
    let start = bytes.count
    bytes.append(contentsOf: text.utf8)
    for index in start..<bytes.count where bytes[index] < 0x20 && bytes[index] != ASCII.tab {
      bytes[index] = ASCII.space
    }
  }
}
