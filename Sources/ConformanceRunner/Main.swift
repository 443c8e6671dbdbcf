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
    if let type = Commands.named(command) {
      if wantsHelp { return Output.help(type.help) }
      return try await type.init(Arguments(rest, of: type)).run()
    }
    switch command {
    case "help", "--help", "-h":
      guard let name = rest.first, command == "help" else { return Output.help(Help.top) }
      guard let type = Commands.named(name) else { throw noCommand(name) }
      return Output.help(type.help)
    case "--version":
      let spec = try Specification.load()
      return Output.help("omni-conformance \(kitVersion), protocol \(spec.overview.revision)\n")
    default:
      throw noCommand(command)
    }
  }

  private static func noCommand(_ name: String) -> UsageError {
    let message = unknown("command", name, known: Commands.all.map { $0.name } + ["help"])
    return UsageError(description: "\(message); see omni-conformance --help")
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
