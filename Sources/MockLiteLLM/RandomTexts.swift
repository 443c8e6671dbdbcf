import ProtocolSpec

/// What the mock makes of random numbers.
extension SeededGenerator {
  /// A number from 0 up to, not including, 1.
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// That many hexadecimal digits.
  mutating func hex(_ digits: Int) -> String {
    var text = ""
    while text.utf8.count < digits {
      let word = String(next(), radix: 16)
      text += String(repeating: "0", count: 16 - word.utf8.count) + word
    }
    return String(text.prefix(digits))
  }

  /// An id in the form of a UUID of version 4 (RFC 9562 §5.4).
  mutating func uuid() -> String {
    let digits = Array(hex(32))
    let variant = ["8", "9", "a", "b"][Int(next() & 3)]
    let parts = [digits[0..<8], digits[8..<12], digits[13..<16], digits[17..<20], digits[20..<32]].map {
      String($0)
    }
    return "\(parts[0])-\(parts[1])-4\(parts[2])-\(variant)\(parts[3])-\(parts[4])"
  }
}
