internal import JSON

/// Reads the keywords of one schema object, in the order in which they will be checked: cheap
/// assertions on the value itself first, what is missing before what is wrong, unevaluated* last.
struct KeywordReader {
  let schema: JSONObject
  let location: SchemaLocation
  /// The URI of the document, for errors.
  let document: String
  let dialect: SchemaDialect

  init(_ schema: JSONObject, at location: SchemaLocation, of document: String, dialect: SchemaDialect) {
    self.schema = schema
    self.document = document
    self.location = location
    self.dialect = dialect
  }

  private var isDraft7: Bool { dialect.draft == .draft7 }

  func keywords(_ compiler: inout SchemaCompiler) throws(SchemaError) -> [SchemaProgram.Keyword] {
    // In draft 7 a `$ref` hides its siblings (Core §8.3).
    if isDraft7, schema.contains("$ref") { return try references(&compiler) }
    var keywords: [SchemaProgram.Keyword] = []
    if has(.validation) { keywords += try assertions() }
    keywords += try references(&compiler)
    if has(.applicator) {
      keywords += try objects(&compiler)
      keywords += try arrays(&compiler)
      keywords += try combinations(&compiler)
    }
    if has(.unevaluated), !isDraft7 {
      if let node = child("unevaluatedProperties", &compiler) {
        keywords.append(.unevaluatedProperties(node))
      }
      if let node = child("unevaluatedItems", &compiler) { keywords.append(.unevaluatedItems(node)) }
    }
    return keywords
  }

  private func has(_ vocabulary: SchemaDialect.Vocabulary) -> Bool {
    dialect.vocabularies.contains(vocabulary)
  }

  // MARK: - Assertions

  private func assertions() throws(SchemaError) -> [SchemaProgram.Keyword] {
    var keywords: [SchemaProgram.Keyword] = []
    if let types = try types() { keywords.append(.type(types)) }
    if let value = schema["const"] { keywords.append(.constant(value)) }
    if let value = schema["enum"] {
      guard let values = value.array else { throw fault("enum", "must be an array") }
      keywords.append(.enumeration(values))
    }
    for kind in [SchemaProgram.Bound.Kind.minimum, .exclusiveMinimum, .maximum, .exclusiveMaximum] {
      guard let value = schema[kind.rawValue] else { continue }
      guard let limit = value.number else { throw fault(kind.rawValue, "must be a number") }
      keywords.append(.bound(SchemaProgram.Bound(kind: kind, limit: limit)))
    }
    if let value = schema["multipleOf"] {
      guard let multiple = value.number.flatMap(SchemaProgram.Multiple.init) else {
        throw fault("multipleOf", "must be a number greater than 0 of at most 18 digits")
      }
      keywords.append(.multipleOf(multiple))
    }
    for kind in SchemaProgram.Size.Kind.allCases {
      guard let limit = try count(kind.rawValue) else { continue }
      keywords.append(.size(SchemaProgram.Size(kind: kind, limit: limit)))
    }
    if let value = schema["pattern"] {
      guard let text = value.string else { throw fault("pattern", "must be a string") }
      keywords.append(.pattern(try pattern(text, "pattern")))
    }
    if let value = schema["uniqueItems"] {
      guard let isUnique = value.bool else { throw fault("uniqueItems", "must be true or false") }
      if isUnique { keywords.append(.uniqueItems) }
    }
    if let value = schema["required"] { keywords.append(.required(try strings(value, "required"))) }
    if !isDraft7, let value = schema["dependentRequired"] {
      var dependencies: [(trigger: String, names: [String])] = []
      for (trigger, names) in try members("dependentRequired", value) {
        dependencies.append((trigger, try strings(names, "dependentRequired")))
      }
      keywords.append(.dependentRequired(dependencies))
    }
    return keywords
  }

  private func types() throws(SchemaError) -> SchemaProgram.TypeSet? {
    guard let value = schema["type"] else { return nil }
    var types: SchemaProgram.TypeSet = []
    for name in value.array ?? [value] {
      guard let type = SchemaProgram.TypeSet.named.first(where: { $0.name == name.string })?.type else {
        throw fault("type", "\(shortened(name.description)) is no type")
      }
      types.insert(type)
    }
    guard !types.isEmpty else { throw fault("type", "must name a type") }
    return types
  }

  // MARK: - References

  private func references(_ compiler: inout SchemaCompiler) throws(SchemaError) -> [SchemaProgram.Keyword] {
    var keywords: [SchemaProgram.Keyword] = []
    if let value = schema["$ref"] {
      guard let reference = value.string else { throw fault("$ref", "must be a string") }
      let target = try compiler.resolve(reference, from: location, keyword: "$ref")
      keywords.append(.reference(compiler.node(at: target.location)))
    }
    if !isDraft7, let value = schema["$dynamicRef"] {
      guard let reference = value.string else { throw fault("$dynamicRef", "must be a string") }
      let target = try compiler.resolve(reference, from: location, keyword: "$dynamicRef")
      let initial = compiler.node(at: target.location)
      if let name = target.dynamicAnchor {
        keywords.append(.dynamicReference(anchor: compiler.dynamicAnchor(name), initial: initial))
      } else {
        keywords.append(.reference(initial))
      }
    }
    return keywords
  }

  // MARK: - Applicators

