/// The run in a sentence or two.
struct ReportWords {
  private let report: RunReport

  init(_ report: RunReport) { self.report = report }

  private var judged: Int { report.cases.count { $0.verdict != .notApplicable } }

  /// `3 of 233 cases fail`
  var heading: String {
    let bad = report.bad.count
    if report.run.unreachable != nil { return "the target could not be reached" }
    if judged == 0 { return "nothing was judged" }
    if bad == 0 && report.run.unmatched.isEmpty {
      return judged == 1 ? "the case holds" : "all \(judged) cases hold"
    }
    return "\(bad) of \(judged) cases \(bad == 1 ? "fails" : "fail")"
  }

  /// What it comes down to.
  var sentence: String {
    var parts: [String] = []
    let causes = Cause.list(report)
    if let first = causes.first {
      let count = first.cases.count
      let isAll = causes.count == 1
      if first.requirements.count > 2 {
        parts.append("\(isAll ? "All" : "\(count)") of them fail alike: “\(first.sentence)”.")
      } else {
        let who =
          isAll
          ? count == 1 ? "It breaks" : "All of them break"
          : count > 1 ? "\(count) of them break" : "The first breaks"
        // The sentence that everybody understands; what came instead stands below.
        parts.append("\(who) this: “\(first.sentence)”")
      }
      if causes.count > 1 {
        parts.append(
          "There \(causes.count == 2 ? "is 1 other cause" : "are \(causes.count - 1) other causes").")
      }
    } else if judged > 0 && report.run.unreachable == nil {
      parts.append("Every case that could be played went as the specification says.")
    }
    if let reason = report.run.unreachable?.first { parts.append("The run stopped: \(reason.firstLine).") }
    for entry in report.run.unmatched { parts.append("A known failure that is none: \(entry).") }
    let skipped = report.count(.notApplicable)
    if skipped > 0 {
      parts.append(
        "\(counted(skipped, "case")) \(skipped == 1 ? "was" : "were") not played, because the target does not offer what \(skipped == 1 ? "it needs" : "they need")."
      )
    }
    let expected = report.count(.expectedFailure)
    if expected > 0 { parts.append("\(counted(expected, "case")) failed as a list of known failures says.") }
    let remarks = report.cases.reduce(0) { $0 + $1.remarks.count }
    if remarks > 0 { parts.append("\(counted(remarks, "remark")) did not count.") }
    return parts.joined(separator: " ")
  }
}
