import Conformance
import JSON
import Testing
import YAML

@Suite("Matchers")
struct MatcherTests {
  struct Example: Sendable, CustomTestStringConvertible {
    let name: String
    let matcher: String
    let value: String?
    /// `expected | got` of each difference.
    var differences: [String] = []
    var testDescription: String { name }

    init(_ name: String, _ matcher: String, _ value: String?, _ differences: String...) {
      self.name = name
      self.matcher = matcher
      self.value = value
      self.differences = differences
    }
  }

  static let examples: [Example] = [
    Example("an equal scalar", "hi", #""hi""#),
    Example("another scalar", "hi", #""ho""#, "hi | ho"),
    Example("a number is compared by value", "1.0", "1"),
    Example("a number is no string", "1", #""1""#, #"1 | "1""#),
    Example("null is not absent", "null", nil, "null | (absent)"),
    Example("an object is a subset", "{a: 1}", #"{"a":1,"b":2}"#),
    Example("a member is missing", "{a: {b: 1}}", #"{"a":{}}"#, "a/b: 1 | (absent)"),
    Example("two members differ", "{a: 1, b: 2}", #"{"a":2,"b":3}"#, "a: 1 | a: 2", "b: 2 | b: 3"),
    Example("an object is expected", "{a: 1}", "[]", "{a: 1} | []"),
    Example("arrays have their length", "[1, 2]", "[1]", "2 elements [1, 2] | 1 element [1]"),
    Example("array elements differ", "{t: [1, {a: x}]}", #"{"t":[1,{"a":"y"}]}"#, "t/1/a: x | t/1/a: y"),
    Example("$type string", "{$type: string}", #""""#),
    Example("$type int takes 1.0", "{$type: int}", "1.0"),
    Example("$type int refuses 1.5", "{$type: int}", "1.5", "{$type: int} | 1.5"),
    Example("$type uuid", "{$type: uuid}", #""4bf92f35-77b3-4da6-a3ce-929d0e0e4736""#),
    Example("$type uuid refuses other text", "{$type: uuid}", #""x""#, "{$type: uuid} | x"),
    Example("$type timestamp", "{$type: timestamp}", #""2026-02-28T23:59:59.123Z""#),
    Example(
      "$type timestamp knows the calendar", "{$type: timestamp}", #""2026-02-29T00:00:00Z""#,
      #"{$type: timestamp} | "2026-02-29T00:00:00Z""#),
    Example("$type id takes a string and a number", "[{$type: id}, {$type: id}]", #"["",0]"#),
    Example("$type id refuses null", "{$type: id}", "null", "{$type: id} | null"),
    Example("$type null", "{$type: null}", "null"),
    Example("$regex is searched anywhere", "{$regex: 'b+'}", #""abbc""#),
    Example("$regex with anchors", "{$regex: '^b+$'}", #""abbc""#, #"{$regex: "^b+$"} | abbc"#),
    Example("$oneOf", "{$oneOf: [1, {$type: string}]}", #""x""#),
    Example("none of $oneOf", "{$oneOf: [1, 2]}", "3", "{$oneOf: [1, 2]} | 3"),
    Example("absent as one of $oneOf", "{a: {$oneOf: [{$absent: true}, null]}}", "{}"),
    Example("null as one of $oneOf", "{a: {$oneOf: [{$absent: true}, null]}}", #"{"a":null}"#),
    Example("absent and not one of $oneOf", "{a: {$oneOf: [1, 2]}}", "{}", "a: {$oneOf: [1, 2]} | (absent)"),
    Example("$as of nothing", "{a: {$as: x}}", "{}", "a: {$as: x} | (absent)"),
    Example("$between includes its ends", "[{$between: [1, 3]}, {$between: [1, 3]}]", "[1,3]"),
    Example("past $between", "{$between: [1, 3]}", "3.01", "{$between: [1, 3]} | 3.01"),
    Example("$absent", "{a: {$absent: true}}", "{}"),
    Example(
      "present and not allowed", "{a: {$absent: true}}", #"{"a":null}"#, "a: {$absent: true} | a: null"),
    Example(
      "$absent false asks for any value", "{a: {$absent: false}}", "{}", "a: {$absent: false} | (absent)"),
    Example("$contains in a string", "{$contains: ell}", #""hello""#),
    Example("$contains in an array", "{$contains: {a: 1}}", #"[{"a":2},{"a":1,"b":2}]"#),
    Example("$contains finds nothing", "{$contains: 9}", "[1]", "{$contains: 9} | [1]"),
    Example("$length of a string in scalars", "{$length: 2}", #""é😀""#),
    Example(
      "$length of an array", "{$length: {$between: [1, 2]}}", "[1,2,3]",
      "{$length: {$between: [1, 2]}} | length 3 [1, 2, 3]"),
    Example("$length of a number", "{$length: 2}", "12", "{$length: 2} | 12"),
    Example("$spec code", "{$spec: task_not_found}", "1001"),
    Example("another code", "{$spec: task_not_found}", "1002", "{$spec: task_not_found} | 1002"),
    Example(
      "$spec text with placeholders", "{$spec: task_not_cancellable.text}",
      #""Task a-b is already completed""#),
    Example(
      "a text that is not the specified", "{$spec: task_not_cancellable.text}", #""Task is done""#,
      "{$spec: task_not_cancellable.text} | Task is done"),
    Example("$spec variant", "{$spec: invalid_params.required}", #""Missing description""#),
    Example(
      "$schema", "{$schema: create_task/result}",
      #"{"task_id":"4bf92f35-77b3-4da6-a3ce-929d0e0e4736","status":"idle"}"#),
    Example(
      "members beside $schema", "{$schema: create_task/result, status: idle}",
      #"{"task_id":"4bf92f35-77b3-4da6-a3ce-929d0e0e4736","status":"executing"}"#,
      "status: idle | status: executing"),
    Example(
      "members beside $schema do not stand for it", "{$schema: create_task/result, status: idle}",
      #"{"status":"idle"}"#,
      #"{$schema: create_task/result} # "task_id" is missing | {status: idle}"#),
    Example("$repeat", "{$repeat: ab, times: 2}", #""abab""#),
    Example(
      "several $ keys all hold", "{$type: string, $length: 2}", #""abc""#,
      "{$type: string, $length: 2} | length 3 abc"),
    Example("$json looks into a text", "{$json: {a: {$type: int}}}", #""{\"a\":1,\"b\":2}""#),
    Example("$json names the place inside", "{$json: {a: 2}}", #""{\"a\":1}""#, "a: 2 | a: 1"),
    Example("$json of what is none", "{$json: {a: 1}}", #""{a""#, #"{$json: {a: 1}} | "{a""#),
    Example(
      "$join of texts and captures", "[{$as: n, $type: string}, {$join: [a, {$ref: n}, c]}]", #"["b","abc"]"#),
    Example("$join has nothing left over", "{$join: [a, b]}", #""abc""#, "{$join: [a, b]} | abc"),
    Example("$join finds where a part of any length ends", "{$join: [a, {$regex: '^b+$'}, c]}", #""abbc""#),
    Example(
      "$join checks a part of any length", "{$join: [a, {$regex: '^b+$'}, c]}", #""axc""#,
      #"{$join: [a, {$regex: "^b+$"}, c]} | axc"#),
    Example("$join tries further", "{$join: [{$regex: 'cb$'}, c, {$type: string}]}", #""abcbcd""#),
    Example("$say matches anything", "{$type: int, $say: 3}", "4"),
    Example(
      "$exactly takes $ keys as they are", "{$exactly: {$ref: x, $defs: {}}}", #"{"$ref":"x","$defs":{}}"#),
    Example(
      "$exactly is no subset", "{$exactly: {a: 1}}", #"{"a":1,"b":2}"#, "{a: 1} | {a: 1, b: 2}"),
    Example("capture and reuse", "[{$type: int, $as: n}, {$ref: n}]", "[4,4]"),
    Example(
      "another value than captured", "[{$type: int, $as: n}, {$ref: n}]", "[4,5]", "1: 4 # $ref n | 1: 5"),
  ]

  @Test("matches as the transcript says", arguments: examples)
  func match(_ example: Example) throws {
    let matcher = try Self.matcher(example.matcher)
    var bindings = Bindings()
    let value = try example.value.map { try JSONParser.parse($0) }
    let differences = matcher.match(value, &bindings).map { "\($0.expected) | \($0.got)" }
    #expect(differences == example.differences)
  }

  static func matcher(_ yaml: String, dialect: TranscriptDialect = .jsonrpc) throws -> Matcher {
    let node = try YAMLParser.parse(yaml, file: "m.yaml")
    var reader = MatcherReader(spec: Kit.spec, dialect: dialect)
    return try reader.matcher(node)
  }

  @Test("a schema violation names its place")
  func schemaViolation() throws {
    let matcher = try Self.matcher("{result: {$schema: create_task/result}}")
    var bindings = Bindings()
    let differences = matcher.match(["result": ["task_id": "x", "status": "lost"]], &bindings)
    #expect(!differences.isEmpty)
    #expect(differences.allSatisfy { $0.path.description.hasPrefix("/result") })
  }

  @Test("captures of a match that fails are forgotten")
  func captures() throws {
    let matcher = try Self.matcher("{a: {$as: x, $type: int}, b: 1}")
    var bindings = Bindings()
    #expect(!matcher.match(["a": 5, "b": 2], &bindings).isEmpty)
    #expect(bindings.captures.isEmpty)
    #expect(matcher.match(["a": 5, "b": 1], &bindings).isEmpty)
    #expect(bindings.captures["x"] == 5)
  }

  @Test(
    "$say, $json, $join and $exactly give values too",
    arguments: [
      ("{$regex: x, $say: 3}", "3"),
      ("{$schema: create_task/result, $say: {status: idle}}", #"{"status":"idle"}"#),
      ("{$json: {a: [1, b]}}", #""{\"a\":[1,\"b\"]}""#), ("{$exactly: {$as: 1}}", #"{"$as":1}"#),
      (
        "[{$as: n, $type: string, $say: b}, {$join: [a, {$ref: n}, {$say: c, $type: string}]}]",
        #"["b","abc"]"#
      ),
    ])
  func spoken(_ matcher: String, _ value: String) throws {
    var bindings = Bindings(seed: 7)
    #expect(try Self.matcher(matcher).generate(&bindings).map { JSONWriter.text($0) } == value)
  }

  @Test("the same seed generates the same values, another seed others")
  func generation() throws {
    let matcher = try Self.matcher(
      "[{$next: int}, {$next: int}, {$type: uuid}, {$type: string, $length: 5}, {$between: [1, 1000000]}, {$repeat: x, times: 3}]"
    )
    func values(_ seed: UInt64) throws -> JSONValue {
      var bindings = Bindings(seed: seed)
      return try #require(try matcher.generate(&bindings))
    }
    let first = try values(7)
    #expect(try values(7) == first)
    #expect(try values(8) != first)
    #expect(first[1]?.int == (first[0]?.int).map { $0 + 1 })
    #expect(first[3]?.string?.count == 5)
    #expect(first[5] == "xxx")
    var bindings = Bindings()
    #expect(try Self.matcher("{$type: uuid}").match(first[2], &bindings).isEmpty)
  }

  @Test("an absent member is left out, a secret is read")
  func spokenMembers() throws {
    var bindings = Bindings(secrets: ["TOKEN": "t-1"])
    let value = try Self.matcher("{a: {$absent: true}, b: {$secret: TOKEN}, c: {$spec: parse_error}}")
      .generate(&bindings)
    #expect(value == ["b": "t-1", "c": -32700])
    #expect(throws: GenerationError.self) { try Self.matcher("{$secret: NOPE}").generate(&bindings) }
  }
}

@Suite("Envelopes")
struct EnvelopeTests {
  struct Example: Sendable, CustomTestStringConvertible {
    let name: String
    let dialect: TranscriptDialect
    let expected: String
    let frame: String
    let differences: [String]
    var testDescription: String { name }

    init(
      _ name: String, _ dialect: TranscriptDialect, _ expected: String, _ frame: String,
      _ differences: String...
    ) {
      self.name = name
      self.dialect = dialect
      self.expected = expected
      self.frame = frame
      self.differences = differences
    }
  }

  static let examples: [Example] = [
    Example(
      "jsonrpc as it should be", .jsonrpc, "{id: 1, result: {}}",
      #"{"jsonrpc":"2.0","id":1,"result":{"x":1}}"#),
    Example(
      "no version", .jsonrpc, "{id: 1, result: {}}", #"{"id":1,"result":{}}"#, #"jsonrpc: "2.0" | (absent)"#),
    Example(
      "one member too many", .jsonrpc, "{id: 1, result: {}}", #"{"jsonrpc":"2.0","id":1,"result":{},"x":1}"#,
      "x: (no such member) | x: 1"),
    Example(
      "result and error", .jsonrpc, "{id: 1, result: {}}",
      #"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}"#,
      #"error: (no such member) | error: {code: 1, message: ""}"#),
    Example(
      "an undeclared id must be there", .jsonrpc, "{result: {}}", #"{"jsonrpc":"2.0","result":{}}"#,
      "id: {$type: id} | (absent)"),
    Example(
      "the id keeps its text", .jsonrpc, "{id: 1.50, result: {}}", #"{"jsonrpc":"2.0","id":1.5,"result":{}}"#,
      "id: 1.50 | id: 1.5"),
    Example(
      "an error has a code and a message", .jsonrpc, "{id: 1, error: {data: {}}}",
      #"{"jsonrpc":"2.0","id":1,"error":{"code":"x","data":{}}}"#, "error/code: {$type: int} | error/code: x",
      "error/message: {$type: string} | (absent)"),
    Example(
      "a notification has no id", .jsonrpc, "{method: task_changed}",
      #"{"jsonrpc":"2.0","method":"task_changed","id":1}"#,
      "id: (no such member) | id: 1"),
    Example(
      "batches by element", .jsonrpc, "[{id: 1, result: {}}, {id: 2, result: {}}]",
      #"[{"jsonrpc":"2.0","id":1,"result":{}},{"id":2,"result":{}}]"#, #"1/jsonrpc: "2.0" | (absent)"#),
    Example("bare as it should be", .bare, "{result: pong}", #"{"result":"pong"}"#),
    Example(
      "bare with an undeclared id", .bare, "{result: pong}", #"{"result":"pong","id":1}"#,
      "id: (no such member) | id: 1"),
    Example(
      "bare with jsonrpc", .bare, "{result: pong}", #"{"jsonrpc":"2.0","result":"pong"}"#,
      #"jsonrpc: (no such member) | jsonrpc: "2.0""#),
    Example("one of two frames", .bare, "{$oneOf: [{error: x}, {result: pong}]}", #"{"result":"pong"}"#),
    Example(
      "one of two frames, and an id too many", .bare, "{$oneOf: [{error: x}, {result: pong}]}",
      #"{"result":"pong","id":1}"#, "{$oneOf: [{error: x}, {result: pong}]} | {result: pong, id: 1}"),
    Example("raw has no envelope", .raw, "{a: 1}", #"{"a":1,"b":2}"#),
  ]

  @Test("the envelope is strict", arguments: examples)
  func envelope(_ example: Example) throws {
    let frame = FrameMatcher(
      try MatcherTests.matcher(example.expected, dialect: example.dialect), dialect: example.dialect)
    var bindings = Bindings()
    let differences = frame.match(try JSONParser.parse(example.frame), &bindings)
    #expect(differences.map { "\($0.expected) | \($0.got)" } == example.differences)
  }
}
