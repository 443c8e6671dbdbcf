import Foundation
internal import JSON
internal import Synchronization
internal import Transport
internal import Wire

// One POST with its answer, and the GET.
extension HTTPChannel {
  private static let revisionKey = "io.modelcontextprotocol/protocolVersion"
  private static let versionHeader = "MCP-Protocol-Version"
  /// Since this revision its header is sent.
  private static let firstWithHeader = "2025-06-18"
  /// How often a stream that ends early is taken up again without anything new in it.
  private static let mostResumptions = 20
  private static let usualRetry = Duration.milliseconds(500)

  func request(
    _ method: String, _ body: [UInt8], accept: String, _ post: Post? = nil
  ) -> HTTPClientRequest {
    var fields = headers
    fields.append("Accept", accept)
    if !body.isEmpty { fields.append("Content-Type", "application/json") }
    let (session, revision) = state.withLock { ($0.session, $0.revision) }
    if let revision = post?.params?["_meta"]?[Self.revisionKey]?.string ?? stateless {
      // The message says it for itself (2026-07-28).
      fields.append(Self.versionHeader, HeaderText.encoded(revision))
      if let method = post?.method { fields.append("Mcp-Method", HeaderText.encoded(method)) }
      if let name = post?.name { fields.append("Mcp-Name", HeaderText.encoded(name)) }
    } else {
      if let session { fields.append("Mcp-Session-Id", session) }
      if let revision, revision >= Self.firstWithHeader { fields.append(Self.versionHeader, revision) }
    }
    for (name, value) in post?.headers ?? [] {
      if let value { fields.set(name, value) } else { fields.remove(name) }
    }
    var request = HTTPClientRequest(method: method, url: url, headers: fields, body: body)
    request.maxBodyBytes = Self.largestMessage
    return request
  }

  private static let both = "application/json, text/event-stream"

  func exchange(_ post: Post, mark: [UInt8]?) async {
    let request = request("POST", post.bytes, accept: Self.both, post)
    let time = post.isAnswered == true ? Self.patience : Self.brief
    do throws(HTTPClientError) {
      let stream = try await client.stream(
        request, deadlines: Deadlines(connect: Self.brief, firstByte: time, idle: time, total: nil))
      if let mark {
        try? await drain(stream.body)
        return tell(.pong(mark))
      }
      try await take(stream, post)
    } catch {
      failed(error, "POST", mark)
    }
  }

  /// A server that is not there any more ends the connection; other troubles are of this request alone.
  private func failed(_ error: HTTPClientError, _ method: String, _ mark: [UInt8]?) {
    guard !Task.isCancelled, !state.withLock(\.isClosed) else { return }
    switch error {
    case .cancelled: return
    case .refused, .unreachable, .resolve, .connectTimeout:
      tell(.ended(Ending(text: "the server cannot be reached: \(error)")))
    default:
      tell(.breach("a \(method) got no whole answer: \(error)"))
      if let mark { tell(.pong(mark)) }
    }
  }

  private func drain(_ body: HTTPBodyStream) async throws(HTTPClientError) {
    var pieces = body.makeAsyncIterator()
    while try await pieces.next() != nil {}
  }

  private func take(_ stream: HTTPClientStream, _ post: Post) async throws(HTTPClientError) {
    if post.opensSession, (200..<300).contains(stream.status) { keep(stream.headers["Mcp-Session-Id"]) }
    if stream.status == 200, stream.isEventStream {
      var reading = EventReading(open: post.ids, status: 200)
      try await read(stream.body, &reading, post)
      return try await resume(&reading, post)
    }
    var body: [UInt8] = []
    var pieces = stream.body.makeAsyncIterator()
    while let piece = try await pieces.next() { body += piece }
    answered(stream, body, post)
  }

