package import JSON
package import ProtocolSpec

/// What one case has captured so far, and where its generated values come from.
package struct Bindings: Sendable {
  package var captures: [String: JSONValue] = [:]
  /// The environment that `$secret` reads.
  package let secrets: [String: String]
  package var random: SeededGenerator
  private var lastNumber: Int

  package init(seed: UInt64 = 0, secrets: [String: String] = [:]) {
    self.secrets = secrets
    random = SeededGenerator(seed: seed)
    lastNumber = Int.random(in: 1...9_999, using: &random)
  }

  /// Each call gives the next whole number.
  package mutating func nextNumber() -> Int {
    lastNumber += 1
    return lastNumber
  }
}
