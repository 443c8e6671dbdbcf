import Conformance
import Foundation
import Transport

/// What a client over stdio starts as its server while it is judged.
enum Relay {
  /// The words before the address.
  static var command: [String] {
    [Bundle.main.executablePath ?? CommandLine.arguments[0], RelayCommand.name]
  }
}

struct RelayCommand: Command {
  static let name = "relay"
  static let summary = "speak over stdio for a server that speaks MCP over a WebSocket"
  static let usage = "URL"
  static let operand: String? = "URL"
  static let flags: [Flag] = []
  static let about = """
    Be started by a client of MCP as its server over stdio, and pass each line on as a message of a
    WebSocket, and each message back as a line. It is what {command} stands for where a client is
    judged over stdio. It ends when its input does, or the connection.
    """
  static let examples = """
    A client over stdio that comes by itself is configured to start the relay:
      omni-conformance client --transport stdio --port 9000 --within 60s
      omni-conformance relay ws://127.0.0.1:9000
    """

  private let url: String

  init(_ arguments: Arguments) throws {
    guard let url = arguments.operands.first, arguments.operands.count == 1 else {
      throw UsageError(description: "one address is expected; see omni-conformance relay --help")
    }
    self.url = url
  }

  func run() async throws -> Int32 {
    let loop = try EventLoop(name: "relay")
    loop.start()
    defer { loop.stop() }
    let relay: LineRelay
    do throws(WebSocketClientError) {
      relay = try await LineRelay(to: url, on: loop, complain: Output.complain)
    } catch {
      Output.complain("\(url): \(error)")
      return 3
    }
    return await relay.run() ? 0 : 1
  }
}