  private func answered(_ stream: HTTPClientStream, _ body: [UInt8], _ post: Post) {
    let type = stream.headers["Content-Type"] ?? ""
    if !body.isEmpty, Self.isJSON(type) || (try? JSONParser.parse(body)) != nil {
      if !Self.isJSON(type) {
        tell(.breach("a message came with the Content-Type \"\(type)\", application/json is expected"))
      }
      note(body, post)
      return tell(.message(body, status: stream.status))
    }
    // "If the server accepts the input, the server MUST return HTTP status code 202 Accepted with no body."
    if post.isAnswered != true, stream.status == 202, body.isEmpty { return }
    let kind = post.isAnswered == true ? "a request" : "what is no request"
    let text = body.isEmpty ? "nothing" : "\"\(String(body.shown.prefix(200)))\""
    let status = post.isAnswered == true ? stream.status : nil
    tell(.breach("\(kind) was answered with \(stream.status) and \(text)", status: status))
  }

  private static func isJSON(_ type: String) -> Bool { type.lowercased().hasPrefix("application/json") }

  private func keep(_ session: String?) {
    guard let session else { return }
    // "The session ID MUST only contain visible ASCII characters (ranging from 0x21 to 0x7E)."
    guard !session.isEmpty, session.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      return tell(.breach("the Mcp-Session-Id has characters that are not visible ASCII"))
    }
    state.withLock { $0.session = session }
  }

  /// The answer to `initialize` says of which revision all headers are from here on.
  private func note(_ message: [UInt8], _ post: Post) {
    guard post.opensSession, let value = try? JSONParser.parse(message),
      let revision = value["result"]?["protocolVersion"]?.string
    else { return }
    state.withLock { $0.revision = revision }
  }

  // MARK: Streams of events

  /// Reads what comes until the stream ends.
  private func read(
    _ body: HTTPBodyStream, _ reading: inout EventReading, _ post: Post?
  ) async throws(HTTPClientError) {
    var pieces = body.makeAsyncIterator()
    reading.parser = ServerSentEventParser(maxEventBytes: Self.largestMessage)
    while let piece = try await next(&pieces, &reading) {
      let (messages, overflow) = reading.messages(in: piece)
      for message in messages {
        if let post { note(message, post) }
        tell(.message(message, status: reading.status))
      }
      if let overflow { return tell(.breach("a stream of events: \(overflow)")) }
    }
  }

  /// A stream that breaks in the middle can be taken up again, as one that ends can.
  private func next(
    _ pieces: inout HTTPBodyStream.AsyncIterator, _ reading: inout EventReading
  ) async throws(HTTPClientError) -> [UInt8]? {
    do throws(HTTPClientError) {
      return try await pieces.next()
    } catch {
      switch error {
      case .truncated where !reading.lastID.isEmpty, .reset where !reading.lastID.isEmpty: return nil
      default: throw error
      }
    }
  }

  /// Takes up the stream of a POST that ended before all of it was answered (2025-03-26 and later).
  private func resume(_ reading: inout EventReading, _ post: Post) async throws(HTTPClientError) {
    var rest = Self.mostResumptions
    while !reading.open.isEmpty {
      let cancelled = state.withLock(\.cancelled)
      reading.open.removeAll { cancelled.contains(JSONWriter.text($0)) }
      guard !reading.open.isEmpty else { return }
      guard !reading.lastID.isEmpty, rest > 0 else {
        return tell(.breach("the stream of a POST ended before all of it was answered"))
      }
      rest -= 1
      try? await Task.sleep(for: reading.retry ?? Self.usualRetry)
      guard !Task.isCancelled else { return }
      let stream = try await get(behind: reading.lastID)
      guard stream.status == 200, stream.isEventStream else {
        return tell(
          .breach("a stream that ended early could not be taken up: the GET got \(stream.status)"))
      }
      try await read(stream.body, &reading, post)
    }
  }

  private func get(behind id: String) async throws(HTTPClientError) -> HTTPClientStream {
    var request = request("GET", [], accept: "text/event-stream")
    if !id.isEmpty { request.headers.append("Last-Event-ID", id) }
    return try await client.stream(
      request,
      deadlines: Deadlines(
        connect: Self.brief, firstByte: Self.patience, idle: Self.patience, total: nil))
  }

  /// Listens to what the server says of its own accord, for as long as it lets us.
  func listen(_ opened: @Sendable () -> Void) async {
    var reading = EventReading(open: [], status: nil)
    var empty = 0
    do throws(HTTPClientError) {
      while !Task.isCancelled, empty < Self.mostResumptions {
        let stream = try await get(behind: reading.lastID)
        opened()
        guard stream.status == 200, stream.isEventStream else {
          // "The server MUST either return text/event-stream or else return 405."
          if stream.status != 405, !state.withLock(\.isClosed) {
            tell(.breach("a GET was answered with \(stream.status), neither with events nor with 405"))
          }
          return
        }
        let before = reading.count
        try await read(stream.body, &reading, nil)
        empty = reading.count > before ? 0 : empty + 1
        try? await Task.sleep(for: reading.retry ?? Self.usualRetry)
      }
    } catch {
      failed(error, "GET", nil)
    }
  }
}

