internal import JSON
internal import Synchronization
internal import Transport
internal import Wire

/// Messages as the client's side of MCP's Streamable HTTP: a POST for each, whose answer is JSON or a
/// stream of events, and a GET for what the server says of its own accord. Several POSTs are under way at
/// one time, so answers come in any order.
final class HTTPChannel: MessageChannel {
  struct State {
    var session: String?
    /// The revision of which the headers of the messages that follow are; nil before it is agreed on.
    var revision: String?
    var last = 0
    /// What is under way: POSTs, and the GET.
    var tasks: [Int: Task<Void, Never>] = [:]
    /// Those numbers by the ids of the requests.
    var numbers: [String: Int] = [:]
    /// Those of requests that were cancelled by a message: nobody has to answer them.
    var cancelled: Set<String> = []
    var isListening = false
    var isClosed = false
  }

  let url: String
  let headers: HTTPHeaders
  let client: HTTPClient
  /// The revision of all messages, where it is one without sessions.
  let stateless: String?
  private let sign: @Sendable (String) -> JSONValue
  private let inbox: Inbox<ChannelReceived>
  let state = Mutex(State())

  static let largestMessage = 64 << 20
  /// Who waits for an answer has a limit of his own.
  static let patience = Duration.seconds(600)
  /// For what is answered at once.
  static let brief = Duration.seconds(10)
  private static let mostWaiting = 128 << 20

  /// - Parameters:
  ///   - headers: what every request carries.
  ///   - stateless: the revision, where it has neither sessions nor a GET: MCP 2026-07-28.
  ///   - sign: the request that asks for a sign of life, with an id of the caller's choice.
  init(
    url: String, headers: HTTPHeaders, stateless: String?, loop: EventLoop,
    sign: @escaping @Sendable (String) -> JSONValue
  ) {
    self.url = url
    self.headers = headers
    self.stateless = stateless
    self.sign = sign
    client = HTTPClient(loop: loop)
    // A reader that is far behind is bounded by the number of requests that it makes.
    inbox = Inbox(loop: loop, limit: Self.mostWaiting) {}
  }

  func tell(_ event: ChannelEvent) {
    let weight = if case .message(let bytes, _) = event { bytes.count } else { 0 }
    if !inbox.push(ChannelReceived(event), weight: weight + 64) {
      // More than any case can want.
      _ = inbox.push(ChannelReceived(.ended(Ending(text: "the server floods the client"))), weight: 0)
      cancelAll()
    }
  }

  func next(within limit: Duration) async -> ChannelReceived? { await inbox.next(within: limit) }

  // MARK: Saying

  func say(_ bytes: [UInt8]) async { await say(bytes, headers: []) }

  func say(_ bytes: [UInt8], headers: [(name: String, value: String?)]) async {
    var post = Post(bytes)
    post.headers = headers
    if stateless != nil, let id = post.cancelled {
      // "Closing the response stream is how a client cancels" (2026-07-28, Streamable HTTP).
      let task = state.withLock { state in
        state.numbers.removeValue(forKey: JSONWriter.text(id)).flatMap { state.tasks[$0] }
      }
      if let task { return task.cancel() }
    }
    if let id = post.cancelled { state.withLock { _ = $0.cancelled.insert(JSONWriter.text(id)) } }
    let task = begin(post, mark: nil)
    // What follows may rely on it: nothing overtakes a notification.
    if post.isAnswered == false { await task?.value }
    if post.method == "notifications/initialized", stateless == nil { await listen() }
  }

  func ask(_ mark: [UInt8]) {
    let id = String(decoding: mark, as: UTF8.self)
    _ = begin(Post(JSONWriter.bytes(sign(id))), mark: mark)
  }

  /// - Parameter mark: told in the stead of the answer, whatever that is.
  private func begin(_ post: Post, mark: [UInt8]?) -> Task<Void, Never>? {
    state.withLock { state in
      guard !state.isClosed else { return nil }
      state.last += 1
      let number = state.last
      let task = Task {
        await self.exchange(post, mark: mark)
        self.ended(number, post)
      }
      state.tasks[number] = task
      if let id = post.id, post.isAnswered == true {
        state.numbers[JSONWriter.text(id)] = number
        state.cancelled.remove(JSONWriter.text(id))
      }
      return task
    }
  }

  private func ended(_ number: Int, _ post: Post) {
    state.withLock { state in
      state.tasks[number] = nil
      if let id = post.id, state.numbers[JSONWriter.text(id)] == number {
        state.numbers[JSONWriter.text(id)] = nil
      }
    }
  }

  /// Opens the stream of what the server says by itself, and returns when the server has answered, or
  /// takes its time to.
  private func listen() async {
    let opened = Inbox<Bool>(loop: client.loop, limit: 1) {}
    state.withLock { state in
      guard !state.isListening, !state.isClosed else { return }
      state.isListening = true
      state.last += 1
      state.tasks[state.last] = Task {
        await self.listen { _ = opened.push(true, weight: 0) }
        self.state.withLock { $0.isListening = false }
        _ = opened.push(false, weight: 0)
      }
    }
    _ = await opened.next(within: .seconds(1))
  }

  // MARK: Ending

  func close(code: UInt16?, reason: String) {
    Task {
      await self.endSession()
      self.tell(.ended(Ending(text: "ended by the runner")))
    }
  }

  func hangUp() async {
    let isOpen = state.withLock { !$0.isClosed }
    if isOpen { await endSession() }
    client.closeIdle()
  }

  private func cancelAll() {
    let tasks = state.withLock { state in
      state.isClosed = true
      return Array(state.tasks.values)
    }
    for task in tasks { task.cancel() }
  }

  /// Ends the session, where there is one; a server that does not let clients do so says 405.
  private func endSession() async {
    let session = state.withLock(\.session)
    let request = request("DELETE", [], accept: "application/json")
    cancelAll()
    guard session != nil else { return }
    let limit = Duration.seconds(2)
    let answer = try? await client.send(
      request, deadlines: Deadlines(connect: limit, firstByte: limit, idle: limit, total: limit))
    if let answer, !(200..<300).contains(answer.status), ![404, 405].contains(answer.status) {
      tell(.breach("a DELETE of the session was answered with \(answer.status)"))
    }
    state.withLock { $0.session = nil }
  }
}

/// A message that is about to be sent, and what HTTP has to know of it.
struct Post: Sendable {
  let bytes: [UInt8]
  private let value: JSONValue?
  /// Fields that are not as usual.
  var headers: [(name: String, value: String?)] = []

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    value = try? JSONParser.parse(bytes)
  }

  var method: String? { value?["method"]?.string }
  var params: JSONValue? { value?["params"] }
  var id: JSONValue? { value?["id"] }

  /// Whether a message must come back; nil: it is no message, and the server may say so or not.
  var isAnswered: Bool? {
    guard let value else { return nil }
    if let parts = value.array {
      return parts.isEmpty ? nil : parts.contains { $0["method"] != nil && $0["id"] != nil }
    }
    guard value.object != nil else { return nil }
    if method != nil { return id != nil }
    return value["result"] == nil && value["error"] == nil ? nil : false
  }

  /// The ids that must be answered.
  var ids: [JSONValue] {
    guard isAnswered == true, let value else { return [] }
    return (value.array ?? [value]).compactMap { $0["method"] == nil ? nil : $0["id"] }
  }

  var opensSession: Bool { method == "initialize" }

  /// The request that this message gives up.
  var cancelled: JSONValue? { method == "notifications/cancelled" ? params?["requestId"] : nil }
}
