import JSON
import Testing

private func number(_ text: String) throws -> JSONNumber {
  try #require(try JSONParser.parse(text).number)
}

@Suite("JSON: numbers")
struct NumberTests {
  @Test(
    "keep their text",
    arguments: ["1.50", "-0", "1E+2", "12345678901234567890", "0.1e-7", "1e400", "1e-999999999999999999999"])
  func text(text: String) throws {
    #expect(try JSONParser.parse(text).description == text)
  }

  @Test(
    "are equal by value, and then hash alike",
    arguments: [
      ("1", "1.0"), ("1", "10e-1"), ("0", "-0.0"), ("0", "0e99"), ("100", "1e2"), ("1.50", "15E-1"),
      ("12345678901234567890", "1234567890123456789e1"), ("1e1000000000000", "10e999999999999"),
    ])
  func equal(left: String, right: String) throws {
    let (left, right) = (try JSONParser.parse(left), try JSONParser.parse(right))
    #expect(left == right)
    #expect(left.hashValue == right.hashValue)
  }

  @Test(
    "are ordered by value",
    arguments: [
      ("-1", "0"), ("9", "10"), ("0.1", "0.11"), ("-1e400", "1"), ("1e-400", "1"), ("-2", "-1.5"),
      ("12345678901234567890", "12345678901234567891"), ("1e999999999", "1e1000000000"), ("0", "1e-5"),
      ("9007199254740992", "9007199254740992.5"),
    ])
  func ordered(left: String, right: String) throws {
    let (left, right) = (try number(left), try number(right))
    #expect(left < right)
    #expect(!(right < left))
    #expect(left != right)
  }

  @Test(
    "are integers if they have no fraction and fit",
    arguments: [
      ("3", 3), ("3.0", 3), ("3e2", 300), ("0.0", 0), ("-0", 0), ("-12e1", -120), ("3.5", nil), ("1e-1", nil),
      ("9223372036854775807", .max), ("9223372036854775808", nil), ("-9223372036854775808.0", .min),
      ("1e1000000000000000000000", nil),
    ] as [(String, Int?)])
  func integers(text: String, value: Int?) throws {
    #expect(try number(text).int == value)
  }

  @Test("are written shortly when they come from a double")
  func doubles() {
    #expect(JSONNumber(1.0).text == "1")
    #expect(JSONNumber(0.1).text == "0.1")
    #expect(JSONNumber(1e300).text == "1e+300")
    #expect(JSONNumber(-0.0) == JSONNumber(0))
  }
}

@Suite("JSON: values")
struct ValueTests {
  @Test("objects are equal in any order, and then hash alike")
  func objects() {
    let left: JSONValue = ["a": 1, "b": ["c": .null]]
    let right: JSONValue = ["b": ["c": .null], "a": 1.0]
    #expect(left == right)
    #expect(left.hashValue == right.hashValue)
    #expect(left != ["a": 1])
    #expect(JSONValue.bool(true) != 1)
  }

  @Test("members are replaced in place and removed, with and without an index", arguments: [3, 40])
  func members(count: Int) {
    var object = JSONObject((0..<count).map { ("k\($0)", .int($0)) })
    object["k1"] = "new"
    object["k0"] = nil
    #expect(object.keys == (1..<count).map { "k\($0)" })
    #expect(object["k1"] == "new")
    #expect(object["k\(count - 1)"] == .int(count - 1))
    let accepted = object.insert("k1", 0)
    #expect(!accepted)
    #expect(object["k1"] == "new")
  }

  @Test("the writer escapes what RFC 8259 §7 demands and nothing else")
  func escapes() {
    let value: JSONValue = "\u{0}\u{8}\t\n\u{C}\r\u{1F}\"\\/é\u{2028}😀\u{7F}"
    #expect(value.description == #""\u0000\b\t\n\f\r\u001f\"\\/é"# + "\u{2028}😀\u{7F}\"")
  }

  @Test("the indented form has two spaces a level and keeps empty containers short")
  func indented() {
    let text = JSONWriter.indented(["a": [1, [:]], "b": []])
    #expect(text == "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}")
  }
}

@Suite("JSON: pointers")
struct PointerTests {
  @Test(
    "are read and written by scalars (RFC 6901)",
    arguments: [
      ("", []), ("/", [""]), ("/a~1b/m~0n", ["a/b", "m~n"]), ("//", ["", ""]), ("/~01", ["~1"]),
      ("/\u{301}a", ["\u{301}a"]), ("/~0\u{301}", ["~\u{301}"]), ("/a~1\u{301}", ["a/\u{301}"]),
      ("/\r\n/x", ["\r\n", "x"]),
    ])
  func tokens(text: String, tokens: [String]) throws {
    let pointer = try #require(JSONPointer(text))
    #expect(pointer.tokens.map(ExactText.init) == tokens.map(ExactText.init))
    #expect(ExactText(pointer.description) == ExactText(text))
    #expect(JSONPointer(tokens: tokens) == pointer)
  }

  @Test(
    "are refused without a slash or with a bare tilde", arguments: ["a", "/~", "/~2", "/a~", "/~\u{301}0"])
  func refused(text: String) {
    #expect(JSONPointer(text) == nil)
  }

  @Test("lead to values; indices have no leading zero")
  func values() throws {
    let value: JSONValue = ["a": [1, ["b/c": 2]], "\u{E9}": 3]
    func at(_ text: String) -> JSONValue? { JSONPointer(text).flatMap { value[$0] } }
    #expect(at("/a/1/b~1c") == 2)
    #expect(at("") == value)
    #expect(at("/a/01") == nil)
    #expect(at("/a/2") == nil)
    #expect(at("/a/-1") == nil)
    #expect(at("/e\u{301}") == nil)
    #expect(JSONPointer("/\u{E9}") != JSONPointer("/e\u{301}"))
  }
}

@Suite("JSON: differences")
struct DiffTests {
  @Test("only what differs, led by its place")
  func lines() {
    let expected: JSONValue = ["id": 1, "result": ["state": "completed", "result": "done", "same": [1, 2]]]
    let actual: JSONValue = ["result": ["state": "idle", "same": [1, 2.0], "extra": .null], "id": 1.0]
    #expect(
      JSONDiff.lines(expected: expected, actual: actual, at: JSONPointer()) == [
        #"- /result/state: "completed""#, #"+ /result/state: "idle""#, #"- /result/result: "done""#,
        "+ (absent)",
        "- (absent)", "+ /result/extra: null",
      ])
  }

  @Test("arrays element by element, other kinds whole, nothing for equal values")
  func kinds() {
    #expect(
      JSONDiff.lines(expected: [1, 2], actual: [1, 3, 4]) == ["- /1: 2", "+ /1: 3", "- (absent)", "+ /2: 4"])
    #expect(JSONDiff.lines(expected: [], actual: [:]) == ["- []", "+ {}"])
    #expect(JSONDiff.lines(expected: ["a": 1], actual: ["a": 1.0]) == [])
  }

  @Test("long values are cut, and many differences")
  func long() {
    let long = JSONValue.string(String(repeating: "x", count: 200))
    let lines = JSONDiff.lines(expected: long, actual: 1, at: JSONPointer(tokens: ["a"]))
    #expect(lines == ["- /a: \"" + String(repeating: "x", count: 99) + "…", "+ /a: 1"])
    let many = JSONDiff.lines(expected: .array((0..<100).map { .int($0) }), actual: [])
    #expect(many.count == 41)
    #expect(many.last == "… and more")
  }
}
