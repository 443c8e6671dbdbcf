internal import JSON
internal import JSONSchema
internal import ProtocolSpec

/// A value twice: as it is, and as a transcript says it, with long texts as `{$repeat: …}`.
struct Spoken {
  let real: JSONValue
  let said: JSONValue

  init(_ value: JSONValue) { (real, said) = (value, value) }

  init(real: JSONValue, said: JSONValue) {
    self.real = real
    self.said = said
  }

  init(repeating text: String, times: Int) {
    real = .string(String(repeating: text, count: times))
    said = times < 2 ? real : ["$repeat": .string(text), "times": .int(times)]
  }

  init(_ element: Spoken, count: Int) {
    real = .array(Array(repeating: element.real, count: count))
    said = .array(Array(repeating: element.said, count: count))
  }
}

/// Params that try one keyword of a schema, and what they must be answered with.
struct Probe {
  let params: Spoken
  /// Empty: they fit.
  let violations: [Violation]
  let why: String
}

/// All that try one keyword at one place.
struct ProbeGroup {
  /// Where in the params; array elements are `0`.
  let path: [String]
  let keyword: String
  var probes: [Probe]

  var isAccepting: Bool { probes.allSatisfy { $0.violations.isEmpty } }
}

/// Walks the schema of a method's params and tries every keyword from both sides.
///
/// What violates is decided by the schema itself: a probe whose params fit is one that must be served.
struct SchemaProbes {
  let method: MethodSpec
  private let schema: JSONValue
  private(set) var groups: [ProbeGroup] = []
  private var random: SeededGenerator

  /// Keywords that say nothing about values.
  private static let annotations = ["description", "default", "title", "$defs", "$schema", "$id"]

  init(_ method: MethodSpec, seed: UInt64) {
    self.method = method
    schema = method.paramsSchema
    random = SeededGenerator(seed: seed, stream: "schema \(method.name)")
    walk(schema, at: []) { $0 }
  }

  /// Keywords of the schema that no probe tries: a new one wants a probe.
  var untried: [String] {
    var found: [String] = []
    Self.keywords(schema, &found)
    let tried = Set(groups.map(\.keyword))
    return found.filter { !tried.contains($0) && !["properties", "items", "type"].contains($0) }
  }

  private static func keywords(_ schema: JSONValue, _ found: inout [String]) {
    for (key, value) in schema.object ?? JSONObject() where !annotations.contains(key) {
      if !found.contains(key) { found.append(key) }
      if key == "properties" { for (_, member) in value.object ?? JSONObject() { keywords(member, &found) } }
      if key == "items" { keywords(value, &found) }
    }
  }

  // MARK: Samples

  /// A value that fits: of everything only what is required.
  static func sample(_ schema: JSONValue) -> JSONValue {
    if let choice = schema["enum"]?[0] { return choice }
    switch schema["type"]?.string {
    case "string":
      return .string(schema["pattern"] == nil && schema["minLength"] == nil ? "no-such-one" : "hi")
    case "integer", "number": return schema["minimum"] ?? 1
    case "boolean": return true
    case "array":
      let item = sample(schema["items"] ?? .object(JSONObject()))
      return .array(Array(repeating: item, count: schema["minItems"]?.int ?? 0))
    default:
      var object = JSONObject()
      for name in schema["required"]?.array ?? [] {
        guard let name = name.string, let member = schema["properties"]?[name] else { continue }
        object[name] = sample(member)
      }
      return .object(object)
    }
  }

  /// A sample of all params, with `value` at a place below it.
  private static func placed(_ value: Spoken, _ name: String, in object: JSONValue, said: JSONValue) -> Spoken
  {
    var real = object.object ?? JSONObject()
    var spoken = said.object ?? JSONObject()
    real[name] = value.real
    spoken[name] = value.said
    return Spoken(real: .object(real), said: .object(spoken))
  }

  // MARK: Walking

  /// - Parameter whole: makes params of a value at `path`.
  private mutating func walk(_ schema: JSONValue, at path: [String], _ whole: (Spoken) -> Spoken) {
    types(schema, path, whole)
    lengths(schema, path, whole)
    numbers(schema, path, whole)
    let base = Self.sample(schema)
    for name in schema["required"]?.array ?? [] {
      guard let name = name.string, var rest = base.object else { continue }
      rest[name] = nil
      attempt(path + [name], "required", [(whole(Spoken(.object(rest))), "\(name) is absent")])
    }
    if schema["type"] == "object" {
      var more = base.object ?? JSONObject()
      more["no_such_member"] = ["a": [1, .null, "x"]]
      let probe = (whole(Spoken(.object(more))), "a member that nobody knows is ignored")
      attempt(path, "unknown members", [probe])
    }
    for (name, member) in schema["properties"]?.object ?? JSONObject() {
      walk(member, at: path + [name]) { whole(Self.placed($0, name, in: base, said: base)) }
    }
    if let items = schema["items"] {
      walk(items, at: path + ["0"]) { whole(Spoken($0, count: 1)) }
    }
  }

