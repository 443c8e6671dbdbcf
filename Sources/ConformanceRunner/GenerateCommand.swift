import Conformance
import Foundation
import ProtocolSpec
import Transport
import YAML

struct GenerateCommand: Command {
  static let name = "generate"
  static let summary = "make cases from the specification, write them and play them"
  static let usage = "[--output DIR] [--target URL | --target-file FILE] [flags]"
  static let flags =
    [Flag(name: "--output", value: "DIR", summary: "write the cases there, a file for each suite")]
    + RunCommand.flags.filter { !["--profile", "--fixtures", "--output"].contains($0.name) }
    + [
      Flag(name: "--results", value: "FILE", summary: "write the results as JSON"),
      Flag(
        name: "--sequences", value: "N",
        summary: "play N random sequences of requests instead; one that fails is made small and written"),
      Flag(name: "--length", value: "N", summary: "steps of each sequence, 14 by default"),
      Flag(name: "--first", value: "N", summary: "begin with this sequence of the seed, 1 by default"),
      Flag(name: "--restarts", value: nil, summary: "kill the server in some of the sequences"),
    ]
  static let about = """
    Derive cases from the specification: every keyword of every params schema from both sides, ids and
    shapes of requests in each dialect, texts that are no JSON, limits, and texts that are easily damaged.
    The same seed gives the same cases. With a target they are played at once.
    """
  static let examples = """
      omni-conformance generate --output generated
      omni-conformance generate --target ws://127.0.0.1:18765
      omni-conformance generate --target-file target.yaml --mock mock-litellm --run 'params-*/*'
    Random sequences over the states of tasks; what fails is written as the shortest transcript that fails:
      omni-conformance generate --target-file target.yaml --mock mock-litellm --sequences 1000 --output found
    """

  let arguments: Arguments

  init(_ arguments: Arguments) { self.arguments = arguments }

  func run() async throws -> Int32 {
    let isPlayed = ["--target", "--target-file", "--exec"].contains(where: arguments.has)
    guard isPlayed || arguments.has("--output") else {
      throw UsageError(
        description:
          "what is to be done with the cases? give --output DIR, --target URL or --target-file FILE")
    }
    let flags = try PlayingFlags(arguments, defaultSeed: 1)
    if arguments.has("--sequences") { return try await playSequences(flags) }
    let spec = try Specification.load(directory: arguments["--spec"])
    let suites = CaseGenerator.suites(spec, seed: flags.seed)
    var cases: [TranscriptCase] = []
    for suite in suites { cases += try suite.transcripts(spec) }
    if let folder = arguments["--output"] {
      try write(suites, to: folder)
      Output.line(
        "\(cases.count) cases in \(suites.count) files of \(folder); play them with run --fixtures \(shellQuoted(folder))"
      )
    }
    guard isPlayed else { return 0 }
    let source = try CaseSource(arguments, spec: spec, cases: cases)
    let session = try Session(arguments, source: source, flags: flags, output: "--results")
    return try await RunCommand(arguments).play(session, as: Self.name)
  }

  func write(_ suites: [GeneratedSuite], to folder: String) throws {
    let url = URL(filePath: folder)
    do {
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
      for suite in suites { try Data(suite.text.utf8).write(to: url.appending(path: "\(suite.name).yaml")) }
    } catch {
      throw UsageError(description: "--output \(folder) cannot be written: \(error.localizedDescription)")
    }
  }
}
