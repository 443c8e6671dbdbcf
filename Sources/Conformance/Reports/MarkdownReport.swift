internal import ProtocolSpec

/// A page for a job summary or a merge request.
enum MarkdownReport {
  private static let shownCases = 50

  static func text(_ report: RunReport, _ comparison: RunComparison?) -> String {
    let words = ReportWords(report)
    var lines = ["## \(code(report.run.target)): \(words.heading)", "", escaped(words.sentence), ""]
    let counts = Verdict.allCases.map { ($0, report.count($0)) }.filter { $0.1 > 0 }
    lines += ["| Verdict | Cases |", "|---|---:|"] + counts.map { "| \($0.0.words) | \($0.1) |" } + [""]
    if !report.sets.isEmpty {
      lines += ["| Set | Level | Held | Broken | Not judged |", "|---|---|---:|---:|---:|"]
      lines += report.sets.map { score in
        let level = score.level.rawValue.uppercased()
        let open = score.total - score.held - score.broken
        return "| \(score.name) | \(level) | \(score.held) of \(score.total) | \(score.broken) | \(open) |"
      }
      lines.append("")
    }
    for cause in Cause.list(report) { lines += section(cause, report) }
    if let comparison { lines += section(comparison) }
    lines.append("Profile \(report.run.profile), revision \(report.run.revision), seed \(report.run.seed).")
    return lines.joined(separator: "\n") + "\n"
  }

  private static func section(_ cause: Cause, _ report: RunReport) -> [String] {
    var lines = ["### \(counted(cause.cases.count, "case")): \(escaped(cause.shown))", ""]
    lines += cause.requirements.prefix(3).map { asked in
      "> **\(asked.level.rawValue.uppercased())** \(escaped(asked.text)) (\(code(asked.id)))\n"
    }
    lines += cause.cases.prefix(shownCases).map { entry in
      let place = "\(entry.failure?.file ?? entry.file):\(entry.failure?.line ?? entry.line)"
      return "- \(code(entry.id)) \(escaped(entry.title)) (\(code(place)))"
    }
    if cause.cases.count > shownCases { lines.append("- … \(cause.cases.count - shownCases) more") }
    if let first = cause.cases.first { lines += ["", "    \(report.rerun(first))"] }
    return lines + [""]
  }

  private static func section(_ comparison: RunComparison) -> [String] {
    var lines = ["### Since the run before: \(comparison.text)", ""]
    lines += comparison.newlyFailing.map { "- newly failing: \(code($0.new.id))" }
    lines += comparison.fixed.map { "- fixed: \(code($0.new.id))" }
    lines += comparison.slower.prefix(10).map {
      "- slower by \(Duration.milliseconds($0.slowdown).short): \(code($0.new.id))"
    }
    return lines + [""]
  }

  /// What came from a wire is text, whatever it looks like.
  private static func escaped(_ text: String) -> String {
    var output = ""
    for character in text.firstLine {
      switch character {
      case "<": output += "&lt;"
      case "&": output += "&amp;"
      case _ where "\\`*_{}[]()#|~!@".contains(character): output += "\\\(character)"
      default: output.append(character)
      }
    }
    return output
  }

  private static func code(_ text: String) -> String { "`\(text.firstLine.replacing("`", with: "'"))`" }
}
