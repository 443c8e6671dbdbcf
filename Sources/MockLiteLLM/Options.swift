import Diagnostics
import ProtocolSpec
import YAML

/// What the command line asks for.
enum Command: Sendable {
  case help
  case version
  case run(Options)
  case record(RecordOptions)
  case recordHelp
  case healthcheck(Options)
}

struct UsageError: Error, CustomStringConvertible {
  let description: String
}

struct Options: Sendable, Equatable {
  var host = "127.0.0.1"
  var port: UInt16 = 4000
  var directPort: UInt16 = 4001
  var localPort: UInt16 = 4002
  var adminPort: UInt16 = 4003
  var scenario: String?
  var spec: String?
  /// Recordings by the face that answers from them.
  var replays: [MockFace: String] = [:]
  var seed: UInt64?
  var apiKey: String?
  var models: [String]?
  var latency: Duration = .zero
  /// Nil for that of the scenario.
  var pace: AnswerPace?
  var logLevel = LogLevel.info

  static let version = "mock-litellm \(kitVersion)"

  static let help = """
    mock-litellm plays LiteLLM, a direct model API and a local model, and fails as it is told.

    Usage: mock-litellm [options]
           mock-litellm record --upstream URL --output FILE, see mock-litellm record --help
           mock-litellm healthcheck [--admin-port N], for containers: whether one runs here

      --host ADDRESS       where to listen (127.0.0.1)
      --port N             LiteLLM (4000); 0 takes any free port, also below
      --direct-port N      the direct API, which stands for the cloud: /v1/messages (4001)
      --local-port N       the local model: /v1/chat/completions (4002)
      --admin-port N       the admin API, also under /_mock/ on every other port (4003)
      --scenario FILE      a YAML file with seed, models and faults to begin with
      --seed N             the same seed gives the same run (1)
      --models A,B         the models it knows
                           (claude-3-5-haiku,claude-3-5-sonnet,gpt-4o-mini; local also qwen:7b-instruct)
      --api-key KEY        the only key LiteLLM accepts (any key, but one must be sent)
      --replay FILE        LiteLLM gives the answers of a recording; direct=FILE, local=FILE for the others
      --latency TIME       waited before every answer, such as 20ms (0ms)
      --first-token TIME   before the first token of a completion (0ms)
      --tokens-per-second N
                           how fast a completion comes, also one that is no stream (all at once)
      --jitter SHARE       by how much of itself the time between two tokens differs, 0 to 1 (0)
      --spec DIR           the specification to read fault names from (the copy inside)
      --log-level LEVEL    debug shows every request; info, warning, error (info)
      --help, --version

    When it is ready it prints one line of JSON with its addresses; the log goes to standard error.
    SIGTERM or SIGINT ends it with exit code 0. Exit code 1: a port is in use; 2: a wrong option or file.

    Examples:
      # any free ports, and what it understands
      mock-litellm --port 0 --direct-port 0 --local-port 0 --admin-port 0

      # a completion
      curl -s localhost:4000/v1/chat/completions -H 'Authorization: Bearer sk-1' \\
        -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'

      # the next two completions fail with 500, the third waits for 2 s
      curl -s localhost:4003/_mock/arm -d '{"litellm":[
        {"on":"POST /v1/chat/completions","status":500,"times":2},
        {"on":"POST /v1/chat/completions","delay":"2s","times":1}]}'

      # nothing listens on LiteLLM's port for 5 s; the cloud is rate limited
      curl -s localhost:4003/_mock/arm -d '{"litellm":[{"refuse":true,"for":"5s"}],
        "direct":[{"fault":"http-429-retry-after","times":1}]}'

      # what was asked; wait up to 2 s for a call after the third; forget everything
      curl -s localhost:4003/_mock/journal
      curl -s 'localhost:4003/_mock/journal?after=3&wait=2s'
      curl -s -X POST localhost:4003/_mock/reset

      # 500, 503, then as usual; the cloud is gone from the fifth second on, for three seconds
      curl -s localhost:4003/_mock/arm -d '{"litellm":[{"sequence":[{"status":500},{"status":503},"ok"]}],
        "direct":[{"refuse":true,"at":"5s","for":"3s"}]}'

      # a slow stream that stops after four events
      curl -s localhost:4003/_mock/arm -d '{"litellm":[
        {"hang":"middle","events":4,"tokens_per_second":5,"times":1}]}'

    A rule has one of status (with type, message, body), hang, reset, close (true, or status, head, body,
    middle for how far the answer gets; accept for reset and close), refuse, truncate, malformed, raw,
    stream (how a stream goes wrong), sequence (with repeat), or the name of a fault of the specification;
    and on, times, after, probability, at, for, at_a_time, delay, headers, retry_after, retry_after_date,
    completion, events, first_token, tokens_per_second, jitter, bytes_per_second. See docs/mock.md.

    """
}

