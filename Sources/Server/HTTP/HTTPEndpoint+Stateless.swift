import JSON
import ProtocolSpec
import Synchronization
import Transport

// Revisions without sessions: every POST says by itself all that there is to know (2026-07-28).
extension HTTPEndpoint {
  /// Takes a message that says, in the header or in `_meta`, that it is one of a stateless revision.
  func serveStateless(_ message: JSONValue, _ exchange: HTTPExchange) {
    let revision = rules.revision(exchange.request.head) ?? service.spec.mcp.newestStateless
    if let fault = rules.mismatch(exchange.request.head, message) {
      return exchange.refuse(400, rules.refusal(fault, revision, id: HTTPRules.id(of: message)))
    }
    var reader = MessageReader(spec: service.spec, initial: .jsonrpc)
    reader.isOnlyJSONRPC = true
    reader.assumesStateless = true
    reader.revision = revision
    switch reader.read(message) {
    case .request(let request) where request.isNotification: exchange.respond(status: 202)
    case .request(let request): answer(request, exchange)
    case .refused(let answer):
      service.metrics.tally(of: exchange.loop).add(method: nil, .jsonrpc, answer)
      exchange.refuse(rules.status(of: answer, isStateless: true), answer)
    case .response: exchange.refuse(400, rules.refusal(http.messages.noResponses, revision))
    case .ignored, .batch: takeNotification(message, revision, exchange)
    }
  }

  /// A notification that asks for nothing is taken, unless it says that it is of a revision that is not
  /// served. It need not say any (2026-07-28, schema, `NotificationMetaObject`).
  private func takeNotification(_ message: JSONValue, _ revision: MCPRevision, _ exchange: HTTPExchange) {
    guard let name = rules.version(of: message)?.string,
      service.spec.mcp.revision(named: name)?.isStateless != true
    else { return exchange.respond(status: 202) }
    let fault = service.spec.mcp.unsupportedVersion(name, service.spec.errors)
    exchange.refuse(400, rules.refusal(fault, revision))
  }

  private func answer(_ request: Request, _ exchange: HTTPExchange) {
    guard rates.admits(exchange.remote) else {
      let fault = service.spec.errors.fault(.rateLimited, retryAfter: .seconds(1))
      return exchange.refuse(200, request.answer(.failure(fault)))
    }
    let isListening = request.method.mcp == .listen
    if isListening, service.phase != .ready { return unavailable(exchange) }
    let session = StatelessHTTPSession(service, on: exchange.loop, remote: exchange.remote)
    let stream = HTTPAnswerStream(exchange, service, on: exchange.loop)
    let bound = LoopBound((session: session, stream: stream), on: exchange.loop)
    // "Closing the SSE response stream MUST be treated by the server as cancellation of that request"
    // (2026-07-28, streamable HTTP, cancellation).
    exchange.onClose {
      let (session, stream) = bound.value
      if let id = request.id { session.cancel(id: id) }
      stream.put(nil, at: 0)
      session.end()
    }
    session.run(request, route: stream) { _, answer in
      let (session, stream) = bound.value
      stream.put(answer, at: 0)
      session.end()
    }
    stream.wait(atOnce: isListening)
  }
}

/// What serves one request of a stateless revision.
private final class StatelessHTTPSession: Session {
  /// There is nobody to tell what belongs to no request.
  override func tell(_ message: UnsafeRawBufferPointer) {}
}

/// How many requests without a session are served in a second, of each connection.
final class HTTPRates: Sendable {
  private static let most = 4096

  private let perSecond: Int
  private let rates = Mutex<[String: RateLimit]>([:])

  /// - Parameter perSecond: 0 for no limit.
  init(perSecond: Int) { self.perSecond = perSecond }

  func admits(_ connection: String) -> Bool {
    guard perSecond > 0 else { return true }
    return rates.withLock { rates in
      if rates.count >= Self.most {
        rates = rates.filter { $0.value.isCurrent }
        // So many connections within a second: who is new waits.
        if rates.count >= Self.most, rates[connection] == nil { return false }
      }
      return rates[connection, default: RateLimit(perSecond: perSecond)].admits()
    }
  }
}
