import JSON
import JSONSchema
import Testing

private func json(_ text: String) throws -> JSONValue { try JSONParser.parse(text) }

/// `pointer keyword: message` of each violation.
private func violations(_ schema: String, _ value: String) throws -> [String] {
  try JSONSchema(json(schema)).validate(json(value)).map { "\($0.instance) \($0.keyword): \($0.message)" }
}

@Suite("JSON Schema: messages")
struct MessageTests {
  @Test(
    "name what is there and what is allowed",
    arguments: [
      (#"{"type": "integer"}"#, "1.5", " type: is the number 1.5, must be an integer"),
      (#"{"type": ["string", "null"]}"#, "[]", " type: is an array, must be null or a string"),
      (#"{"minLength": 1}"#, #""""#, " minLength: has 0 characters, at least 1 is needed"),
      (#"{"minLength": 3}"#, #""😀é""#, " minLength: has 2 characters, at least 3 are needed"),
      (#"{"maxLength": 1}"#, #""e\u0301""#, " maxLength: has 2 characters, at most 1 is allowed"),
      (#"{"maxItems": 0}"#, "[1]", " maxItems: has 1 item, at most 0 are allowed"),
      (#"{"minProperties": 2}"#, #"{"a":1}"#, " minProperties: has 1 property, at least 2 are needed"),
      (#"{"minimum": 1}"#, "0.99", " minimum: is 0.99, must be at least 1"),
      (#"{"exclusiveMaximum": 5e2}"#, "500", " exclusiveMaximum: is 500, must be less than 5e2"),
      (#"{"multipleOf": 0.01}"#, "0.075", " multipleOf: is 0.075, must be a multiple of 0.01"),
      (#"{"enum": ["a", 1]}"#, "2", #" enum: must be one of "a", 1"#),
      (#"{"const": {"a": 1}}"#, "2", #" const: must be {"a":1}"#),
      (#"{"pattern": "^a"}"#, #""b""#, " pattern: does not match ^a"),
      (#"{"uniqueItems": true}"#, "[1, 2, 1.0]", " uniqueItems: the items 0 and 2 are equal"),
      (#"{"required": ["a"]}"#, "{}", #" required: "a" is missing"#),
      (
        #"{"dependentRequired": {"a": ["b"]}}"#, #"{"a":1}"#,
        #" dependentRequired: "b" is missing, which "a" needs"#
      ),
      (
        #"{"additionalProperties": false}"#, #"{"a/b":1}"#,
        #"/a~1b additionalProperties: the property "a/b" is not allowed"#
      ),
      (
        #"{"unevaluatedProperties": false}"#, #"{"a":1}"#,
        #"/a unevaluatedProperties: the property "a" is not allowed"#
      ),
      (
        #"{"propertyNames": {"maxLength": 1}}"#, #"{"ab":1}"#,
        #"/ab propertyNames: the name "ab" is not allowed"#
      ),
      (#"{"prefixItems": [true], "items": false}"#, "[1, 2]", "/1 items: the item 1 is not allowed"),
      (#"{"contains": {"const": 1}}"#, "[2]", " contains: has 0 matching items, at least 1 needed"),
      (
        #"{"contains": {"const": 1}, "maxContains": 1}"#, "[1,1]",
        " maxContains: has 2 matching items, at most 1 allowed"
      ),
      (#"{"anyOf": [false, false]}"#, "1", " anyOf: matches none of the 2 alternatives"),
      (
        #"{"oneOf": [true, false, true]}"#, "1",
        " oneOf: matches the alternatives 0 and 2, exactly one is allowed"
      ),
      (#"{"not": true}"#, "1", " not: matches what is excluded"),
      ("false", "1", " : no value is allowed here"),
    ])
  func message(schema: String, value: String, message: String) throws {
    #expect(try violations(schema, value) == [message])
  }

  @Test("violations come in a fixed order: what is missing before what is wrong")
  func order() throws {
    let schema = #"""
      {"type": "object", "required": ["a", "b"], "additionalProperties": false,
       "properties": {"b": true, "c": {"minimum": 5, "multipleOf": 2}, "d": {"items": {"type": "string"}}}}
      """#
    let found = try violations(schema, #"{"x": 1, "d": ["s", 1], "c": 3, "b": 0}"#)
    #expect(
      found == [
        #" required: "a" is missing"#, #"/x additionalProperties: the property "x" is not allowed"#,
        "/d/1 type: is the number 1, must be a string", "/c minimum: is 3, must be at least 5",
        "/c multipleOf: is 3, must be a multiple of 2",
      ])
  }

  @Test("a violation names the keyword's absolute location and the property")
  func location() throws {
    let schema = try JSONSchema(
      json(##"{"$id": "https://a.example/s", "$ref": "#/$defs/x", "$defs": {"x": {"required": ["k"]}}}"##))
    let violation = try #require(schema.firstViolation(json("{}")))
    #expect(violation.schema == "https://a.example/s#/$defs/x/required")
    #expect(violation.property == "k")
    #expect(violation.description == #""k" is missing"#)
  }

  @Test("a bounded number of violations is collected")
  func bounded() throws {
    let schema = try JSONSchema(json(#"{"items": {"type": "string"}}"#))
    let value = JSONValue.array((0..<1000).map { .int($0) })
    #expect(schema.validate(value).count == JSONSchema.violationLimit)
    #expect(schema.firstViolation(value)?.instance.description == "/0")
  }
}

@Suite("JSON Schema: what is no schema")
struct SchemaErrorTests {
  @Test(
    "is refused with the place and the reason",
    arguments: [
      ("1", "#: a schema must be an object or a boolean"),
      (#"{"properties": {"a": 1}}"#, "#/properties/a: a schema must be an object or a boolean"),
      (#"{"type": "text"}"#, #"#/type: "text" is no type"#),
      (
        #"{"properties": {"a": {"minLength": -1}}}"#,
        "#/properties/a/minLength: must be an integer of at least 0, found -1"
      ),
      (#"{"required": "a"}"#, "#/required: must be an array of strings"),
      (#"{"items": []}"#, "#/items: a schema must be an object or a boolean"),
      (#"{"allOf": {}}"#, "#/allOf: must be an array of schemas"),
      (#"{"multipleOf": 0}"#, "#/multipleOf: must be a number greater than 0 of at most 18 digits"),
      (##"{"$ref": "#/$defs/a"}"##, ##"#/$ref: "#/$defs/a" leads nowhere"##),
      (##"{"$ref": "#a"}"##, ##"#/$ref: "#a" names no anchor"##),
      (#"{"$ref": "https://a.example/b"}"#, #"#/$ref: "https://a.example/b" leads to no known document"#),
      (##"{"$ref": "#%zz"}"##, ##"#/$ref: the reference "#%zz" is malformed"##),
      (
        #"{"$schema": "https://a.example/draft"}"#,
        #"#: $schema names the unknown metaschema "https://a.example/draft""#
      ),
      (#"{"$id": "https://a.example/#x"}"#, ##"#: $id "https://a.example/#x" must have no fragment"##),
      (
        #"{"$anchor": "a", "$defs": {"b": {"$anchor": "a"}}}"#,
        ##"#/$defs/b: the anchor "a" is given twice, first at #"##
      ),
    ])
  func refused(schema: String, description: String) throws {
    let error = #expect(throws: SchemaError.self) { try JSONSchema(json(schema)) }
    #expect(error?.description == description)
  }

  @Test(
    "both metaschemas accept themselves and refuse a wrong keyword",
    arguments: [SchemaDraft.draft2020_12, .draft7])
  func metaschema(draft: SchemaDraft) throws {
    let schema = try JSONSchema(["$ref": .string(draft.rawValue)])
    #expect(schema.isValid(["type": "object", "properties": ["a": ["minLength": 1]], "items": true]))
    #expect(
      schema.validate(["properties": ["a": ["minLength": -1]]]).map(\.instance.description) == [
        "/properties/a/minLength"
      ])
  }
}
