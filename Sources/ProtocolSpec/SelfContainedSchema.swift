internal import JSON
internal import YAML

/// Makes schemas that refer to the shared `omni:task` stand alone, for whoever gets one without the
/// other: tools of MCP, documents.
///
/// The shared schema loses its `$id`: validators that keep schemas by id refuse one that comes with
/// several tools.
struct SelfContainedSchema {
  private let uri: String
  private let shared: JSONObject
  private let definitions: JSONObject

  private static let name = "task"

  /// - Parameter shared: a schema whose own references start with `#/$defs/`.
  init(shared: JSONValue, uri: String) {
    var members = shared.object ?? JSONObject()
    definitions = members["$defs"]?.object ?? JSONObject()
    members["$id"] = nil
    members["$defs"] = nil
    self.shared = members
    self.uri = uri
  }

  /// `schema` with the shared one inside, if it refers to it.
  func make(_ schema: YAMLNode) throws(SourceError) -> JSONValue {
    let isReference = schema["$ref"]?.json.string == uri
    var members: JSONObject
    if isReference {
      members = shared
    } else {
      guard case (.object(let replaced), true) = replacing(schema.json) else { return schema.json }
      members = replaced
    }
    var all = members["$defs"]?.object ?? JSONObject()
    let added = isReference ? [] : [(key: Self.name, value: JSONValue.object(shared))]
    for (name, value) in added + Array(definitions) {
      guard all.insert(name, value) else {
        throw schema.error("$defs has a schema \(name), which is the name of one of \(uri)")
      }
    }
    members["$defs"] = .object(all)
    return .object(members)
  }

  /// The value with every reference to the shared schema turned to `#/$defs/task`; whether there was one.
  private func replacing(_ value: JSONValue) -> (JSONValue, Bool) {
    switch value {
    case .array(let elements):
      let replaced = elements.map(replacing)
      return (.array(replaced.map(\.0)), replaced.contains(where: \.1))
    case .object(let object):
      var found = false
      var members = JSONObject()
      for (key, member) in object {
        if key == "$ref", member.string == uri {
          members[key] = .string("#/$defs/\(Self.name)")
          found = true
        } else {
          let (replaced, isFound) = replacing(member)
          members[key] = replaced
          found = found || isFound
        }
      }
      return (.object(members), found)
    default: return (value, false)
    }
  }
}
