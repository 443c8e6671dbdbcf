import JSON
import Testing
import YAML

@Suite("YAML: what is read")
struct YAMLReadingTests {
  @Test(
    "plain scalars follow the core schema of YAML 1.2",
    arguments: [
      ("~", "null"), ("null", "null"), ("true", "true"), ("FALSE", "false"), ("yes", #""yes""#),
      ("on", #""on""#), ("1:30", #""1:30""#), ("1.50", "1.50"), ("12e03", "12e03"), ("+5", "5"),
      ("007", "7"), ("-0", "-0"), (".5", "0.5"), ("-.5e1", "-0.5e1"), ("1.", "1"), ("0x10", "16"),
      ("0o17", "15"), ("0b1", #""0b1""#), ("1_000", #""1_000""#), ("-", "[null]"), ("1e", #""1e""#),
      (".", #"".""#), ("2026-01-01", #""2026-01-01""#), ("-.nan", #""-.nan""#), ("-0x1", #""-0x1""#),
      ("12345678901234567890.10", "12345678901234567890.10"), ("'1'", #""1""#), (#""true""#, #""true""#),
      ("|\n  12\n", #""12\n""#), ("\u{FEFF}1", "1"),
    ])
  func scalar(text: String, json: String) throws {
    #expect(try YAMLParser.parse(text, file: "a.yaml").json.description == json)
  }

  @Test("mappings keep their order and places, number keys become strings")
  func mapping() throws {
    let node = try YAMLParser.parse("200: {b: [1, x]}\n0x1:\n  - ~\n", file: "a.yaml")
    #expect(node.json.description == #"{"200":{"b":[1,"x"]},"0x1":[null]}"#)
    #expect(node.entries?.map(\.keyPlace.description) == ["a.yaml:1:1", "a.yaml:2:1"])
    #expect(node["200"]?["b"]?.elements?.map(\.place.description) == ["a.yaml:1:11", "a.yaml:1:14"])
    let pointer = try #require(JSONPointer("/200/b/7/z"))
    #expect(node.node(at: pointer) == nil)
    #expect(node.nearest(at: pointer).place.description == "a.yaml:1:10")
  }

  @Test(
    "durations have a number and a unit",
    arguments: [
      ("250ms", .milliseconds(250)), ("2s", .seconds(2)), ("1.5s", .milliseconds(1500)),
      ("5m", .seconds(300)),
      ("1h", .seconds(3600)), ("0.2s", .milliseconds(200)), ("5", nil), ("s", nil), ("1.s", nil),
      (".5s", nil),
      ("-1s", nil), ("1 s", nil), ("9999999999h", nil), ("1.2.3s", nil), ("1d", nil),
    ] as [(String, Duration?)])
  func duration(text: String, value: Duration?) {
    #expect(parseDuration(text) == value)
  }
}
