import Foundation
import JSON
import Testing
import YAML

/// The printed error of a text that must be refused.
private func refusal(_ text: String, limits: YAMLLimits = YAMLLimits()) -> String {
  do {
    return "accepted as \(try YAMLParser.parse(text, file: "a.yaml", limits: limits).json)"
  } catch {
    return error.description
  }
}

@Suite("YAML: what is refused")
struct YAMLRefusalTests {
  @Test(
    "each refusal says where and why",
    arguments: [
      ("an empty text", "", "1:1: the document is empty"),
      ("only a comment", "# nothing\n", "2:1: the document is empty"),
      ("an anchor", "a: &x 1", "1:4: anchors are not allowed"),
      ("an anchor on a mapping", "a: &x {b: 1}", "1:4: anchors are not allowed"),
      ("an anchor on a key", "&x a: 1", "1:1: anchors are not allowed"),
      ("an alias", "a: *x", "1:4: aliases are not allowed"),
      ("a tag", "a: !!str 1", "1:4: tags are not allowed"),
      ("a bare tag", "a: ! x", "1:4: tags are not allowed"),
      ("a tag on a sequence", "- !x [1]", "1:3: tags are not allowed"),
      ("a merge key", "<<: {a: 1}", "1:1: merge keys are not allowed"),
      ("a directive", "%YAML 1.2\n---\na: 1", "1:1: directives are not allowed"),
      ("a second document", "a: 1\n---\nb: 2", "2:1: a second document is not allowed"),
      ("a duplicate key", "a: 1\nb: 2\na: 3", "3:1: the key \"a\" stands twice, first in line 1"),
      ("a duplicate by quoting", "{1: a, '1': b}", "1:8: the key \"1\" stands twice, first in line 1"),
      ("a null key", "~: 1", "1:1: a key must be a string, found null"),
      ("a boolean key", "true: 1", "1:1: a key must be a string, found true: quote it"),
      ("a sequence as key", "[a]: 1", "1:1: a key must be a string, found a sequence"),
      ("a mapping as key", "? {a: 1}\n: 1", "1:3: a key must be a string, found a mapping"),
      ("infinity", "a: -.inf", "1:4: -.inf is no number of JSON"),
      ("no number", "[1, .nan]", "1:5: .nan is no number of JSON"),
      ("a huge hexadecimal", "0x10000000000000000", "1:1: 0x10000000000000000 is larger than 64 bits"),
      ("NUL", "a: \u{0}b", "1:4: the control character U+0000 is not allowed"),
      ("an escape character", "a:\n  é\u{1B}", "2:4: the control character U+001B is not allowed"),
      (
        "a lone surrogate", #""\ud800""#,
        "1:4: found invalid Unicode character escape code while parsing a quoted scalar"
      ),
      ("a bad indent", "a: 1\n b: 2", "2:3: mapping values are not allowed in this context"),
      ("an open sequence", "[1, 2", "1:6: did not find expected ',' or ']' while parsing a flow sequence"),
      (
        "a tab as indent", "a:\n\tb: 1",
        "2:1: found character that cannot start any token while scanning for the next token"
      ),
      ("an open quote", "a: 'x", "1:6: found unexpected end of stream while scanning a quoted scalar"),
    ])
  func message(name: String, text: String, error: String) {
    let headline = refusal(text).split(separator: "\n").first.map(String.init)
    #expect(headline == "a.yaml:\(error)", "\(name)")
  }

  @Test("limits are named: depth, nodes, bytes")
  func limits() {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(refusal(nested(64)).hasPrefix("accepted"))
    #expect(refusal(nested(65)).hasPrefix("a.yaml:1:65: nested deeper than 64\n"))
    #expect(refusal(nested(100_000)).hasPrefix("a.yaml:1:65: nested deeper than 64\n"))
    #expect(refusal("[1, 2]", limits: YAMLLimits(nodes: 2)).hasPrefix("a.yaml:1:5: more than 2 nodes\n"))
    #expect(refusal("12345", limits: YAMLLimits(bytes: 4)) == "a.yaml:1:1: the file has 5 bytes, limit 4")
  }

  @Test("bytes that are no UTF-8, and files that are not there")
  func files() throws {
    #expect(throws: SourceError.self) {
      try YAMLParser.parse(bytes: Array("a: \"é".utf8) + [0xFF], file: "a.yaml")
    }
    do {
      _ = try YAMLParser.parse(bytes: Array("a:\n  é".utf8) + [0xFF], file: "a.yaml")
    } catch {
      #expect(error.description == "a.yaml:2:4: not UTF-8\n   2 |   é\u{FFFD}\n     |    ^")
    }
    do {
      _ = try YAMLParser.parse(contentsOf: "/no/such.yaml")
    } catch {
      #expect(error.description.hasPrefix("/no/such.yaml:1:1: cannot be read: "))
    }
    let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).yaml")
    try Data("a: [1]".utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    #expect(try YAMLParser.parse(contentsOf: file.path).json == ["a": [1]])
    #expect(throws: SourceError.self) {
      try YAMLParser.parse(contentsOf: file.path, limits: YAMLLimits(bytes: 5))
    }
  }

  @Test("many members that `String` takes for one key are read in time", .timeLimit(.minutes(1)))
  func collidingKeys() throws {
    let lines = (0..<16_384).map { number in
      (0..<14).map { number >> $0 & 1 == 0 ? "\u{E9}" : "e\u{301}" }.joined() + ": 0\n"
    }
    #expect(try YAMLParser.parse(lines.joined(), file: "a.yaml").entries?.count == 16_384)
  }
}

