import Diagnostics
import Foundation
import Orchestration
import ProtocolSpec
import Transport
import YAML

@main
struct Main {
  static func main() async {
    // A limit of the size of files is an error of who writes then, as a full disk is.
    signal(SIGXFSZ, SIG_IGN)
    do throws(StartError) {
      try await run(Invocation(CommandLine.arguments.dropFirst()))
    } catch {
      FileHandle.standardError.write(Data("omni-server: \(error.description)\n".utf8))
      exit(error.exit)
    }
  }

  private static func run(_ invocation: Invocation) async throws(StartError) {
    CoreDumps.forbid()
    switch invocation.command {
    case .version:
      print("omni-server \(kitVersion)")
    case .help:
      print(Help.text(try specification(invocation)))
    case .serve:
      // Before anything is opened.
      let streams = invocation.isStdio ? try standardStreams() : nil
      let spec = try specification(invocation)
      let settings = try settings(invocation, spec)
      let entrance: OmniServer.Entrance =
        if let streams {
          .pipe(try PipeFront(streams, spec.limits))
        } else {
          .port(try Front(spec: spec, settings: settings, loops: invocation.loops))
        }
      try await OmniServer.run(
        spec: spec, settings: settings, entrance: entrance, hasFixtures: invocation.hasFixtures)
    case .backup(let file):
      let settings = try settings(invocation, specification(invocation))
      try BackupCommand(settings: settings, file: file, replaces: invocation.isForced).run()
    case .restore(let file):
      let settings = try settings(invocation, specification(invocation))
      try RestoreCommand(settings: settings, file: file, replaces: invocation.isForced).run()
    case .bridge:
      let streams = try standardStreams()
      let spec = try specification(invocation)
      // The folder is the client's: a config.yaml in it is not for the bridge.
      let settings = try settings(invocation, spec, standard: nil)
      try await Bridge(
        spec: spec, settings: settings, address: invocation.address, streams: streams
      ).run()
    case .echo:
      let spec = try specification(invocation)
      try await Echo(spec: spec, settings: settings(invocation, spec), loops: invocation.loops).run()
    case .checkConfig:
      let spec = try specification(invocation)
      try await CheckConfig(
        spec: spec, configuration: configuration(invocation, spec), connects: invocation.connects
      ).run()
    case .healthcheck:
      let spec = try specification(invocation)
      try await Healthcheck(try settings(invocation, spec)).run(wait: invocation.wait)
    }
  }

  private static func standardStreams() throws(StartError) -> StandardStreams {
    do throws(TransportError) {
      return try StandardStreams.take()
    } catch {
      throw StartError(error.description, exit: 1)
    }
  }

  private static func specification(_ invocation: Invocation) throws(StartError) -> Specification {
    do throws(SourceError) {
      return try Specification.load(directory: invocation.spec)
    } catch {
      throw StartError(error.description, exit: 2)
    }
  }

  private static func settings(
    _ invocation: Invocation, _ spec: Specification, standard: String? = "config.yaml"
  ) throws(StartError) -> Settings {
    Settings(try configuration(invocation, spec, standard: standard))
  }

  private static func configuration(
    _ invocation: Invocation, _ spec: Specification, standard: String? = "config.yaml"
  ) throws(StartError) -> Configuration {
    let environment = ProcessInfo.processInfo.environment
    let path =
      invocation.config ?? standard.flatMap { FileManager.default.fileExists(atPath: $0) ? $0 : nil }
    do {
      if let path, (try? FileManager.default.contentsOfDirectory(atPath: path)) != nil {
        // What a container engine makes of a file that is not there when it is to mount it.
        throw StartError("\(path) is a folder: remove it, and copy config.yaml.example to \(path)", exit: 2)
      }
      let file = try path.map { try YAMLParser.parse(contentsOf: $0) }
      return try Configuration(file: file, environment: environment, keys: spec.configuration)
    } catch let error as StartError {
      throw error
    } catch let error as SourceError {
      throw StartError(error.description, exit: 2)
    } catch let error as ConfigurationError {
      throw StartError(error.description, exit: 2)
    } catch {
      throw StartError("\(error)", exit: 2)
    }
  }
}
