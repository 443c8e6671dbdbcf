internal import JSON

/// Runs a program on one value.
///
/// With a limit of 0 it only decides: nothing is recorded, and it stops at the first violation.
struct SchemaEvaluator {
  let program: SchemaProgram
  private let limit: Int
  private(set) var violations: [SchemaViolation] = []
  /// Where in the value it is; only kept while violations are recorded.
  private var path: [PathStep] = []
  /// Whether violations are recorded at the moment; not inside `not`, `anyOf` and their like.
  private(set) var records: Bool
  /// The resources entered on the way, outermost first (2020-12 Core §7.1).
  private var scope: [Int] = []
  private var depth = 0
  private var steps = 0
  /// Set when a schema could not be decided. It makes the whole value invalid, also under `not`.
  private(set) var gaveUp = false

  enum PathStep {
    case key(String)
    case index(Int)
  }

  /// How many schemas may be in progress at a time. It ends references that lead to themselves
  /// before the stack does: optimised, so many levels fit in half a megabyte.
  static let depthLimit = 1024

  /// How many times a schema may be applied: a value of a megabyte needs a few million, branches
  /// of branches over and over could need any number.
  static let stepLimit = 5_000_000

  init(_ program: SchemaProgram, limit: Int) {
    self.program = program
    self.limit = limit
    records = limit > 0
  }

  mutating func run(_ value: JSONValue) -> Bool { evaluate(0, value, nil) && !gaveUp }

  /// Whether `value` is valid by the node; `seen` takes in what of the value was evaluated.
  mutating func evaluate(_ index: Int, _ value: JSONValue, _ seen: Evaluated?) -> Bool {
    guard !gaveUp else { return false }
    guard depth < Self.depthLimit else {
      giveUp(index, "$ref", "cannot be decided: more than \(Self.depthLimit) schemas apply inside each other")
      return false
    }
    steps += 1
    guard steps <= Self.stepLimit else {
      giveUp(index, "$ref", "cannot be decided: schemas apply more than \(Self.stepLimit) times")
      return false
    }
    depth += 1
    let entersResource = !program.dynamicAnchors.isEmpty && scope.last != program.nodes[index].resource
    if entersResource { scope.append(program.nodes[index].resource) }
    defer {
      depth -= 1
      if entersResource { scope.removeLast() }
    }
    guard program.nodes[index].asksForUnevaluated else { return check(index, value, seen) }
    // What schemas beside this one evaluated does not count for its own unevaluated*.
    let own = Evaluated()
    guard check(index, value, own) else { return false }
    seen?.formUnion(own)
    return true
  }

  private mutating func check(_ index: Int, _ value: JSONValue, _ seen: Evaluated?) -> Bool {
    var isValid = true
    for keyword in program.nodes[index].keywords where !check(keyword, of: index, value, seen) {
      isValid = false
      if isDecided { return false }
    }
    return isValid
  }

  /// Whether a violation has been found, and no more are wanted.
  var isDecided: Bool { !records || gaveUp || violations.count >= limit }

  /// Evaluates without recording.
  mutating func decide(_ index: Int, _ value: JSONValue, _ seen: Evaluated?) -> Bool {
    let recorded = records
    records = false
    defer { records = recorded }
    return evaluate(index, value, seen)
  }

  mutating func evaluate(_ index: Int, member key: String, _ value: JSONValue) -> Bool {
    guard records else { return evaluate(index, value, nil) }
    path.append(.key(key))
    defer { path.removeLast() }
    return evaluate(index, value, nil)
  }

  mutating func evaluate(_ index: Int, element: Int, _ value: JSONValue) -> Bool {
    guard records else { return evaluate(index, value, nil) }
    path.append(.index(element))
    defer { path.removeLast() }
    return evaluate(index, value, nil)
  }

  /// The node a `$dynamicRef` leads to: the outermost in scope with that anchor (Core §8.2.3.2).
  func target(ofAnchor anchor: Int, initial: Int) -> Int {
    for resource in scope {
      if let node = program.dynamicAnchors[anchor][resource] { return node }
    }
    return initial
  }

  // MARK: - Violations

  /// Records a violation if that is wanted, and returns false for the caller to return.
  mutating func fail(
    _ node: Int, _ keyword: String, at step: PathStep? = nil, property: String? = nil,
    _ message: @autoclosure () -> String
  ) -> Bool {
    guard !isDecided else { return false }
    record(node, keyword, at: step, property: property, message())
    return false
  }

  mutating func giveUp(_ node: Int, _ keyword: String, _ message: String) {
    gaveUp = true
    guard limit > 0 else { return }
    if violations.count >= limit { violations.removeLast() }
    record(node, keyword, at: nil, property: nil, message)
  }

  private mutating func record(
    _ node: Int, _ keyword: String, at step: PathStep?, property: String?, _ message: String
  ) {
    let steps = path + (step.map { [$0] } ?? [])
    let tokens = steps.map { step in
      switch step {
      case .key(let key): key
      case .index(let index): String(index)
      }
    }
    let location = program.nodes[node].location
    violations.append(
      SchemaViolation(
        instance: JSONPointer(tokens: tokens), schema: keyword.isEmpty ? location : "\(location)/\(keyword)",
        keyword: keyword, message: message, property: property))
  }
}

/// Which members and elements of a value were evaluated by the schemas applied to it
/// (2020-12 Core §11); only kept where an unevaluated* asks.
final class Evaluated {
  private(set) var isWhole = false
  private var positions: [Bool] = []

  func insert(_ position: Int) {
    guard !isWhole else { return }
    if position >= positions.count {
      positions += repeatElement(false, count: position + 1 - positions.count)
    }
    positions[position] = true
  }

  func insertAll() { isWhole = true }

  func contains(_ position: Int) -> Bool {
    isWhole || (position < positions.count && positions[position])
  }

  func formUnion(_ other: Evaluated) {
    if other.isWhole { isWhole = true }
    for position in other.positions.indices where other.positions[position] { insert(position) }
  }
}
