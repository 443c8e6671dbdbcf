internal import JSON
internal import YAML

/// What looks odd in a case that can be read.
struct CaseRemarks {
  private(set) var all: [SourceError] = []
  private var captures: [(name: String, error: SourceError)] = []
  private var references: Set<String> = []

  init(_ node: YAMLNode) {
    if node["title"] == nil {
      all.append(node.error("the case has no title: one sentence that says what holds"))
    }
    let covers = node["covers"]?.elements ?? []
    if let first = covers.first, !covers.contains(where: { $0.json.string?.hasPrefix("req:") == true }) {
      all.append(first.error("the case covers no requirement, so a failure cannot name what is broken"))
    }
    for step in node["steps"]?.elements ?? [] { read(step) }
    for key in ["arm", "observe"] { if let value = node[key] { walk(value) } }
    for capture in captures where !references.contains(capture.name) { all.append(capture.error) }
    unarmed(covers, node)
  }

  private mutating func read(_ step: YAMLNode) {
    walk(step)
    let frames =
      [step["server"]].compactMap(\.self) + (step["unordered"]?.elements ?? []).compactMap { $0["server"] }
    for frame in frames where step["poll"] == nil {
      guard let entries = frame.entries, !entries.contains(where: { $0.key.hasPrefix("$") }) else { continue }
      if !entries.contains(where: { ["result", "error", "method", "params"].contains($0.key) }) {
        all.append(frame.error("any answer matches: say something of its result or error"))
      }
    }
  }

  private mutating func walk(_ node: YAMLNode) {
    for element in node.elements ?? [] { walk(element) }
    for entry in node.entries ?? [] {
      switch entry.key {
      case "$as":
        guard let name = entry.value.json.string else { break }
        let message = "the capture \(FlowText.text(.string(name))) is never used"
        captures.append((name, entry.value.error(message)))
      case "$ref": if let name = entry.value.json.string { references.insert(name) }
      case "$regex": pattern(entry.value)
      case "$oneOf": alternatives(entry.value)
      default: break
      }
      walk(entry.value)
    }
  }

  /// Patterns that every text matches.
  private mutating func pattern(_ node: YAMLNode) {
    guard let text = node.json.string else { return }
    let core = text.trimmingPrefix("^")
    if ["", ".*", ".*$", "$"].contains(core) {
      all.append(node.error("every text matches this pattern: {$type: string} says so"))
    }
  }

  private mutating func alternatives(_ node: YAMLNode) {
    let choices = node.elements ?? []
    for (index, choice) in choices.enumerated() {
      guard let earlier = choices[..<index].first(where: { Covering.covers($0.json, choice.json) }) else {
        continue
      }
      all.append(
        choice.error("never reached: \(FlowText.text(earlier.json, limit: 60)) before it matches all of it"))
    }
    if choices.count == 1 { all.append(node.error("one alternative is no choice: write the value itself")) }
  }

  /// A case that covers a fault makes it happen, by its name or in its own words.
  private mutating func unarmed(_ covers: [YAMLNode], _ node: YAMLNode) {
    let steps = node["steps"]?.elements ?? []
    guard node["arm"] == nil, !steps.contains(where: { $0["arm"] != nil }) else { return }
    for tag in covers where tag.json.string?.hasPrefix("fault:") == true {
      all.append(tag.error("nothing is armed, so the fault cannot happen"))
    }
  }
}

/// Whether one value of a transcript matches all that another matches; false where that is not plain.
enum Covering {
  static func covers(_ wide: JSONValue, _ narrow: JSONValue) -> Bool {
    if wide == narrow { return true }
    if let wide = wide.object, wide.count == 1, let type = type(wide) { return accepts(type, narrow) }
    if let wide = wide.object, let narrow = narrow.object, !isMatcher(wide), !isMatcher(narrow) {
      return wide.allSatisfy { key, value in narrow[key].map { covers(value, $0) } ?? false }
    }
    if let wide = wide.array, let narrow = narrow.array, wide.count == narrow.count {
      return zip(wide, narrow).allSatisfy { covers($0, $1) }
    }
    return false
  }

  private static func isMatcher(_ object: JSONObject) -> Bool { object.keys.contains { $0.hasPrefix("$") } }

  private static func type(_ object: JSONObject) -> ValueType? {
    guard let value = object["$type"] else { return nil }
    return value.isNull ? .null : value.string.flatMap(ValueType.init(rawValue:))
  }

  private static func accepts(_ wide: ValueType, _ narrow: JSONValue) -> Bool {
    guard let object = narrow.object, isMatcher(object) else { return wide.accepts(narrow) }
    guard let type = type(object) else {
      // Patterns are of texts, bounds of numbers.
      if object.contains("$regex") { return wide == .string || wide == .id }
      return object.contains("$between") && (wide == .number || wide == .id)
    }
    switch wide {
    case .string: return [.string, .uuid, .timestamp].contains(type)
    case .number: return [.number, .int].contains(type)
    case .id: return [.id, .string, .uuid, .timestamp, .number, .int].contains(type)
    default: return type == wide
    }
  }
}
