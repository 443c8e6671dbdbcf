/// The envelope of a request without params, found by one pass over the bytes.
///
/// Most messages of most clients have this form, and a tree of values for each would cost many times
/// what the rest of the way to the answer does. Anything out of the ordinary (escapes, other members,
/// another version, a mistake) is not for the scanner: it gives nil, and `MessageReader.read` says
/// what it is.
package struct EnvelopeScanner {
  /// Where the parts stand in the message.
  package struct Envelope {
    /// The text of the id as it was sent, quotes included; nil if there is none.
    package var id: Range<Int>?
    /// The name of the method, without quotes.
    package var method: Range<Int>
    package var isJSONRPC: Bool
  }

  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  /// The envelope, if `bytes` are a request of the plain form.
  package static func scan(_ bytes: UnsafeRawBufferPointer) -> Envelope? {
    var scanner = EnvelopeScanner(bytes: bytes)
    return scanner.object()
  }

  private init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  private mutating func object() -> Envelope? {
    var id: Range<Int>?
    var method: Range<Int>?
    var isJSONRPC = false
    skipSpace()
    guard take(UInt8(ascii: "{")) else { return nil }
    repeat {
      skipSpace()
      guard let key = string() else { return nil }
      skipSpace()
      guard take(UInt8(ascii: ":")) else { return nil }
      skipSpace()
      // A key that stands twice is a mistake that the parser names.
      if key.count == 2, matches(key, "id"), id == nil {
        guard let found = identifier() else { return nil }
        id = found
      } else if key.count == 6, matches(key, "method"), method == nil {
        guard let found = string() else { return nil }
        method = found
      } else if key.count == 7, matches(key, "jsonrpc"), !isJSONRPC {
        guard let version = string(), matches(version, "2.0") else { return nil }
        isJSONRPC = true
      } else {
        return nil
      }
      skipSpace()
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "}")), let method else { return nil }
    skipSpace()
    guard position == bytes.count else { return nil }
    return Envelope(id: id, method: method, isJSONRPC: isJSONRPC)
  }

  /// A string of printable ASCII without escapes; its range without the quotes.
  private mutating func string() -> Range<Int>? {
    guard take(UInt8(ascii: "\"")) else { return nil }
    let start = position
    while position < bytes.count {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") {
        defer { position += 1 }
        return start..<position
      }
      guard byte >= 0x20, byte < 0x7F, byte != UInt8(ascii: "\\") else { return nil }
      position += 1
    }
    return nil
  }

  /// A plain string or a whole number; the text stays as it was sent.
  private mutating func identifier() -> Range<Int>? {
    let start = position
    guard position < bytes.count else { return nil }
    if bytes[position] == UInt8(ascii: "\"") { return string() == nil ? nil : start..<position }
    while position < bytes.count, bytes[position] &- UInt8(ascii: "0") < 10 { position += 1 }
    let isNumber = position > start && (bytes[start] != UInt8(ascii: "0") || position == start + 1)
    return isNumber ? start..<position : nil
  }

  @inline(__always)
  private func matches(_ range: Range<Int>, _ text: StaticString) -> Bool {
    guard range.count == text.utf8CodeUnitCount else { return false }
    for offset in 0..<range.count where bytes[range.lowerBound + offset] != text.utf8Start[offset] {
      return false
    }
    return true
  }

  @inline(__always)
  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  @inline(__always)
  private mutating func take(_ byte: UInt8) -> Bool {
    guard position < bytes.count, bytes[position] == byte else { return false }
    position += 1
    return true
  }
}
