import Foundation
import ProtocolSpec
import YAML

/// What the command line asks for.
struct Invocation {
  enum Command {
    case serve, bridge, echo, healthcheck, checkConfig, help, version
    case backup(String)
    case restore(String)
  }

  private(set) var command = Command.serve
  private(set) var config: String?
  private(set) var spec: String?
  /// Whether standard input and output are the only client, and there is no port.
  private(set) var isStdio = false
  /// The server that `bridge` connects to.
  private(set) var address: String?
  /// Whether `check-config` asks the services too.
  private(set) var connects = false
  /// How long `healthcheck` keeps asking.
  private(set) var wait = Duration.zero
  /// Whether the fixtures of the official MCP scenarios are served too.
  private(set) var hasFixtures = false
  /// Whether `backup` and `restore` may take the place of what is there.
  private(set) var isForced = false
  private(set) var loops = ProcessInfo.processInfo.activeProcessorCount

  init(_ arguments: some Sequence<String>) throws(StartError) {
    var rest = Array(arguments)[...]
    while let argument = rest.popFirst() {
      switch argument {
      case "healthcheck": command = .healthcheck
      case "check-config": command = .checkConfig
      case "--connect": connects = true
      case "echo": command = .echo
      case "backup": command = .backup(try Self.value(of: argument, &rest, "FILE"))
      case "restore": command = .restore(try Self.value(of: argument, &rest, "FILE"))
      case "--force": isForced = true
      case "bridge":
        command = .bridge
        if rest.first?.hasPrefix("-") == false { address = rest.removeFirst() }
      case "--help", "-h", "help": command = .help
      case "--version": command = .version
      case "--stdio": isStdio = true
      case "--conformance-fixtures": hasFixtures = true
      case "--config": config = try Self.value(of: argument, &rest)
      case "--spec": spec = try Self.value(of: argument, &rest)
      case "--wait":
        let text = try Self.value(of: argument, &rest)
        guard let wait = parseDuration(text) else {
          throw StartError("--wait takes a duration such as 10s, not \(text)", exit: 2)
        }
        self.wait = wait
      case "--loops":
        let text = try Self.value(of: argument, &rest)
        guard let number = Int(text), (1...64).contains(number) else {
          throw StartError("--loops takes a number from 1 to 64, not \(text)", exit: 2)
        }
        loops = number
      default:
        throw StartError("there is no option \(argument); omni-server --help tells which there are", exit: 2)
      }
    }
  }

  private static func value(
    of option: String, _ rest: inout ArraySlice<String>, _ what: String = "value"
  ) throws(StartError) -> String {
    guard let value = rest.popFirst() else { throw StartError("\(option) needs a \(what)", exit: 2) }
    return value
  }
}

/// What `--help` prints; the keys come from the specification.
enum Help {
  static func text(_ spec: Specification) -> String {
    var lines = [
      """
      omni-server: the reference server of the \(spec.overview.title), revision \(spec.overview.revision)

      usage: omni-server [--config FILE] [--spec DIR] [--loops N] [--conformance-fixtures]
             omni-server --stdio [--config FILE] [--spec DIR] [--conformance-fixtures]
             omni-server bridge [ws://HOST:PORT] [--config FILE]
             omni-server healthcheck [--config FILE] [--wait 10s]
             omni-server check-config [--config FILE] [--connect]
             omni-server backup FILE [--force] [--config FILE]
             omni-server restore FILE [--force] [--config FILE]
             omni-server echo [--config FILE] [--spec DIR] [--loops N]

        --config FILE   the configuration; without it config.yaml of this folder, if there is one
        --spec DIR      a specification to serve instead of the one built in
        --loops N       event loops, each on a thread of its own; one for each core by default
        --conformance-fixtures
                        also the tools, prompts and resources that the official MCP suite calls
        --stdio         no port: standard input and output are the only client, one message a line, for
                        clients of MCP that launch a command; it ends with its input
        --version       the version of the kit
        bridge          the same for a server that runs already and that others use too: by default the
                        one of the configuration, which is read only with --config; OMNI_TOKEN is sent
        healthcheck     ask the server of this configuration whether it is alive: exit 0 if so, else 1
        check-config    say what the server would run with, where each value comes from, and what is
                        worth a second look; secrets are never shown
        --connect       also ask LiteLLM, the direct API and the local model whether they are there:
                        exit 1 if one is not
        --wait TIME     keep asking so long until it is, such as 10s
        backup          copy the store into FILE while the server works or not; the copy is checked
                        before it has that name
        restore         put a backup in the place of the store, once it is checked and no server works on
                        it; the store that was there is kept under another name
        --force         backup: FILE may be there already; restore: a store may be there already
        echo            answer every message with itself, for WebSocket test suites; limits.yaml of
                        --spec may allow the long messages that these send

      Try it:
        omni-server &
        omni-server healthcheck --wait 10s
        python3 -m websockets ws://\(spec.overview.host):\(spec.overview.port)
        > {"method": "ping"}

      It ends with 0 after SIGTERM and at the end of its input, with 1 if it cannot run (port in use, data not writable), and with 2
      if the command line, the configuration or the specification is wrong.

      Every key of the configuration, the variable that wins over it, and its default:
      """
    ]
    for key in spec.configuration {
      let name = key.variables.first ?? ""
      lines.append("  \(key.key)\n      \(key.summary)")
      lines.append("      \(name)\(key.fallback.map { ", default \($0.isEmpty ? "empty" : $0)" } ?? "")")
    }
    return lines.joined(separator: "\n")
  }
}
