import JSON
import MCP
import ProtocolSpec
import Synchronization
import Transport
import Wire

/// MCP over Streamable HTTP: a POST for each message, whose answer is JSON or a stream of events. What a
/// server would say of its own accord, over GET, is not asked for.
final class HTTPLink: MCPLink {
  private struct State {
    var session: String?
    var revision: String?
    var isClosed = false
    /// The requests under way, by their own numbers.
    var sending: [Int: Task<Void, Never>] = [:]
    var last = 0
    /// Those numbers by the ids of the messages.
    var numbers: [Int: Int] = [:]
    /// Nothing overtakes a notification: the server has to know that it is initialized.
    var notification: Task<Void, Never>?
  }

  /// Messages that the executor has not looked at yet; it never lets so many wait.
  private static let mostEvents = 4096
  private static let closingTime = Duration.seconds(2)
  /// For what is answered at once.
  private static let notificationTime = Duration.seconds(20)

  let events: AsyncStream<LinkEvent>
  private let output: AsyncStream<LinkEvent>.Continuation
  private let url: String
  private let token: String?
  private let client: HTTPClient
  private let deadlines: Deadlines
  private let maxBytes: Int
  private let state = Mutex(State())

  /// - Parameter deadlines: of one request; the answer to a call may take as long as the call.
  init(_ url: String, token: String?, client: HTTPClient, deadlines: Deadlines, maxBytes: Int) {
    self.url = url
    self.token = token
    self.client = client
    self.deadlines = deadlines
    self.maxBytes = maxBytes
    (events, output) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.mostEvents))
  }

  func agreed(on revision: String) { state.withLock { $0.revision = revision } }

  func send(_ message: JSONValue) {
    let id = message["method"] == nil ? nil : message["id"]?.int
    let request = request("POST", JSONWriter.bytes(message))
    let isNotification = message["id"] == nil
    state.withLock { state in
      guard !state.isClosed else { return }
      state.last += 1
      let number = state.last
      let previous = state.notification
      if let id { state.numbers[id] = number }
      let task = Task {
        await previous?.value
        await self.exchange(request, isNotification ? Self.brief(Self.notificationTime) : self.deadlines)
        self.state.withLock { state in
          state.sending[number] = nil
          if let id, state.numbers[id] == number { state.numbers[id] = nil }
        }
      }
      state.sending[number] = task
      if isNotification { state.notification = task }
    }
  }

  private static func brief(_ time: Duration) -> Deadlines {
    Deadlines(connect: time, firstByte: time, idle: time, total: time)
  }

  func forget(_ id: Int) {
    state.withLock { state in
      guard let number = state.numbers.removeValue(forKey: id) else { return }
      state.sending[number]?.cancel()
    }
  }

  func close() async {
    let (session, sending) = state.withLock { state in
      defer { (state.isClosed, state.session) = (true, nil) }
      return (state.session, Array(state.sending.values))
    }
    for task in sending { task.cancel() }
    for task in sending { await task.value }
    if session != nil {
      let request = request("DELETE", [], session: session)
      let limits = Self.brief(Self.closingTime)
      // Not ours to be cancelled: who closes may have been. A server that does not let sessions be
      // ended says 405.
      await Task { _ = try? await self.answer(request, limits) }.value
    }
    end(LinkEnd(reason: "closed"))
  }

  private func end(_ reason: LinkEnd) {
    output.yield(.ended(reason))
    output.finish()
  }

  // MARK: - One request

  private func request(_ method: String, _ body: [UInt8], session: String? = nil) -> HTTPClientRequest {
    let (known, revision) = state.withLock { ($0.session, $0.revision) }
    var headers: HTTPHeaders = ["Accept": "application/json, text/event-stream"]
    if !body.isEmpty { headers.append("Content-Type", "application/json") }
    if let token { headers.append("Authorization", "Bearer \(token)") }
    if let session = session ?? known { headers.append("Mcp-Session-Id", session) }
    if let revision { headers.append("MCP-Protocol-Version", revision) }
    var request = HTTPClientRequest(method: method, url: url, headers: headers, body: body)
    request.maxBodyBytes = maxBytes
    return request
  }

  private func exchange(_ request: HTTPClientRequest, _ deadlines: Deadlines) async {
    do throws(LinkEnd) {
      if request.url.hasPrefix("https://") {
        let answer = try await answer(request, deadlines)
        try check(answer.status, answer.body) { name in answer.header(name) }
        try tell(answer.body, isStream: answer.header("content-type").map(Self.isStream) ?? false)
        return
      }
      let stream = try await stream(request, deadlines)
      if stream.status == 200, stream.headers["content-type"].map(Self.isStream) == true {
        try check(stream.status, []) { stream.headers[$0] }
        return try await read(stream.body)
      }
      let body = try await whole(stream.body)
      try check(stream.status, body) { stream.headers[$0] }
      try tell(body, isStream: false)
    } catch {
      if !Task.isCancelled { end(error) }
    }
  }

  private static func isStream(_ type: String) -> Bool { type.lowercased().hasPrefix("text/event-stream") }

  private func stream(
    _ request: HTTPClientRequest, _ deadlines: Deadlines
  ) async throws(LinkEnd) -> HTTPClientStream {
    do throws(HTTPClientError) {
      return try await client.stream(request, deadlines: deadlines)
    } catch {
      throw LinkEnd(reason: error.description)
    }
  }

  private func answer(
    _ request: HTTPClientRequest, _ deadlines: Deadlines
  ) async throws(LinkEnd) -> HTTPAnswer {
    do {
      if request.url.hasPrefix("https://") { return try await SecureCall(request, deadlines).send() }
      let answer = try await client.send(request, deadlines: deadlines)
      return HTTPAnswer(
        status: answer.status, headers: answer.headers.map { ($0.name, $0.value) }, body: answer.body)
    } catch let failure as CallFailure {
      throw LinkEnd(reason: failure.detail)
    } catch {
      throw LinkEnd(reason: "\(error)")
    }
  }

  /// Takes the session from the answer's head, and refuses an answer that is no success.
  private func check(
    _ status: Int, _ body: [UInt8], _ header: (String) -> String?
  ) throws(LinkEnd) {
    let hadSession = state.withLock { state in
      defer { if let session = header("mcp-session-id") { state.session = session } }
      return state.session != nil
    }
    guard !(200..<300).contains(status) else { return }
    // "When a client receives HTTP 404 in response to a request containing an Mcp-Session-Id, it MUST
    // start a new session" (Streamable HTTP, session management).
    if status == 404, hadSession {
      throw LinkEnd(reason: "the server has ended the session", isSessionLost: true)
    }
    let error = (try? JSONParser.parse(body))?["error"]?["message"]?.string
    throw LinkEnd(reason: "the server answers \(status)\(error.map { ": \($0)" } ?? "")")
  }

  private func whole(_ body: HTTPBodyStream) async throws(LinkEnd) -> [UInt8] {
    var bytes: [UInt8] = []
    var pieces = body.makeAsyncIterator()
    // The client bounds them.
    while let piece = try await next(&pieces) { bytes += piece }
    return bytes
  }

  private func read(_ body: HTTPBodyStream) async throws(LinkEnd) {
    var parser = ServerSentEventParser(maxEventBytes: maxBytes)
    var count = 0
    var pieces = body.makeAsyncIterator()
    while let piece = try await next(&pieces) { count += try tell(piece, &parser) }
    if count == 0 { throw LinkEnd(reason: "the server ended a stream without an answer") }
  }

  private func next(_ pieces: inout HTTPBodyStream.AsyncIterator) async throws(LinkEnd) -> [UInt8]? {
    do throws(HTTPClientError) {
      return try await pieces.next()
    } catch {
      throw LinkEnd(reason: error.description)
    }
  }

  /// An empty body is that of an answer to a notification.
  private func tell(_ body: [UInt8], isStream: Bool) throws(LinkEnd) {
    if isStream {
      var parser = ServerSentEventParser(maxEventBytes: maxBytes)
      _ = try tell(body, &parser)
    } else if !body.isEmpty {
      try tell(body)
    }
  }

  /// Tells the messages that end in a piece of a stream of events, and gives how many there are.
  private func tell(_ piece: [UInt8], _ parser: inout ServerSentEventParser) throws(LinkEnd) -> Int {
    var messages: [[UInt8]] = []
    do throws(ServerSentEventOverflow) {
      try piece.withUnsafeBufferPointer { (bytes) throws(ServerSentEventOverflow) in
        var offset = 0
        while let event = try parser.next(UnsafeRawBufferPointer(bytes), &offset) {
          // The first event of a stream may be there for its id alone.
          if case .message(let message) = event, !message.data.isEmpty {
            messages.append(Array(message.data.utf8))
          }
        }
      }
    } catch {
      throw LinkEnd(reason: "an event has more than \(maxBytes) bytes")
    }
    for message in messages { try tell(message) }
    return messages.count
  }

  private func tell(_ message: [UInt8]) throws(LinkEnd) {
    if case .dropped = output.yield(.message(message)) {
      throw LinkEnd(reason: "the server sends more messages than can be taken")
    }
  }
}
