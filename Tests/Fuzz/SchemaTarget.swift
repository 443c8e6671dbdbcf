import JSON
import JSONSchema

extension FuzzTarget {
  /// `JSONSchema`: `{"schema": …, "value": …, "draft7": bool}`; the ways to ask agree with each
  /// other, and `not` with its schema.
  static let schema = FuzzTarget(
    name: "schema", form: .json, dictionary: SchemaSeeds.dictionary,
    seeds: { SchemaSeeds.texts.map { Array($0.utf8) } },
    check: { bytes in
      guard let input = try? JSONParser.parse(bytes), let document = input["schema"] else {
        return Shape("none")
      }
      let value = input["value"] ?? .null
      let draft = input["draft7"] == true ? SchemaDraft.draft7 : .draft2020_12
      let schema: JSONSchema
      do {
        schema = try JSONSchema(document, defaultDraft: draft)
      } catch let error as SchemaError {
        _ = error.description
        return Shape(error.reason)
      }
      let violations = schema.validate(value)
      try expect(violations == schema.validate(value), "two answers to one question")
      try expect(violations.isEmpty == schema.isValid(value), "valid and not: \(violations)")
      try expect(
        violations.first == schema.firstViolation(value), "another first violation than \(violations)")
      try expect(violations.count <= JSONSchema.violationLimit, "\(violations.count) violations")
      var shape = Shape("\(violations.count)")
      for violation in violations {
        try expect(value[violation.instance] != nil, "a violation at \(violation.instance), where nothing is")
        shape.add(violation.keyword)
      }
      try checkNegation(document, draft, value, violations)
      return shape
    })

  /// A value is valid by a schema or by its `not`, and by neither only where that cannot be decided.
  private static func checkNegation(
    _ document: JSONValue, _ draft: SchemaDraft, _ value: JSONValue, _ violations: [SchemaViolation]
  ) throws {
    let registry = SchemaRegistry(["omni:inner": document])
    let outer = try? JSONSchema(
      ["not": ["$ref": "omni:inner"]], baseURI: "omni:outer", defaultDraft: draft, registry: registry)
    guard let outer else { return }
    let opposite = outer.validate(value)
    let isUndecided = (violations + opposite).contains { $0.message.contains("decided") }
    let isClear = opposite.isEmpty != violations.isEmpty
    try expect(isClear || (isUndecided && !opposite.isEmpty), "\(violations), negated \(opposite)")
  }
}

private enum SchemaSeeds {
  static let keywords = [
    "$id", "$schema", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$defs", "definitions", "type",
    "const", "enum",
    "minimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "minItems", "maxItems",
    "uniqueItems", "minProperties", "maxProperties", "required", "dependentRequired", "dependencies",
    "properties",
    "patternProperties", "additionalProperties", "propertyNames", "prefixItems", "items", "additionalItems",
    "contains",
    "minContains", "maxContains", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas",
    "unevaluatedProperties", "unevaluatedItems",
  ]

  static let dictionary =
    keywords.map { "\"\($0)\"" } + [
      "\"#\"", "\"#/$defs/a\"", "\"#a\"", "\"omni:b\"", "\"b/../c#%41\"", "\"%\"", "\"//\"", "\"^(a+)+$\"",
      "\"\\\\d{2,}\"",
      "\"[a-z]\"", "\"(?<x>a)\\\\k<x>\"", "\"\\\\p{L}\"", "\"[^]\"", "\"(?!b)\"", "\"object\"", "\"array\"",
      "\"integer\"",
      "{\"not\":{}}", "{\"$ref\":\"#\"}", "[{\"$ref\":\"#\"},true]", "true", "false", "{}", "[]", "0", "0.01",
      "1e400", "-1",
      "\"https://json-schema.org/draft/2020-12/schema\"", "\"http://json-schema.org/draft-07/schema#\"",
      "\"\\u0000é\"",
    ]

  private static let schemas = [
    ##"{"type":"object","properties":{"a":{"type":"string","minLength":1,"pattern":"^a+$"},"b":{"$ref":"#/$defs/n"}},"required":["a"],"additionalProperties":false,"$defs":{"n":{"type":"integer","minimum":1,"multipleOf":0.5}}}"##,
    ##"{"prefixItems":[{"const":1},true],"items":{"enum":[1,"a",null]},"contains":{"type":"number"},"minContains":1,"maxContains":2,"uniqueItems":true}"##,
    ##"{"allOf":[{"properties":{"a":true}}],"anyOf":[{"required":["a"]},{"$ref":"#"}],"oneOf":[true,false],"unevaluatedProperties":false}"##,
    ##"{"if":{"type":"array"},"then":{"unevaluatedItems":{"type":"string"},"prefixItems":[{}]},"else":{"propertyNames":{"maxLength":2}}}"##,
    ##"{"$id":"omni:a","$dynamicAnchor":"n","properties":{"c":{"$dynamicRef":"#n"}},"patternProperties":{"^x":{"not":{"type":"null"}}},"dependentSchemas":{"a":{"minProperties":2}},"dependentRequired":{"b":["a"]}}"##,
    ##"{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"a":{"$id":"#a","type":["string","null"]}},"items":[{"$ref":"#a"}],"additionalItems":false,"dependencies":{"a":["b"],"c":{}}}"##,
    ##"{"$ref":"https://json-schema.org/draft/2020-12/schema"}"##,
  ]

  private static let values = [
    #"{"a":"aa","b":2,"c":{"c":{}}}"#, #"[1,"a",null,1.0,[1],{"type":"array"}]"#,
    #""aaaaaaaaaaaaaaaaaaaaaaaaaaab""#, "1.5",
  ]

  static let texts = schemas.flatMap { schema in
    values.map { #"{"schema":\#(schema),"value":\#($0),"draft7":false}"# }
  }
}
