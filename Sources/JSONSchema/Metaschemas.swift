internal import JSON

/// The metaschemas of drafts 2020-12 and 7, without their titles, comments and defaults.
///
/// Source: https://json-schema.org/draft/2020-12/schema, http://json-schema.org/draft-07/schema
enum Metaschemas {
  static let documents: [String: JSONValue] = {
    var documents = [base + "schema": schema2020, SchemaDraft.draft7.rawValue: schema7]
    for (name, properties, definitions) in vocabularies {
      documents[base + "meta/" + name] = vocabulary(name, properties, definitions)
    }
    return documents
  }()

  private static let base = "https://json-schema.org/draft/2020-12/"

  private typealias Members = [(String, JSONValue)]

  /// The same schema for each of the names.
  private static func each(_ names: String, _ schema: JSONValue) -> Members {
    names.split(separator: " ").map { (String($0), schema) }
  }

  private static func object(_ members: Members) -> JSONValue { .object(JSONObject(members)) }

  private static func reference(_ target: String) -> JSONValue { ["$ref": .string(target)] }

  private static func mapOf(_ schema: JSONValue) -> JSONValue {
    ["type": "object", "additionalProperties": schema]
  }

  private static let schemaOrBoolean: JSONValue = ["object", "boolean"]
  private static let text: JSONValue = ["type": "string"]
  private static let flag: JSONValue = ["type": "boolean"]
  private static let simpleTypes: JSONValue = [
    "enum": ["array", "boolean", "integer", "null", "number", "object", "string"]
  ]
  private static let stringArray: JSONValue = ["type": "array", "items": text, "uniqueItems": true]

  private static func schemaArray(of schema: JSONValue) -> JSONValue {
    ["type": "array", "minItems": 1, "items": schema]
  }

  /// The keywords of the validation vocabulary that both drafts have.
  private static func validation(_ definitions: String) -> Members {
    let count = reference(definitions + "nonNegativeInteger")
    let types = reference(definitions + "simpleTypes")
    let several: JSONValue = ["type": "array", "items": types, "minItems": 1, "uniqueItems": true]
    return [
      ("type", ["anyOf": [types, several]]), ("const", true), ("enum", ["type": "array", "items": true]),
      ("multipleOf", ["type": "number", "exclusiveMinimum": 0]),
      ("pattern", ["type": "string", "format": "regex"]), ("uniqueItems", flag),
      ("required", reference(definitions + "stringArray")),
    ] + each("maximum exclusiveMaximum minimum exclusiveMinimum", ["type": "number"])
      + each("maxLength minLength maxItems minItems maxProperties minProperties", count)
  }

  /// The applicators that both drafts have; `schema` refers to the whole.
  private static func applicators(_ schema: JSONValue, _ definitions: String) -> Members {
    let patterns: JSONValue = [
      "type": "object", "additionalProperties": schema, "propertyNames": ["format": "regex"],
    ]
    return each("contains additionalProperties propertyNames if then else not", schema)
      + each("allOf anyOf oneOf", reference(definitions + "schemaArray"))
      + [("properties", mapOf(schema)), ("patternProperties", patterns)]
  }

  private static let countDefinition: (String, JSONValue) = (
    "nonNegativeInteger", ["type": "integer", "minimum": 0]
  )

  // MARK: - Draft 7

  private static let schema7: JSONValue = {
    let whole = reference("#")
    let definitions = "#/definitions/"
    let dependency: JSONValue = ["anyOf": [whole, reference(definitions + "stringArray")]]
    let items: JSONValue = ["anyOf": [whole, reference(definitions + "schemaArray")]]
    return [
      "$schema": "http://json-schema.org/draft-07/schema#", "$id": "http://json-schema.org/draft-07/schema#",
      "definitions": object([
        ("schemaArray", schemaArray(of: whole)), countDefinition, ("simpleTypes", simpleTypes),
        ("stringArray", stringArray),
      ]),
      "type": schemaOrBoolean,
      "properties": object(
        each("$id $ref", ["type": "string", "format": "uri-reference"])
          + [("$schema", ["type": "string", "format": "uri"])]
          + each("$comment title description format contentMediaType contentEncoding", text)
          + [
            ("default", true), ("readOnly", flag), ("examples", ["type": "array", "items": true]),
            ("additionalItems", whole), ("items", items), ("definitions", mapOf(whole)),
            ("dependencies", mapOf(dependency)),
          ] + validation(definitions) + applicators(whole, definitions)),
    ]
  }()

