internal import JSON

extension SchemaEvaluator {
  // MARK: - Objects

  mutating func check(
    _ keyword: Keyword, of node: Int, _ object: JSONObject, _ value: JSONValue, _ seen: Evaluated?
  ) -> Bool {
    switch keyword {
    case .required(let names):
      return require(names, in: object, node, "required") { "\(quoted($0)) is missing" }
    case .dependentRequired(let dependencies):
      var isValid = true
      for (trigger, names) in dependencies where object.contains(trigger) {
        let isComplete = require(names, in: object, node, "dependentRequired") {
          "\(quoted($0)) is missing, which \(quoted(trigger)) needs"
        }
        isValid = isValid && isComplete
      }
      return isValid
    case .members(let members): return check(members, of: node, object, seen)
    case .propertyNames(let index):
      for (key, _) in object where !decide(index, .string(key), nil) {
        return fail(
          node, "propertyNames", at: .key(key), property: key,
          "the name \(quoted(shortened(key))) is not allowed")
      }
      return true
    case .dependentSchemas(let dependencies, _):
      var isValid = true
      for (trigger, index) in dependencies where object.contains(trigger) {
        isValid = evaluate(index, value, seen) && isValid
      }
      return isValid
    case .unevaluatedProperties(let index):
      return checkUnevaluated(index, of: node, object, seen)
    default: return true
    }
  }

  private mutating func require(
    _ names: [String], in object: JSONObject, _ node: Int, _ keyword: String, _ message: (String) -> String
  ) -> Bool {
    var isValid = true
    for name in names where !object.contains(name) {
      isValid = fail(node, keyword, property: name, message(name))
      if isDecided { return false }
    }
    return isValid
  }

  private mutating func check(
    _ members: SchemaProgram.Members, of node: Int, _ object: JSONObject, _ seen: Evaluated?
  ) -> Bool {
    var isValid = true
    for (position, member) in object.enumerated() {
      var isKnown = false
      if let index = members.node(of: member.key) {
        isKnown = true
        isValid = apply(index, to: member, of: node, "properties") && isValid
      }
      for (pattern, index) in members.patterns where matches(pattern, member.key, node, "patternProperties") {
        isKnown = true
        isValid = apply(index, to: member, of: node, "patternProperties") && isValid
      }
      if !isKnown, let index = members.additional {
        isKnown = true
        isValid = apply(index, to: member, of: node, "additionalProperties") && isValid
      }
      if isKnown { seen?.insert(position) }
      if !isValid, isDecided { return false }
    }
    return isValid
  }

  private mutating func apply(
    _ index: Int, to member: JSONObject.Member, of node: Int, _ keyword: String
  ) -> Bool {
    guard program.nodes[index].isNever else { return evaluate(index, member: member.key, member.value) }
    return fail(
      node, keyword, at: .key(member.key), property: member.key,
      "the property \(quoted(shortened(member.key))) is not allowed")
  }

  private mutating func checkUnevaluated(
    _ index: Int, of node: Int, _ object: JSONObject, _ seen: Evaluated?
  ) -> Bool {
    var isValid = true
    for (position, member) in object.enumerated() where seen?.contains(position) != true {
      isValid = apply(index, to: member, of: node, "unevaluatedProperties") && isValid
      if !isValid, isDecided { return false }
    }
    seen?.insertAll()
    return isValid
  }

  // MARK: - Arrays

  mutating func check(
    _ keyword: Keyword, of node: Int, _ elements: [JSONValue], _ value: JSONValue, _ seen: Evaluated?
  ) -> Bool {
    switch keyword {
    case .items(let prefix, let rest, let names):
      var isValid = true
      for (position, element) in elements.enumerated() {
        guard let index = position < prefix.count ? prefix[position] : rest else { break }
        let name = position < prefix.count ? names.prefix : names.rest
        isValid = apply(index, to: element, at: position, of: node, name) && isValid
        seen?.insert(position)
        if !isValid, isDecided { return false }
      }
      return isValid
    case .contains(let contains): return check(contains, of: node, elements, seen)
    case .unevaluatedItems(let index):
      var isValid = true
      for (position, element) in elements.enumerated() where seen?.contains(position) != true {
        isValid = apply(index, to: element, at: position, of: node, "unevaluatedItems") && isValid
        if !isValid, isDecided { return false }
      }
      seen?.insertAll()
      return isValid
    default: return true
    }
  }

  private mutating func apply(
    _ index: Int, to element: JSONValue, at position: Int, of node: Int, _ keyword: String
  ) -> Bool {
    guard program.nodes[index].isNever else { return evaluate(index, element: position, element) }
    return fail(node, keyword, at: .index(position), "the item \(position) is not allowed")
  }

  private mutating func check(
    _ contains: SchemaProgram.Contains, of node: Int, _ elements: [JSONValue], _ seen: Evaluated?
  ) -> Bool {
    var count = 0
    for (position, element) in elements.enumerated() where decide(contains.node, element, nil) {
      count += 1
      seen?.insert(position)
      if seen == nil, contains.most == nil, count >= contains.least { break }
    }
    if count < contains.least {
      return fail(
        node, contains.leastName,
        "has \(count) matching \(count == 1 ? "item" : "items"), at least \(contains.least) needed")
    }
    if let most = contains.most, count > most {
      return fail(node, "maxContains", "has \(count) matching items, at most \(most) allowed")
    }
    return true
  }
}
