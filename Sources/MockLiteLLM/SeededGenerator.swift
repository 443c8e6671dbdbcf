/// A generator with the same sequence for the same seed on every machine (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// A sequence of its own for each of several users of one seed.
  init(seed: UInt64, stream: String) {
    // FNV-1a: the hash of the standard library differs from run to run.
    let hash = stream.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    var mixed = SeededGenerator(seed: hash)
    state = seed ^ mixed.next()
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

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