  private func objects(_ compiler: inout SchemaCompiler) throws(SchemaError) -> [SchemaProgram.Keyword] {
    var keywords: [SchemaProgram.Keyword] = []
    var properties = SchemaProgram.Members()
    if let value = schema["properties"] {
      for (name, _) in try members("properties", value) {
        properties.properties.append((name, compiler.node(at: location.appending(["properties", name]))))
      }
    }
    if let value = schema["patternProperties"] {
      for (text, _) in try members("patternProperties", value) {
        let node = compiler.node(at: location.appending(["patternProperties", text]))
        properties.patterns.append((try pattern(text, "patternProperties"), node))
      }
    }
    properties.additional = child("additionalProperties", &compiler)
    if !properties.isEmpty {
      properties.makeIndex()
      keywords.append(.members(properties))
    }
    if let node = child("propertyNames", &compiler) { keywords.append(.propertyNames(node)) }
    let dependent = isDraft7 ? "dependencies" : "dependentSchemas"
    if let value = schema[dependent] {
      var schemas: [(trigger: String, node: Int)] = []
      var names: [(trigger: String, names: [String])] = []
      for (trigger, value) in try members(dependent, value) {
        if isDraft7, value.array != nil {
          names.append((trigger, try strings(value, dependent)))
        } else {
          schemas.append((trigger, compiler.node(at: location.appending([dependent, trigger]))))
        }
      }
      if !names.isEmpty { keywords.append(.dependentRequired(names)) }
      if !schemas.isEmpty { keywords.append(.dependentSchemas(schemas, name: dependent)) }
    }
    return keywords
  }

  private func arrays(_ compiler: inout SchemaCompiler) throws(SchemaError) -> [SchemaProgram.Keyword] {
    var keywords: [SchemaProgram.Keyword] = []
    let names = itemNames
    let prefix = names.prefix == names.rest ? nil : try list(names.prefix, &compiler)
    let rest = child(names.rest, &compiler)
    if prefix != nil || rest != nil {
      keywords.append(.items(prefix: prefix ?? [], rest: rest, names: names))
    }
    if let node = child("contains", &compiler) {
      let counts = !isDraft7 && has(.validation)
      let least = counts ? try count("minContains") : nil
      keywords.append(
        .contains(
          SchemaProgram.Contains(
            node: node, least: least ?? 1, most: counts ? try count("maxContains") : nil,
            leastName: least == nil ? "contains" : "minContains")))
    }
    return keywords
  }

  /// Draft 7 has the prefix in an array `items`, the rest in `additionalItems`, which means
  /// nothing beside another `items`.
  private var itemNames: SchemaProgram.ItemNames {
    guard isDraft7 else { return SchemaProgram.ItemNames(prefix: "prefixItems", rest: "items") }
    let isList = schema["items"]?.array != nil
    return SchemaProgram.ItemNames(prefix: "items", rest: isList ? "additionalItems" : "items")
  }

  private func combinations(_ compiler: inout SchemaCompiler) throws(SchemaError) -> [SchemaProgram.Keyword] {
    var keywords: [SchemaProgram.Keyword] = []
    if let nodes = try list("allOf", &compiler) { keywords.append(.allOf(nodes)) }
    if let nodes = try list("anyOf", &compiler) { keywords.append(.anyOf(nodes)) }
    if let nodes = try list("oneOf", &compiler) { keywords.append(.oneOf(nodes)) }
    if let node = child("not", &compiler) { keywords.append(.not(node)) }
    if let condition = child("if", &compiler) {
      keywords.append(
        .conditional(
          condition: condition, then: child("then", &compiler), otherwise: child("else", &compiler)))
    }
    return keywords
  }

  // MARK: - Values of keywords

  private func child(_ keyword: String, _ compiler: inout SchemaCompiler) -> Int? {
    schema.contains(keyword) ? compiler.node(at: location.appending([keyword])) : nil
  }

  private func list(_ keyword: String, _ compiler: inout SchemaCompiler) throws(SchemaError) -> [Int]? {
    guard let value = schema[keyword] else { return nil }
    guard let schemas = value.array else {
      throw fault(keyword, "must be an array of schemas")
    }
    return schemas.indices.map { compiler.node(at: location.appending([keyword, String($0)])) }
  }

  private func members(_ keyword: String, _ value: JSONValue) throws(SchemaError) -> JSONObject {
    guard let members = value.object else { throw fault(keyword, "must be an object") }
    return members
  }

  private func strings(_ value: JSONValue, _ keyword: String) throws(SchemaError) -> [String] {
    let strings = value.array?.compactMap(\.string)
    guard let strings, strings.count == value.array?.count else {
      throw fault(keyword, "must be an array of strings")
    }
    return strings
  }

  private func count(_ keyword: String) throws(SchemaError) -> Int? {
    guard let value = schema[keyword] else { return nil }
    guard let count = value.int, count >= 0 else {
      throw fault(keyword, "must be an integer of at least 0, found \(shortened(value.description))")
    }
    return count
  }

  private func pattern(_ text: String, _ keyword: String) throws(SchemaError) -> Pattern {
    do {
      return try Pattern(text)
    } catch {
      throw fault(keyword, "the pattern \(quoted(shortened(text))) \(error.reason)")
    }
  }

  private func fault(_ keyword: String, _ reason: String) -> SchemaError {
    SchemaError(
      document: document, pointer: location.pointer.appending(keyword), reason: reason)
  }
}
