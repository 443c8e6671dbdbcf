package import JSON

/// The forms in which a run can be told.
package enum ReportFormat: String, Sendable, CaseIterable {
  case html, junit, tap, github, markdown, json, badge

  /// What goes into reports beside the run.
  package struct Extras: Sendable {
    /// An older run.
    package var old: RunReport?
    /// What `omni-conformance coverage --format json` writes.
    package var coverage: JSONValue?
    /// What stands before a file's name to make an address of it.
    package var sources: String?

    package init() {}
  }

  /// - Parameter document: the file of results.
  package func text(of document: JSONValue, _ extras: Extras = Extras()) throws(ReportError) -> String {
    let report = try RunReport(document)
    let comparison = extras.old.map { RunComparison(old: $0, new: report) }
    switch self {
    case .html:
      return Page(report, comparison: comparison, coverage: extras.coverage, sources: extras.sources).text
    case .junit: return JUnitReport.text(report)
    case .tap: return TAPReport.text(report)
    case .github: return GitHubReport.text(report)
    case .markdown: return MarkdownReport.text(report, comparison)
    case .json: return JSONWriter.indented(document) + "\n"
    case .badge: return BadgeReport.text(report)
    }
  }
}
