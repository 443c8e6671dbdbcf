internal import JSON
internal import ProtocolSpec

/// The Test Anything Protocol, version 14 (https://testanything.org/tap-version-14-specification.html),
/// with what went wrong as YAML.
enum TAPReport {
  static func text(_ report: RunReport) -> String {
    var lines = ["TAP version 14", "1..\(report.cases.count)"]
    if report.cases.isEmpty { lines[1] += " # SKIP no case was played" }
    for (number, entry) in report.cases.enumerated() {
      let isOK = entry.verdict == .pass || entry.verdict == .notApplicable
      lines.append("\(isOK ? "ok" : "not ok") \(number + 1) - \(escaped(entry.id))\(directive(entry))")
      if entry.verdict != .pass && entry.verdict != .notApplicable { lines += diagnostics(entry, report) }
    }
    if let unreachable = report.run.unreachable {
      lines.append("Bail out! \(escaped(unreachable.first?.firstLine ?? ""))")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func directive(_ entry: RunReport.Case) -> String {
    switch entry.verdict {
    case .notApplicable: " # SKIP \(escaped(entry.reason?.firstLine ?? ""))"
    case .expectedFailure: " # TODO \(escaped(entry.known?.firstLine ?? ""))"
    default: ""
    }
  }

  private static func diagnostics(_ entry: RunReport.Case, _ report: RunReport) -> [String] {
    var lines = [
      "  ---", "  verdict: \(entry.verdict.rawValue)", "  title: \(scalar(entry.title))",
      "  severity: \(entry.verdict == .expectedFailure ? "todo" : "fail")",
      "  level: \(entry.level.rawValue)",
      "  message: \(scalar(entry.failure?.message ?? entry.reason ?? entry.verdict.words))",
      "  at:", "    file: \(scalar(entry.failure?.file ?? entry.file))",
      "    line: \(entry.failure?.line ?? entry.line)",
    ]
    if let asked = entry.requirement.flatMap(report.requirement) {
      lines += ["  requirement: \(scalar(asked.id))", "  sentence: \(scalar(asked.text))"]
    }
    if let diff = entry.failure?.diff, !diff.isEmpty {
      lines.append("  diff:")
      for one in diff {
        lines += ["    - wanted: \(scalar(one.expected))", "      found: \(scalar(one.got))"]
      }
    }
    if !entry.frames.isEmpty {
      lines.append("  wire:")
      lines += entry.frames.map { frame in
        let at = Duration.milliseconds(frame.milliseconds).clockText
        return "    - \(scalar("\(at) \(frame.direction.arrow) \(frame.text)"))"
      }
    }
    return lines + ["  rerun: \(scalar(report.rerun(entry)))", "  ..."]
  }

  /// `#` and `\` would be read as the begin of a directive (TAP 14, Escaping).
  private static func escaped(_ text: String) -> String {
    text.replacingScalars { scalar in
      switch scalar {
      case "\\": "\\\\"
      case "#": "\\#"
      case "\n", "\r": " "
      default: nil
      }
    }
  }

  /// A JSON string is a YAML scalar, but for characters that YAML does not print (1.2.2 §5.1).
  private static func scalar(_ text: String) -> String {
    JSONWriter.text(.string(text)).replacingScalars { scalar in
      switch scalar {
      case "\u{7F}"..."\u{9F}", "\u{2028}"..."\u{2029}", "\u{FEFF}", "\u{FFFE}"..."\u{FFFF}":
        let digits = String(scalar.value, radix: 16)
        return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: return nil
      }
    }
  }
}
