/// Text compared scalar by scalar, as JSON does (RFC 8259 §8.3); `String.==` takes "é" and
/// "e\u{301}" for the same.
package struct ExactText: Hashable, Sendable {
  package let text: String

  package init(_ text: String) { self.text = text }

  package static func == (left: ExactText, right: ExactText) -> Bool { left.text.isExactly(right.text) }

  // Over the bytes: `String` hashes its normal form, so that texts which differ here, but not
  // there, would all collide.
  package func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    hasher.combine(0xFF as UInt8)
  }
}

extension String {
  /// Whether both hold the same Unicode scalars.
  package func isExactly(_ other: String) -> Bool {
    guard utf8.count == other.utf8.count else { return false }
    let left = utf8.span
    let right = other.utf8.span
    for position in left.indices where left[position] != right[position] { return false }
    return true
  }
}
