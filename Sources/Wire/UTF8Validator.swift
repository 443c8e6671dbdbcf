/// Checks UTF-8 as it comes, refusing the first byte that no valid text can have there
/// (RFC 3629 §4: no overlong forms, no surrogates, nothing above U+10FFFF).
package struct UTF8Validator: Sendable {
  /// Continuation bytes still to come, and the bounds of the next one.
  private var missing = 0
  private var low: UInt8 = 0x80
  private var high: UInt8 = 0xBF

  package init() {}

  /// Whether no character is cut at the end of what was fed.
  package var isComplete: Bool { missing == 0 }

  package mutating func reset() { missing = 0 }

  /// False as soon as the bytes so far cannot begin a valid text.
  package mutating func feed(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let count = bytes.count
    var index = 0
    while index < count {
      if missing == 0 {
        while index + 8 <= count,
          bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
        { index += 8 }
        guard index < count else { break }
        let byte = bytes[index]
        index += 1
        if byte < 0x80 { continue }
        guard begin(byte) else { return false }
      } else {
        let byte = bytes[index]
        index += 1
        guard byte >= low && byte <= high else { return false }
        missing -= 1
        low = 0x80
        high = 0xBF
      }
    }
    return true
  }

  @inline(__always)
  private mutating func begin(_ byte: UInt8) -> Bool {
    low = 0x80
    high = 0xBF
    switch byte {
    case 0xC2...0xDF: missing = 1
    case 0xE0...0xEF:
      missing = 2
      if byte == 0xE0 { low = 0xA0 }
      if byte == 0xED { high = 0x9F }
    case 0xF0...0xF4:
      missing = 3
      if byte == 0xF0 { low = 0x90 }
      if byte == 0xF4 { high = 0x8F }
    default: return false
    }
    return true
  }
}
