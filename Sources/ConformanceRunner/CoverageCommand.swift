import Conformance
import Foundation
import JSON
import ProtocolSpec
import YAML

struct CoverageCommand: Command {
  static let name = "coverage"
  static let summary = "what of the specification the cases show"
  static let usage = "[flags]"
  static let flags = [
    Flag(name: "--format", value: "FORMAT", summary: "table (default), json, markdown or html"),
    Flag(name: "--output", value: "FILE", summary: "write it there, and the last line to standard output"),
    Flag(name: "--verbose", value: nil, summary: "the cases of every entry of the table, not the gaps alone"),
    Flag(
      name: "--fixtures", value: "DIR", summary: "transcripts of this folder, not those inside the program"),
    Flag(name: "--spec", value: "DIR", summary: "specification of this folder, not that inside the program"),
  ]
  static let about = """
    Hold the requirements, the methods and their errors, the states and transitions, and the faults in
    each state of the system against the cases of all profiles. Ends with 1 where something has no case
    and no entry in coverage.yaml of the specification, or where such an entry excludes nothing.
    """
  static let examples = """
      omni-conformance coverage
      omni-conformance coverage --verbose
      omni-conformance coverage --format html --output coverage.html
    """

  private let arguments: Arguments
  private let format: String

  init(_ arguments: Arguments) throws {
    self.arguments = arguments
    format = arguments["--format"] ?? "table"
    let known = ["table", "json", "markdown", "html"]
    guard known.contains(format) else {
      throw UsageError(description: unknown("format", format, known: known))
    }
  }

  func run() throws -> Int32 {
    let specFiles = arguments["--spec"].map(SpecFiles.init(directory:)) ?? .embedded
    let spec = try Specification(files: specFiles)
    let files = try arguments["--fixtures"].map(FixtureFiles.init(directory:)) ?? .embedded
    var folders: [String] = []
    for folder in spec.profiles.flatMap(\.fixtures) where !folders.contains(folder) { folders.append(folder) }
    let matrix = CoverageMatrix(
      spec: spec, cases: try FixtureSet(files, folders: folders, spec: spec).cases,
      excluded: try CoverageExclusion.list(specFiles))
    let text =
      switch format {
      case "json": JSONWriter.indented(matrix.document) + "\n"
      case "markdown": matrix.markdown
      case "html": matrix.html
      default: matrix.table(verbose: arguments.has("--verbose"))
      }
    if let output = arguments["--output"] {
      guard FileManager.default.createFile(atPath: output, contents: Data(text.utf8)) else {
        throw UsageError(description: "--output \(output) cannot be written")
      }
      Output.line(matrix.verdict)
    } else {
      Output.write(text)
    }
    return matrix.isComplete ? 0 : 1
  }
}
