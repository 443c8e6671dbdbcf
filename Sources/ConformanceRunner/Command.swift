import Foundation

/// One of the things that this program does. What it says of itself makes `--help`, the completions
/// of shells, and the list of all commands.
protocol Command: SendableMetatype {
  static var name: String { get }
  /// Half a line, for the list of commands.
  static var summary: String { get }
  /// What follows the name: `--url URL [flags]`
  static var usage: String { get }
  static var flags: [Flag] { get }
  /// What it takes beside flags, such as `FILE`; nil for nothing.
  static var operand: String? { get }
  static var about: String { get }
  static var examples: String { get }

  init(_ arguments: Arguments) throws
  func run() async throws -> Int32
}

extension Command {
  static var operand: String? { nil }

  static var help: String {
    """
    \(about)

    usage: omni-conformance \(name) \(usage)

    flags:
    \(Help.table(flags + [Flag(name: "--help", value: nil, summary: "this text")]))
    examples:
    \(examples)

    """
  }
}

/// The commands, in the order in which they are listed.
enum Commands {
  static var all: [any Command.Type] {
    [
      DemoCommand.self, RunCommand.self, ClientCommand.self, ListCommand.self, ExplainCommand.self,
      ReportCommand.self, RecordCommand.self, ImportCommand.self, GenerateCommand.self,
      CoverageCommand.self, ProveCommand.self, LintCommand.self, FmtCommand.self, DoctorCommand.self,
      DocsCommand.self, CompletionsCommand.self, BenchCommand.self, EchoCommand.self, RelayCommand.self,
    ]
  }

  static func named(_ name: String) -> (any Command.Type)? { all.first { $0.name == name } }
}

/// Flags of more than one command.
enum CommonFlags {
  static let roots = Flag(
    name: "--ca-file", value: "FILE",
    summary: "certificates in PEM to trust for wss://, instead of the system's")

  static func roots(_ arguments: Arguments) throws(UsageError) -> String? {
    guard let file = arguments[roots.name] else { return nil }
    guard FileManager.default.isReadableFile(atPath: file) else {
      throw UsageError(description: "--ca-file \(file) cannot be read")
    }
    return file
  }

  /// Which cases.
  static let selection = [
    Flag(
      name: "--profile", value: "NAME",
      summary: "which contract: reference, faults, deployed, client, mcp-2025-11-25 or mcp-2026-07-28"),
    Flag(
      name: "--run", value: "PATTERN", summary: "only cases like suite/case, * and ? allowed",
      isRepeatable: true),
    Flag(name: "--skip", value: "PATTERN", summary: "not these cases", isRepeatable: true),
    Flag(
      name: "--fixtures", value: "DIR", summary: "transcripts of this folder, not those inside the program"),
    Flag(name: "--spec", value: "DIR", summary: "specification of this folder, not that inside the program"),
  ]

  /// How they are played.
  static let playing =
    [
      Flag(name: "--level", value: "LEVEL", summary: "what counts: must, should (default) or may"),
      Flag(
        name: "--seed", value: "N", summary: "seed of generated values; the default is random and printed"),
      Flag(
        name: "--jobs", value: "N",
        summary: "cases at one time; default: two for each core, 1 where they would disturb each other"),
      Flag(name: "--repeat", value: "N", summary: "play every case N times, to find the flaky ones"),
      Flag(name: "--shard", value: "I/N", summary: "only part I of N; together the parts are all cases"),
      Flag(name: "--fail-fast", value: nil, summary: "begin no case once one has failed"),
      Flag(
        name: "--known-failing", value: "FILE",
        summary: "cases that are known to fail, with reasons; one that passes fails the run"),
      Flag(name: "--known-flaky", value: "FILE", summary: "cases that are known to fail now and then"),
      Flag(name: "--write-baseline", value: "FILE", summary: "write a list for --known-failing"),
      Flag(name: "--slack", value: "X", summary: "multiply every time limit by X on a slow machine"),
      Flag(name: "--output", value: "FILE", summary: "write the results as JSON"),
      ReportFlags.report, ReportFlags.traces,
      Flag(name: "--verbose", value: nil, summary: "a line for every case, and remarks"),
    ] + ReportFlags.extras
}
