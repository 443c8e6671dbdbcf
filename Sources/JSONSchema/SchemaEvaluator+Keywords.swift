internal import JSON

extension SchemaEvaluator {
  typealias Keyword = SchemaProgram.Keyword

  mutating func check(_ keyword: Keyword, of node: Int, _ value: JSONValue, _ seen: Evaluated?) -> Bool {
    switch keyword {
    case .never: return fail(node, "", "no value is allowed here")
    case .type(let types): return types.allows(value) || fail(node, "type", types.message(value))
    case .constant(let constant):
      return value == constant || fail(node, "const", "must be \(shortened(constant.description))")
    case .enumeration(let values): return values.contains(value) || fail(node, "enum", Self.oneOf(values))
    case .bound(let bound):
      guard case .number(let number) = value, !bound.allows(number) else { return true }
      return fail(node, bound.kind.rawValue, bound.message(number))
    case .multipleOf(let multiple):
      guard case .number(let number) = value, !multiple.divides(number) else { return true }
      return fail(node, "multipleOf", "is \(shortened(number.text)), must be a multiple of \(multiple.text)")
    case .size(let size):
      return !size.isBroken(by: value) || fail(node, size.kind.rawValue, size.message(value))
    case .pattern(let pattern):
      guard case .string(let text) = value else { return true }
      return matches(pattern, text, node, "pattern")
        || fail(node, "pattern", "does not match \(pattern.source)")
    case .uniqueItems:
      guard case .array(let elements) = value, let (first, second) = Self.duplicate(elements) else {
        return true
      }
      return fail(node, "uniqueItems", "the items \(first) and \(second) are equal")
    case .required, .dependentRequired, .members, .propertyNames, .dependentSchemas, .unevaluatedProperties:
      guard case .object(let object) = value else { return true }
      return check(keyword, of: node, object, value, seen)
    case .items, .contains, .unevaluatedItems:
      guard case .array(let elements) = value else { return true }
      return check(keyword, of: node, elements, value, seen)
    case .reference(let target): return evaluate(target, value, seen)
    case .dynamicReference(let anchor, let initial):
      return evaluate(target(ofAnchor: anchor, initial: initial), value, seen)
    case .allOf, .anyOf, .oneOf, .not, .conditional: return combine(keyword, of: node, value, seen)
    }
  }

  // MARK: - Combinations

  private mutating func combine(
    _ keyword: Keyword, of node: Int, _ value: JSONValue, _ seen: Evaluated?
  ) -> Bool {
    switch keyword {
    case .allOf(let nodes):
      var isValid = true
      for index in nodes where !evaluate(index, value, seen) {
        isValid = false
        if isDecided { return false }
      }
      return isValid
    case .anyOf(let nodes):
      var isValid = false
      for index in nodes where branch(index, value, seen) {
        isValid = true
        // Each branch that holds adds to what is evaluated.
        if seen == nil { return true }
      }
      return isValid || fail(node, "anyOf", "matches none of the \(nodes.count) alternatives")
    case .oneOf(let nodes):
      var matching: [Int] = []
      for (position, index) in nodes.enumerated() where branch(index, value, seen) {
        matching.append(position)
        if matching.count == 2 { break }
      }
      switch matching.count {
      case 1: return true
      case 0: return fail(node, "oneOf", "matches none of the \(nodes.count) alternatives")
      default:
        return fail(
          node, "oneOf", "matches the alternatives \(matching[0]) and \(matching[1]), exactly one is allowed")
      }
    case .not(let index):
      return !decide(index, value, seen.map { _ in Evaluated() })
        || fail(node, "not", "matches what is excluded")
    case .conditional(let condition, let then, let otherwise):
      guard let next = branch(condition, value, seen) ? then : otherwise else { return true }
      return evaluate(next, value, seen)
    default: return true
    }
  }

  /// Decides a schema whose failure is no violation; only its success adds to `seen`.
  private mutating func branch(_ index: Int, _ value: JSONValue, _ seen: Evaluated?) -> Bool {
    guard let seen else { return decide(index, value, nil) }
    let inner = Evaluated()
    guard decide(index, value, inner) else { return false }
    seen.formUnion(inner)
    return true
  }

  // MARK: - Values

  mutating func matches(_ pattern: Pattern, _ text: String, _ node: Int, _ keyword: String) -> Bool {
    switch pattern.search(text) {
    case .found: return true
    case .absent: return false
    case .undecided:
      giveUp(node, keyword, "cannot be decided: the search for \(pattern.source) takes too long")
      return false
    }
  }

  private static func oneOf(_ values: [JSONValue]) -> String {
    let shown = values.prefix(20).map { shortened($0.description) }
    let more = values.count > shown.count ? ", …" : ""
    return shown.isEmpty
      ? "no value is allowed here" : "must be one of \(shown.joined(separator: ", "))\(more)"
  }

  private static func duplicate(_ elements: [JSONValue]) -> (Int, Int)? {
    guard elements.count > 1 else { return nil }
    var positions: [JSONValue: Int] = [:]
    for (position, element) in elements.enumerated() {
      if let first = positions.updateValue(position, forKey: element) { return (first, position) }
    }
    return nil
  }
}

extension SchemaProgram.TypeSet {
  func allows(_ value: JSONValue) -> Bool {
    switch value {
    case .null: contains(.null)
    case .bool: contains(.boolean)
    case .number(let number): contains(.number) || (contains(.integer) && number.isInteger)
    case .string: contains(.string)
    case .array: contains(.array)
    case .object: contains(.object)
    }
  }

  func message(_ value: JSONValue) -> String {
    let names = Self.named.filter { contains($0.type) }.map { Self.article($0.name) }
    let allowed =
      names.count > 1
      ? names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1] : names.joined()
    let found =
      if case .number(let number) = value {
        "the number \(shortened(number.text))"
      } else {
        Self.article(value.typeName)
      }
    return "is \(found), must be \(allowed)"
  }

  private static func article(_ name: String) -> String {
    switch name {
    case "null": name
    case "array", "object", "integer": "an \(name)"
    default: "a \(name)"
    }
  }
}
