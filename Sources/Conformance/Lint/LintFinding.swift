package import JSON
package import YAML

/// What is wrong with a file that people write, or looks as if it were.
package struct LintFinding: Sendable, Hashable {
  package enum Severity: String, Sendable {
    /// The file cannot be used.
    case error
    /// It can, but hardly says what it was meant to say.
    case warning
  }

  package let severity: Severity
  package let source: SourceError

  package init(severity: Severity, source: SourceError) {
    self.severity = severity
    self.source = source
  }

  /// The place, the message, the line and a caret.
  package var description: String {
    guard severity == .warning else { return source.description }
    return SourceError(
      place: source.place, message: "warning: \(source.message)", sourceLine: source.sourceLine
    ).description
  }

  /// A line that GitHub shows beside the line of the file:
  /// https://docs.github.com/actions/reference/workflow-commands-for-github-actions
  package var githubLine: String {
    func escaped(_ text: String, alsoIn more: [(String, String)] = []) -> String {
      ([("%", "%25"), ("\r", "%0D"), ("\n", "%0A")] + more).reduce(text) { $0.replacing($1.0, with: $1.1) }
    }
    let file = escaped(source.place.file, alsoIn: [(":", "%3A"), (",", "%2C")])
    return
      "::\(severity.rawValue) file=\(file),line=\(source.place.line),col=\(source.place.column)::"
      + escaped(source.message)
  }

  package var document: JSONValue {
    [
      "severity": .string(severity.rawValue), "file": .string(source.place.file),
      "line": .int(source.place.line), "column": .int(source.place.column),
      "message": .string(source.message),
    ]
  }
}

/// What `lint` found in how many files.
package struct LintReport: Sendable {
  package private(set) var findings: [LintFinding] = []
  package private(set) var files = 0

  package func count(_ severity: LintFinding.Severity) -> Int { findings.count { $0.severity == severity } }

  package var verdict: String {
    func counted(_ number: Int, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }
    return
      "\(counted(files, "file")), \(counted(count(.error), "error")), \(counted(count(.warning), "warning"))"
  }

  mutating func add(_ severity: LintFinding.Severity, _ errors: [SourceError]) {
    findings += errors.map { LintFinding(severity: severity, source: $0) }
  }

  mutating func read(_ count: Int = 1) { files += count }

  mutating func sort() {
    var seen: Set<LintFinding> = []
    findings = findings.filter { seen.insert($0).inserted }
    findings.sort { left, right in
      let (one, two) = (left.source.place, right.source.place)
      return (one.file, one.line, one.column) < (two.file, two.line, two.column)
    }
  }
}
