import Conformance
import JSON
import ProtocolSpec
import YAML

struct LintCommand: Command {
  static let name = "lint"
  static let summary = "find the mistakes of transcripts and specifications"
  static let usage = "[PATH…] [flags]"
  static let operand: String? = "PATH"
  static let flags = [
    Flag(name: "--format", value: "FORMAT", summary: "text (default), github or json"),
    Flag(name: "--strict", value: nil, summary: "end with 1 where there are warnings"),
    Flag(name: "--spec", value: "DIR", summary: "specification that transcripts are held against"),
  ]
  static let about = """
    Check transcripts, target files, lists of known failures and specifications, and tell all mistakes
    at once: file, line, column and a caret. Warnings tell what can be read but says less than it
    seems to: captures that are not used, alternatives that are not reached, cases without a title or a
    requirement, expectations that anything meets. A PATH is a file or a folder; without one, what is
    inside the program is checked. Ends with 2 where there is an error.
    """
  static let examples = """
      omni-conformance lint
      omni-conformance lint Spec Fixtures
      omni-conformance lint my-cases.yaml target.yaml known-failing.yaml
      omni-conformance lint --format github --strict Fixtures
    """

  private let arguments: Arguments
  private let format: String

  init(_ arguments: Arguments) throws {
    self.arguments = arguments
    format = try arguments.choice("--format", among: ["text", "github", "json"]) ?? "text"
  }

  func run() throws -> Int32 {
    var linter = Linter(spec: try arguments["--spec"].map { try Specification.load(directory: $0) })
    if arguments.operands.isEmpty {
      try linter.checkEmbedded()
    } else {
      try linter.check(paths: arguments.operands)
    }
    let report = linter.report
    switch format {
    case "json": Output.line(JSONWriter.indented(.array(report.findings.map(\.document))))
    case "github": for finding in report.findings { Output.line(finding.githubLine) }
    default: for finding in report.findings { Output.line(finding.description) }
    }
    if format != "json" { Output.line("lint: \(report.verdict)") }
    if report.count(.error) > 0 { return 2 }
    return arguments.has("--strict") && report.count(.warning) > 0 ? 1 : 0
  }
}
