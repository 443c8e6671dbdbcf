import JSON
import JSONSchema
import Testing

private func json(_ text: String) throws -> JSONValue { try JSONParser.parse(text) }

@Suite("JSON Schema: hostile schemas and values")
struct HostileTests {
  @Test(
    "references that lead to themselves end",
    arguments: [
      ##"{"$ref": "#"}"##, ##"{"not": {"$ref": "#"}}"##, ##"{"allOf": [{"$ref": "#"}, {"$ref": "#"}]}"##,
      ##"{"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}"##, ##"{"$dynamicRef": "#a", "$dynamicAnchor": "a"}"##,
      ##"{"unevaluatedItems": {"$ref": "#"}, "$ref": "#"}"##,
    ])
  func loops(text: String) throws {
    let schema = try JSONSchema(json(text))
    #expect(!schema.isValid([1]))
    #expect(
      schema.firstViolation([1])?.message
        == "cannot be decided: more than 1024 schemas apply inside each other")
  }

  @Test("a long chain of references is followed when compiling, and bounded when validating")
  func chain() throws {
    let definitions = (0..<20_000).map { ("d\($0)", ["$ref": .string("#/$defs/d\($0 + 1)")] as JSONValue) }
    let schema = try JSONSchema([
      "$defs": .object(JSONObject(definitions + [("d20000", true)])), "$ref": "#/$defs/d0",
    ])
    #expect(!schema.isValid(1))
    #expect(
      try JSONSchema([
        "$defs": .object(JSONObject(definitions.suffix(500) + [("d20000", true)])), "$ref": "#/$defs/d19500",
      ]).isValid(1))
  }

  @Test("branches of branches end", .timeLimit(.minutes(1)))
  func branches() throws {
    let definitions = (0..<40).map { number in
      let next: JSONValue = ["$ref": .string("#/$defs/d\(number + 1)")]
      return ("d\(number)", ["anyOf": [next, next]] as JSONValue)
    }
    let schema = try JSONSchema([
      "$defs": .object(JSONObject(definitions + [("d40", false)])), "$ref": "#/$defs/d0",
    ])
    #expect(!schema.isValid(1))
  }

  @Test("schemas nested past the limit are refused")
  func nesting() throws {
    var schema: JSONValue = true
    for _ in 0..<400 { schema = ["not": schema] }
    let error = #expect(throws: SchemaError.self) { try JSONSchema(schema) }
    #expect(error?.reason == "schemas are nested deeper than 256")
  }

  @Test("a value nested to the parser's limit is validated by a recursive schema")
  func deepValue() throws {
    let schema = try JSONSchema(json(##"{"items": {"$ref": "#"}, "type": "array"}"##))
    let text = String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
    #expect(schema.isValid(try json(text)))
  }

  @Test(
    "multiples are exact for numbers of any size",
    arguments: [
      ("0.01", "1234567890123456789012345678901234567890.01", true),
      ("0.01", "1234567890123456789012345678901234567890.011", false), ("7", "7e1000000000000", true),
      ("7", "1e1000000000000", false), ("3", "1e-1000000000000", false), ("1e-8", "12391239123", true),
      ("1e308", "1e308", true), ("0.123456789", "1e308", false),
      ("999999999999999999", "999999999999999998000000000000000001", true),
      ("1e-1000000000000", "5", true), ("2", "-4.0", true), ("2.5", "0", true),
      ("9", "-9223372036854775808", false),
    ])
  func multiples(divisor: String, value: String, isValid: Bool) throws {
    #expect(try JSONSchema(json(#"{"multipleOf": \#(divisor)}"#)).isValid(json(value)) == isValid)
  }

  @Test("equal items among 50 000 are found in time", .timeLimit(.minutes(1)))
  func uniqueItems() throws {
    let schema = try JSONSchema(json(#"{"uniqueItems": true}"#))
    let items = (0..<50_000).map { JSONValue.object(JSONObject([("k", .int($0))])) }
    #expect(schema.isValid(.array(items)))
    #expect(!schema.isValid(.array(items + [items[7]])))
  }
}