  // MARK: - Draft 2020-12

  private static let meta: JSONValue = ["$dynamicRef": "#meta"]

  private static let schema2020: JSONValue = {
    let names = vocabularies.map(\.name).filter { $0 != "format-assertion" }
    let dependency: JSONValue = ["anyOf": [meta, reference("meta/validation#/$defs/stringArray")]]
    return [
      "$schema": .string(SchemaDraft.draft2020_12.rawValue),
      "$id": .string(SchemaDraft.draft2020_12.rawValue),
      "$vocabulary": object(names.map { (base + "vocab/" + $0, true) }),
      "$dynamicAnchor": "meta", "type": schemaOrBoolean,
      "allOf": .array(names.map { reference("meta/" + $0) }),
      "properties": [
        "definitions": mapOf(meta), "dependencies": mapOf(dependency),
        "$recursiveAnchor": reference("meta/core#/$defs/anchorString"),
        "$recursiveRef": reference("meta/core#/$defs/uriReferenceString"),
      ],
    ]
  }()

  private static func vocabulary(_ name: String, _ properties: Members, _ definitions: Members) -> JSONValue {
    var schema: JSONValue = [
      "$schema": .string(SchemaDraft.draft2020_12.rawValue), "$id": .string(base + "meta/" + name),
      "$vocabulary": object([(base + "vocab/" + name, true)]), "$dynamicAnchor": "meta",
      "type": schemaOrBoolean, "properties": object(properties),
    ]
    if !definitions.isEmpty { schema["$defs"] = object(definitions) }
    return schema
  }

  private static let core: Members = {
    let uri = reference("#/$defs/uriString")
    let uriReference = reference("#/$defs/uriReferenceString")
    let id: JSONValue = ["$ref": "#/$defs/uriReferenceString", "pattern": "^[^#]*#?$"]
    let vocabulary: JSONValue = ["type": "object", "propertyNames": uri, "additionalProperties": flag]
    return each("$ref $dynamicRef", uriReference)
      + each("$anchor $dynamicAnchor", reference("#/$defs/anchorString"))
      + [
        ("$id", id), ("$schema", uri), ("$vocabulary", vocabulary), ("$comment", text),
        ("$defs", mapOf(meta)),
      ]
  }()

  private static let vocabularies: [(name: String, properties: Members, definitions: Members)] = [
    (
      "core", core,
      [
        ("anchorString", ["type": "string", "pattern": "^[A-Za-z_][-A-Za-z0-9._]*$"]),
        ("uriString", ["type": "string", "format": "uri"]),
        ("uriReferenceString", ["type": "string", "format": "uri-reference"]),
      ]
    ),
    (
      "applicator",
      applicators(meta, "#/$defs/") + [
        ("prefixItems", reference("#/$defs/schemaArray")), ("items", meta), ("dependentSchemas", mapOf(meta)),
      ],
      [("schemaArray", schemaArray(of: meta))]
    ),
    ("unevaluated", each("unevaluatedItems unevaluatedProperties", meta), []),
    (
      "validation",
      validation("#/$defs/") + each("maxContains minContains", reference("#/$defs/nonNegativeInteger"))
        + [("dependentRequired", mapOf(reference("#/$defs/stringArray")))],
      [countDefinition, ("simpleTypes", simpleTypes), ("stringArray", stringArray)]
    ),
    (
      "meta-data",
      each("title description", text) + each("deprecated readOnly writeOnly", flag)
        + [("default", true), ("examples", ["type": "array", "items": true])],
      []
    ),
    ("format-annotation", [("format", text)], []),
    ("format-assertion", [("format", text)], []),
    ("content", each("contentEncoding contentMediaType", text) + [("contentSchema", meta)], []),
  ]
}
