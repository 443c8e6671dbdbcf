import JSON
import Transport

/// MCP over the standard input and output of a program: one message a line.
final class ProcessLink: MCPLink {
  let events: AsyncStream<LinkEvent>
  private let process: LineProcess
  private let grace: Duration

  /// Starts the program.
  init(
    _ command: [String], environment: [String: String], maxLineBytes: Int, grace: Duration, on loop: EventLoop
  ) throws(LinkEnd) {
    let process: LineProcess
    do throws(TransportError) {
      process = try LineProcess.start(command, environment: environment, maxLineBytes: maxLineBytes, on: loop)
    } catch {
      throw LinkEnd(reason: error.description)
    }
    self.process = process
    self.grace = grace
    events = AsyncStream { await process.next().map(Self.event) }
  }

  private static func event(_ event: LineProcess.Event) -> LinkEvent {
    switch event {
    // Programs greet on their standard output, though MCP forbids it: what is no JSON is for people.
    case .line(let line) where line.first != UInt8(ascii: "{") && line.first != UInt8(ascii: "["):
      .note(String(decoding: line, as: UTF8.self))
    case .line(let line): .message(line)
    case .note(let text): .note(text)
    case .ended(let text): .ended(LinkEnd(reason: text))
    }
  }

  func send(_ message: JSONValue) { process.send(JSONWriter.bytes(message)) }

  func close() async { await process.stop(grace: grace) }
}
