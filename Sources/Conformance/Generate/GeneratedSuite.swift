package import JSON
package import ProtocolSpec
internal import YAML

/// One case that a generator has written; its steps stand as they will in the transcript.
package struct GeneratedCase: Sendable {
  package var id: String
  package var title: String
  package var covers: [String]
  package var dialect = TranscriptDialect.jsonrpc
  package var level = RequirementLevel.must
  package var needs: [Capability] = []
  package var mcpNeeds: [MCPNeed] = []
  package var arm: JSONValue?
  package var steps: [JSONValue] = []
}

/// Cases that make one file. They are played as they are read from that file, so that what was judged
/// is what is written down.
package struct GeneratedSuite: Sendable {
  package let name: String
  /// The first line of the file.
  package let comment: String
  package let cases: [GeneratedCase]

  /// The file: `NAME.yaml`.
  package var text: String {
    var text =
      "# \(comment)\nformat: 1\nsuite: \(name)\ndialect: jsonrpc\ndefaults: {within: 5s, level: must}\ncases:\n"
    for entry in cases {
      text += "- id: \(entry.id)\n  title: \(TranscriptText.flow(.string(entry.title)))\n"
      text += "  covers: \(TranscriptText.flow(.array(entry.covers.map(JSONValue.string))))\n"
      if entry.dialect != .jsonrpc { text += "  dialect: \(entry.dialect.rawValue)\n" }
      if entry.level != .must { text += "  level: \(entry.level.rawValue)\n" }
      let needs = entry.needs.map(\.rawValue) + entry.mcpNeeds.map(\.description)
      if !needs.isEmpty { text += "  needs: [\(needs.joined(separator: ", "))]\n" }
      if let arm = entry.arm { text += "  arm: \(TranscriptText.flow(arm))\n" }
      text += "  steps:\n"
      for step in entry.steps { text += Self.step(step) }
      text += "\n"
    }
    return text
  }

  /// One key of a step on each line.
  private static func step(_ step: JSONValue) -> String {
    var text = ""
    for (key, value) in step.object ?? JSONObject() {
      text += "  \(text.isEmpty ? "-" : " ") \(key): \(TranscriptText.flow(value))\n"
    }
    return text
  }

  /// The cases as the reader of transcripts understands them.
  package func transcripts(_ spec: Specification) throws(FixtureErrors) -> [TranscriptCase] {
    let files = FixtureFiles(files: [("\(name).yaml", text)], prefix: "")
    return try FixtureSet(files, folders: [""], spec: spec).cases
  }
}

/// Values on one line of YAML that mean the same to every reader.
enum TranscriptText {
  static func flow(_ value: JSONValue) -> String {
    var output = ""
    // What a reader of YAML takes for an end of a line, or an editor does not show.
    for scalar in FlowText.text(value, limit: .max).unicodeScalars {
      if mustBeEscaped(scalar) {
        let digits = String(scalar.value, radix: 16, uppercase: true)
        let width = scalar.value > 0xFFFF ? 8 : 4
        output += (width == 8 ? "\\U" : "\\u") + String(repeating: "0", count: width - digits.count) + digits
      } else {
        output.unicodeScalars.append(scalar)
      }
    }
    return output
  }

  private static func mustBeEscaped(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse, .nonspacingMark,
      .spacingMark, .enclosingMark:
      true
    case .spaceSeparator: scalar != " "
    default: false
    }
  }
}
