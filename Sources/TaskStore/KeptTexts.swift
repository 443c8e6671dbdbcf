internal import JSON

/// JSON texts of tasks, one behind the other, as of one commit.
final class KeptTexts {
  /// The count of commits when they were made.
  private(set) var asOf = -1
  private let texts = TextBuffer()
  private var places: [Int64: Range<Int>] = [:]

  /// How many bytes are kept before they are all dropped.
  private static let limit = 64 * 1024

  var isFull: Bool { texts.count >= Self.limit }

  func clear(asOf count: Int) {
    asOf = count
    texts.clear()
    places.removeAll(keepingCapacity: true)
  }

  /// The text of the row of this number, kept or not, that `write` adds.
  func add(_ number: Int64, write: (TextBuffer) -> Void) -> UnsafeRawBufferPointer {
    let start = texts.count
    write(texts)
    let place = start..<texts.count
    places[number] = place
    return UnsafeRawBufferPointer(rebasing: texts.bytes[place])
  }

  func text(of number: Int64) -> UnsafeRawBufferPointer? {
    places[number].map { UnsafeRawBufferPointer(rebasing: texts.bytes[$0]) }
  }
}
