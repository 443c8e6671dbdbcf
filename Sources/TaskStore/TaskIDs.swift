internal import ProtocolSpec

/// Ids of tasks: UUIDs of version 4 (RFC 9562 §5.4) in which, for who has the key, the number of
/// the row stands. So a row is found by its number, and no index of random texts has to be kept,
/// which would dirty a page for every task of a commit.
///
/// The 62 bits of the lower half are random. The 60 of the upper half are the number, exclusive-or
/// a keyed hash of the lower half: without the key they cannot be told from random ones either.
struct TaskIDs: Sendable {
  private let key: (UInt64, UInt64)

  private static let numberBits: UInt64 = 1 << 60 - 1
  private static let nonceBits: UInt64 = 1 << 62 - 1
  /// Where the dashes stand.
  private static let dashes: Set<Int> = [8, 13, 18, 23]
  private static let digits = Array("0123456789abcdef".utf8)

  /// - Parameter text: 32 hexadecimal digits, as `newKey` makes them.
  init?(key text: String) {
    guard text.utf8.count == 32, let first = UInt64(text.prefix(16), radix: 16),
      let second = UInt64(text.suffix(16), radix: 16)
    else { return nil }
    key = (first, second)
  }

  static func newKey() -> String {
    func half() -> String {
      let text = String(UInt64.random(in: .min ... .max), radix: 16)
      return String(repeating: "0", count: 16 - text.utf8.count) + text
    }
    return half() + half()
  }

  /// - Parameters:
  ///   - number: of the row, from 1.
  ///   - nonce: random; only its lower 62 bits are used.
  func id(of number: Int64, nonce: UInt64) -> String {
    let nonce = nonce & Self.nonceBits
    let hidden = (UInt64(number) ^ hash(nonce)) & Self.numberBits
    // Version 4 and variant 10 (RFC 9562 §4.1, §4.2).
    let upper = (hidden >> 12) << 16 | 0x4000 | (hidden & 0xFFF)
    let lower = 1 << 63 | nonce
    return String(unsafeUninitializedCapacity: 36) { bytes in
      var place = 0
      for half in [upper, lower] {
        for shift in stride(from: UInt64(60), through: 0, by: -4) {
          if Self.isDash(place) {
            bytes[place] = UInt8(ascii: "-")
            place += 1
          }
          bytes[place] = Self.digits[Int(half >> shift & 15)]
          place += 1
        }
      }
      return place
    }
  }

  /// The number of the row that has this id, if any row has.
  func number(of id: UnsafeRawBufferPointer) -> Int64? {
    guard id.count == 36 else { return nil }
    var halves: (UInt64, UInt64) = (0, 0)
    for place in 0..<36 {
      if Self.isDash(place) {
        guard id[place] == UInt8(ascii: "-") else { return nil }
        continue
      }
      guard let digit = Self.value(of: id[place]) else { return nil }
      halves = (halves.0 << 4 | halves.1 >> 60, halves.1 << 4 | digit)
    }
    guard halves.0 >> 12 & 15 == 4, halves.1 >> 62 == 2 else { return nil }
    let hidden = (halves.0 >> 16) << 12 | (halves.0 & 0xFFF)
    return Int64((hidden ^ hash(halves.1 & Self.nonceBits)) & Self.numberBits)
  }

  @inline(__always)
  private static func isDash(_ place: Int) -> Bool {
    place == 8 || place == 13 || place == 18 || place == 23
  }

  /// Ids are compared exactly, so capital letters are none of ours.
  @inline(__always)
  private static func value(of byte: UInt8) -> UInt64? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
    default: nil
    }
  }

  /// SipHash-2-4 (Aumasson and Bernstein, 2012) of one word of eight bytes.
  func hash(_ word: UInt64) -> UInt64 {
    var state = SipState(key)
    state.absorb(word)
    // The last block: no bytes are left, and the length of eight.
    state.absorb(8 << 56)
    return state.finish()
  }
}

private struct SipState {
  private var v0, v1, v2, v3: UInt64

  init(_ key: (UInt64, UInt64)) {
    v0 = key.0 ^ 0x736f_6d65_7073_6575
    v1 = key.1 ^ 0x646f_7261_6e64_6f6d
    v2 = key.0 ^ 0x6c79_6765_6e65_7261
    v3 = key.1 ^ 0x7465_6462_7974_6573
  }

  mutating func absorb(_ word: UInt64) {
    v3 ^= word
    round()
    round()
    v0 ^= word
  }

  mutating func finish() -> UInt64 {
    v2 ^= 0xFF
    for _ in 0..<4 { round() }
    return v0 ^ v1 ^ v2 ^ v3
  }

  private mutating func round() {
    v0 &+= v1
    v2 &+= v3
    v1 = Self.rotated(v1, 13) ^ v0
    v3 = Self.rotated(v3, 16) ^ v2
    v0 = Self.rotated(v0, 32)
    v2 &+= v1
    v0 &+= v3
    v1 = Self.rotated(v1, 17) ^ v2
    v3 = Self.rotated(v3, 21) ^ v0
    v2 = Self.rotated(v2, 32)
  }

  private static func rotated(_ word: UInt64, _ count: UInt64) -> UInt64 {
    word << count | word >> (64 - count)
  }
}
