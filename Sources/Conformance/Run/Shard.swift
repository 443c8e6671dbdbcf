internal import ProtocolSpec

/// One of several parts of the cases; together they are all, whoever asks for which.
package struct Shard: Sendable, Equatable {
  /// From 1.
  package let part: Int
  package let of: Int

  /// Reads `2/4`.
  package init?(_ text: String) {
    let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 2, let part = numbers[0], let count = numbers[1], part >= 1, part <= count else {
      return nil
    }
    self.part = part
    of = count
  }

  /// By the id alone, so that a case stays in its part when others come and go.
  package func includes(_ id: String) -> Bool {
    StableHash.of(id.utf8) % UInt64(of) == UInt64(part - 1)
  }
}
