internal import JSON
internal import ProtocolSpec

/// A place in a schema of the specification, for telling what its values are like.
struct RecordedSchema {
  private let root: JSONValue
  private let here: JSONValue?

  init(_ root: JSONValue) { self.init(root, root) }

  private init(_ root: JSONValue, _ here: JSONValue?) {
    self.root = root
    self.here = Self.resolved(here, root)
  }

  private static func resolved(_ schema: JSONValue?, _ root: JSONValue) -> JSONValue? {
    guard let reference = schema?["$ref"]?.string else { return schema }
    guard reference.hasPrefix("#"), let pointer = JSONPointer(String(reference.dropFirst())) else {
      return nil
    }
    return root[pointer]
  }

  /// Whether the schema says anything of this place.
  var isKnown: Bool { here != nil }
  /// Whether it names the values that may stand here.
  var isFixed: Bool { here?["enum"] != nil || here?["const"] != nil }
  var isInteger: Bool { here?["type"] == "integer" }
  var items: RecordedSchema? { here?["items"].map { RecordedSchema(root, $0) } }

  func member(_ key: String) -> RecordedSchema {
    RecordedSchema(root, here?["properties"]?[key] ?? here?["additionalProperties"])
  }

  /// Members of which nothing is known are kept.
  func requires(_ key: String) -> Bool {
    guard here?["properties"]?[key] != nil else { return true }
    return here?["required"]?.array?.contains(.string(key)) ?? false
  }
}

extension ErrorTable {
  /// The text behind `ERROR.text` or `ERROR.VARIANT`.
  func template(_ name: String) -> TextTemplate? {
    let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
    guard parts.count == 2, let error = all.first(where: { $0.name.rawValue == parts[0] }) else { return nil }
    return TextTemplate(error.variants[parts[1]] ?? error.text)
  }
}

extension ErrorSpec {
  /// Which of its texts this is, as `$spec` names it: the one that leaves least open.
  func specified(_ text: String) -> String? {
    ([("text", self.text)] + variants.sorted { $0.key < $1.key })
      .filter { TextTemplate($0.1).matches(text) }
      .max { Self.fixed($0.1) < Self.fixed($1.1) }
      .map { "\(name.rawValue).\($0.0)" }
  }

  /// How many characters of the text `$spec` names are no placeholder.
  func fixedCount(_ specified: String) -> Int {
    let variant = specified.split(separator: ".").last.map(String.init) ?? ""
    return Self.fixed(variants[variant] ?? text)
  }

  private static func fixed(_ template: String) -> Int {
    var count = 0
    var isOpen = false
    for character in template {
      if character == "{" { isOpen = true }
      if !isOpen { count += 1 }
      if character == "}" { isOpen = false }
    }
    return count
  }
}

extension StateMachine<TaskState> {
  /// The state and all that may follow it, in the order of their declaration.
  func reachable(from state: TaskState) -> [JSONValue] {
    var found: Set<TaskState> = [state]
    var rest = [state]
    while let next = rest.popLast() {
      for other in TaskState.allCases where allows(next, other) && found.insert(other).inserted {
        rest.append(other)
      }
    }
    return TaskState.allCases.filter(found.contains).map { .string($0.rawValue) }
  }
}
