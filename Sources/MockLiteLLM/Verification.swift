import Conformance
import JSON
import ProtocolSpec
import YAML

/// Whether the faces were asked what they had to be asked: `POST /_mock/verify`.
enum Verification {
  static let path = "/_mock/verify"

  /// The expectations of a body of JSON or YAML.
  static func expectations(of body: [UInt8], spec: Specification) throws(SourceError) -> CallExpectations {
    let name = "expectations"
    // JSON is YAML but for its escapes beyond the basic plane.
    if let value = try? JSONParser.parse(body) {
      return try CallExpectations(YAMLParser.parse(YAMLText.flow(value), file: name), spec: spec)
    }
    return try CallExpectations(YAMLParser.parse(bytes: body, file: name), spec: spec)
  }

  /// 200 if a journal is as expected; 409 with every difference, and the calls that were seen.
  static func reply(_ expectations: CallExpectations, journal: JSONObject) -> Reply {
    let differences = expectations.differences(.object(journal))
    guard !differences.isEmpty else { return Reply(200, json: ["verified": true]) }
    let shown = (journal["calls"]?.array ?? []).suffix(callsShown).map { call in
      var line = JSONObject()
      for key in ["n", "face", "method", "path", "status", "at_ms"] { line[key] = call[key] }
      return JSONValue.object(line)
    }
    return Reply(
      409,
      json: [
        "verified": false,
        "differences": .array(
          differences.map { difference in
            // The texts begin with the place, which is told by itself.
            let label = difference.path.tokens.joined(separator: "/") + ": "
            func plain(_ text: String) -> JSONValue {
              .string(text.hasPrefix(label) ? String(text.dropFirst(label.count)) : text)
            }
            return [
              "at": .string(difference.path.tokens.joined(separator: " ")),
              "expected": plain(difference.expected), "seen": plain(difference.got),
            ]
          }),
        "calls": .array(Array(shown)), "count": journal["count"] ?? 0,
      ])
  }

  /// The last calls say most, and a journal may have thousands.
  private static let callsShown = 100
}
