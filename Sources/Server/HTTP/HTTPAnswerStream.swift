import JSON
import ProtocolSpec
import Transport
import Wire

/// The answer to one POST: one JSON body if it comes soon and alone, else an event stream of what belongs to
/// the request, which ends with the answer.
final class HTTPAnswerStream: RequestRoute, @unchecked Sendable {
  // Invariant: used only on `loop`.
  private let service: Service
  private let loop: EventLoop
  private let exchange: HTTPExchange
  /// Nil in stateless revisions.
  private weak var session: HTTPSession?
  /// Beside those that every answer has.
  private let headers: HTTPHeaders
  /// Whether the answers stand in an array.
  private let isBatch: Bool
  private var answers: [Answer?]
  private var missing: Int
  private var stream: HTTPEventStream?
  private var timer: ScheduledTimer?

  /// - Parameter count: how many answers there will be.
  init(
    _ exchange: HTTPExchange, _ service: Service, on loop: EventLoop, of session: HTTPSession? = nil,
    count: Int = 1, isBatch: Bool = false, headers: HTTPHeaders = []
  ) {
    self.exchange = exchange
    self.service = service
    self.loop = loop
    self.session = session
    self.headers = headers
    self.isBatch = isBatch
    answers = Array(repeating: nil, count: count)
    missing = count
  }

  var isDone: Bool { missing == 0 }

  /// Of what is answered, in bytes.
  var size: Int { exchange.request.body.count }

  /// To be called when the requests run: what is not answered by now takes a while.
  func wait(atOnce: Bool = false) {
    guard !isDone, stream == nil else { return }
    if atOnce { return begin() }
    timer = loop.schedule(after: service.spec.limits.streamAfter) { [weak self] in self?.begin() }
  }

  func tell(_ message: UnsafeRawBufferPointer) {
    begin()
    stream?.send(Array(message))
  }

  func disconnect() {
    guard session?.isPrimed == true || stream?.hasPlace == true else { return }
    begin()
    stream?.leave()
  }

  /// Takes one of the answers; nil where the client has said that it does not want it.
  func put(_ answer: Answer?, at position: Int) {
    guard !isDone else { return }
    answers[position] = answer
    missing -= 1
    if let stream {
      if let answer { stream.send(bytes(answer)) }
      if isDone { endStream() }
    } else if isDone {
      respond()
    }
  }

  /// There will be no answer: the session has ended.
  func end(_ answer: Answer) {
    guard !isDone else { return }
    missing = 0
    if stream != nil { return endStream() }
    timer?.cancel()
    exchange.respond(status: 404, headers: ["Content-Type": HTTPRules.json], body: bytes(answer))
  }

  private func begin() {
    guard stream == nil, !isDone else { return }
    timer?.cancel()
    timer = nil
    let stream = session?.openStream() ?? HTTPEventStream(on: loop, service)
    self.stream = stream
    stream.attach(exchange, headers: headers)
    for answer in answers.compactMap(\.self) { stream.send(bytes(answer)) }
  }

  private func endStream() {
    guard let stream else { return }
    stream.close()
    session?.ended(stream)
  }

  private func respond() {
    timer?.cancel()
    timer = nil
    let all = answers.compactMap(\.self)
    var headers = headers
    guard let first = all.first else {
      // Everything was cancelled: a stream without an answer.
      headers.append("Content-Type", HTTPRules.eventStream)
      return exchange.respond(status: 200, headers: headers)
    }
    headers.append("Content-Type", HTTPRules.json)
    guard isBatch else {
      let status = HTTPRules(service.spec).status(of: first, isStateless: session == nil)
      return exchange.respond(status: status, headers: headers, body: bytes(first))
    }
    var body = [UInt8(ascii: "[")]
    for (position, answer) in all.enumerated() {
      if position > 0 { body.append(UInt8(ascii: ",")) }
      answer.write(to: &body)
    }
    body.append(UInt8(ascii: "]"))
    exchange.respond(status: 200, headers: headers, body: body)
  }

  private func bytes(_ answer: Answer) -> [UInt8] {
    var bytes: [UInt8] = []
    answer.write(to: &bytes)
    return bytes
  }
}
