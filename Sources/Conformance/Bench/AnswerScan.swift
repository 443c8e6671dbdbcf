/// The members of an answer's envelope, found by skipping over values: nothing is decoded, nothing
/// is allocated. What it finds in a text that is not JSON is unspecified but inside the text.
struct AnswerScan {
  private(set) var id: UnsafeRawBufferPointer?
  private(set) var result: UnsafeRawBufferPointer?
  private(set) var error: UnsafeRawBufferPointer?

  /// Nil if `bytes` are not one object.
  init?(_ bytes: UnsafeRawBufferPointer) {
    var members = MemberCursor(bytes)
    while let (key, value) = members.next() {
      if key.matches("id") {
        id = value
      } else if key.matches("result") {
        result = value
      } else if key.matches("error") {
        error = value
      }
    }
    guard members.isWhole else { return nil }
  }

  /// The value of a member of the object `bytes`.
  static func member(_ name: StaticString, of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    var members = MemberCursor(bytes)
    while let (key, value) = members.next() { if key.matches(name) { return value } }
    return nil
  }
}

extension UnsafeRawBufferPointer {
  /// Whether these are the bytes of `text`.
  func matches(_ text: StaticString) -> Bool {
    elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// What stands between the quotes of a JSON string; nil for another value.
  var unquoted: UnsafeRawBufferPointer? {
    guard count >= 2, self[0] == UInt8(ascii: "\"") else { return nil }
    return UnsafeRawBufferPointer(rebasing: self[1..<(count - 1)])
  }
}

/// Walks over the members of one object.
private struct MemberCursor {
  private let bytes: UnsafeRawBufferPointer
  private var place = 0
  /// Whether the object has ended, with nothing behind it.
  private(set) var isWhole = false

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  private var byte: UInt8 { place < bytes.count ? bytes[place] : 0 }

  private mutating func skipSpace() {
    while byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { place += 1 }
  }

  mutating func next() -> (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)? {
    skipSpace()
    let opener = byte
    // The first member stands behind {, the others behind a comma.
    guard opener == UInt8(ascii: "{") && !hasBegun || opener == UInt8(ascii: ",") && hasBegun else {
      return end(opener)
    }
    place += 1
    skipSpace()
    if byte == UInt8(ascii: "}"), !hasBegun {
      hasBegun = true
      return end(byte)
    }
    hasBegun = true
    let keyStart = place
    guard skipString() else { return nil }
    let key = UnsafeRawBufferPointer(rebasing: bytes[(keyStart + 1)..<(place - 1)])
    skipSpace()
    guard byte == UInt8(ascii: ":") else { return nil }
    place += 1
    skipSpace()
    let valueStart = place
    guard skipValue() else { return nil }
    return (key, UnsafeRawBufferPointer(rebasing: bytes[valueStart..<place]))
  }

  private var hasBegun = false

  private mutating func end(
    _ byte: UInt8
  ) -> (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)? {
    guard byte == UInt8(ascii: "}"), hasBegun else { return nil }
    place += 1
    skipSpace()
    isWhole = place == bytes.count
    return nil
  }

  private mutating func skipString() -> Bool {
    guard byte == UInt8(ascii: "\"") else { return false }
    place += 1
    while place < bytes.count {
      let byte = bytes[place]
      place += byte == UInt8(ascii: "\\") ? 2 : 1
      if byte == UInt8(ascii: "\"") { return true }
    }
    return false
  }

  private mutating func skipValue() -> Bool {
    var depth = 0
    let start = place
    while place < bytes.count {
      switch bytes[place] {
      case UInt8(ascii: "\""):
        guard skipString() else { return false }
        if depth == 0 { return true }
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
        place += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if depth == 0 { return place > start }
        depth -= 1
        place += 1
        if depth == 0 { return true }
      case UInt8(ascii: ","), 0x20, 0x0A, 0x0D, 0x09:
        if depth == 0 { return place > start }
        place += 1
      default: place += 1
      }
    }
    return false
  }
}
