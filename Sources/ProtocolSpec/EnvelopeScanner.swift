/// The envelope of a request without params, or with one that is a text; found by one pass over the
/// bytes, eight at a time.
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
    /// The only member of the params, its name and its text without quotes; nil for no params.
    package var param: (name: Range<Int>, text: Range<Int>)?
  }

  private let base: UnsafeRawPointer
  private let count: Int
  private var position = 0

  /// The envelope, if `bytes` are a request of the plain form.
  package static func scan(_ bytes: UnsafeRawBufferPointer) -> Envelope? {
    // No request is shorter than {"method":""}, so the last eight bytes are always there to be read.
    guard let base = bytes.baseAddress, bytes.count >= 13 else { return nil }
    var scanner = EnvelopeScanner(base: base, count: bytes.count)
    return scanner.object()
  }

  private init(base: UnsafeRawPointer, count: Int) {
    self.base = base
    self.count = count
  }

  private mutating func object() -> Envelope? {
    var id: Range<Int>?
    var method: Range<Int>?
    var isJSONRPC = false
    var param: (name: Range<Int>, text: Range<Int>)?
    skipSpace()
    guard take("{") else { return nil }
    repeat {
      skipSpace()
      let word = word(at: position)
      // A key that stands twice is a mistake that the parser names.
      if word == Self.methodKey, method == nil {
        guard skipKey(8), let found = string() else { return nil }
        method = found
      } else if word & Self.idMask == Self.idKey, id == nil {
        guard skipKey(4), let found = identifier() else { return nil }
        id = found
      } else if word == Self.versionKey, !isJSONRPC, position + 8 < count, byte(position + 8) == Self.quote {
        guard skipKey(9), self.word(at: position) & Self.versionMask == Self.version else { return nil }
        position += 5
        isJSONRPC = true
      } else if word == Self.paramsKey, param == nil {
        guard skipKey(8), let found = member() else { return nil }
        param = found
      } else {
        return nil
      }
      skipSpace()
    } while take(",")
    guard take("}"), let method else { return nil }
    skipSpace()
    guard position == count else { return nil }
    return Envelope(id: id, method: method, isJSONRPC: isJSONRPC, param: param)
  }

  /// An object with one member, which is a plain string.
  @inline(__always)
  private mutating func member() -> (name: Range<Int>, text: Range<Int>)? {
    guard take("{") else { return nil }
    skipSpace()
    guard let name = string() else { return nil }
    skipSpace()
    guard take(":") else { return nil }
    skipSpace()
    guard let text = string() else { return nil }
    skipSpace()
    return take("}") ? (name, text) : nil
  }

  // The first bytes of each key and of the version as they lie in memory, quotes included; what a
  // key has beyond eight bytes is looked at apart.
  private static let methodKey: UInt64 = 0x2264_6F68_7465_6D22  // "method"
  private static let paramsKey: UInt64 = 0x2273_6D61_7261_7022  // "params"
  private static let versionKey: UInt64 = 0x6370_726E_6F73_6A22  // "jsonrpc
  private static let idKey: UInt64 = 0x2264_6922  // "id"
  private static let idMask: UInt64 = 0xFFFF_FFFF
  private static let version: UInt64 = 0x22_302E_3222  // "2.0"
  private static let versionMask: UInt64 = 0xFF_FFFF_FFFF
  private static let quote = UInt8(ascii: "\"")
  private static let everyByte: UInt64 = 0x0101_0101_0101_0101
  private static let highBits: UInt64 = 0x8080_8080_8080_8080

  /// Goes past a key of `size` bytes, the colon and the space around it.
  @inline(__always)
  private mutating func skipKey(_ size: Int) -> Bool {
    position += size
    skipSpace()
    guard take(":") else { return false }
    skipSpace()
    return true
  }

  /// A string of ASCII without escapes or control characters; its range without the quotes.
  @inline(__always)
  private mutating func string() -> Range<Int>? {
    guard take("\"") else { return nil }
    let start = position
    while position < count {
      let word = word(at: position)
      // The high bit of each byte at which a plain string cannot go on. What lies behind the end
      // reads as zero and is such a byte; marks above the lowest may be wrong and are not used.
      let quotes = word ^ (Self.everyByte &* UInt64(Self.quote))
      let slashes = word ^ (Self.everyByte &* UInt64(UInt8(ascii: "\\")))
      let stops =
        ((quotes &- Self.everyByte) & ~quotes | (slashes &- Self.everyByte) & ~slashes
          | (word &- Self.everyByte &* 0x20) & ~word | word) & Self.highBits
      guard stops != 0 else {
        position += 8
        continue
      }
      position += stops.trailingZeroBitCount / 8
      guard position < count, byte(position) == Self.quote else { return nil }
      defer { position += 1 }
      return start..<position
    }
    return nil
  }

  /// A plain string or a whole number; the text stays as it was sent.
  @inline(__always)
  private mutating func identifier() -> Range<Int>? {
    let start = position
    guard position < count else { return nil }
    if byte(position) == Self.quote { return string() == nil ? nil : start..<position }
    while position < count, byte(position) &- UInt8(ascii: "0") < 10 { position += 1 }
    let isNumber = position > start && (byte(start) != UInt8(ascii: "0") || position == start + 1)
    return isNumber ? start..<position : nil
  }

  /// Eight bytes, the first lowest; those behind the end are zero.
  @inline(__always)
  private func word(at place: Int) -> UInt64 {
    let missing = place + 8 - count
    if missing <= 0 {
      return UInt64(littleEndian: base.loadUnaligned(fromByteOffset: place, as: UInt64.self))
    }
    guard missing < 8 else { return 0 }
    let last = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self))
    return last &>> UInt64(missing * 8)
  }

  @inline(__always)
  private func byte(_ place: Int) -> UInt8 { base.load(fromByteOffset: place, as: UInt8.self) }

  @inline(__always)
  private mutating func skipSpace() {
    while position < count {
      switch byte(position) {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  @inline(__always)
  private mutating func take(_ expected: Unicode.Scalar) -> Bool {
    guard position < count, byte(position) == UInt8(ascii: expected) else { return false }
    position += 1
    return true
  }
}
