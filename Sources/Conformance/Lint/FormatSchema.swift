package import JSON
package import JSONSchema
internal import ProtocolSpec
package import YAML

/// The published schemas of the formats that people write, and of the results (`Spec/schema/`).
package enum FormatSchema: String, CaseIterable, Sendable {
  case transcript, target, client, baseline, survivors, specification, results

  package func document() throws(SourceError) -> JSONValue {
    let path = "schema/\(rawValue).schema.json"
    let problem = SourceError(
      place: SourcePlace(file: "Spec/" + path, line: 1, column: 1), message: "no readable JSON")
    guard let text = SpecFiles.schemas[path] else { throw problem }
    guard let value = try? JSONParser.parse(Array(text.utf8)) else { throw problem }
    return value
  }

  package func compiled() throws -> JSONSchema { try JSONSchema(document()) }

  /// The violation at its place in the file.
  package static func error(_ violation: SchemaViolation, in node: YAMLNode) -> SourceError {
    if violation.keyword != "required", let property = violation.property {
      let pointer = violation.instance
      let key = node.keyPlace(at: pointer) ?? node.keyPlace(at: pointer.appending(property))
      return node.error("unknown key \"\(property)\"", at: key ?? node.nearest(at: pointer).place)
    }
    return node.nearest(at: violation.instance).error(violation.message)
  }
}
