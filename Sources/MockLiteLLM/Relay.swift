import Diagnostics
import JSON
import Transport
import Wire

/// Hands requests on to the real service and its answers back, and notes both.
struct Relay: Sendable {
  /// `http://host:port`, with no slash at its end.
  let upstream: String
  let client: HTTPClient
  let file: RecordingFile
  let log: Log

  /// Models may think for long, and so may a service under test.
  private static let patience = Duration.seconds(600)
  /// What belongs to one connection, or is said anew on the next (RFC 9110 §7.6.1). Without Accept-Encoding the
  /// answer comes as text that can be read and masked.
  private static let ofConnection: Set = [
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host",
    "accept-encoding", "date", "expect",
  ]

  func forward(_ exchange: HTTPExchange) async {
    let start = ContinuousClock.now
    let request = exchange.request
    var asked = request.head.headers.filter { !Self.ofConnection.contains($0.name.lowercased()) }
    asked.removeAll { HTTPHeaders.isSame($0.name, "content-length") }
    let call = Note(
      method: request.head.method, target: request.head.target,
      headers: asked.map { ($0.name, $0.value) }, body: request.body)
    var answer = Answer()
    do throws(HTTPClientError) {
      let stream = try await client.stream(
        HTTPClientRequest(
          method: call.method, url: upstream + call.target,
          headers: HTTPHeaders(asked.map { ($0.name, $0.value) }),
          body: request.body),
        deadlines: Deadlines(firstByte: Self.patience, idle: Self.patience, total: nil))
      // Who leaves early does not spoil the recording: the answer is read to its end.
      exchange.onClose { exchange.close() }
      answer.status = stream.status
      answer.headers = stream.headers.filter { !Self.ofConnection.contains($0.name.lowercased()) }
        .map { ($0.name, $0.value) }
      answer.isStreamed = Self.isStreamed(stream, to: request)
      if answer.isStreamed { answer.begin(on: exchange) }
      for try await bytes in stream.body {
        if answer.isStreamed { exchange.write(bytes) }
        answer.pieces.append(RecordedCall.Piece(after: ContinuousClock.now - start, bytes: bytes))
      }
    } catch {
      return failed(error, call, answer, exchange)
    }
    // In the file before the client can know that the answer is complete.
    add(call, answer, isCut: false)
    if !answer.isStreamed { answer.sendWhole(on: exchange) }
    exchange.finish()
  }

  /// Whether only the connection tells where the body ends.
  private static func isStreamed(_ stream: HTTPClientStream, to request: HTTPRequest) -> Bool {
    stream.headers["Content-Length"] == nil && request.head.method != "HEAD"
      && !HTTPStatus.hasNoBody(stream.status)
  }

  private func failed(_ error: HTTPClientError, _ call: Note, _ answer: Answer, _ exchange: HTTPExchange) {
    switch error {
    case .cancelled: exchange.close()
    case .reset, .truncated, .badResponse:
      add(call, answer, isCut: true)
      guard answer.status != nil else { return exchange.reset() }
      if !answer.isStreamed { answer.sendWhole(on: exchange) }
      exchange.close()
    default:
      log.warning("the upstream does not answer", ["error": .string("\(error)")])
      guard !answer.isStreamed else { return exchange.close() }
      exchange.respond(status: 502, text: "the upstream does not answer: \(error)\n")
    }
  }

  private func add(_ call: Note, _ answer: Answer, isCut: Bool) {
    let recorded = RecordedCall(
      method: call.method, target: call.target, requestHeaders: call.headers,
      requestBody: RecordedCall.comparable(call.body), status: answer.status, headers: answer.headers,
      pieces: answer.pieces, isCut: isCut)
    do throws(RecordingError) {
      try file.add(recorded)
      log.debug("recorded", ["method": .string(call.method), "target": .string(call.target)])
    } catch {
      log.error("\(error)")
    }
  }

  private struct Note {
    let method: String
    let target: String
    let headers: [HeaderField]
    let body: [UInt8]
  }

  private struct Answer {
    var status: Int?
    var headers: [HeaderField] = []
    var pieces: [RecordedCall.Piece] = []
    var isStreamed = false

    func begin(on exchange: HTTPExchange) {
      guard let status else { return }
      exchange.begin(status: status, headers: HTTPHeaders(headers.map { ($0.name, $0.value) }))
    }

    func sendWhole(on exchange: HTTPExchange) {
      begin(on: exchange)
      for piece in pieces { exchange.write(piece.bytes) }
    }
  }
}
