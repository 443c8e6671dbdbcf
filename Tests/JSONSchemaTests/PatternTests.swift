import JSON
import JSONSchema
import Testing

private func schema(pattern: String) throws -> JSONSchema { try JSONSchema(["pattern": .string(pattern)]) }

@Suite("JSON Schema: patterns are those of ECMA-262")
struct PatternTests {
  @Test(
    "found",
    arguments: [
      (#"b"#, "abc"), (#"^a\d$"#, "a1"), (#"\w+\W"#, "a_9-"), (#"^\s$"#, "\u{FEFF}"), (#"^\s$"#, "\u{A0}"),
      (#"^\S$"#, "\u{85}"),
      (#"^.$"#, "\u{85}"), (#"^.$"#, "😀"), (#"^\p{Letter}+$"#, "π"), (#"^\P{Lu}$"#, "a"),
      (#"^\p{Script=Greek}$"#, "π"),
      (#"^\u00e9$"#, "é"), (#"^\ud83d\ude00$"#, "😀"), (#"^\u{1F600}$"#, "😀"), (#"^\x41\cA\0$"#, "A\u{1}\0"),
      (#"^[\]\-\\a-c]+$"#, "]-\\b"), (#"^[[:a:]$"#, "["), (#"^[a&&b]+$"#, "&"), (#"^[a\d-]+$"#, "a1-"),
      (#"^[^]$"#, "\n"),
      (#"^[\b]$"#, "\u{8}"), (#"\bfoo\b"#, "a foo b"), (#"\bé"#, "aé"), (#"^(?<first>a)\k<first>\1$"#, "aaa"),
      (#"^(?=.{2})(?!b)a"#, "ab"), (#"(?<=a)b(?<!c)"#, "ab"), (#"^a{2,3}?$"#, "aaa"), (#"^{a}$"#, "{a}"),
      (#"^a{,2}$"#, "a{,2}"),
      (#"^\/\.\$\-$"#, "/.$-"), (#"^a]$"#, "a]"), (#"^$"#, ""), (#"^#( x)$"#, "# x"),
      (#"^[\w.-]+$"#, "a.b-c"), (#"^[^\d]$"#, "a"),
      (#"^[^\W]$"#, "a"), (#"^(a|)$"#, ""),
    ])
  func found(pattern: String, text: String) throws {
    #expect(try schema(pattern: pattern).isValid(.string(text)))
  }

  @Test(
    "absent",
    arguments: [
      (#"^a$"#, "a\n"), (#"^a$"#, "b\na"), (#"^\d$"#, "٣"), (#"^\w$"#, "é"), (#"^.$"#, "\u{2028}"),
      (#"[]"#, "a"), (#"[a&&b]"#, "c"),
      (#"^[a-c--b]$"#, "d"), (#"\bfoo"#, "_foo"), (#"^\s$"#, "\u{180E}"), (#"^A$"#, "a"), (#"^[^\D]$"#, "a"),
      (#"^a"#, "\u{FEFF}a"),
    ])
  func absent(pattern: String, text: String) throws {
    #expect(try !schema(pattern: pattern).isValid(.string(text)))
  }

  @Test(
    "a bad one is refused when the schema is compiled",
    arguments: [
      ("(", "has a '(' that is not closed"), (")", "has a ')' that closes nothing"),
      ("[a", "has a '[' that is not closed"),
      ("a**", "has a '*' that repeats nothing"), ("a++", "has a '+' that repeats nothing"),
      ("^*", "has a '*' that repeats nothing"),
      ("(?i)a", "has a group of unknown kind"), ("(?>a)", "has a group of unknown kind"),
      ("\\", "ends in a backslash"),
      ("\\A", "has the unknown escape \\A"), ("\\z", "has the unknown escape \\z"),
      ("\\2(a)", "refers to the missing group 2"),
      ("\\k<a>", "refers to the missing group \"a\""), ("\\ud800", "has half a surrogate pair"),
      ("\\u12", "has a malformed hexadecimal escape"),
      ("[b-a]", "has a malformed range in a class"), ("[\\d-z]", "has a malformed range in a class"),
      ("a{3,2}", "repeats {3,2}"),
      ("a{1000000}", "repeats {1000000}, limit 100000"), ("\\p{Nothing}", "is no regular expression"),
      ("\\p", "has a \\p without a property"), ("\\p{L:}", "names no property of Unicode"),
      ("\\01", "has an octal escape"),
      ("(?<a>x)(?<a>y)", "names the group \"a\" twice"),
    ])
  func refused(pattern: String, reason: String) {
    let error = #expect(throws: SchemaError.self) { try schema(pattern: pattern) }
    #expect(error?.description == "#/pattern: the pattern \(JSONValue.string(pattern)) \(reason)")
  }

  @Test("a search without end is given up, and then nothing is valid", .timeLimit(.minutes(1)))
  func runaway() throws {
    let text = JSONValue.string(String(repeating: "a", count: 60) + "!")
    let message = "cannot be decided: the search for ^(a+)+$ takes too long"
    #expect(try schema(pattern: "^(a+)+$").validate(text).map(\.message) == [message])
    #expect(try JSONSchema(["not": ["pattern": "^(a+)+$"]]).validate(text).map(\.message) == [message])
    #expect(try !JSONSchema(["not": ["pattern": "^(a+)+$"]]).isValid(text))
  }

  @Test("long texts are searched up to the limit")
  func long() throws {
    let anything = try schema(pattern: #"^(?:\S|\s)*$"#)
    #expect(anything.isValid(.string(String(repeating: "x", count: 65_536))))
    #expect(!anything.isValid(.string(String(repeating: "x", count: 65_537))))
    let plain = try schema(pattern: #"\S"#)
    #expect(plain.isValid(.string(String(repeating: " ", count: 131_072) + "x")))
    #expect(!plain.isValid(.string(String(repeating: " ", count: 131_072))))
  }
}
