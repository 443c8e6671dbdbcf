/// JUnit's XML, as Jenkins' xUnit plugin and Maven's Surefire describe it: a `testsuite` for each
/// file of transcripts.
enum JUnitReport {
  static func text(_ report: RunReport) -> String {
    let errors = report.cases.count { $0.verdict.isError }
    let failures = report.cases.count { $0.verdict.isBad && !$0.verdict.isError }
    let markup: Markup = """
      <?xml version="1.0" encoding="UTF-8"?>
      <testsuites name="omni-conformance" tests="\(report.cases.count)" failures="\(failures)" \
      errors="\(errors)" time="\(seconds(report.run.milliseconds))">
      \(suites(report).map { suite($0.file, $0.cases, report) })</testsuites>

      """
    return markup.text
  }

  private static func suites(_ report: RunReport) -> [(file: String, cases: [RunReport.Case])] {
    var suites: [(file: String, cases: [RunReport.Case])] = []
    for entry in report.cases {
      if let place = suites.firstIndex(where: { $0.file == entry.file }) {
        suites[place].cases.append(entry)
      } else {
        suites.append((entry.file, [entry]))
      }
    }
    return suites
  }

  private static func suite(_ file: String, _ cases: [RunReport.Case], _ report: RunReport) -> Markup {
    let errors = cases.count { $0.verdict.isError }
    let failures = cases.count { $0.verdict.isBad && !$0.verdict.isError }
    let skipped = cases.count { $0.verdict.isSkipped }
    let time = seconds(cases.reduce(0) { $0 + $1.milliseconds })
    let started: Markup? = report.run.startedAt.map { " timestamp=\"\($0)\"" }
    let properties = [
      ("target", report.run.target), ("profile", report.run.profile), ("revision", report.run.revision),
      ("seed", report.run.seed), ("version", report.run.version),
    ]
    return """
      <testsuite name="\(file)" tests="\(cases.count)" failures="\(failures)" errors="\(errors)" \
      skipped="\(skipped)" time="\(time)"\(started)>
      <properties>
      \(properties.map { "<property name=\"\($0.0)\" value=\"\($0.1)\"/>\n" })</properties>
      \(cases.map { testcase($0, report) })</testsuite>

      """
  }

  private static func testcase(_ entry: RunReport.Case, _ report: RunReport) -> Markup {
    """
    <testcase classname="\(entry.suite)" name="\(entry.id.dropSuite(entry.suite))" \
    time="\(seconds(entry.milliseconds))">\(outcome(entry, report))</testcase>

    """
  }

  private static func outcome(_ entry: RunReport.Case, _ report: RunReport) -> Markup {
    let cause = entry.cause ?? entry.verdict.words
    if entry.verdict.isSkipped { return "<skipped message=\"\(entry.known ?? cause)\"/>" }
    guard entry.verdict.isBad else { return "" }
    let name: Markup = entry.verdict.isError ? "error" : "failure"
    let output: Markup? = entry.failure.flatMap { failure in
      failure.targetOutput.isEmpty
        ? nil : "\n<system-err>\(failure.targetOutput.joined(separator: "\n"))</system-err>\n"
    }
    let message = entry.failure?.message ?? cause
    return """

      <\(name) type="\(entry.verdict.rawValue)" message="\(message)">\(PlainText.details(entry, report))\
      </\(name)>\(output)
      """
  }

  private static func seconds(_ milliseconds: Double) -> String {
    Duration.milliseconds(milliseconds).clockText
  }
}

extension Verdict {
  /// What JUnit tells apart from a failure.
  fileprivate var isError: Bool { self == .setupError || self == .notTestable }
  fileprivate var isSkipped: Bool { self == .notApplicable || self == .expectedFailure }
}

extension String {
  /// The name of a case inside its suite.
  func dropSuite(_ suite: String) -> String {
    hasPrefix(suite + "/") ? String(dropFirst(suite.count + 1)) : self
  }
}
