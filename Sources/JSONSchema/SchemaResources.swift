internal import JSON

/// A place in one of the documents.
struct SchemaLocation: Hashable {
  let document: Int
  let pointer: JSONPointer

  func appending(_ tokens: [String]) -> SchemaLocation {
    SchemaLocation(document: document, pointer: JSONPointer(tokens: pointer.tokens + tokens))
  }
}

/// A schema resource (2020-12 Core §4.3.5): what a `$id`, or a document's URI, names.
struct SchemaResource {
  fileprivate(set) var uri: URIReference
  let root: SchemaLocation
  let dialect: SchemaDialect
  var anchors: [String: SchemaLocation] = [:]
  var dynamicAnchors: Set<String> = []
}

/// The documents of one compilation, the resources in them, and what references lead to.
struct SchemaResources {
  private(set) var resources: [SchemaResource] = []
  private var documents: [(uri: String, value: JSONValue)] = []
  private var byURI: [String: Int] = [:]
  private var byRoot: [SchemaLocation: Int] = [:]
  private let registry: SchemaRegistry
  private let defaultDraft: SchemaDraft

  /// How deep schemas may be nested in a document.
  private static let depthLimit = 256

  init(registry: SchemaRegistry, defaultDraft: SchemaDraft) {
    self.registry = registry
    self.defaultDraft = defaultDraft
  }

  /// Adds a document found at `uri` with all resources inside it.
  mutating func add(_ document: JSONValue, uri: String) throws(SchemaError) -> SchemaLocation {
    let root = SchemaLocation(document: documents.count, pointer: JSONPointer())
    let base = URIReference(uri)
    documents.append((base.withoutFragment, document))
    let dialect = try dialect(of: document, at: root) ?? SchemaDialect(draft: defaultDraft)
    let index = addResource(base, root, dialect)
    try scan(document, root, resource: index, isRoot: true, depth: 1)
    return root
  }

  func value(at location: SchemaLocation) -> JSONValue? {
    documents[location.document].value[location.pointer]
  }

  /// The resource a location belongs to: the nearest root above it.
  func resource(of location: SchemaLocation) -> Int {
    var tokens = location.pointer.tokens
    while true {
      let place = SchemaLocation(document: location.document, pointer: JSONPointer(tokens: tokens))
      if let index = byRoot[place] { return index }
      guard tokens.popLast() != nil else { return 0 }
    }
  }

  func error(_ reason: String, at location: SchemaLocation) -> SchemaError {
    SchemaError(document: documents[location.document].uri, pointer: location.pointer, reason: reason)
  }

  func documentURI(of location: SchemaLocation) -> String { documents[location.document].uri }

  /// The absolute URI of a location, by its document.
  func uri(of location: SchemaLocation) -> String {
    "\(documents[location.document].uri)#\(location.pointer)"
  }

  // MARK: - References

  /// What a reference leads to.
  struct Target {
    let location: SchemaLocation
    /// The name of the `$dynamicAnchor` it leads to, if it does.
    let dynamicAnchor: String?
  }

  mutating func resolve(
    _ reference: String, from location: SchemaLocation, at place: SchemaLocation
  ) throws(SchemaError) -> Target {
    let base = resources[resource(of: location)].uri
    let target = URIReference(reference).resolved(against: base)
    let index = try resource(at: target.withoutFragment, reference: reference, place: place)
    guard let fragment = target.decodedFragment else {
      guard target.fragment == nil else {
        throw error("the reference \(quoted(reference)) is malformed", at: place)
      }
      return Target(location: resources[index].root, dynamicAnchor: nil)
    }
    if let pointer = JSONPointer(fragment) {
      let found = resources[index].root.appending(pointer.tokens)
      guard value(at: found) != nil else { throw error("\(quoted(reference)) leads nowhere", at: place) }
      return Target(location: found, dynamicAnchor: nil)
    }
    guard let found = resources[index].anchors[fragment] else {
      throw error("\(quoted(reference)) names no anchor", at: place)
    }
    let isDynamic = resources[index].dynamicAnchors.contains(fragment)
    return Target(location: found, dynamicAnchor: isDynamic ? fragment : nil)
  }