extension Command {
  private static let names = [
    "--host", "--port", "--direct-port", "--local-port", "--admin-port", "--scenario", "--seed", "--models",
    "--api-key", "--latency", "--first-token", "--tokens-per-second", "--jitter", "--spec", "--replay",
    "--log-level", "--help", "--version",
  ]

  /// - Parameter arguments: without the name of the program.
  static func parse(_ arguments: [String]) throws(UsageError) -> Command {
    if arguments.first == "record" {
      return try RecordOptions.parse(arguments.dropFirst()).map(Command.record) ?? .recordHelp
    }
    var options = Options()
    var rest = arguments[...]
    let isHealthcheck = rest.first == "healthcheck"
    if isHealthcheck { rest.removeFirst() }
    while let (name, value) = try next(&rest, known: names) {
      switch name {
      case "--help": return .help
      case "--version": return .version
      default: try options.set(name, value)
      }
    }
    return isHealthcheck ? .healthcheck(options) : .run(options)
  }

  /// Takes an option with its value from the front, in either form; flags have none.
  static func next(
    _ rest: inout ArraySlice<String>, known: [String]
  ) throws(UsageError) -> (name: String, value: String)? {
    guard let argument = rest.popFirst() else { return nil }
    let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
      String.init)
    let name = parts[0] == "-h" ? "--help" : parts[0]
    guard name.hasPrefix("-") else { throw UsageError(description: "unexpected argument \(argument)") }
    guard known.contains(name) else { throw UsageError(description: unknown("option", name, known: known)) }
    if ["--help", "--version"].contains(name), parts.count == 1 { return (name, "") }
    guard let value = parts.count == 2 ? parts[1] : rest.popFirst() else {
      throw UsageError(description: "\(name) needs a value")
    }
    return (name, value)
  }
}

extension Options {
  fileprivate mutating func set(_ name: String, _ value: String) throws(UsageError) {
    switch name {
    case "--host": host = value
    case "--port": port = try Self.port(name, value)
    case "--direct-port": directPort = try Self.port(name, value)
    case "--local-port": localPort = try Self.port(name, value)
    case "--admin-port": adminPort = try Self.port(name, value)
    case "--scenario": scenario = value
    case "--spec": spec = value
    case "--replay":
      let parts = value.split(separator: "=", maxSplits: 1).map(String.init)
      let face = parts.count == 2 ? MockFace(rawValue: parts[0]) : nil
      replays[face ?? .litellm] = face == nil ? value : parts[1]
    case "--api-key": apiKey = value
    case "--first-token":
      guard let time = parseDuration(value) else { throw Self.wrong(name, "a time such as 200ms", value) }
      pace = pace ?? AnswerPace()
      pace?.firstToken = time
    case "--tokens-per-second":
      guard let rate = Double(value), rate > 0, rate <= 1_000_000 else {
        throw Self.wrong(name, "a number above 0", value)
      }
      pace = pace ?? AnswerPace()
      pace?.tokensPerSecond = rate
    case "--jitter":
      guard let share = Double(value), (0...1).contains(share) else {
        throw Self.wrong(name, "a number from 0 to 1", value)
      }
      pace = pace ?? AnswerPace()
      pace?.jitter = share
    case "--seed":
      guard let number = UInt64(value) else { throw Self.wrong(name, "a whole number of at least 0", value) }
      seed = number
    case "--models":
      let list = value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      guard list.allSatisfy({ !$0.isEmpty }) else {
        throw Self.wrong(name, "names with commas between", value)
      }
      models = list
    case "--latency":
      guard let time = parseDuration(value) else { throw Self.wrong(name, "a time such as 20ms", value) }
      latency = time
    default:
      guard let level = LogLevel(rawValue: value) else {
        throw Self.wrong(name, LogLevel.allCases.map(\.rawValue).joined(separator: ", "), value)
      }
      logLevel = level
    }
  }

  private static func port(_ name: String, _ value: String) throws(UsageError) -> UInt16 {
    guard let port = UInt16(value) else { throw wrong(name, "a port from 0 to 65535", value) }
    return port
  }

  private static func wrong(_ name: String, _ expected: String, _ value: String) -> UsageError {
    UsageError(description: "\(name) takes \(expected), not \(value)")
  }
}
