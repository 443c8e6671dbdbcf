import JSON
import Testing

@Suite("A buffer for texts")
struct TextBufferTests {
  func text(_ fill: (TextBuffer) -> Void) -> String {
    let buffer = TextBuffer()
    fill(buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }

  @Test("writes strings as the writer does, whatever stands where")
  func strings() {
    for length in 0...20 {
      for character in ["a", "é", "\"", "\\", "\n", "\u{0}", "\u{1F}", " ", "\u{7F}", "\u{1F600}"] {
        for place in 0...length {
          let string =
            String(repeating: "x", count: place) + character + String(repeating: "y", count: length - place)
          let written = text { buffer in Array(string.utf8).withUnsafeBufferPointer { buffer.add(string: $0) }
          }
          #expect(written == JSONWriter.text(.string(string)))
        }
      }
    }
  }

  @Test("writes numbers", arguments: [0, 7, 9, 10, 12_345, -1, .max, .min])
  func numbers(number: Int) { #expect(text { $0.add(number) } == String(number)) }

  @Test("grows, and starts again")
  func growth() {
    let buffer = TextBuffer()
    for length in [1, 1023, 1, 100_000, 5] {
      buffer.clear()
      #expect(buffer.bytes.isEmpty)
      buffer.add("<")
      buffer.add(length) { $0.initializeMemory(as: UInt8.self, repeating: 65) }
      buffer.add(">")
      let expected = "<" + String(repeating: "A", count: length) + ">"
      #expect(String(decoding: buffer.bytes, as: UTF8.self) == expected)
    }
  }
}
