import Transport

/// Plays the client that an Autobahn fuzzing server judges: asks how many cases there are, echoes
/// through each, and has the report written.
struct EchoCommand: Command {
  static let name = "echo"
  static let summary = "let a WebSocket test suite check the client that this program connects with"
  static let usage = "--url URL [flags]"
  static let flags = [
    Flag(name: "--url", value: "URL", summary: "where the suite listens: ws://host:port"),
    Flag(name: "--agent", value: "NAME", summary: "the name in its report; the default is omni"),
  ]
  static let about = """
    Answer every message of every case of an Autobahn fuzzing server with itself, so that it judges
    the WebSocket client of this program.
    """
  static let examples = """
      wstest -m fuzzingserver -s fuzzingserver.json
      omni-conformance echo --url ws://127.0.0.1:9001
    """

  private let arguments: Arguments
  /// Of messages; the longest of the suite has 16 MiB.
  private static let maxBytes = 64 << 20
  private static let caseTime = Duration.seconds(60)

  init(_ arguments: Arguments) { self.arguments = arguments }

  func run() async throws -> Int32 {
    guard var url = arguments["--url"] else {
      throw UsageError(description: "--url is missing; see omni-conformance echo --help")
    }
    while url.hasSuffix("/") { url.removeLast() }
    let agent = arguments["--agent"] ?? "omni"
    let loop = try EventLoop(name: "echo")
    loop.start()
    defer { loop.stop() }
    do throws(WebSocketClientError) {
      let answer = try await firstMessage(url + "/getCaseCount", loop)
      guard let count = Int(answer) else {
        Output.complain("\(url)/getCaseCount answered \"\(answer.prefix(200))\", not a number")
        return 3
      }
      for number in 0..<count { try await echo("\(url)/runCase?case=\(number + 1)&agent=\(agent)", loop) }
      _ = try await firstMessage("\(url)/updateReports?agent=\(agent)", loop)
      Output.line("played \(count) cases")
      return 0
    } catch {
      Output.complain("\(url): \(error)")
      return 3
    }
  }

  private func echo(_ url: String, _ loop: EventLoop) async throws(WebSocketClientError) {
    var options = WebSocketClientOptions()
    options.maxMessageBytes = Self.maxBytes
    options.maxQueuedBytes = Self.maxBytes
    // On the loop: what came before a violation is echoed before the connection is failed for it.
    options.reply = { _, bytes in Array(bytes) }
    let client = try await WebSocketClient.connect(url: url, options: options, on: loop)
    while let received = try await client.next(within: Self.caseTime) {
      if case .closed = received.event { return }
    }
    throw .failed("\(url) was not over within \(Self.caseTime)")
  }

  /// What the server says on a path before it closes; nothing is "".
  private func firstMessage(_ url: String, _ loop: EventLoop) async throws(WebSocketClientError) -> String {
    let client = try await WebSocketClient.connect(url: url, on: loop)
    var text = ""
    while let received = try await client.next(within: Self.caseTime) {
      switch received.event {
      case .message(_, let bytes): text = String(decoding: bytes, as: UTF8.self)
      case .closed: return text
      case .ping, .pong: break
      }
    }
    throw .failed("\(url) was not over within \(Self.caseTime)")
  }
}
