import JSON
import Testing

/// The error of a text that must be refused.
private func refusal(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) -> String {
  do {
    return "accepted as \(try JSONParser.parse(bytes, limits: limits))"
  } catch {
    return error.description
  }
}

private func refusal(_ text: String) -> String { refusal(Array(text.utf8)) }

@Suite("JSON: what the parser refuses")
struct ParserRefusalTests {
  @Test(
    "says what is wrong, and where",
    arguments: [
      ("", "a value is expected: line 1 column 1"),
      ("nul", "a value is expected: line 1 column 1"),
      ("[1,]", "a value is expected: line 1 column 4"),
      ("[1 2]", "',' or ']' is expected: line 1 column 4"),
      ("{\"a\":1", "',' or '}' is expected: line 1 column 7"),
      ("{\"a\" 1}", "':' is expected after a key: line 1 column 6"),
      ("{a: 1}", "a key in double quotes is expected: line 1 column 2"),
      ("{\"a\":1,}", "a key in double quotes is expected: line 1 column 8"),
      ("{\"é\":1,\n \"é\":2}", "the key \"é\" stands twice: line 2 column 2"),
      ("1 1", "extra text after the value: line 1 column 3"),
      ("01", "extra text after the value: line 1 column 2"),
      ("-", "a digit is expected: line 1 column 2"),
      ("1.", "a digit is expected: line 1 column 3"),
      ("1e+", "a digit is expected: line 1 column 4"),
      ("\"a", "the string does not end: line 1 column 3"),
      ("\"a\u{1}\"", "a control character must be escaped: line 1 column 3"),
      ("\"\\n\u{1}\"", "a control character must be escaped: line 1 column 4"),
      ("\"\\x\"", "no such escape in JSON: line 1 column 3"),
      ("\"\\u12g4\"", "four hexadecimal digits are expected after \\u: line 1 column 6"),
      ("\"é\\ud800\"", "a lone surrogate is no character: line 1 column 3"),
      ("\"\\ud800\\u0041\"", "a lone surrogate is no character: line 1 column 2"),
      ("\"\\udc00\\ud800\"", "a lone surrogate is no character: line 1 column 2"),
      ("\u{FEFF}1", "a value is expected: line 1 column 1"),
    ])
  func message(text: String, error: String) {
    #expect(refusal(text) == error)
  }

  @Test("refuses what is no UTF-8 at its first byte")
  func utf8() {
    #expect(refusal([0x22, 0xC3, 0xA9, 0xC3, 0x22]) == "not UTF-8: line 1 column 3")
    #expect(refusal([0x22, 0xED, 0xA0, 0x80, 0x22]) == "not UTF-8: line 1 column 2")
  }

  @Test("counts depth from the top value: 64 is accepted, 65 refused")
  func depth() throws {
    func nested(_ depth: Int) -> [UInt8] {
      Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
    }
    let limits = JSONLimits(depth: 64)
    #expect(try JSONParser.parse(nested(64), limits: limits).array != nil)
    #expect(refusal(nested(65), limits: limits) == "nested deeper than 64: line 1 column 65")
    #expect(refusal(nested(100_000)).hasPrefix("nested deeper than 512"))
  }
}

@Suite("JSON: what the parser reads")
struct ParserReadingTests {
  @Test("surrogate pairs, escapes and NUL")
  func escapes() throws {
    let value = try JSONParser.parse(#""\ud83d\ude00\u0000\/\b\f\n\r\t\\\"é""#)
    #expect(value == .string("😀\0/\u{8}\u{C}\n\r\t\\\"é"))
  }

  @Test("the last of two members counts where duplicates are allowed")
  func duplicates() throws {
    let value = try JSONParser.parse(#"{"a":1,"b":2,"a":3}"#, limits: JSONLimits(allowsDuplicateKeys: true))
    #expect(value.description == #"{"a":3,"b":2}"#)
  }

  @Test("keys that are equal only in normal form are two keys")
  func canonicalEquivalents() throws {
    let value = try JSONParser.parse(#"{"é":1,"e\u0301":2}"#)
    #expect(value["\u{E9}"] == 1)
    #expect(value["e\u{301}"] == 2)
    #expect(JSONValue.string("\u{E9}") != .string("e\u{301}"))
  }

  @Test("an object of 100 000 keys takes time in proportion", .timeLimit(.minutes(1)))
  func manyKeys() throws {
    let text = "{" + (0..<100_000).map { #""key \#($0)":\#($0)"# }.joined(separator: ",") + "}"
    let object = try #require(try JSONParser.parse(text).object)
    #expect(object.count == 100_000)
    #expect(object["key 99999"] == 99999)
  }

  @Test("keys that `String` takes for the same do not collide", .timeLimit(.minutes(1)))
  func collidingKeys() throws {
    // 2¹⁶ texts with one normal form: each of 16 letters is one scalar or two.
    let keys = (0..<65_536).map { number in
      (0..<16).map { number >> $0 & 1 == 0 ? "\u{E9}" : "e\u{301}" }.joined()
    }
    let object = try #require(
      try JSONParser.parse("{\"" + keys.joined(separator: "\":0,\"") + "\":0}").object)
    #expect(object.count == 65_536)
    #expect(Set(keys.prefix(5000).map(ExactText.init)).count == 5000)
  }
}
