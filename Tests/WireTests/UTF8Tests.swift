import Testing
import Wire

@Suite("UTF-8 as it comes")
struct UTF8Tests {
  private func isValid(_ bytes: [UInt8]) -> Bool {
    var validator = UTF8Validator()
    return bytes.withUnsafeBytes { validator.feed($0) } && validator.isComplete
  }

  /// The place of the first byte that is refused when fed one at a time, nil if none is.
  private func firstRefused(_ bytes: [UInt8]) -> Int? {
    var validator = UTF8Validator()
    return bytes.firstIndex { byte in !withUnsafeBytes(of: byte) { validator.feed($0) } }
  }

  @Test("agrees with the standard library on every scalar, and on every pair and triple of bytes that matter")
  func everything() {
    for value in UInt32(0)...0x10FFFF {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let isTaken = isValid(Array(String(scalar).utf8))
      if !isTaken { Issue.record("U+\(String(value, radix: 16)) was refused") }
    }
    let edges: [UInt8] = [
      0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
      0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
    ]
    for a in edges {
      for b in edges {
        for c in edges {
          for d in edges {
            let bytes = [a, b, c, d]
            let expected = String(validating: bytes, as: UTF8.self) != nil
            if isValid(bytes) != expected { Issue.record("\(bytes) should be \(expected)") }
          }
        }
      }
    }
  }

  @Test(
    "refuses at the first byte that cannot be",
    arguments: [
      ([0xCE, 0xBA, 0xED, 0xA0, 0x80], 3), ([0xF4, 0x90, 0x80, 0x80], 1), ([0xC0, 0xAF], 0),
      ([0xE0, 0x80], 1), ([0xF0, 0x80], 1), ([0x61, 0xFF], 1), ([0xF5], 0), ([0x80], 0),
    ] as [([UInt8], Int)])
  func failFast(_ bytes: [UInt8], _ place: Int) {
    #expect(firstRefused(bytes) == place)
  }

  @Test("a character cut at the end is incomplete, not wrong")
  func cut() {
    var validator = UTF8Validator()
    let head: [UInt8] = [0xF0, 0x9F, 0x98]
    validator.reset()
    #expect(head.withUnsafeBytes { validator.feed($0) })
    #expect(!validator.isComplete)
    #expect([UInt8(0x80)].withUnsafeBytes { validator.feed($0) })
    #expect(validator.isComplete)
  }
}
