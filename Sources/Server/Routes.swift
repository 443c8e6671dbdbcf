import Diagnostics
import JSON
import ProtocolSpec
import TaskStore
import Transport
import Wire

/// The HTTP face of the port: who may come in, and what is at which path.
struct Routes: Sendable {
  let service: Service
  private let access: Access
  private let endpoint: HTTPEndpoint
  /// Made once: it does not change while the server runs.
  private let openRPC: [UInt8]
  private let dashboard: Dashboard

  init(_ service: Service) {
    self.service = service
    endpoint = HTTPEndpoint(service)
    openRPC = JSONWriter.bytes(service.spec.openRPC)
    dashboard = Dashboard(service.spec.overview)
    access = Access(service.settings, tokenPrefix: service.spec.overview.tokenSubprotocolPrefix)
  }

  func serve(_ exchange: HTTPExchange) {
    let head = exchange.request.head
    let metrics = service.metrics
    exchange.onEnd { status in
      if let status, status >= 400 { metrics.refused(status: status) }
    }
    switch (head.path, exchange.isWebSocketUpgrade) {
    case (_, true): upgrade(exchange)
    case ("/healthz", _): answer(exchange) { $0.respond(status: 200, text: "alive\n") }
    case ("/readyz", _): answer(exchange, ready)
    case (Dashboard.path, _): answer(exchange, show)
    default:
      if let refusal = access.refusalOfRequest(head) {
        refuse(exchange, refusal)
      } else if head.path == endpoint.http.path {
        endpoint.serve(exchange)
      } else if head.path == "/metrics" {
        answer(exchange, tellMetrics)
      } else if head.path == "/openrpc.json" {
        answer(exchange) {
          $0.respond(status: 200, headers: ["Content-Type": "application/json"], body: openRPC)
        }
      } else {
        exchange.respond(
          status: 404,
          text: "there is nothing at \(head.path); the orchestrator is a WebSocket on this port, and MCP is"
            + " at \(endpoint.http.path)\n")
      }
    }
  }

  private func answer(_ exchange: HTTPExchange, _ body: (HTTPExchange) -> Void) {
    guard ["GET", "HEAD"].contains(exchange.request.head.method) else {
      exchange.respond(
        status: 405, headers: ["Allow": "GET, HEAD"], text: "only GET and HEAD are served here\n")
      return
    }
    body(exchange)
  }

  /// Who has no token gets the page as well, for it is the page that asks for it.
  private func show(_ exchange: HTTPExchange) {
    let refusal = access.refusal(of: exchange.request.head)
    if let refusal, refusal.status != 401 { return refuse(exchange, refusal) }
    var headers = dashboard.headers
    for (name, value) in refusal?.headers ?? [] { headers.append(name, value) }
    exchange.respond(status: refusal?.status ?? 200, headers: headers, body: dashboard.body)
  }

  private func ready(_ exchange: HTTPExchange) {
    switch service.phase {
    case .starting: exchange.respond(status: 503, text: "starting\n")
    case .draining: exchange.respond(status: 503, text: "shutting down\n")
    case .ready:
      let store = service.store
      Task {
        let trouble = await store.trouble()
        exchange.respond(
          status: trouble == nil ? 200 : 503,
          text: trouble.map { "the task store cannot be written\n\($0.trouble.text)\n" } ?? "ready\n")
      }
    }
  }

  private func tellMetrics(_ exchange: HTTPExchange) {
    let service = service
    let sockets = exchange.openConnections
    Task {
      let text = await service.metrics.text(sockets: sockets, service.orchestrator)
      exchange.respond(
        status: 200, headers: ["Content-Type": MetricsRegistry.contentType], body: Array(text.utf8))
    }
  }

  private func refuse(_ exchange: HTTPExchange, _ refusal: Access.Refusal) {
    exchange.respond(status: refusal.status, headers: refusal.headers, text: refusal.text + "\n")
  }

  // MARK: - WebSocket

  private func upgrade(_ exchange: HTTPExchange) {
    let head = exchange.request.head
    if let refusal = access.refusal(of: head) ?? access.refusalOfSubprotocols(head) {
      return refuse(exchange, refusal)
    }
    guard service.phase == .ready else {
      let seconds = String(service.spec.limits.retryAfter.components.seconds)
      let text = service.phase == .draining ? "shutting down\n" : "starting\n"
      return exchange.respond(status: 503, headers: ["Retry-After": seconds], text: text)
    }
    let service = service
    exchange.upgradeToWebSocket(
      subprotocol: service.spec.overview.subprotocol, options: WebSocketOptions(service.spec.limits)
    ) { connection in
      let session = WebSocketSession(service, connection)
      service.log.debug(
        "opened",
        JSONObject([("connection", .int(session.client)), ("remote", .string(connection.remote))]))
      return session
    }
  }
}