/// How far the events of one stream have been read, over all its connections.
private struct EventReading {
  /// Ids of requests that are not answered yet.
  var open: [JSONValue]
  let status: Int?
  var parser = ServerSentEventParser()
  var lastID = ""
  var retry: Duration?
  /// Messages so far.
  var count = 0

  init(open: [JSONValue], status: Int?) {
    self.open = open
    self.status = status
  }

  private static let longestRetry = Duration.seconds(30)

  mutating func messages(in piece: [UInt8]) -> ([[UInt8]], ServerSentEventOverflow?) {
    var messages: [[UInt8]] = []
    do throws(ServerSentEventOverflow) {
      try piece.withUnsafeBufferPointer { (bytes) throws(ServerSentEventOverflow) in
        var offset = 0
        while let event = try parser.next(UnsafeRawBufferPointer(bytes), &offset) {
          switch event {
          case .retry(let milliseconds): retry = min(.milliseconds(milliseconds), Self.longestRetry)
          // The first event of a stream may be there for its id alone.
          case .message(let message) where message.data.isEmpty: break
          case .message(let message): messages.append(Array(message.data.utf8))
          }
        }
      }
    } catch {
      return (messages, error)
    }
    if !parser.lastEventID.isEmpty { lastID = parser.lastEventID }
    count += messages.count
    for message in messages where !open.isEmpty { answered(message) }
    return (messages, nil)
  }

  private mutating func answered(_ message: [UInt8]) {
    guard let value = try? JSONParser.parse(message) else { return }
    for part in value.array ?? [value] where part["method"] == nil {
      // An error about what could not be read has no id; no other answer follows.
      if let id = part["id"], !id.isNull { open.removeAll { $0 == id } } else { open = [] }
    }
  }
}

extension HTTPClientStream {
  fileprivate var isEventStream: Bool {
    headers["Content-Type"]?.lowercased().hasPrefix("text/event-stream") == true
  }
}

extension Post {
  /// What `Mcp-Name` repeats (2026-07-28, Streamable HTTP).
  var name: String? {
    switch method {
    case "tools/call", "prompts/get": params?["name"]?.string
    case "resources/read": params?["uri"]?.string
    default: nil
    }
  }
}

/// Texts in header fields that may hold anything (2026-07-28, Streamable HTTP).
enum HeaderText {
  private static let opening = "=?base64?"

  /// As it is, where a field can hold it; else in base 64 between `=?base64?` and `?=`.
  static func encoded(_ text: String) -> String {
    let isPlain =
      text.utf8.allSatisfy { (0x20...0x7E).contains($0) } && !text.hasPrefix(" ") && !text.hasSuffix(" ")
      && !text.hasPrefix(opening) && !text.isEmpty
    return isPlain ? text : "\(opening)\(Data(text.utf8).base64EncodedString())?="
  }
}
