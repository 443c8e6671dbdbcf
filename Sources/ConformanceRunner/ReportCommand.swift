import Conformance
import Foundation

/// Tells a kept run again.
struct ReportCommand: Command {
  static let name = "report"
  static let summary = "tell a kept run as a page, JUnit, TAP, a badge and more"
  static let usage = "--from FILE [--format FORMAT] [--output FILE] [flags]"
  static let flags =
    [
      Flag(name: "--from", value: "FILE", summary: "the results that run --output wrote"),
      Flag(
        name: "--format", value: "FORMAT", summary: "html (default), \(ReportFlags.formats.dropFirst(6))"),
      Flag(name: "--output", value: "FILE", summary: "where to write it; default: standard output"),
    ] + ReportFlags.extras
  static let about = """
    Make a report of the results of a run.
    """
  static let examples = """
    A page to read, with what has changed since the run before:
      omni-conformance report --from results.json --compare old.json --output report.html
    For a CI server:
      omni-conformance report --from results.json --format junit --output junit.xml
    """

  private let from: String
  private let format: ReportFormat
  private let output: String
  private let extras: ReportFormat.Extras

  init(_ arguments: Arguments) throws {
    guard let from = arguments["--from"] else {
      throw UsageError(description: "which run? give --from FILE; see omni-conformance report --help")
    }
    self.from = from
    format = try ReportFlags.format(arguments["--format"] ?? ReportFormat.html.rawValue)
    output = arguments["--output"] ?? "-"
    extras = try ReportFlags.extras(arguments)
  }

  func run() async throws -> Int32 {
    let document = try ReportFlags.document("--from", from)
    let text: String
    do throws(ReportError) { text = try format.text(of: document, extras) } catch {
      throw UsageError(description: "--from \(from): \(error)")
    }
    do { try ReportFlags.write(text, to: output) } catch {
      throw UsageError(description: "--output \(output) cannot be written")
    }
    return 0
  }
}