  private mutating func attempt(_ path: [String], _ keyword: String, _ list: [(Spoken, String)]) {
    // What must be refused and what must be served are two cases, so that one failure tells one thing.
    var served = ProbeGroup(path: path, keyword: keyword, probes: [])
    var refused = served
    for (params, why) in list {
      let violations = Self.violations(of: params.real, method)
      let probe = Probe(params: params, violations: violations, why: why)
      if violations.isEmpty { served.probes.append(probe) } else { refused.probes.append(probe) }
    }
    for group in [refused, served] where !group.probes.isEmpty {
      let same = groups.firstIndex {
        $0.path == path && $0.keyword == keyword && $0.isAccepting == group.isAccepting
      }
      if let same { groups[same].probes += group.probes } else { groups.append(group) }
    }
  }

  static func violations(of params: JSONValue, _ method: MethodSpec) -> [Violation] {
    var list: [Violation] = []
    for violation in method.params.validate(params) {
      var path = violation.instance.tokens
      if violation.keyword == "required", let property = violation.property { path.append(property) }
      let entry = Violation(path: path, keyword: violation.keyword)
      if !list.contains(entry) { list.append(entry) }
    }
    return list
  }

  // MARK: Keywords

  private mutating func types(_ schema: JSONValue, _ path: [String], _ whole: (Spoken) -> Spoken) {
    let number = Int.random(in: 2...1_000_000, using: &random)
    let values: [JSONValue] = [
      .null, true, false, 0, .int(-number), .number(JSONNumber(checked: "1.5")), "", "text", .array([]), [1],
      .object(JSONObject()), ["a": 1],
    ]
    let name = path.last ?? "params"
    if let choices = schema["enum"]?.array {
      let first = choices[0].string ?? ""
      let others: [JSONValue] = [
        .string(first.uppercased()), .string(first + " "), .string(" " + first), .string(first + "\u{0}"),
      ]
      attempt(
        path, "enum",
        (choices + others + values).map { (whole(Spoken($0)), "\(name): \(FlowText.text($0))") })
    } else if let type = schema["type"]?.string {
      let wrong = values.filter { !Self.isOf(type, $0) }
      attempt(path, "type", wrong.map { (whole(Spoken($0)), "\(name): \(FlowText.text($0))") })
    }
  }

  private static func isOf(_ type: String, _ value: JSONValue) -> Bool {
    switch (type, value) {
    case ("string", .string), ("boolean", .bool), ("array", .array), ("object", .object), ("number", .number),
      ("null", .null):
      true
    case ("integer", .number(let number)): number.isInteger
    default: false
    }
  }

  private mutating func lengths(_ schema: JSONValue, _ path: [String], _ whole: (Spoken) -> Spoken) {
    // One scalar is one of length, whatever it is in bytes or on paper.
    let letters = [("x", "of ASCII"), ("🚀", "of four bytes each"), ("e\u{301}", "with combining marks")]
    if let least = schema["minLength"]?.int {
      let short = least > 0 ? [(whole(Spoken(repeating: "x", times: least - 1)), "one too short")] : []
      let shortest = (whole(Spoken(repeating: "x", times: least)), "as short as may be")
      attempt(path, "minLength", short + [shortest])
    }
    if let most = schema["maxLength"]?.int {
      var list: [(Spoken, String)] = []
      for (letter, what) in letters {
        let size = letter.unicodeScalars.count
        list.append(
          (whole(Spoken(repeating: letter, times: most / size)), "\(most / size * size) scalars \(what)"))
        let more = most / size + 1
        list.append((whole(Spoken(repeating: letter, times: more)), "\(more * size) scalars \(what)"))
      }
      attempt(path, "maxLength", list)
    }
    if schema["pattern"] != nil {
      let texts = [" ", "\t", "\n", "\r\n", " \t \n", "a", " a", "a\n", "0"]
      attempt(path, "pattern", texts.map { (whole(Spoken(.string($0))), FlowText.text(.string($0))) })
    }
    let item = Spoken(Self.sample(schema["items"] ?? .object(JSONObject())))
    for (keyword, off) in [("minItems", -1), ("maxItems", 1)] {
      guard let limit = schema[keyword]?.int else { continue }
      let counts = [limit, limit + off].filter { $0 >= 0 }
      attempt(path, keyword, counts.map { (whole(Spoken(item, count: $0)), "\($0) elements") })
    }
  }

  private mutating func numbers(_ schema: JSONValue, _ path: [String], _ whole: (Spoken) -> Spoken) {
    guard let type = schema["type"]?.string, type == "integer" || type == "number" else { return }
    func spoken(_ text: String) -> (Spoken, String) {
      (whole(Spoken(.number(JSONNumber(checked: text)))), "\(path.last ?? ""): \(text)")
    }
    if let least = schema["minimum"]?.int {
      attempt(
        path, "minimum",
        ["\(least)", "\(least).0", "\(least)e0", "\(least - 1)", "-0", "-1", "-99999999999999999999"].map(
          spoken))
    }
    if let most = schema["maximum"]?.int {
      attempt(
        path, "maximum",
        ["\(most)", "\(most).00", "\(most + 1)", "1e2", "99999999999999999999", "1e30"].map(spoken))
    }
    attempt(path, "type", ["1.5", "0.1e1", "1e-1", "-0.5"].map(spoken))
  }
}
