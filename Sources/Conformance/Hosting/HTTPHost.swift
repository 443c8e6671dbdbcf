import Foundation
internal import JSON
internal import ProtocolSpec
package import Transport
internal import Wire

/// A server of MCP's Streamable HTTP on which clients are judged: each session is one guest, whichever
/// requests its messages come by.
package final class HTTPHost: GuestHost, @unchecked Sendable {
  // Invariant: the lets never change and lock themselves; every var is used only on `loop`.
  /// Of the endpoint.
  package static let path = "/mcp"

  package let transport = PlayTransport.http
  private let server: HTTPServer
  private let inbox: Inbox<GuestEvent>
  private var sessions = HTTPSessions()
  /// By the numbers that `sessions` gives them.
  private var guests: [Int: HTTPGuest] = [:]
  private var count = 0

  private static let queuedBytes = 32 << 20
  private static let largestBody = 16 << 20
  private static let mostGuests = 1000
  static let requirement = "client.streamable-http"

  package init(loop: EventLoop, port: UInt16 = 0) throws(TransportError) {
    let listener = try Listener(loop: loop, host: "127.0.0.1", port: port)
    var options = HTTPServerOptions()
    options.limits.bodyBytes = Self.largestBody
    // Whoever is far ahead is bounded by the number of requests that one can have under way.
    inbox = Inbox(loop: loop, limit: Self.queuedBytes) {}
    let room = Weak()
    server = HTTPServer(listener: listener, options: options) { exchange in
      guard let host = room.host else { return exchange.reset() }
      host.take(exchange)
    }
    room.host = self
    server.start()
  }

  private final class Weak: @unchecked Sendable {
    // Invariant: written once in init, before anything else can see it.
    weak var host: HTTPHost?
  }

  /// Events hold guests, and guests the inbox that the events wait in.
  deinit { inbox.close() }

  package var port: UInt16 { server.port }

  package func next(within limit: Duration) async -> GuestEvent? { await inbox.next(within: limit) }

  package func close() {
    let server = server
    Task { await server.stop(within: .milliseconds(100)) }
  }

  func tell(_ event: GuestEvent, _ weight: Int = 64) -> Bool { inbox.push(event, weight: weight + 64) }

  /// A rule of the transport that is broken.
  func breach(_ text: String) { _ = tell(.breach(requirement: Self.requirement, text)) }

  // MARK: Requests

  private func take(_ exchange: HTTPExchange) {
    let head = exchange.request.head
    guard head.path == Self.path else {
      let isThere = head.path == "/readyz" || head.path == "/healthz"
      return exchange.respond(status: isThere ? 200 : 404, text: isThere ? "ok\n" : "not found\n")
    }
    switch head.method {
    case "POST": post(exchange)
    case "GET": existing(exchange)?.listen(exchange)
    case "DELETE":
      guard let guest = existing(exchange) else { return }
      sessions.ended(head.headers[Self.session])
      guest.leave()
      exchange.respond(status: 200)
    default:
      exchange.respond(status: 405, headers: ["Allow": "POST, GET, DELETE"])
    }
  }

  static let session = "Mcp-Session-Id"

  /// The session that a GET or DELETE is about; nil where it is answered already.
  private func existing(_ exchange: HTTPExchange) -> HTTPGuest? {
    guard let name = exchange.request.head.headers[Self.session] else {
      // As of 2026-07-28 there is neither a GET nor a DELETE.
      exchange.respond(status: 405, headers: ["Allow": "POST"], text: "no session\n")
      return nil
    }
    guard let guest = sessions.existing(name).flatMap({ guests[$0] }), guest.isOpen else {
      exchange.respond(status: 404, text: "no such session\n")
      return nil
    }
    return guest
  }

  private func post(_ exchange: HTTPExchange) {
    let request = exchange.request
    let message = HostedPost(request)
    for problem in message.problems { breach(problem) }
    let name = request.head.headers[Self.session]
    if let name, sessions.existing(name).flatMap({ guests[$0] })?.isOpen != true {
      // "The server MUST respond to requests containing that session ID with HTTP 404 Not Found."
      return exchange.respond(status: 404, text: "no such session\n")
    }
    if name == nil, message.needsSession, let last = guests[count], last.isOpen, last.session != nil {
      breach("a POST of a session came without its Mcp-Session-Id")
      return exchange.respond(status: 400, text: "the Mcp-Session-Id is missing\n")
    }
    guard count < Self.mostGuests else { return exchange.respond(status: 503, text: "too many sessions\n") }
    var isNew = false
    let place = sessions.connection(of: name, opens: message.opensSession) {
      isNew = true
      count += 1
      return count
    }
    let guest = guests[place] ?? HTTPGuest(request.head, self, exchange.loop)
    guests[place] = guest
    if isNew { _ = tell(.arrived(guest)) }
    guest.take(exchange, message)
  }

  /// The session of a guest has a name from now on.
  func named(_ guest: HTTPGuest, _ name: String) {
    guard let place = guests.first(where: { $0.value === guest })?.key else { return }
    sessions.name(place, name)
  }

  /// Whatever has no session begins anew.
  func forget(_ guest: HTTPGuest) {
    guard let place = guests.first(where: { $0.value === guest })?.key else { return }
    guests[place] = nil
    sessions.forget(place)
  }
}

/// What came by a POST.
struct HostedPost {
  let bytes: [UInt8]
  let value: JSONValue?
  /// Of the requests in it, as they stand.
  let ids: [JSONValue]
  /// What of the transport it breaks.
  private(set) var problems: [String] = []
  private let parts: [JSONValue]
  let version: String?

  init(_ request: HTTPRequest) {
    bytes = request.body
    value = try? JSONParser.parse(request.body)
    parts = value.map { $0.array ?? [$0] } ?? []
    ids = parts.compactMap { $0["method"] == nil ? nil : $0["id"] }
    let headers = request.head.headers
    version = headers["MCP-Protocol-Version"]
    // "The client MUST include an Accept header, listing both application/json and text/event-stream."
    let accept = headers.list("Accept").map { $0.prefix { $0 != ";" }.lowercased() }
    for type in ["application/json", "text/event-stream"] where !accept.contains(type) {
      problems.append("the Accept of a POST does not list \(type)")
    }
    let type = headers["Content-Type"]?.lowercased() ?? "none"
    if !type.hasPrefix("application/json") {
      problems.append("the Content-Type of a POST is \(type), application/json is expected")
    }
    if let stated, stated != version {
      problems.append("MCP-Protocol-Version is \(version ?? "missing"), and _meta says \(stated)")
    }
  }

  /// The revision that a message without a session says it is of.
  private var stated: String? {
    parts.lazy.compactMap { $0["params"]?[MCPMeta.member]?[MCPMeta.protocolVersion]?.string }.first
  }

  var opensSession: Bool { parts.contains { $0["method"] == "initialize" } }
  var isStateless: Bool { stated != nil }
  /// Whether it makes sense only within a session.
  var needsSession: Bool { value != nil && !opensSession && !isStateless }
}
