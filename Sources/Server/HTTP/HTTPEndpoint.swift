import JSON
import Orchestration
import ProtocolSpec
import Transport
import Wire

/// MCP over HTTP: checks what a request says about itself, and hands its message to whom it is for.
struct HTTPEndpoint: Sendable {
  let service: Service
  let rules: HTTPRules
  private let sessions: HTTPSessions
  let rates: HTTPRates

  init(_ service: Service) {
    self.service = service
    rules = HTTPRules(service.spec)
    sessions = HTTPSessions(service)
    rates = HTTPRates(perSecond: service.settings.rateLimit)
  }

  var http: MCPHTTPSpec { service.spec.transports.http }

  private static let methods = "GET, POST, DELETE"

  /// To be called on the loop of `exchange`.
  func serve(_ exchange: HTTPExchange) {
    let head = exchange.request.head
    if service.phase == .starting { return unavailable(exchange) }
    let isStateless = rules.revision(head)?.isStateless == true
    switch head.method {
    case "POST": post(exchange)
    case "GET" where !isStateless: get(exchange)
    case "DELETE" where !isStateless: delete(exchange)
    default:
      let methods = isStateless ? "POST" : Self.methods
      refuse(exchange, 405, fill(http.messages.method, ["methods": methods]), headers: ["Allow": methods])
    }
  }

  // MARK: - POST

  private func post(_ exchange: HTTPExchange) {
    let head = exchange.request.head
    let types = [HTTPRules.json, HTTPRules.eventStream]
    guard rules.isJSON(head) else { return refuse(exchange, 415, http.messages.contentType) }
    guard rules.accepts(types, head) else { return notAcceptable(exchange, types) }
    var reader = MessageReader(spec: service.spec, initial: .jsonrpc)
    reader.isOnlyJSONRPC = true
    let message: JSONValue
    do throws(JSONError) {
      let limits = JSONLimits(depth: service.spec.limits.jsonDepth)
      message = try JSONParser.parse(exchange.request.body, limits: limits)
    } catch {
      let fault = service.spec.errors.fault(.parseError, ["detail": error.description])
      return exchange.refuse(400, rules.refusal(fault, rules.revisionOfRefusals(head)))
    }
    if rules.isStateless(head, message) { return serveStateless(message, exchange) }
    if let fault = rules.refusalOfVersion(head) {
      let answer = rules.refusal(fault, service.spec.mcp.newest, id: HTTPRules.id(of: message))
      return exchange.refuse(400, answer)
    }
    if head.headers[http.headers.session] == nil { return begin(reader.read(message), message, exchange) }
    guard let session = session(exchange, id: HTTPRules.id(of: message)) else { return }
    session.loop.run { session.value.take(message, exchange) }
  }

  /// Takes a message without a session: `initialize` begins one.
  private func begin(_ incoming: Incoming, _ message: JSONValue, _ exchange: HTTPExchange) {
    switch incoming {
    case .request(let request) where request.method.mcp == .initialize && request.id != nil:
      guard service.phase == .ready else { return unavailable(exchange) }
      guard let session = sessions.begin(on: exchange.loop, remote: exchange.remote) else {
        return refuse(exchange, 503, http.messages.tooManySessions, headers: retryAfter)
      }
      session.begin(request, exchange)
    case .refused(let answer)
    where message["method"]?.string == MCPMethod.initialize.rawValue
      || rules.status(of: answer, isStateless: false) == 400:
      exchange.refuse(400, answer)
    default:
      let text = fill(http.messages.noSession, ["header": http.headers.session])
      refuse(exchange, 400, text, id: HTTPRules.id(of: message))
    }
  }

  // MARK: - GET and DELETE

  private func get(_ exchange: HTTPExchange) {
    let head = exchange.request.head
    guard rules.accepts([HTTPRules.eventStream], head) else {
      return notAcceptable(exchange, [HTTPRules.eventStream])
    }
    guard let session = sessionOfHeader(exchange) else { return }
    guard service.phase == .ready else { return unavailable(exchange) }
    let place = head.headers[http.headers.resume]
    session.loop.run { session.value.listen(exchange, after: place) }
  }

  private func delete(_ exchange: HTTPExchange) {
    guard let session = sessionOfHeader(exchange) else { return }
    session.loop.run {
      session.value.end()
      exchange.respond(status: 204)
    }
  }

  private func sessionOfHeader(_ exchange: HTTPExchange) -> LoopBound<HTTPSession>? {
    if let fault = rules.refusalOfVersion(exchange.request.head) {
      exchange.refuse(400, rules.refusal(fault, service.spec.mcp.newest))
      return nil
    }
    return session(exchange)
  }

  /// The session that the header names; nil if that was answered with a refusal.
  private func session(_ exchange: HTTPExchange, id: JSONValue? = nil) -> LoopBound<HTTPSession>? {
    let header = http.headers.session
    let values = exchange.request.head.headers.values(header)
    guard let value = values.first else {
      refuse(exchange, 400, fill(http.messages.noSession, ["header": header]), id: id)
      return nil
    }
    guard values.count == 1 else {
      refuse(exchange, 400, fill(http.messages.oneSession, ["header": header]), id: id)
      return nil
    }
    guard let session = sessions[value] else {
      refuse(exchange, 404, http.messages.unknownSession, id: id)
      return nil
    }
    return session
  }

  // MARK: - Refusals

  private func notAcceptable(_ exchange: HTTPExchange, _ types: [String]) {
    refuse(exchange, 406, fill(http.messages.accept, ["types": types.joined(separator: " and ")]))
  }

  private var retryAfter: HTTPHeaders {
    [("Retry-After", String(service.spec.limits.retryAfter.components.seconds))]
  }

  func unavailable(_ exchange: HTTPExchange) {
    exchange.respond(
      status: 503, headers: retryAfter, text: service.phase == .draining ? "shutting down\n" : "starting\n")
  }

  func refuse(
    _ exchange: HTTPExchange, _ status: Int, _ detail: String, id: JSONValue? = nil, headers: HTTPHeaders = []
  ) {
    let revision = rules.revisionOfRefusals(exchange.request.head)
    exchange.refuse(status, rules.refusal(detail, revision, id: id), headers: headers)
  }
}
