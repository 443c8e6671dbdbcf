import ProtocolSpec

/// What the mock makes of random numbers.
extension SeededGenerator {
  /// A number from 0 up to, not including, 1.
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// That many hexadecimal digits.
  mutating func hex(_ digits: Int) -> String {
    let all = hexDigits(digits)
    return String(decoding: all, as: UTF8.self)
  }

  /// An id in the form of a UUID of version 4 (RFC 9562 §5.4).
  mutating func uuid() -> String {
    let digits = hexDigits(32)
    let variant = Self.digits[8 + Int(next() & 3)]
    return String(unsafeUninitializedCapacity: 36) { text in
      var place = 0
      for (index, digit) in digits.enumerated() {
        if index == 8 || index == 12 || index == 16 || index == 20 {
          text[place] = UInt8(ascii: "-")
          place += 1
        }
        text[place] = index == 12 ? UInt8(ascii: "4") : index == 16 ? variant : digit
        place += 1
      }
      return place
    }
  }

  private static let digits = Array("0123456789abcdef".utf8)

  private mutating func hexDigits(_ count: Int) -> [UInt8] {
    var all: [UInt8] = []
    all.reserveCapacity(count)
    while all.count < count {
      let word = next()
      for shift in stride(from: 60, through: 0, by: -4) where all.count < count {
        all.append(Self.digits[Int((word >> UInt64(shift)) & 15)])
      }
    }
    return all
  }
}
