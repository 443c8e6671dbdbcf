internal import JSON
internal import JSONSchema
package import ProtocolSpec
package import YAML

/// Compiles the values of one case in the order in which they are played, and so knows what is
/// captured where.
package struct MatcherReader {
  private let spec: Specification
  private let dialect: TranscriptDialect
  private var names: [String] = []
  /// The variables that `$secret` reads.
  private(set) var secrets: [String] = []

  private static let keys = [
    "$type", "$regex", "$oneOf", "$between", "$absent", "$contains", "$length", "$schema", "$spec", "$as",
    "$ref", "$next", "$secret", "$repeat", "$json", "$join", "$say", "$exactly",
  ]

  package init(spec: Specification, dialect: TranscriptDialect) {
    self.spec = spec
    self.dialect = dialect
  }

  package mutating func matcher(_ node: YAMLNode) throws(SourceError) -> Matcher {
    switch node.content {
    case .scalar: return Matcher(place: node.place, source: node.json, rule: .exactly)
    case .sequence(let nodes):
      return Matcher(place: node.place, source: node.json, rule: .array(try matchers(nodes)))
    case .mapping(let entries):
      guard entries.contains(where: { $0.key.hasPrefix("$") }) else {
        return Matcher(place: node.place, source: node.json, rule: .object(try members(entries)))
      }
      return try special(node)
    }
  }

  /// Takes the captures of `node` for known.
  mutating func assume(_ node: YAMLNode) {
    for entry in node.entries ?? [] {
      if entry.key == "$as", let name = entry.value.json.string, !names.contains(name) { names.append(name) }
      assume(entry.value)
    }
    for element in node.elements ?? [] { assume(element) }
  }

  private mutating func matchers(_ nodes: [YAMLNode]) throws(SourceError) -> [Matcher] {
    var matchers: [Matcher] = []
    for node in nodes { matchers.append(try matcher(node)) }
    return matchers
  }

  private mutating func members(_ entries: [YAMLNode.Entry]) throws(SourceError) -> [Matcher.Member] {
    var members: [Matcher.Member] = []
    for entry in entries {
      members.append(Matcher.Member(key: entry.key, matcher: try matcher(entry.value)))
    }
    return members
  }

  private mutating func special(_ node: YAMLNode) throws(SourceError) -> Matcher {
    let entries = try node.mapping()
    let members = node["$schema"] == nil ? [] : entries.filter { !$0.key.hasPrefix("$") }
    try node.checkKeys(Self.keys + (node["$repeat"] == nil ? [] : ["times"]) + members.map(\.key))
    if let value = node["$exactly"] {
      guard node.entries?.count == 1 else { throw value.error("$exactly stands alone") }
      return Matcher(place: node.place, source: value.json, rule: .exactly)
    }
    var checks: [Matcher.Check] = []
    var capture: String?
    for entry in entries where entry.key.hasPrefix("$") {
      if entry.key == "$as" {
        capture = try entry.value.string()
      } else {
        checks.append(try check(entry.key, entry.value, in: node))
      }
    }
    if !members.isEmpty { checks.append(.members(try self.members(members))) }
    if let capture, !names.contains(capture) { names.append(capture) }
    return Matcher(place: node.place, source: node.json, rule: .all(checks, capture: capture))
  }

  private mutating func check(
    _ key: String, _ value: YAMLNode, in node: YAMLNode
  ) throws(SourceError) -> Matcher.Check {
    switch key {
    // A plain null is YAML's null, but here the name of a type.
    case "$type": return .type(value.json.isNull ? .null : try value.choice(what: "type"))
    case "$regex": return .regex(try pattern(value))
    case "$oneOf":
      guard try !value.sequence().isEmpty else { throw value.error("at least one value is expected") }
      return .oneOf(try matchers(value.sequence()))
    case "$between": return try between(value)
    case "$absent": return .absent(try value.bool())
    case "$contains": return .contains(try matcher(value))
    case "$length": return .length(try length(value))
    case "$schema": return try schema(value)
    case "$spec": return try specified(value)
    case "$ref":
      let name = try value.string(among: names, what: "capture")
      return .reference(name)
    case "$secret":
      secrets.append(try value.string())
      return .secret(try value.string())
    case "$next":
      _ = try value.string(among: ["int"], what: "generator")
      return .next
    case "$json": return .json(try matcher(value))
    case "$join": return .joined(try joined(value))
    case "$say":
      let said = try matcher(value)
      if let bad = said.firstUnspeakable() {
        throw value.error("\(FlowText.text(bad.source)) gives no value to say", at: bad.place)
      }
      return .said(said)
    default:
      let times = try node.required("times")
      let count = try times.int()
      guard (0...64 << 20).contains(count) else {
        throw times.error("0 to 67108864 times is expected, not \(count)")
      }
      let text = try value.string()
      // The text is made at once when it is spoken.
      guard text.utf8.count * count <= 64 << 20 else {
        throw times.error("a text of at most 67108864 bytes is expected, not \(text.utf8.count * count)")
      }
      return .repeated(text, times: count)
    }
  }

  /// Two parts of any length side by side could be told apart in more than one way.
  private mutating func joined(_ node: YAMLNode) throws(SourceError) -> [Matcher] {
    let parts = try matchers(node.sequence())
    for (part, next) in zip(parts, parts.dropFirst()) where !part.isFixedText && !next.isFixedText {
      throw node.error("a text or a $ref must stand between two parts of any length", at: next.place)
    }
    return parts
  }

  /// A number is also how long a text is made that is spoken.
  private mutating func length(_ node: YAMLNode) throws(SourceError) -> Matcher {
    if case .scalar(let value) = node.content {
      guard let length = value.int, (0...64 << 20).contains(length) else {
        throw node.error("a length from 0 to 67108864 is expected, not \(FlowText.text(value))")
      }
    }
    return try matcher(node)
  }

  private func pattern(_ node: YAMLNode) throws(SourceError) -> String {
    let pattern = try node.string()
    do {
      _ = try Regex(pattern)
    } catch {
      throw node.error("not a regular expression: \(error)")
    }
    return pattern
  }

  private func between(_ node: YAMLNode) throws(SourceError) -> Matcher.Check {
    let bounds = try node.sequence()
    guard bounds.count == 2, let low = bounds[0].json.number, let high = bounds[1].json.number else {
      throw node.error("two numbers are expected: [low, high]")
    }
    guard !(high < low) else { throw node.error("nothing lies between \(low.text) and \(high.text)") }
    return .between(low, high)
  }

  /// `METHOD/params`, `METHOD/result`, `NOTIFICATION/params` or `omni:task`; in the bare dialect the result it has there.
  private func schema(_ node: YAMLNode) throws(SourceError) -> Matcher.Check {
    let known =
      ["omni:task"] + spec.methods.flatMap { ["\($0.name)/params", "\($0.name)/result"] }
      + spec.notifications.map { "\($0.name.rawValue)/params" }
    let name = try node.string(among: known, what: "schema")
    let parts = name.split(separator: "/").map(String.init)
    if let notification = spec.notifications.first(where: { $0.name.rawValue == parts[0] }) {
      return .schema(notification.params, source: notification.paramsSchema)
    }
    guard parts.count == 2, let method = spec.method(parts[0]) else {
      // The task alone is what get_task_status gives.
      return .schema(spec.taskSchema, source: spec.method("get_task_status")?.resultSchema ?? .bool(true))
    }
    if parts[1] == "params" { return .schema(method.params, source: method.paramsSchema) }
    if dialect == .bare, let bare = method.bareResult {
      return .schema(bare, source: method.bareResultSchema ?? .bool(true))
    }
    return .schema(method.result, source: method.resultSchema)
  }

  /// `ERROR` is its code, `ERROR.text` its text, `ERROR.VARIANT` another text of it.
  private func specified(_ node: YAMLNode) throws(SourceError) -> Matcher.Check {
    var known = spec.errors.all.map(\.name.rawValue)
    for error in spec.errors.all {
      known += (["text"] + error.variants.keys.sorted()).map { "\(error.name.rawValue).\($0)" }
    }
    let given = try node.string(among: known, what: "error")
    let parts = given.split(separator: ".", maxSplits: 1).map(String.init)
    guard let name = ErrorName(rawValue: parts[0]) else { throw node.error("unknown error \(parts[0])") }
    let error = spec.errors[name]
    guard parts.count == 2 else { return .code(error.code) }
    return .text(TextTemplate(error.variants[parts[1]] ?? error.text))
  }
}

extension YAMLNode {
  /// One of the raw values of an enumeration; `what` says what it names.
  func choice<Choice: RawRepresentable & CaseIterable>(
    _ type: Choice.Type = Choice.self, what: String
  ) throws(SourceError) -> Choice where Choice.RawValue == String {
    let known = Choice.allCases.map(\.rawValue)
    guard let choice = Choice(rawValue: try string(among: known, what: what)) else {
      throw error("one of \(known.joined(separator: ", ")) is expected")
    }
    return choice
  }
}
