import Conformance
import Foundation
import ProtocolSpec
import Transport
import YAML

struct ClientCommand: Command {
  static let name = "client"
  static let summary = "check a client of yours, by being its server"
  static let usage = "(--exec COMMAND | --client-file FILE | --port N) [flags]"
  static let flags =
    [
      Flag(
        name: "--exec", value: "COMMAND",
        summary:
          "started for each case; {url} is where it connects, {command} what it starts, {case} what is played"
      ),
      Flag(
        name: "--client-file", value: "FILE", summary: "a client that is started, and what it does"),
      Flag(
        name: "--port", value: "N", summary: "wait there for a client that comes by itself; 0 takes any"),
      Flag(
        name: DemoCommand.transportFlag.name, value: "NAME",
        summary: "how the client speaks: ws (default), http or stdio"),
      Flag(
        name: "--within", value: "TIME", summary: "how long it may take to connect; 10s by default"),
    ] + CommonFlags.playing.filter { $0.name != "--repeat" } + CommonFlags.selection
  static let about = """
    Be the server of a client, answer it rightly and wrongly, and say what it does not bear. The cases
    are those of the profile client: each waits for a request that the client may make at any time,
    and one for which it never asks is not applicable. Cases of other profiles that play both ways are
    played word for word.
    """
  static let examples = """
    A client that the runner starts for each case:
      omni-conformance client --exec 'python3 bot.py {url}'
    One that connects by itself, again and again:
      omni-conformance client --port 18765 --within 60s
    One of MCP over Streamable HTTP, and one that starts its server and speaks over stdio:
      omni-conformance client --transport http --run 'client-mcp/*' --exec 'python3 bot.py {url}'
      omni-conformance client --transport stdio --run 'client-mcp/*' --exec 'python3 bot.py {command}'
    Commands for certain cases, and what the client must ask for:
      omni-conformance client --client-file client.yaml
    The client of this program, word for word:
      omni-conformance client --profile reference --exec 'omni-conformance run --target {url} --run {case}'

    client.yaml:
      exec: python3 bot.py {url}
      transport: ws                        # http and stdio: cases that need a WebSocket are not applicable
      commands: {"errors/*": python3 bot.py {url} --once}
      environment: {BOT_NAME: test}
      methods: [ping, create_task]         # it must ask for these where a case waits for them
      capabilities: [bare]                 # cases that need more are not applicable
      idles: false                         # true: it may rest, and then only answers pings
    """

  private let arguments: Arguments

  init(_ arguments: Arguments) { self.arguments = arguments }

  func run() async throws -> Int32 {
    let within = try duration("--within") ?? .seconds(10)
    let session = try Session(
      arguments, source: CaseSource(arguments, profile: "client"), flags: PlayingFlags(arguments),
      output: "--output")
    var (description, rerun) = try client(session)
    if let name = arguments[DemoCommand.transportFlag.name] {
      description.transport = try DemoCommand.transport(arguments)
      rerun += " --transport \(name)"
    }
    if let command = description.commandWithoutServer {
      throw UsageError(
        description: "over stdio the client starts its server, but there is no {command} in \"\(command)\"")
    }
    let shard = session.flags.shard
    let cases = session.source.cases.filter { $0.play != .client && shard?.includes($0.id) != false }
    if let reason = session.source.nothingSelected
      ?? (cases.isEmpty ? "every selected case checks a server" : nil)
    {
      Output.complain(reason)
      return 4
    }
    try session.openOutput()
    session.loop.start()
    let signals = session.watchSignals()
    defer { signals.cancel() }
    var host: (any GuestHost)?
    if description.exec == nil {
      let port = try port()
      do throws(TransportError) {
        host = try GuestHosts.open(description.transport, loop: session.loop, port: port)
      } catch {
        Output.complain(error.description)
        return 2
      }
    }
    let result = await session.play(
      cases, with: description, host: host, within: within, rerun: rerun)
    return try session.conclude(result)
  }

  private func client(_ session: Session) throws -> (ClientDescription, rerun: String) {
    switch (arguments["--exec"], arguments["--client-file"], arguments["--port"]) {
    case (let command?, nil, nil):
      return (ClientDescription(exec: command), "client --exec \(shellQuoted(command))")
    case (nil, let file?, nil):
      let description = try ClientDescription(file: file, spec: session.source.spec)
      return (description, "client --client-file \(shellQuoted(file))")
    case (nil, let file, let port?):
      var description = ClientDescription(exec: nil)
      if let file { description = try ClientDescription(file: file, spec: session.source.spec) }
      guard description.exec == nil else {
        throw UsageError(description: "--port is for a client that comes by itself, and the file starts one")
      }
      let flag = file.map { " --client-file \(shellQuoted($0))" } ?? ""
      return (description, "client --port \(port)\(flag)")
    case (nil, nil, nil):
      throw UsageError(
        description:
          "which client is to be checked? give --exec COMMAND, --client-file FILE or --port N; see omni-conformance client --help"
      )
    default: throw UsageError(description: "--exec excludes --client-file and --port")
    }
  }

  private func port() throws(UsageError) -> UInt16 {
    let text = arguments["--port"] ?? "0"
    guard let port = UInt16(text) else {
      throw UsageError(description: "--port needs a whole number from 0 to 65535, not \"\(text)\"")
    }
    return port
  }

  private func duration(_ name: String) throws(UsageError) -> Duration? {
    guard let text = arguments[name] else { return nil }
    guard let time = parseDuration(text), time > .zero else {
      throw UsageError(description: "\(name) needs a time such as 10s, not \"\(text)\"")
    }
    return time
  }
}

extension Session {
  /// - Parameter rerun: the command line so far, without the selection.
  func play(
    _ cases: [TranscriptCase], with description: ClientDescription, host: (any GuestHost)?, within: Duration,
    rerun: String
  ) async -> RunResult {
    let info = RunInfo(
      version: kitVersion, revision: source.spec.overview.revision, profile: source.profile.name,
      target: description.name, seed: flags.seed, slack: flags.slack,
      capabilities: description.capabilities ?? Capability.allCases,
      rerun: "omni-conformance \(rerun)\(source.flags)")
    let progress = ProgressLine(info: info, isVerbose: arguments.has("--verbose"))
    Output.line(
      "playing the server of \(cases.count) case\(cases.count == 1 ? "" : "s") of profile \(info.profile) for \(info.target), seed \(flags.seed)"
    )
    if let host {
      Output.line(
        host.transport == .stdio
          ? "waiting for a client that starts \(Relay.command.joined(separator: " ")) \(host.url)"
          : "waiting for a client at \(host.url)")
    }
    let runner = ClientRunner(
      spec: source.spec, info: info, description: description, loop: loop,
      settings: settings(cases), children: children, inherited: ProcessInfo.processInfo.environment,
      comesWithin: within, relay: Relay.command,
      plan: flags.plan(lanes: flags.wantedJobs, known: source.all), progress: progress.show)
    let result = await runner.run(cases, host: host)
    progress.finish()
    return result
  }
}
