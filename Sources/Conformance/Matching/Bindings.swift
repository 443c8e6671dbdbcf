package import JSON

/// What one case has captured so far, and where its generated values come from.
package struct Bindings: Sendable {
  package var captures: [String: JSONValue] = [:]
  /// The environment that `$secret` reads.
  package let secrets: [String: String]
  package var random: SeededRandom
  private var lastNumber: Int

  package init(seed: UInt64 = 0, secrets: [String: String] = [:]) {
    self.secrets = secrets
    random = SeededRandom(seed: seed)
    lastNumber = Int.random(in: 1...9_999, using: &random)
  }

  /// Each call gives the next whole number.
  package mutating func nextNumber() -> Int {
    lastNumber += 1
    return lastNumber
  }
}

/// SplitMix64: the same seed gives the same values on every machine.
package struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  /// The generator of one case of a run, whatever other cases run with it.
  package init(seed: UInt64, name: String) {
    // FNV-1a keeps cases apart.
    let hash = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    state = seed ^ hash
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
