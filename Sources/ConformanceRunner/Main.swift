import Conformance
import Foundation
import ProtocolSpec
import YAML

@main
struct Program {
  static func main() async {
    let words = Array(CommandLine.arguments.dropFirst())
    do {
      exit(try await run(words))
    } catch {
      // Everything thrown this far means that nothing was run.
      Output.complain(String(describing: error))
      exit(2)
    }
  }

  private static func run(_ words: [String]) async throws -> Int32 {
    guard let command = words.first else {
      Output.write(Help.top)
      return 2
    }
    let rest = Array(words.dropFirst())
    let wantsHelp = rest.contains("--help") || rest.contains("-h")
    switch command {
    case "run":
      if wantsHelp { return Output.help(Help.runText) }
      return try await RunCommand(Arguments(rest, flags: Help.run, command: command)).run()
    case "demo":
      if wantsHelp { return Output.help(Help.demoText) }
      return try await DemoCommand(Arguments(rest, flags: Help.demo, command: command)).run()
    case "list":
      if wantsHelp { return Output.help(Help.listText) }
      return try ListCommand(Arguments(rest, flags: Help.selection, command: command)).run()
    case "echo":
      if wantsHelp { return Output.help(Help.echoText) }
      return try await EchoCommand(Arguments(rest, flags: Help.echo, command: command)).run()
    case "bench":
      if wantsHelp { return Output.help(Help.benchText) }
      return try await BenchCommand(Arguments(rest, flags: Help.bench, command: command)).run()
    case "help", "--help", "-h": return Output.help(Help.top)
    case "--version":
      let spec = try Specification.load()
      return Output.help("omni-conformance \(kitVersion), protocol \(spec.overview.revision)\n")
    default:
      let message = unknown("command", command, known: ["run", "demo", "list", "bench", "echo", "help"])
      throw UsageError(description: "\(message); see omni-conformance --help")
    }
  }
}

/// What people see; results go to standard output, complaints to standard error.
enum Output {
  /// A reader that has gone away, as `head` does, is no reason to stop.
  static func write(_ text: String) { try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8)) }
  static func line(_ text: String) { write(text + "\n") }

  static func help(_ text: String) -> Int32 {
    write(text)
    return 0
  }

  static func complain(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data("omni-conformance: \(text)\n".utf8))
  }

  static var isTerminal: Bool { isatty(1) == 1 }

  /// See https://no-color.org: any value switches colours off.
  static var hasColours: Bool {
    isTerminal && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
  }
}
