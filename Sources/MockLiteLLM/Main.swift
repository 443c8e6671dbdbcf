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
      case .recordHelp: return say(RecordOptions.help)
      case .record(let options): return await record(options)
      case .healthcheck(let options):
        let complaint = await Healthcheck(options).complaint()
        return complaint.map { complain($0, code: 1) } ?? say("healthy\n")
      case .run(let parsed): options = parsed
      }
    } catch {
      return complain("\(error), see --help", code: 2)
    }
    let log = Log(level: options.logLevel, secrets: [options.apiKey].compactMap { $0 })
    let spec: Specification
    let scenario: Scenario?
    var replays: [MockFace: Replay] = [:]
    do throws(SourceError) {
      spec = try Specification.load(directory: options.spec)
      scenario = try options.scenario.map { path throws(SourceError) in
        try Scenario(contentsOf: path, spec: spec)
      }
      for (face, path) in options.replays { replays[face] = try Replay(contentsOf: path) }
    } catch {
      return complain("\(error)", code: 2)
    }
    let signals = StopSignals()
    do throws(TransportError) {
      let mock = try Mock(options, scenario: scenario, replays: replays, spec: spec, log: log)
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

  private static func record(_ options: RecordOptions) async -> Int32 {
    let log = Log(level: options.logLevel)
    let signals = StopSignals()
    do throws(RecordingError) {
      let recorder = try Recorder(options, log: log)
      recorder.begin()
      let host = options.host.contains(":") ? "[\(options.host)]" : options.host
      let addresses: JSONValue = [
        "record": .string("http://\(host):\(recorder.port)"), "upstream": .string(options.upstream),
      ]
      _ = say(JSONWriter.text(addresses) + "\n")
      await signals.wait()
      await recorder.stop(within: .seconds(2))
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
