import Conformance
import Foundation
import JSON

/// The reports that a command line asks for, and what goes into them.
struct ReportFlags {
  static let formats = ReportFormat.allCases.map(\.rawValue).joined(separator: ", ")

  static let report = Flag(
    name: "--report", value: "FORMAT=FILE",
    summary: "write a report, - for standard output: \(formats)", isRepeatable: true)
  static let traces = Flag(
    name: "--traces", value: "WHICH", summary: "keep the frames and times of failures (default) or all cases")
  /// Of what goes into reports.
  static let extras = [
    Flag(name: "--compare", value: "FILE", summary: "results of an older run to compare with"),
    Flag(name: "--coverage", value: "FILE", summary: "what coverage --format json writes, for a heat map"),
    Flag(
      name: "--source-url", value: "URL",
      summary: "where the transcripts can be read, such as https://host/repository/blob/main"),
  ]

  let wanted: [(format: ReportFormat, file: String)]
  private let extras: ReportFormat.Extras

  init(_ arguments: Arguments) throws {
    wanted = try arguments.all(Self.report.name).map { text throws(UsageError) in
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        throw UsageError(
          description: "--report needs a format and a file, such as html=report.html, not \"\(text)\"")
      }
      return (try Self.format(parts[0]), parts[1])
    }
    extras = try Self.extras(arguments)
  }

  static func format(_ name: String) throws(UsageError) -> ReportFormat {
    guard let format = ReportFormat(rawValue: name) else {
      throw UsageError(description: unknownFormat(name))
    }
    return format
  }

  private static func unknownFormat(_ name: String) -> String {
    "there is no format \"\(name)\"; there are \(formats)"
  }

  static func extras(_ arguments: Arguments) throws -> ReportFormat.Extras {
    var extras = ReportFormat.Extras()
    if let file = arguments["--compare"] {
      do throws(ReportError) { extras.old = try RunReport(document("--compare", file)) } catch {
        throw UsageError(description: "--compare \(file): \(error)")
      }
    }
    extras.coverage = try arguments["--coverage"].map { file throws(ReportError) in
      try document("--coverage", file)
    }
    if let url = arguments["--source-url"] ?? gitHubSources {
      guard url.hasPrefix("https://") || url.hasPrefix("http://") else {
        throw UsageError(description: "--source-url needs an http address, not \"\(url)\"")
      }
      extras.sources = url.hasSuffix("/") ? url : url + "/"
    }
    return extras
  }

  /// The commit that a run of GitHub Actions is about.
  private static var gitHubSources: String? {
    let environment = ProcessInfo.processInfo.environment
    guard let server = environment["GITHUB_SERVER_URL"], let name = environment["GITHUB_REPOSITORY"],
      let commit = environment["GITHUB_SHA"]
    else { return nil }
    return "\(server)/\(name)/blob/\(commit)/"
  }

  /// A file of JSON.
  static func document(_ flag: String, _ file: String) throws(ReportError) -> JSONValue {
    guard let data = FileManager.default.contents(atPath: file) else {
      throw ReportError("\(flag) \(file) cannot be read")
    }
    do { return try JSONParser.parse([UInt8](data)) } catch {
      throw ReportError("\(flag) \(file) is no JSON: \(error)")
    }
  }

  /// Before anything is played, so that a run is not lost for a folder that is not there.
  func open() throws(UsageError) {
    for (format, file) in wanted where file != "-" {
      guard FileManager.default.createFile(atPath: file, contents: nil) else {
        throw UsageError(description: "--report \(format.rawValue)=\(file) cannot be written")
      }
    }
  }

  func write(_ result: RunResult) throws {
    let document = result.document
    for (format, file) in wanted {
      try Self.write(format.text(of: document, extras), to: file)
    }
    // GitHub reads annotations from what its steps print.
    let isAnnotated = wanted.contains { $0.format == .github && $0.file == "-" }
    if ProcessInfo.processInfo.environment["GITHUB_ACTIONS"] == "true" && !isAnnotated {
      Output.write(try ReportFormat.github.text(of: document))
    }
  }

  static func write(_ text: String, to file: String) throws {
    guard file != "-" else { return Output.write(text) }
    try Data(text.utf8).write(to: URL(filePath: file))
  }
}
