import Diagnostics
import JSON
import MCP
import Orchestration
import ProtocolSpec
import Transport

/// One client, whatever carries its messages: runs its requests, and tells it what it has asked to be
/// told. Confined to a loop. Subclasses carry the messages.
class Session {
  /// Takes the answer of one request on the loop; nil where nothing is to be answered.
  typealias Done = @Sendable (Session, Answer?) -> Void

  let service: Service
  let loop: EventLoop
  /// Where the client is, for the log.
  let remote: String
  /// The number of this client, whose tasks take turns with those of others.
  let client: Int
  /// Where its requests are counted.
  let tally: RequestTally
  var mcp: MCPSession
  /// Requests whose answers do not come at once.
  var underWay = RequestsUnderWay()
  var subscriptions = ConnectionSubscriptions()
  var questions = QuestionsAsked()

  init(_ service: Service, on loop: EventLoop, remote: String) {
    self.service = service
    self.loop = loop
    self.remote = remote
    client = service.nextClient()
    tally = service.metrics.tally(of: loop)
    mcp = MCPSession(service.mcp)
  }

  // MARK: - What a carrier does

  /// Sends one message that belongs to no request.
  func tell(_ message: UnsafeRawBufferPointer) { preconditionFailure("a carrier tells") }

  /// From here on messages are read by the rules of this revision of MCP.
  func agreed(on revision: MCPRevision) {}

  // MARK: - Requests

  /// The client is gone: nobody waits for anything any more.
  func end() {
    for work in underWay.removeAll() { work.stop?() }
    endSubscriptions()
    endQuestions()
  }

  /// Runs `request` and calls `done` on the loop.
  ///
  /// - Parameter route: where messages go that belong to the request; nil for where all others go.
  func run(_ request: Request, route: (any RequestRoute)? = nil, done: @escaping Done) {
    if let result = service.immediate(request) {
      let answer = request.isNotification ? nil : request.answer(.success(result))
      tally.add(method: request.method.name, request.dialect, answer)
      logDone(request, answer, .zero)
      return done(self, answer)
    }
    let begun = ContinuousClock.now
    let done: Done = { session, answer in
      let time = begun.duration(to: .now)
      session.tally.add(method: request.method.name, request.dialect, answer, time: time)
      session.logDone(request, answer, time)
      done(session, answer)
    }
    if request.method.mcp != nil {
      runMCP(request, route: route, done: done)
    } else {
      switch request.method.name {
      case Self.subscribeMethod: subscribe(request, done: done)
      case Self.unsubscribeMethod: unsubscribe(request, done: done)
      default: start(request, route: route, done: done)
      }
    }
  }

  /// What was refused before it was a request.
  func refused(_ answer: Answer) { tally.add(method: nil, answer.dialect, answer) }

  /// An id as the log has it: who chooses one as long as a message does not fill the log with it.
  private static func shown(_ id: JSONValue?) -> JSONValue {
    let limit = 200
    guard let text = id?.string, text.utf8.count > limit else { return id ?? .null }
    return .string(text.prefix(limit) + "…")
  }

  /// One line for each request, for who looks for one: the number of the client, its own id, and the task.
  private func logDone(_ request: Request, _ answer: Answer?, _ time: Duration) {
    guard service.log.isEnabled(.debug) else { return }
    var fields = JSONObject([
      ("connection", .int(client)), ("request", Self.shown(request.id)),
      ("method", .string(request.method.name)), ("dialect", .string(request.dialect.rawValue)),
    ])
    switch answer?.outcome {
    case .success(let result)?:
      fields["outcome"] = "ok"
      fields["task_id"] = result["task_id"]
    case .failure(let fault)?:
      fields["outcome"] = .string(fault.name.rawValue)
      fields["task_id"] = fault.data["task_id"]
    case nil: fields["outcome"] = "none"
    }
    fields["ms"] = .int(Int(time / .milliseconds(1)))
    service.log.debug("request", fields)
  }

  /// Runs a native request beside the loop.
  private func start(_ request: Request, route: (any RequestRoute)?, done: @escaping Done) {
    let bound = LoopBound(self, on: loop)
    // Nothing that is said in JSON-RPC stops a bare request.
    let number = underWay.begin(id: request.dialect == .jsonrpc ? request.id : nil, route: route)
    let reply = Reply(on: loop, client: client) { outcome in
      let session = bound.value
      let isAwaited = session.underWay.end(number) && !request.isNotification
      done(session, isAwaited ? request.answer(outcome) : nil)
    }
    if let stop = service.run(request, reply) { underWay.keep(stop, for: number) }
  }

  /// Sends an answer where all others go.
  func send(_ answer: Answer) {
    var bytes: [UInt8] = []
    answer.write(to: &bytes)
    bytes.withUnsafeBytes { tell($0) }
  }
}

/// Where messages go that belong to one request: progress, log, and what the client is asked meanwhile.
/// Confined to the loop of the session.
protocol RequestRoute: AnyObject {
  func tell(_ message: UnsafeRawBufferPointer)
  /// Ends what carries the answer, so that the client has to come back for it; where it cannot do so,
  /// nothing happens.
  func disconnect()
}

extension RequestRoute {
  func disconnect() {}
}