@Suite("YAML: how an error is printed")
struct SourceErrorTests {
  @Test(
    "the caret stands below the column",
    arguments: [
      ("plain", "a: 1\nb: *x", "   2 | b: *x\n     |    ^"),
      ("after a tab", "a:\t*x", "   1 | a:\t*x\n     |   \t^"),
      ("after wide characters", "{日本: *x}", "   1 | {日本: *x}\n     |        ^"),
      ("after an emoji", "{😀: *x}", "   1 | {😀: *x}\n     |      ^"),
      ("after a combining mark", "{e\u{301}: *x}", "   1 | {e\u{301}: *x}\n     |     ^"),
      ("after CR LF", "a: 1\r\nb: *x\r\n", "   2 | b: *x\n     |    ^"),
      ("after a byte order mark", "\u{FEFF}b: *x", "   1 | b: *x\n     |    ^"),
      ("past the end", "[1,", "   1 | [1,\n     |    ^"),
    ])
  func caret(name: String, text: String, picture: String) {
    let printed = refusal(text).split(separator: "\n", maxSplits: 1).last.map(String.init)
    #expect(printed == picture, "\(name)")
  }

  @Test("the number of the line may be wide")
  func wideNumber() {
    let text = String(repeating: "\n", count: 12_344) + "a: *x"
    #expect(refusal(text) == "a.yaml:12345:4: aliases are not allowed\n 12345 | a: *x\n       |    ^")
  }

  @Test("of a long line only the part around the column is shown")
  func longLine() {
    let text = "[" + String(repeating: "1,", count: 500) + "*x" + String(repeating: ",1", count: 500) + "]"
    let lines = refusal(text).split(separator: "\n")
    #expect(
      lines[1] == "   1 | …" + String(repeating: "1,", count: 45) + "*x" + String(repeating: ",1", count: 44)
        + "…")
    #expect(lines[2] == "     | " + String(repeating: " ", count: 91) + "^")
  }
}

@Suite("YAML: what a reader asks of a node")
struct TypedTests {
  private func error(_ text: String, _ body: (YAMLNode) throws -> Void) throws -> String {
    let node = try YAMLParser.parse(text, file: "a.yaml")
    do {
      try body(node)
      return "accepted"
    } catch {
      return String("\(error)".split(separator: "\n")[0])
    }
  }

  @Test("values of the kind asked for are given")
  func values() throws {
    let node = try YAMLParser.parse("{s: x, i: 3.0, d: 1.5, b: false, t: 250ms, l: [a, b]}", file: "a.yaml")
    #expect(try node.required("s").string() == "x")
    #expect(try node.required("i").int() == 3)
    #expect(try node.required("d").double() == 1.5)
    #expect(try node.required("b").bool() == false)
    #expect(try node.required("t").duration() == .milliseconds(250))
    #expect(try node.required("l").strings() == ["a", "b"])
    #expect(try node.required("s").string(among: ["x", "y"], what: "letter") == "x")
  }

  @Test("else the error names what was expected and what is there")
  func mismatches() throws {
    #expect(try error("1") { _ = try $0.string() } == "a.yaml:1:1: expected a string, found the number 1")
    #expect(
      try error("a b") { _ = try $0.int() } == #"a.yaml:1:1: expected an integer, found the string "a b""#)
    #expect(try error("1.5") { _ = try $0.int() } == "a.yaml:1:1: expected an integer, found the number 1.5")
    #expect(
      try error("1e999") { _ = try $0.double() } == "a.yaml:1:1: expected a number, found the number 1e999")
    #expect(
      try error("yes") { _ = try $0.bool() } == #"a.yaml:1:1: expected true or false, found the string "yes""#
    )
    #expect(
      try error("5") { _ = try $0.duration() }
        == "a.yaml:1:1: expected a duration such as 250ms, 1.5s, 5m or 1h, found the number 5")
    #expect(try error("[true]") { _ = try $0.strings() } == "a.yaml:1:2: expected a string, found true")
    #expect(try error("~") { _ = try $0.sequence() } == "a.yaml:1:1: expected a sequence, found null")
    #expect(try error("[]") { _ = try $0.mapping() } == "a.yaml:1:1: expected a mapping, found a sequence")
    #expect(try error("{}") { _ = try $0.string() } == "a.yaml:1:1: expected a string, found a mapping")
  }

  @Test("a missing key is named at the mapping, an unknown one at itself with the likeliest meant")
  func keys() throws {
    #expect(
      try error("a:\n  b: 1") { _ = try $0["a"]?.required("c") } == #"a.yaml:2:3: the key "c" is missing"#)
    #expect(
      try error("id: 1\nparms: {}") { try $0.checkKeys(["id", "method", "params"]) }
        == #"a.yaml:2:1: unknown key "parms", did you mean "params"?"#)
    #expect(
      try error("zzz: 1") { try $0.checkKeys(["id", "method"]) }
        == #"a.yaml:1:1: unknown key "zzz", known: id, method"#)
    #expect(try error("zzz: 1") { try $0.checkKeys([]) } == #"a.yaml:1:1: unknown key "zzz""#)
    #expect(
      try error("idel") { _ = try $0.string(among: ["idle", "failed"], what: "state") }
        == #"a.yaml:1:1: unknown state "idel", did you mean "idle"?"#)
  }
}
