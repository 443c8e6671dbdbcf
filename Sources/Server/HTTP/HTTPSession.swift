import Diagnostics
import JSON
import MCP
import Orchestration
import ProtocolSpec
import Transport
import Wire

/// One client of a revision with `initialize` over HTTP, on however many connections it comes.
final class HTTPSession: Session {
  /// What the client shows with each request: who has it, is the client.
  let id: String
  private let sessions: HTTPSessions
  private let rules: HTTPRules
  private var reader: MessageReader
  private var rate: RateLimit
  var events: EventStore
  /// Of what belongs to no request.
  private var listening: HTTPEventStream?
  /// Those of requests that have not ended, by their numbers.
  private var streams: [Int: HTTPEventStream] = [:]
  private var answers: [ObjectIdentifier: HTTPAnswerStream] = [:]
  private var inFlight = 0
  private var inFlightBytes = 0
  private var lastUse = ContinuousClock.now
  private var timer: ScheduledTimer?
  private var hasEnded = false

  init(_ sessions: HTTPSessions, id: String, on loop: EventLoop, remote: String) {
    let service = sessions.service
    let limits = service.spec.limits
    self.sessions = sessions
    self.id = id
    rules = HTTPRules(service.spec)
    reader = MessageReader(spec: service.spec, initial: .jsonrpc)
    reader.isOnlyJSONRPC = true
    rate = RateLimit(perSecond: service.settings.rateLimit)
    events = EventStore(maxEvents: limits.streamEvents, maxBytes: limits.streamBytes)
    super.init(service, on: loop, remote: remote)
    service.metrics.opened(.http)
    service.log.debug(
      "opened", JSONObject([("connection", .int(client)), ("remote", .string(remote)), ("mcp", "session")]))
    watchIdleness()
  }

  /// Whether streams begin with an event that has an id and no data.
  var isPrimed: Bool { reader.revision.map(service.spec.transports.http.primes) ?? false }

  private var revision: MCPRevision { reader.revision ?? service.spec.transports.http.assumed }

  override func agreed(on revision: MCPRevision) { reader.revision = revision }

  override func tell(_ message: UnsafeRawBufferPointer) { listener().send(Array(message)) }

  override func end() {
    guard !hasEnded else { return }
    hasEnded = true
    timer?.cancel()
    sessions.remove(id)
    let answer = rules.refusal(service.spec.transports.http.messages.ended, revision)
    for stream in answers.values { stream.end(answer) }
    answers = [:]
    listening?.close()
    streams = [:]
    super.end()
    service.metrics.closed(.http)
    service.log.debug(
      "closed", JSONObject([("connection", .int(client)), ("remote", .string(remote)), ("mcp", "session")]))
  }

  // MARK: - What comes by POST

  /// Answers `initialize`, which has begun the session.
  func begin(_ request: Request, _ exchange: HTTPExchange) {
    answer([request], exchange, headers: [(service.spec.transports.http.headers.session, id)])
  }

  func take(_ message: JSONValue, _ exchange: HTTPExchange) {
    touch()
    guard !hasEnded else { return exchange.refuse(404, endedAnswer) }
    switch reader.read(message) {
    case .ignored: exchange.respond(status: 202)
    case .response(let response):
      answered(response)
      exchange.respond(status: 202)
    case .refused(let answer):
      refused(answer)
      exchange.refuse(rules.status(of: answer, isStateless: false), answer)
    case .request(let request):
      guard request.isNotification else { return answer([request], exchange) }
      notify(request)
      exchange.respond(status: 202)
    case .batch(let elements): take(elements, exchange)
    }
  }

  private var endedAnswer: Answer {
    rules.refusal(service.spec.transports.http.messages.ended, revision)
  }

  private func notify(_ request: Request) {
    guard rate.admits() else { return }
    run(request) { _, _ in }
  }

  /// The elements of a batch run side by side; what is to be answered is answered together.
  private func take(_ elements: [Incoming], _ exchange: HTTPExchange) {
    var items: [Item] = []
    for element in elements {
      switch element {
      case .ignored, .batch: break
      case .response(let response): answered(response)
      case .refused(let answer): items.append(.answer(answer))
      case .request(let request):
        if request.isNotification { notify(request) } else { items.append(.request(request)) }
      }
    }
    guard !items.isEmpty else { return exchange.respond(status: 202) }
    answer(items, exchange, isBatch: true)
  }

  private enum Item {
    case request(Request)
    case answer(Answer)
  }

  private func answer(_ requests: [Request], _ exchange: HTTPExchange, headers: HTTPHeaders = []) {
    answer(requests.map(Item.request), exchange, headers: headers)
  }

