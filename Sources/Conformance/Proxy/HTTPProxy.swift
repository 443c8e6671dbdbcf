internal import Synchronization
package import Transport
package import Wire

/// What watches the requests that go through an `HTTPProxy`. The calls for one exchange come one after
/// the other; those for different ones come from any task.
package protocol HTTPTap: AnyObject, Sendable {
  /// A request is about to be passed on.
  func asked(_ exchange: Int, _ request: HTTPRequest)
  func answered(_ exchange: Int, _ head: HTTPResponseHead)
  /// A piece of the answer's body, about to be passed on.
  func received(_ exchange: Int, _ bytes: [UInt8])
  func ended(_ exchange: Int, _ end: HTTPProxyEnd)
}

/// How a request through a proxy ended.
package enum HTTPProxyEnd: Sendable, Equatable {
  case whole
  /// The client went away before it had the whole answer.
  case clientLeft
  /// The target could not be reached, or its answer broke off.
  case broken(String)
}

/// A reverse proxy in front of one HTTP server. Requests and answers pass as they are but for what
/// belongs to a connection (RFC 9110 §7.6.1), Host and Origin, and offers of compression: what is
/// compressed no tap can read.
package final class HTTPProxy: Sendable {
  private let server: HTTPServer
  private let client: HTTPClient
  private let target: HTTPURL
  /// What the target calls itself.
  private let origin: (scheme: String, authority: String)
  private let own: [String]
  private let tap: any HTTPTap
  private let count = Atomic<Int>(0)

  private static let largestBody = 64 << 20
  private static let connectTime = Duration.seconds(10)
  /// A stream of events may be silent for long.
  private static let patience = Duration.seconds(3600)

  /// - Parameters:
  ///   - target: where requests go; the path is the client's business.
  ///   - behind: the URL of the endpoint where `target` is only the way to it, a tunnel.
  ///   - port: 0 takes any free one.
  package init(
    target: HTTPURL, behind: HTTPURL? = nil, host: String = "127.0.0.1", port: UInt16 = 0,
    on loop: EventLoop, tap: any HTTPTap
  ) throws(TransportError) {
    self.target = target
    self.tap = tap
    let real = behind ?? target
    origin = (real.scheme, real.hostField)
    client = HTTPClient(loop: loop)
    let listener = try Listener(loop: loop, host: host, port: port)
    own = ["\(host):\(listener.port)", "localhost:\(listener.port)"]
    var options = HTTPServerOptions()
    options.limits.bodyBytes = Self.largestBody
    options.maxUnsentBytes = Self.largestBody
    let room = Weak()
    server = HTTPServer(listener: listener, options: options) { exchange in
      guard let proxy = room.proxy else { return exchange.reset() }
      proxy.take(exchange)
    }
    room.proxy = self
  }

  private final class Weak: @unchecked Sendable {
    // Invariant: written once in init, before anything else can see it.
    weak var proxy: HTTPProxy?
  }

  package var port: UInt16 { server.port }
  /// Where clients find it, without a path.
  package var url: String { "http://\(server.listener.host):\(server.port)" }
  /// How many connections of clients are open.
  package var connectionCount: Int { server.connectionCount }

  package func start() { server.start() }

  /// Gives the port up, and cuts what is not over within `limit`.
  package func stop(within limit: Duration = .milliseconds(100)) async {
    await server.stop(within: limit)
    client.closeIdle()
  }

  private func take(_ exchange: HTTPExchange) {
    let number = count.wrappingAdd(1, ordering: .relaxed).newValue
    tap.asked(number, exchange.request)
    let task = Task {
      let end = await self.pass(exchange, number)
      self.tap.ended(number, end)
    }
    exchange.onClose { task.cancel() }
  }

  private func pass(_ exchange: HTTPExchange, _ number: Int) async -> HTTPProxyEnd {
    let head = exchange.request.head
    var request = HTTPClientRequest(
      method: head.method, url: "http://\(target.hostField)\(head.target)", headers: forwarded(head.headers),
      body: exchange.request.body)
    request.maxBodyBytes = .max
    var isBegun = false
    do throws(HTTPClientError) {
      let answer = try await client.stream(
        request,
        deadlines: Deadlines(
          connect: Self.connectTime, firstByte: Self.patience, idle: Self.patience, total: nil))
      tap.answered(number, answer.head)
      exchange.begin(status: answer.status, headers: Self.withoutHops(answer.headers))
      isBegun = true
      var pieces = answer.body.makeAsyncIterator()
      while let piece = try await pieces.next() {
        tap.received(number, piece)
        exchange.write(piece)
      }
      exchange.finish()
      return .whole
    } catch {
      guard !Task.isCancelled else {
        exchange.reset()
        return .clientLeft
      }
      if isBegun { exchange.reset() } else { exchange.respond(status: 502, text: "\(error)\n") }
      return .broken(error.description)
    }
  }

  // MARK: Headers

  private static let hops = [
    "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection",
  ]

  private static func withoutHops(_ headers: HTTPHeaders) -> HTTPHeaders {
    var kept = HTTPHeaders()
    for (name, value) in headers where !hops.contains(name.lowercased()) { kept.append(name, value) }
    return kept
  }

  private func forwarded(_ headers: HTTPHeaders) -> HTTPHeaders {
    var kept = HTTPHeaders()
    for (name, value) in Self.withoutHops(headers) {
      switch name.lowercased() {
      case "accept-encoding", "content-length", "expect": continue
      case "host": kept.append(name, own.contains(value) ? origin.authority : value)
      case "origin" where own.contains { value == "http://\($0)" }:
        kept.append(name, "\(origin.scheme)://\(origin.authority)")
      default: kept.append(name, value)
      }
    }
    return kept
  }
}
