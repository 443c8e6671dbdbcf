import Diagnostics
import Transport
import YAML

/// What `mock-litellm record` is told.
struct RecordOptions: Sendable, Equatable {
  /// `http://host:port`, with no slash at its end.
  var upstream = ""
  var output = ""
  var host = "127.0.0.1"
  var port: UInt16 = 4010
  var logLevel = LogLevel.info

  static let help = """
    mock-litellm record stands before a real LiteLLM, or another HTTP service, and writes down what is said.

    Usage: mock-litellm record --upstream URL --output FILE [options]

      --upstream URL       http://host:port of the real service
      --output FILE        the recording; a file that is there is replaced
      --host ADDRESS       where to listen (127.0.0.1)
      --port N             where clients connect (4010); 0 takes any free port
      --log-level LEVEL    debug shows every exchange; info, warning, error (info)
      --help

    When it is ready it prints one line of JSON with its address. SIGTERM or SIGINT ends it with exit code 0.
    Exit code 1: the port is in use or the file cannot be written; 2: a wrong option.

    Keys are masked wherever they stand. The recording is played by mock-litellm --replay FILE.

    Example:
      mock-litellm record --upstream http://127.0.0.1:4000 --output calls.yaml

    """

  private static let names = ["--upstream", "--output", "--host", "--port", "--log-level", "--help"]

  /// - Parameter arguments: without the name of the program and the word `record`. Nil: help is asked for.
  static func parse(_ arguments: ArraySlice<String>) throws(UsageError) -> RecordOptions? {
    var options = RecordOptions()
    var rest = arguments
    while let (name, value) = try Command.next(&rest, known: names) {
      switch name {
      case "--help": return nil
      case "--upstream": options.upstream = try base(value)
      case "--output": options.output = value
      case "--host": options.host = value
      case "--port":
        guard let port = UInt16(value) else {
          throw UsageError(description: "--port takes a port from 0 to 65535, not \(value)")
        }
        options.port = port
      default:
        guard let level = LogLevel(rawValue: value) else {
          let known = LogLevel.allCases.map(\.rawValue).joined(separator: ", ")
          throw UsageError(description: "--log-level takes \(known), not \(value)")
        }
        options.logLevel = level
      }
    }
    for (name, value) in [("--upstream", options.upstream), ("--output", options.output)] where value.isEmpty
    {
      throw UsageError(description: "record needs \(name)")
    }
    return options
  }

  /// The address without a path: the requests bring theirs.
  private static func base(_ text: String) throws(UsageError) -> String {
    let url: HTTPURL
    do throws(HTTPURL.Invalid) {
      url = try HTTPURL(text)
    } catch {
      throw UsageError(description: "--upstream: \(error)")
    }
    guard url.scheme == "http", url.target == "/" else {
      throw UsageError(
        description: "--upstream takes http://host:port without a path and without TLS, not \(text)")
    }
    return text.hasSuffix("/") ? String(text.dropLast()) : text
  }
}