  private mutating func resource(
    at uri: String, reference: String, place: SchemaLocation
  ) throws(SchemaError) -> Int {
    if let index = byURI[uri] { return index }
    guard let document = registry.document(uri) else {
      throw error("\(quoted(reference)) leads to no known document", at: place)
    }
    let root = try add(document, uri: uri)
    return byURI[uri] ?? resource(of: root)
  }

  // MARK: - Scanning

  private mutating func addResource(
    _ uri: URIReference, _ root: SchemaLocation, _ dialect: SchemaDialect
  ) -> Int {
    resources.append(SchemaResource(uri: uri, root: root, dialect: dialect))
    byRoot[root] = resources.count - 1
    if byURI[uri.withoutFragment] == nil { byURI[uri.withoutFragment] = resources.count - 1 }
    return resources.count - 1
  }

  private mutating func scan(
    _ schema: JSONValue, _ location: SchemaLocation, resource: Int, isRoot: Bool, depth: Int
  ) throws(SchemaError) {
    guard case .object(let members) = schema else { return }
    guard depth <= Self.depthLimit else {
      throw error("schemas are nested deeper than \(Self.depthLimit)", at: location)
    }
    let resource = try identify(schema, location, resource: resource, isRoot: isRoot)
    for (key, value) in members {
      guard let shape = resources[resource].dialect.draft.shape(of: key) else { continue }
      for (tokens, child) in shape.children(of: value) {
        try scan(
          child, location.appending([key] + tokens), resource: resource, isRoot: false, depth: depth + 1)
      }
    }
  }

  /// Takes in the names that a schema gives itself, and returns the resource it belongs to.
  private mutating func identify(
    _ schema: JSONValue, _ location: SchemaLocation, resource: Int, isRoot: Bool
  ) throws(SchemaError) -> Int {
    var resource = resource
    let isDraft7 = resources[resource].dialect.draft == .draft7
    // In draft 7 a `$ref` hides its siblings, `$id` among them (Core §8.3).
    if let id = schema["$id"]?.string, !(isDraft7 && schema["$ref"] != nil) {
      let reference = URIReference(id)
      if isDraft7, id.utf8.first == UInt8(ascii: "#") {
        try name(String(id.dropFirst()), location, in: resource, isDynamic: false)
      } else {
        guard isDraft7 || (reference.fragment ?? "").isEmpty else {
          throw error("$id \(quoted(id)) must have no fragment", at: location)
        }
        let uri = reference.resolved(against: resources[resource].uri)
        if isRoot {
          // The same resource by two names: where it was found, and what it calls itself.
          resources[resource].uri = uri
          documents[location.document].uri = uri.withoutFragment
          if byURI[uri.withoutFragment] == nil { byURI[uri.withoutFragment] = resource }
        } else {
          let dialect = try dialect(of: schema, at: location)
          resource = addResource(uri, location, dialect ?? resources[resource].dialect)
        }
      }
    }
    guard resources[resource].dialect.draft == .draft2020_12 else { return resource }
    if let anchor = schema["$anchor"]?.string { try name(anchor, location, in: resource, isDynamic: false) }
    if let anchor = schema["$dynamicAnchor"]?.string {
      try name(anchor, location, in: resource, isDynamic: true)
    }
    return resource
  }

  private mutating func name(
    _ anchor: String, _ location: SchemaLocation, in resource: Int, isDynamic: Bool
  ) throws(SchemaError) {
    if let other = resources[resource].anchors[anchor], other != location {
      throw error("the anchor \(quoted(anchor)) is given twice, first at \(uri(of: other))", at: location)
    }
    resources[resource].anchors[anchor] = location
    if isDynamic { resources[resource].dynamicAnchors.insert(anchor) }
  }

  /// What `$schema` says; nil if it is absent.
  private func dialect(of schema: JSONValue, at location: SchemaLocation) throws(SchemaError)
    -> SchemaDialect?
  {
    guard let name = schema["$schema"] else { return nil }
    guard let name = name.string else { throw error("$schema must be a string", at: location) }
    do {
      return try SchemaDialect.named(name, registry: registry)
    } catch {
      throw self.error(error.reason, at: location)
    }
  }
}

/// The text in double quotes with JSON's escapes.
func quoted(_ text: String) -> String { JSONWriter.text(.string(text)) }