  private func answer(
    _ items: [Item], _ exchange: HTTPExchange, isBatch: Bool = false, headers: HTTPHeaders = []
  ) {
    let stream = HTTPAnswerStream(
      exchange, service, on: loop, of: self, count: items.count, isBatch: isBatch, headers: headers)
    answers[ObjectIdentifier(stream)] = stream
    let limits = service.spec.limits
    // A batch is served as a whole or not at all.
    let isFull = inFlight >= limits.inFlight || inFlightBytes >= limits.inFlightBytes
    inFlightBytes += stream.size
    for (position, item) in items.enumerated() {
      switch item {
      case .answer(let answer):
        refused(answer)
        put(answer, at: position, in: stream)
      case .request(let request):
        if isFull || !rate.admits() {
          let fault = service.spec.errors.fault(.rateLimited, retryAfter: .seconds(1))
          let answer = request.answer(.failure(fault))
          tally.add(method: request.method.name, request.dialect, answer)
          put(answer, at: position, in: stream)
        } else {
          run(request, at: position, in: stream)
        }
      }
    }
    stream.wait()
  }

  private func run(_ request: Request, at position: Int, in stream: HTTPAnswerStream) {
    inFlight += 1
    let bound = LoopBound(self, on: loop)
    run(request, route: stream) { _, answer in
      bound.value.inFlight -= 1
      bound.value.put(answer, at: position, in: stream)
    }
  }

  private func put(_ answer: Answer?, at position: Int, in stream: HTTPAnswerStream) {
    stream.put(answer, at: position)
    guard stream.isDone, answers.removeValue(forKey: ObjectIdentifier(stream)) != nil else { return }
    inFlightBytes -= stream.size
  }

  // MARK: - Streams

  /// A stream of a request.
  func openStream() -> HTTPEventStream {
    _ = listener()
    let stream = HTTPEventStream(of: self, number: events.open(), isPrimed: isPrimed)
    streams[stream.number] = stream
    return stream
  }

  func ended(_ stream: HTTPEventStream) {
    streams[stream.number] = nil
    events.end(stream.number)
  }

  private func listener() -> HTTPEventStream {
    if let listening { return listening }
    let stream = HTTPEventStream(of: self, number: events.open(), isPrimed: isPrimed)
    listening = stream
    return stream
  }

  /// Sends what belongs to no request, or goes on with a stream that was cut.
  func listen(_ exchange: HTTPExchange, after place: String?) {
    touch()
    guard !hasEnded else { return exchange.refuse(404, endedAnswer) }
    guard let place else { return listener().attach(exchange) }
    let http = service.spec.transports.http
    guard let id = EventStore.ID(place), events.events(after: id) != nil else {
      let text = fill(http.messages.eventID, ["header": http.headers.resume])
      return exchange.refuse(400, rules.refusal(text, revision))
    }
    let listening = listener()
    if id.stream == listening.number { return listening.attach(exchange, after: id) }
    if let stream = streams[id.stream] { return stream.attach(exchange, after: id) }
    // It has ended; what was missed of it may be the answer.
    let rest = HTTPEventStream(of: self, number: id.stream, isPrimed: isPrimed)
    rest.attach(exchange, after: id)
    rest.close()
  }

  // MARK: - Idleness

  func touch() {
    lastUse = .now
    sessions.touch(id)
  }

  private func watchIdleness(for time: Duration? = nil) {
    let idle = service.spec.limits.mcpSessionIdle
    let bound = LoopBound(self, on: loop)
    timer = loop.schedule(after: time ?? idle) {
      let session = bound.value
      let left = idle - session.lastUse.duration(to: .now)
      if left > .zero { session.watchIdleness(for: left) } else { session.end() }
    }
  }
}

extension HTTPRules {
  /// A refusal of what is no message, or before it was read.
  func refusal(_ detail: String, _ revision: MCPRevision, id: JSONValue? = nil) -> Answer {
    refusal(invalid(detail), revision, id: id)
  }

  func refusal(_ fault: ProtocolFault, _ revision: MCPRevision, id: JSONValue? = nil) -> Answer {
    Answer(
      dialect: .jsonrpc, id: id, outcome: .failure(fault),
      omitsUnknownID: revision.has(.errorsWithoutID))
  }
}

extension HTTPExchange {
  /// Answers with an error of JSON-RPC as the whole body.
  func refuse(_ status: Int, _ answer: Answer, headers: HTTPHeaders = []) {
    var body: [UInt8] = []
    answer.write(to: &body)
    var headers = headers
    headers.append("Content-Type", HTTPRules.json)
    respond(status: status, headers: headers, body: body)
  }
}
