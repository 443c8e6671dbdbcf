internal import JSON

/// A compiled schema: keyword nodes that refer to each other by index, the first is the root.
struct SchemaProgram: Sendable {
  struct Node: Sendable {
    /// Absolute location, `https://example.com/schema#/properties/a`.
    var location: String
    /// The resource it stands in, for the dynamic scope.
    var resource: Int
    /// In the order in which they are checked.
    var keywords: [Keyword] = [] {
      didSet {
        if case .never? = keywords.first { isNever = true }
        switch keywords.last {
        case .unevaluatedProperties?, .unevaluatedItems?: asksForUnevaluated = true
        default: asksForUnevaluated = false
        }
      }
    }

    /// Whether this is the schema `false`.
    private(set) var isNever = false
    /// Whether there is an unevaluated* among the keywords.
    private(set) var asksForUnevaluated = false

    init(location: String, resource: Int) {
      self.location = location
      self.resource = resource
    }
  }

  var nodes: [Node] = []
  /// For each name used by a `$dynamicRef`: the node of that `$dynamicAnchor` in each resource.
  var dynamicAnchors: [[Int: Int]] = []

  enum Keyword: Sendable {
    case never
    case type(TypeSet)
    case constant(JSONValue)
    case enumeration([JSONValue])
    case bound(Bound)
    case multipleOf(Multiple)
    case size(Size)
    case pattern(Pattern)
    case uniqueItems
    case required([String])
    case dependentRequired([(trigger: String, names: [String])])
    case members(Members)
    case propertyNames(Int)
    case items(prefix: [Int], rest: Int?, names: ItemNames)
    case contains(Contains)
    case allOf([Int])
    case anyOf([Int])
    case oneOf([Int])
    case not(Int)
    case conditional(condition: Int, then: Int?, otherwise: Int?)
    case dependentSchemas([(trigger: String, node: Int)], name: String)
    case reference(Int)
    case dynamicReference(anchor: Int, initial: Int)
    case unevaluatedProperties(Int)
    case unevaluatedItems(Int)
  }

  /// The kinds of values that `type` allows.
  struct TypeSet: OptionSet, Sendable {
    let rawValue: UInt8
    static let null = TypeSet(rawValue: 1)
    static let boolean = TypeSet(rawValue: 2)
    static let integer = TypeSet(rawValue: 4)
    static let number = TypeSet(rawValue: 8)
    static let string = TypeSet(rawValue: 16)
    static let array = TypeSet(rawValue: 32)
    static let object = TypeSet(rawValue: 64)

    static let named: [(name: String, type: TypeSet)] = [
      ("null", .null), ("boolean", .boolean), ("integer", .integer), ("number", .number),
      ("string", .string), ("array", .array), ("object", .object),
    ]
  }

  /// `properties`, `patternProperties` and `additionalProperties`, which need one pass together.
  struct Members: Sendable {
    var properties: [(name: String, node: Int)] = []
    /// Position in `properties`; only where there are too many to search in order.
    var index: [ExactText: Int] = [:]
    var patterns: [(pattern: Pattern, node: Int)] = []
    var additional: Int?

    var isEmpty: Bool { properties.isEmpty && patterns.isEmpty && additional == nil }

    mutating func makeIndex() {
      guard properties.count > 8 else { return }
      index = Dictionary(uniqueKeysWithValues: properties.enumerated().map { (ExactText($1.name), $0) })
    }

    func node(of name: String) -> Int? {
      if !index.isEmpty { return index[ExactText(name)].map { properties[$0].node } }
      for property in properties where property.name.isExactly(name) { return property.node }
      return nil
    }
  }

  /// What the two parts of `items` are called in the draft.
  struct ItemNames: Sendable {
    let prefix: String
    let rest: String
  }

  struct Contains: Sendable {
    let node: Int
    let least: Int
    let most: Int?
    /// Draft 7 has no unevaluatedItems, and no minContains to name.
    let leastName: String
  }
}
