import Testing
import Wire

@Suite("Lines out of bytes")
struct LineSplitterTests {
  /// What is told of pieces; a line past the limit is nil.
  private func lines(_ pieces: [String], limit: Int = 10, finished: Bool = true) -> [String?] {
    var splitter = LineSplitter(maxBytes: limit)
    var told: [String?] = []
    func tell(_ event: LineSplitter.Event) {
      switch event {
      case .line(let bytes): told.append(String(decoding: bytes, as: UTF8.self))
      case .tooLong: told.append(nil)
      }
    }
    for piece in pieces {
      Array(piece.utf8).withUnsafeBytes { bytes in
        var offset = 0
        while let event = splitter.next(bytes, &offset) { tell(event) }
        #expect(offset == bytes.count)
      }
    }
    if finished, let event = splitter.finish() { tell(event) }
    return told
  }

  @Test(
    "lines end in LF or CR LF, and empty ones are left out",
    arguments: [
      ("a\nb\r\nc\n", ["a", "b", "c"]), ("\n\r\n\na\n\r\n", ["a"]), ("a\rb\n", ["a\rb"]), ("\r", []),
      ("", []),
      ("a\r\r\n", ["a\r"]), ("é\n", ["é"]),
    ])
  func ends(text: String, expected: [String]) {
    #expect(lines([text]) == expected)
    #expect(lines(text.unicodeScalars.map { String($0) }) == expected)
  }

  @Test("the last line may lack its end, but is told only when nothing more will come")
  func last() {
    #expect(lines(["a\nrest"], finished: false) == ["a"])
    #expect(lines(["a\nrest"]) == ["a", "rest"])
    #expect(lines(["a\nrest\r"]) == ["a", "rest"])
  }

  @Test(
    "a line of the limit is told, one byte more is not, and the next line is",
    arguments: ["\n", "\r\n"])
  func limit(end: String) {
    let most = String(repeating: "x", count: 10)
    #expect(lines([most + end + "a" + end]) == [most, "a"])
    #expect(lines([most, end, "a", end]) == [most, "a"])
    #expect(lines([most + "y" + end + "a" + end]) == [nil, "a"])
    #expect(lines([most, "y", end, "a", end]) == [nil, "a"])
    #expect(lines([most + "y"]) == [nil])
  }

  @Test("a line without an end is refused once, as soon as it is too long")
  func endless() {
    #expect(lines(Array(repeating: "xxxxxxxx", count: 100), finished: false) == [nil])
    #expect(lines(Array(repeating: "xxxxxxxx", count: 100) + ["\na\n"]) == [nil, "a"])
  }
}
