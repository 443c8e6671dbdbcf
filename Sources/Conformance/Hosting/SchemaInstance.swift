internal import JSON
internal import JSONSchema
internal import ProtocolSpec

/// Makes a value that a schema of the specification takes: what a server answers with where only the
/// shape of its answer matters.
struct SchemaInstance {
  private let root: JSONValue
  private let whole: JSONSchema?
  private static let attempts = 400
  /// How often a property that may be left out is there, in a hundred.
  private static let optionalShare = 30

  /// - Parameter schema: one that refers to nothing but its own `$defs`.
  init(_ schema: JSONValue) {
    root = schema
    whole = try? JSONSchema(schema)
  }

  /// A valid value; nil where none was found, as for a pattern that is no date.
  ///
  /// What one keyword asks for is built, and what several ask for together is tried: conditions of a
  /// task hold for a quarter of the attempts.
  func make(_ random: inout SeededGenerator) -> JSONValue? {
    guard let whole else { return nil }
    for _ in 0..<Self.attempts {
      guard let value = value(of: root, &random) else { return nil }
      if whole.validate(value).isEmpty { return value }
    }
    return nil
  }

  private func value(of schema: JSONValue, _ random: inout SeededGenerator) -> JSONValue? {
    if let reference = schema["$ref"]?.string {
      guard reference.hasPrefix("#"), let pointer = JSONPointer(String(reference.dropFirst())),
        let target = root[pointer]
      else { return nil }
      return value(of: target, &random)
    }
    if let constant = schema["const"] { return constant }
    if let choices = schema["enum"]?.array { return choices.randomElement(using: &random) }
    switch schema["type"]?.string ?? schema["type"]?.array?.first?.string {
    case "object": return object(schema, &random)
    case "array":
      let count = min(schema["minItems"]?.int ?? 0, 8) + Int.random(in: 0...2, using: &random)
      let items = schema["items"] ?? .object(JSONObject())
      return .array((0..<count).compactMap { _ in value(of: items, &random) })
    case "string": return text(schema, &random)
    case "integer", "number":
      let low = schema["minimum"]?.int ?? 0
      return .int(Int.random(in: low...max(low, schema["maximum"]?.int ?? low + 100), using: &random))
    case "boolean": return .bool(Bool.random(using: &random))
    case "null": return .null
    default: return .object(JSONObject())
    }
  }

  private func object(_ schema: JSONValue, _ random: inout SeededGenerator) -> JSONValue {
    let required = Set((schema["required"]?.array ?? []).compactMap(\.string))
    var members = JSONObject()
    for (name, property) in schema["properties"]?.object ?? JSONObject() {
      guard
        required.contains(name) || Int.random(in: 0..<100, using: &random) < Self.optionalShare,
        let value = value(of: property, &random)
      else { continue }
      members[name] = value
    }
    if let others = schema["additionalProperties"], others.object != nil {
      for name in required where members[name] == nil { members[name] = value(of: others, &random) }
    }
    for name in required where members[name] == nil { members[name] = .object(JSONObject()) }
    return .object(members)
  }

  private func text(_ schema: JSONValue, _ random: inout SeededGenerator) -> JSONValue? {
    if schema["format"] == "uuid" { return .string(GeneratedText.uuid(&random)) }
    if schema["format"] == "date-time" { return .string(GeneratedText.timestamp) }
    let length = max(schema["minLength"]?.int ?? 1, min(schema["maxLength"]?.int ?? 12, 12))
    let candidates = [GeneratedText.word(length, &random), GeneratedText.timestamp].map(JSONValue.string)
    guard let checked = try? JSONSchema(schema) else { return candidates.first }
    return candidates.first { checked.validate($0).isEmpty }
  }
}
