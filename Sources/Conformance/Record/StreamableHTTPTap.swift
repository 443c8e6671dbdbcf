internal import JSON
internal import ProtocolSpec
package import Transport
package import Wire

/// Collects a recording from what goes through a proxy of MCP's Streamable HTTP: each session is a
/// connection, whichever requests its messages came by.
package final class StreamableHTTPTap: HTTPTap, @unchecked Sendable {
  // Invariant: every var is touched under `lock`.
  private struct Exchange {
    let connection: Int
    /// The request as it was sent; nil of what says nothing.
    let message: JSONValue?
    let isPost: Bool
    /// A revision without sessions: who leaves cancels.
    let isStateless: Bool
    var status = 0
    var body = [UInt8]()
    var events: ServerSentEventParser?
    /// Ids that have no answer.
    var open: [JSONValue]
    var isLost = false
  }

  private let log: RecordingLog
  private let path: String
  private let lock = Lock()
  private var sessions = HTTPSessions()
  private var exchanges: [Int: Exchange] = [:]
  /// Ids of events by their connections: a stream that is taken up again tells nothing twice.
  private var seen: [Int: Set<String>] = [:]

  private static let largestMessage = 64 << 20
  private static let keptIDs = 10_000

  /// - Parameter path: of the endpoint; what else is asked for passes unseen.
  package init(_ log: RecordingLog, path: String) {
    self.log = log
    self.path = path
  }

  package func asked(_ number: Int, _ request: HTTPRequest) {
    let head = request.head
    guard head.path == path, ["POST", "GET", "DELETE"].contains(head.method) else { return }
    lock.withLock {
      let session = head.headers["Mcp-Session-Id"]
      let message = head.method == "POST" ? try? JSONParser.parse(request.body) : nil
      let opens = message?["method"] == "initialize"
      if head.method == "GET", session == nil, sessions.current == nil { return }
      let connection = sessions.connection(of: session, opens: opens) { log.newConnection() }
      if head.method == "DELETE" {
        sessions.ended(session)
        return
      }
      if head.method == "POST" { log.add(.message(.text(request.body), .toServer), on: connection) }
      let parts = message.map { $0.array ?? [$0] } ?? []
      exchanges[number] = Exchange(
        connection: connection, message: message, isPost: head.method == "POST",
        isStateless: parts.contains { $0["params"]?["_meta"]?[MCPMeta.protocolVersion] != nil },
        open: parts.compactMap { $0["method"] == nil ? nil : $0["id"] })
    }
  }

  package func answered(_ number: Int, _ head: HTTPResponseHead) {
    lock.withLock {
      guard var exchange = exchanges[number] else { return }
      exchange.status = head.status
      let type = head.headers["Content-Type"]?.lowercased() ?? ""
      if type.hasPrefix("text/event-stream") {
        exchange.events = ServerSentEventParser(maxEventBytes: Self.largestMessage)
      }
      if exchange.message?["method"] == "initialize", let session = head.headers["Mcp-Session-Id"] {
        sessions.name(exchange.connection, session)
      }
      exchanges[number] = exchange
    }
  }

  package func received(_ number: Int, _ bytes: [UInt8]) {
    lock.withLock {
      guard var exchange = exchanges[number], !exchange.isLost else { return }
      if exchange.events == nil {
        exchange.body += bytes
        if exchange.body.count > Self.largestMessage { exchange.isLost = true }
      } else {
        read(bytes, &exchange)
      }
      exchanges[number] = exchange
    }
  }

  package func ended(_ number: Int, _ end: HTTPProxyEnd) {
    lock.withLock {
      guard let exchange = exchanges.removeValue(forKey: number) else { return }
      switch end {
      case .broken(let reason) where exchange.status == 0: log.add(problem: reason)
      case .clientLeft where exchange.isStateless:
        // "Closing the response stream is how a client cancels" (2026-07-28, Streamable HTTP).
        for id in exchange.open {
          let note: JSONValue = [
            "jsonrpc": "2.0", "method": "notifications/cancelled", "params": ["requestId": id],
          ]
          log.add(.message(.text(JSONWriter.bytes(note)), .toServer), on: exchange.connection)
        }
      case .whole where exchange.events == nil && exchange.isPost: whole(exchange)
      default: break
      }
    }
  }

  private func whole(_ exchange: Exchange) {
    if !exchange.isLost, let value = try? JSONParser.parse(exchange.body),
      value.object != nil || value.array != nil
    {
      return log.add(.answer(exchange.body, status: exchange.status), on: exchange.connection)
    }
    // Notifications and answers are accepted with nothing.
    guard !exchange.open.isEmpty || !(200..<300).contains(exchange.status) else { return }
    log.add(
      .message(.invalid("an answer of HTTP status \(exchange.status) without a message"), .toClient),
      on: exchange.connection)
  }

  private func read(_ bytes: [UInt8], _ exchange: inout Exchange) {
    guard var parser = exchange.events else { return }
    bytes.withUnsafeBufferPointer { buffer in
      var offset = 0
      while true {
        let event: ServerSentEventParser.Event?
        do throws(ServerSentEventOverflow) {
          event = try parser.next(UnsafeRawBufferPointer(buffer), &offset)
        } catch {
          exchange.isLost = true
          return log.add(.message(.invalid(error.description), .toClient), on: exchange.connection)
        }
        guard let event else { return }
        guard case .message(let message) = event, !message.data.isEmpty else { continue }
        // What came before is not told again where a stream is taken up again.
        guard isNew(message.lastEventID, exchange.connection) else { continue }
        let text = Array(message.data.utf8)
        if let value = try? JSONParser.parse(text), value["method"] == nil, let id = value["id"] {
          exchange.open.removeAll { $0 == id }
        }
        log.add(.message(.text(text), .toClient), on: exchange.connection)
      }
    }
    exchange.events = parser
  }

  private func isNew(_ id: String, _ connection: Int) -> Bool {
    guard !id.isEmpty else { return true }
    if (seen[connection]?.count ?? 0) >= Self.keptIDs { seen[connection] = [] }
    return seen[connection, default: []].insert(id).inserted
  }
}

/// Which requests belong together: those of one `Mcp-Session-Id`, and those without one that come one
/// after the other, up to the next `initialize`.
struct HTTPSessions {
  private var named: [String: Int] = [:]
  /// Of requests without a session.
  private(set) var current: Int?
  private var isBegun = false

  /// - Parameter opens: whether the request is `initialize`.
  mutating func connection(of session: String?, opens: Bool, new: () -> Int) -> Int {
    if let session, let connection = named[session] { return connection }
    if opens, isBegun { (current, isBegun) = (nil, false) }
    let connection = current ?? new()
    current = connection
    isBegun = isBegun || opens
    return connection
  }

  /// The server has named the session of a connection.
  mutating func name(_ connection: Int, _ session: String) {
    named[session] = connection
    guard current == connection else { return }
    current = nil
    isBegun = false
  }

  /// The connection that a session is.
  func existing(_ session: String) -> Int? { named[session] }

  /// Nothing more belongs to a connection.
  mutating func forget(_ connection: Int) {
    named = named.filter { $0.value != connection }
    if current == connection { (current, isBegun) = (nil, false) }
  }

  mutating func ended(_ session: String?) { if let session { named[session] = nil } }
}
