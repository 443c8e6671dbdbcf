internal import JSON

/// Turns a schema and all it refers to into a program.
///
/// Work waits in a queue instead of on the stack, so neither cycles nor long chains of references
/// can exhaust it.
struct SchemaCompiler {
  private(set) var resources: SchemaResources
  private var program = SchemaProgram()
  private var nodes: [SchemaLocation: Int] = [:]
  private var queue: [SchemaLocation] = []
  /// The names that a `$dynamicRef` uses, by their position in the program's table.
  private var dynamicNames: [String: Int] = [:]

  /// Nodes of a program: hostile remote documents must end somewhere.
  private static let nodeLimit = 200_000

  static func compile(
    _ schema: JSONValue, baseURI: String, defaultDraft: SchemaDraft, registry: SchemaRegistry
  ) throws(SchemaError) -> SchemaProgram {
    var resources = SchemaResources(registry: registry, defaultDraft: defaultDraft)
    let root = try resources.add(schema, uri: baseURI)
    var compiler = SchemaCompiler(resources: resources)
    _ = compiler.node(at: root)
    try compiler.run()
    return compiler.program
  }

  private init(resources: SchemaResources) { self.resources = resources }

  private mutating func run() throws(SchemaError) {
    var done = 0
    while done < queue.count {
      guard queue.count <= Self.nodeLimit else {
        throw resources.error("more than \(Self.nodeLimit) schemas", at: queue[done])
      }
      try compileNode(done)
      done += 1
      // Anchors count as soon as their resource is known; new documents bring new ones.
      if done == queue.count { enqueueDynamicAnchors() }
    }
  }

  private mutating func enqueueDynamicAnchors() {
    for (name, position) in dynamicNames.sorted(by: { $0.value < $1.value }) {
      for (index, resource) in resources.resources.enumerated() where resource.dynamicAnchors.contains(name) {
        guard program.dynamicAnchors[position][index] == nil, let location = resource.anchors[name] else {
          continue
        }
        program.dynamicAnchors[position][index] = node(at: location)
      }
    }
  }

  /// The node for a location, which is compiled later if it is new.
  mutating func node(at location: SchemaLocation) -> Int {
    if let index = nodes[location] { return index }
    let index = queue.count
    nodes[location] = index
    queue.append(location)
    program.nodes.append(
      SchemaProgram.Node(location: resources.uri(of: location), resource: resources.resource(of: location)))
    return index
  }

  mutating func resolve(
    _ reference: String, from location: SchemaLocation, keyword: String
  ) throws(SchemaError) -> SchemaResources.Target {
    try resources.resolve(reference, from: location, at: location.appending([keyword]))
  }

  /// The position of a name in the program's table of dynamic anchors.
  mutating func dynamicAnchor(_ name: String) -> Int {
    if let position = dynamicNames[name] { return position }
    dynamicNames[name] = program.dynamicAnchors.count
    program.dynamicAnchors.append([:])
    return program.dynamicAnchors.count - 1
  }

  private mutating func compileNode(_ index: Int) throws(SchemaError) {
    let location = queue[index]
    switch resources.value(at: location) {
    case .bool(true)?: break
    case .bool(false)?: program.nodes[index].keywords = [.never]
    case .object(let schema)?:
      let dialect = resources.resources[program.nodes[index].resource].dialect
      let reader = KeywordReader(
        schema, at: location, of: resources.documentURI(of: location), dialect: dialect)
      let keywords = try reader.keywords(&self)
      program.nodes[index].keywords = keywords
    default: throw resources.error("a schema must be an object or a boolean", at: location)
    }
  }
}
