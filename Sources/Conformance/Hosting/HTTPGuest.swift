import Foundation
internal import JSON
internal import Transport
package import Wire

/// One session of a client over Streamable HTTP, or all that a client says without one. Usable from any
/// thread.
package final class HTTPGuest: Guest, @unchecked Sendable {
  // Invariant: the lets never change; every var is used only on `loop`.
  /// A POST that has not got all of its answers.
  private struct Pending {
    let exchange: HTTPExchange
    var open: [JSONValue]
    let opensSession: Bool
    /// Whether its stream of events has begun.
    var isStream = false
  }

  private enum Phase { case waiting, open, over }

  package let request: HTTPRequestHead
  package let problem: String? = nil
  package let speaksMCP = true
  package let isOther = false
  private let loop: EventLoop
  private weak var host: HTTPHost?
  private var phase = Phase.waiting
  /// What came before it was accepted.
  private var early: [(HTTPExchange, HostedPost)] = []
  private var pending: [Pending] = []
  private var stream: HTTPExchange?
  /// Said where no stream was open to say it on.
  private var unsaid: [[UInt8]] = []
  private var answers = 0
  private(set) var session: String?
  /// What `initialize` agreed on, if that has a header.
  private var version: String?

  private static let mostPending = 1000
  private static let mostUnsaid = 1000
  /// Since this revision its header is sent.
  private static let firstWithHeader = "2025-06-18"

  init(_ request: HTTPRequestHead, _ host: HTTPHost, _ loop: EventLoop) {
    self.request = request
    self.host = host
    self.loop = loop
  }

  /// On the loop.
  var isOpen: Bool { phase != .over }

  // MARK: What the client does

  func take(_ exchange: HTTPExchange, _ post: HostedPost) {
    switch phase {
    case .waiting: early.append((exchange, post))
    case .over: exchange.respond(status: 404, text: "the session is over\n")
    case .open: received(exchange, post)
    }
  }

  private func received(_ exchange: HTTPExchange, _ post: HostedPost) {
    if let version, !post.isStateless, post.version != version {
      host?.breach("MCP-Protocol-Version is \(post.version ?? "missing"), and \(version) was agreed on")
    }
    guard !post.ids.isEmpty || post.value == nil else {
      // "If the server accepts the input, the server MUST return HTTP status code 202 Accepted."
      exchange.respond(status: 202)
      return tell(.message(.text, post.bytes), post.bytes.count)
    }
    guard pending.count < Self.mostPending else {
      return exchange.respond(status: 503, text: "too many requests\n")
    }
    pending.append(Pending(exchange: exchange, open: post.ids, opensSession: post.opensSession))
    let isStateless = post.isStateless
    exchange.onClose { [weak self, weak exchange] in
      guard let self, let exchange else { return }
      left(exchange, isStateless)
    }
    tell(.message(.text, post.bytes), post.bytes.count)
    flush()
  }

  /// The client does not wait for an answer any more.
  private func left(_ exchange: HTTPExchange, _ isStateless: Bool) {
    guard let place = pending.firstIndex(where: { $0.exchange === exchange }) else { return }
    let gone = pending.remove(at: place)
    exchange.reset()
    // "Closing the response stream is how a client cancels" (2026-07-28, Streamable HTTP).
    guard isStateless else { return }
    for id in gone.open {
      let note: JSONValue = [
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": ["requestId": id],
      ]
      tell(.message(.text, JSONWriter.bytes(note)), 100)
    }
  }

  /// A GET: the stream of what no request asks for.
  func listen(_ exchange: HTTPExchange) {
    guard phase == .open, stream == nil else {
      return exchange.respond(status: 409, text: "there is a stream already\n")
    }
    let accept = exchange.request.head.headers.list("Accept").map { $0.prefix { $0 != ";" }.lowercased() }
    if !accept.contains("text/event-stream") {
      host?.breach("the Accept of a GET does not list text/event-stream")
    }
    stream = exchange
    exchange.begin(status: 200, headers: Self.eventHeaders)
    exchange.onClose { [weak self, weak exchange] in
      exchange?.reset()
      guard let self, stream === exchange else { return }
      stream = nil
    }
    flush()
  }

  /// A DELETE.
  func leave() { over(.closed(code: 1000, reason: "DELETE", clean: true, how: .closeFrame)) }

  private func over(_ event: WebSocketClient.Event) {
    guard phase != .over else { return }
    end()
    tell(event, 64)
  }

  private func end() {
    phase = .over
    stream?.finish()
    stream = nil
    for (exchange, _) in early { exchange.respond(status: 404, text: "the session is over\n") }
    for post in pending {
      if post.isStream {
        post.exchange.finish()
      } else {
        post.exchange.respond(status: 404, text: "the session is over\n")
      }
    }
    (early, pending, unsaid) = ([], [], [])
    host?.forget(self)
  }

  private func tell(_ event: WebSocketClient.Event, _ weight: Int) {
    _ = host?.tell(.received(self, event, at: .now), weight)
  }

  // MARK: What the server does

  package func accept(subprotocol: String?, headers: HTTPHeaders) -> Bool {
    loop.run {
      guard self.phase == .waiting else { return }
      self.phase = .open
      let early = self.early
      self.early = []
      for (exchange, post) in early { self.received(exchange, post) }
    }
    return true
  }

  package func refuse(status: Int, headers: HTTPHeaders, body: String) {
    loop.run {
      guard self.phase == .waiting else { return }
      for (exchange, _) in self.early { exchange.respond(status: status, headers: headers, text: body) }
      self.early = []
      self.end()
    }
  }

  package func send(_ opcode: WebSocketOpcode, _ bytes: [UInt8], fin: Bool) {
    loop.run {
      guard self.phase == .open else { return }
      // What is asked for a sign of life is what has come so far: HTTP has no order to keep.
      if opcode == .ping { return self.tell(.pong(bytes), bytes.count) }
      self.say(bytes)
    }
  }

  package func sendRaw(_ bytes: [UInt8]) { send(.text, bytes, fin: true) }

  package func close(code: UInt16?, reason: String) {
    loop.run { self.over(.closed(code: code, reason: reason, clean: true, how: .local)) }
  }

  package func drop(reset: Bool) {
    loop.run {
      guard self.phase != .over else { return }
      for exchange in self.pending.map(\.exchange) + [self.stream].compactMap(\.self) {
        if reset { exchange.reset() } else { exchange.close() }
      }
      (self.pending, self.stream) = ([], nil)
      self.end()
    }
  }

  // MARK: Messages

  private static let eventHeaders: HTTPHeaders = [
    "Content-Type": "text/event-stream", "Cache-Control": "no-cache",
  ]

  private func say(_ bytes: [UInt8]) {
    let value = try? JSONParser.parse(bytes)
    let parts = value.map { $0.array ?? [$0] } ?? []
    let ids = parts.compactMap { $0["method"] == nil ? $0["id"] : nil }
    if let place = pending.firstIndex(where: { post in post.open.contains(where: ids.contains) }) {
      return answer(place, bytes, ids, value)
    }
    // Nothing else says what it is an answer to.
    if ids.isEmpty, parts.first?["method"] == nil, !pending.isEmpty {
      return answer(pending.count - 1, bytes, pending[pending.count - 1].open, value)
    }
    aside(bytes, isOfRequest: Self.isOfRequest(parts))
  }

  /// - Parameter ids: of what is answered.
  private func answer(_ place: Int, _ bytes: [UInt8], _ ids: [JSONValue], _ value: JSONValue?) {
    pending[place].open.removeAll(where: ids.contains)
    let isLast = pending[place].open.isEmpty
    var headers = HTTPHeaders()
    if pending[place].opensSession, let result = value?["result"] {
      headers.append(HTTPHost.session, begun(result))
    }
    answers += 1
    // They take turns, so that a client sees both kinds.
    guard pending[place].isStream || !isLast || answers.isMultiple(of: 2) else {
      headers.append("Content-Type", "application/json")
      let exchange = pending.remove(at: place).exchange
      return exchange.respond(status: 200, headers: headers, body: bytes)
    }
    write(bytes, to: place, headers)
    if isLast { pending.remove(at: place).exchange.finish() }
  }

  private func write(_ bytes: [UInt8], to place: Int, _ headers: HTTPHeaders = []) {
    if !pending[place].isStream {
      pending[place].isStream = true
      var all = Self.eventHeaders
      all.append(contentsOf: headers)
      pending[place].exchange.begin(status: 200, headers: all)
    }
    pending[place].exchange.write(Self.event(bytes))
  }

  private static func event(_ bytes: [UInt8]) -> [UInt8] {
    var event: [UInt8] = []
    ServerSentEventEncoder.append(data: bytes, event: "message", to: &event)
    return event
  }

  /// The session gets its name with the answer to `initialize`.
  private func begun(_ result: JSONValue) -> String {
    let name = session ?? UUID().uuidString.lowercased()
    session = name
    if let agreed = result["protocolVersion"]?.string, agreed >= Self.firstWithHeader { version = agreed }
    host?.named(self, name)
    return name
  }

  /// Whether messages are about a request rather than about the server.
  private static func isOfRequest(_ parts: [JSONValue]) -> Bool {
    let own = ["ping", "notifications/resources/updated"]
    return parts.allSatisfy { part in
      guard let method = part["method"]?.string else { return true }
      return !own.contains(method) && !method.hasSuffix("list_changed")
    }
  }

  /// A message that answers nothing: on the stream of a request, or on that of the GET.
  private func aside(_ bytes: [UInt8], isOfRequest: Bool) {
    if let stream, !isOfRequest || pending.isEmpty { return stream.write(Self.event(bytes)) }
    if !pending.isEmpty { return write(bytes, to: pending.count - 1) }
    if unsaid.count < Self.mostUnsaid { unsaid.append(bytes) }
  }

  /// Says what waited for a stream.
  private func flush() {
    let waiting = unsaid
    unsaid = []
    for bytes in waiting { aside(bytes, isOfRequest: false) }
  }
}
