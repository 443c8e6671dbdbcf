import Diagnostics
import Foundation
import JSON
import ProtocolSpec
import Transport
import YAML

@main
struct Program {
  static func main() async {
    let code = await run(Array(CommandLine.arguments.dropFirst()))
    exit(code)
  }

  /// Runs the command line and gives the exit code.
  private static func run(_ arguments: [String]) async -> Int32 {
    let options: Options
    do throws(UsageError) {
      switch try Command.parse(arguments) {
      case .help: return say(Options.help)
      case .version: return say(Options.version + "\n")
      case .run(let parsed): options = parsed
      }
    } catch {
      return complain("\(error), see --help", code: 2)
    }
    let log = Log(level: options.logLevel, secrets: [options.apiKey].compactMap { $0 })
    let spec: Specification
    let scenario: Scenario?
    do throws(SourceError) {
      spec = try Specification.load(directory: options.spec)
      scenario = try options.scenario.map { path throws(SourceError) in
        try Scenario(contentsOf: path, spec: spec)
      }
    } catch {
      return complain("\(error)", code: 2)
    }
    let signals = StopSignals()
    do throws(TransportError) {
      let mock = try Mock(options, scenario: scenario, spec: spec, log: log)
      mock.begin()
      let addresses = mock.addresses(host: options.host)
      _ = say(JSONWriter.text(addresses) + "\n")
      log.info("ready", addresses.object ?? JSONObject())
      await signals.wait()
      log.info("stopping")
      await mock.stop()
      log.flush()
      return 0
    } catch {
      return complain("\(error)", code: 1)
    }
  }

  private static func say(_ text: String) -> Int32 {
    try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    return 0
  }

  private static func complain(_ text: String, code: Int32) -> Int32 {
    try? FileHandle.standardError.write(contentsOf: Data("mock-litellm: \(text)\n".utf8))
    return code
  }
}
