import Conformance
import JSON
import Synchronization
import Transport
import Wire
import YAML

/// Plays the server's side of one case: the steps of a recording are played by it to the client
/// that was recorded.
final class Mirror: Sendable {
  private let server: HTTPServer
  private let loop: EventLoop
  private let sessions = Mutex<[Session]>([])
  private let (arrivals, arrival) = AsyncStream<Session>.makeStream()

  var url: String { "ws://127.0.0.1:\(server.port)" }

  init() throws {
    loop = try EventLoop(name: "mirror")
    loop.start()
    let listener = try Listener(loop: loop, host: "127.0.0.1", port: 0)
    let arrival = arrival
    server = HTTPServer(listener: listener) { exchange in
      exchange.upgradeToWebSocket(subprotocol: "mcp") { connection in
        let session = Session(connection)
        arrival.yield(session)
        return session
      }
    }
    server.start()
  }

  deinit { loop.stop() }

  /// One connection: what the client said on it, for whoever waits for it.
  final class Session: WebSocketHandler, Sendable {
    let connection: WebSocketConnection
    let messages: AsyncStream<String>
    private let message: AsyncStream<String>.Continuation

    init(_ connection: WebSocketConnection) {
      self.connection = connection
      (messages, message) = AsyncStream.makeStream()
    }

    func onMessage(_ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer, on: WebSocketConnection) {
      message.yield(String(decoding: bytes, as: UTF8.self))
    }

    func onClose(code: UInt16?, reason: String, clean: Bool, on: WebSocketConnection) { message.finish() }
  }

  /// What of the client's side is not as the case says; ends with its last step.
  func play(_ transcript: TranscriptCase) async throws -> [String] {
    var problems: [String] = []
    var bindings = Bindings(seed: 7)
    var open: [String: Session] = [:]
    var arrived = arrivals.makeAsyncIterator()
    for step in transcript.steps {
      if open[step.connection] == nil { open[step.connection] = await arrived.next() }
      guard let session = open[step.connection] else { return problems + ["nobody connected"] }
      func heard(_ matcher: Matcher) async {
        var messages = session.messages.makeAsyncIterator()
        guard let text = await messages.next(), let value = try? JSONParser.parse(text) else {
          return problems.append("line \(step.place.line): nothing came")
        }
        problems += matcher.match(value, &bindings).map {
          "line \(step.place.line): \($0.expected), not \($0.got)"
        }
      }
      func say(_ frame: FrameMatcher) throws {
        var value = try frame.matcher.generate(&bindings) ?? .null
        if transcript.dialect == .jsonrpc, var object = value.object {
          object["jsonrpc"] = "2.0"
          value = .object(object)
        }
        session.connection.send(text: JSONWriter.bytes(value))
      }
      switch step.action {
      case .say(let matcher): await heard(matcher)
      case .expect(let frame): try say(frame)
      case .unordered(let frames): for expected in frames { try say(expected.frame) }
      case .poll(let poll):
        await heard(poll.request)
        if let last = poll.last { try say(last) }
      case .connect: break
      case .raw(.text(let parts)):
        var messages = session.messages.makeAsyncIterator()
        let said = await messages.next()
        let expected = String(decoding: TextPart.joined(parts), as: UTF8.self)
        if said != expected { problems.append("line \(step.place.line): \(said ?? "") came") }
      default: problems.append("line \(step.place.line): a step that the mirror cannot play")
      }
    }
    return problems
  }
}
