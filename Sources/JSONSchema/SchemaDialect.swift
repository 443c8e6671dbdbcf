internal import JSON

/// Which keywords a schema is read with.
struct SchemaDialect {
  struct Unknown: Error {
    let reason: String
  }

  /// The groups of keywords a metaschema turns on (2020-12 Core §8.1.2).
  enum Vocabulary: String, CaseIterable {
    case core, applicator, unevaluated, validation
    case metaData = "meta-data"
    case formatAnnotation = "format-annotation"
    case content
  }

  let draft: SchemaDraft
  var vocabularies = Set(Vocabulary.allCases)

  init(draft: SchemaDraft) { self.draft = draft }

  /// The dialect of the metaschema `name`.
  static func named(_ name: String, registry: SchemaRegistry) throws(Unknown) -> SchemaDialect {
    var name = name
    var vocabularies: Set<Vocabulary>?
    // A metaschema names its own; a few steps are plenty, and a cycle must end.
    for _ in 0..<8 {
      let uri = URIReference(name).withoutFragment
      if let draft = SchemaDraft(rawValue: uri) {
        var dialect = SchemaDialect(draft: draft)
        if let vocabularies { dialect.vocabularies = vocabularies }
        return dialect
      }
      guard let metaschema = registry.document(uri) else {
        throw Unknown(reason: "$schema names the unknown metaschema \(quoted(name))")
      }
      if vocabularies == nil, let declared = metaschema["$vocabulary"]?.object {
        vocabularies = try turnedOn(declared)
      }
      name = metaschema["$schema"]?.string ?? SchemaDraft.draft2020_12.rawValue
    }
    throw Unknown(reason: "$schema leads to no known draft")
  }

  private static func turnedOn(_ declared: JSONObject) throws(Unknown) -> Set<Vocabulary> {
    let prefix = "https://json-schema.org/draft/2020-12/vocab/"
    var vocabularies: Set<Vocabulary> = [.core]
    for (uri, isRequired) in declared {
      if uri.hasPrefix(prefix), let vocabulary = Vocabulary(rawValue: String(uri.dropFirst(prefix.count))) {
        vocabularies.insert(vocabulary)
      } else if isRequired.bool == true {
        throw Unknown(reason: "the vocabulary \(quoted(uri)) is required, but unknown")
      }
    }
    return vocabularies
  }
}

/// How schemas are held by a keyword.
enum SchemaShape {
  case single, list, map
  /// Draft 7's `items`.
  case singleOrList

  func children(of value: JSONValue) -> [(tokens: [String], schema: JSONValue)] {
    switch (self, value) {
    case (.list, .array(let elements)), (.singleOrList, .array(let elements)):
      elements.enumerated().map { ([String($0)], $1) }
    case (.map, .object(let members)): members.map { ([$0], $1) }
    case (.single, _), (.singleOrList, _): [([], value)]
    default: []
    }
  }
}

extension SchemaDraft {
  /// How `keyword` holds schemas; nil if it holds none.
  func shape(of keyword: String) -> SchemaShape? {
    switch (keyword, self) {
    case ("additionalProperties", _), ("contains", _), ("else", _), ("if", _), ("not", _),
      ("propertyNames", _), ("then", _), ("additionalItems", .draft7), ("contentSchema", .draft2020_12),
      ("items", .draft2020_12), ("unevaluatedItems", .draft2020_12), ("unevaluatedProperties", .draft2020_12):
      .single
    case ("allOf", _), ("anyOf", _), ("oneOf", _), ("prefixItems", .draft2020_12): .list
    case ("properties", _), ("patternProperties", _), ("definitions", _), ("$defs", .draft2020_12),
      ("dependentSchemas", .draft2020_12), ("dependencies", .draft7):
      .map
    case ("items", .draft7): .singleOrList
    default: nil
    }
  }
}
