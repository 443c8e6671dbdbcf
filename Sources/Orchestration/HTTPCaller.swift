import JSON
import ProtocolSpec
import Transport
import Wire

/// Calls of HTTP services, with what goes wrong put in the words of `Spec/failures.yaml`.
struct HTTPCaller: Sendable {
  /// What comes back of a call.
  enum Answer {
    case whole(HTTPAnswer)
    /// The beginning of a stream, of status 200.
    case events(EventReader)
  }

  let client: HTTPClient
  let deadlines: Deadlines
  /// The longest answer that is read.
  let maxBytes: Int
  let failures: FailureTable

  func get(_ url: String) async throws(CallFailure) -> HTTPAnswer {
    try await send(HTTPClientRequest(method: "GET", url: url))
  }

  /// Gives events if `body` asks for a stream and the service gives one, else a whole answer.
  func post(
    _ url: String, _ headers: [(String, String)], _ body: JSONValue
  ) async throws(CallFailure) -> Answer {
    let headers = HTTPHeaders(headers + [("content-type", "application/json")])
    let request = HTTPClientRequest(
      method: "POST", url: url, headers: headers, body: JSONWriter.bytes(body))
    guard body["stream"] == true else { return .whole(try await send(request)) }
    return try await stream(request)
  }

  private func send(_ request: HTTPClientRequest) async throws(CallFailure) -> HTTPAnswer {
    let request = bounded(request)
    if request.url.hasPrefix("https://") { return try await SecureCall(request, deadlines).send() }
    do throws(HTTPClientError) {
      let answer = try await client.send(request, deadlines: deadlines)
      return HTTPAnswer(status: answer.status, headers: answer.headers, body: answer.body)
    } catch {
      throw CallFailure(name: error.failureClass, detail: error.description)
    }
  }

  private func stream(_ request: HTTPClientRequest) async throws(CallFailure) -> Answer {
    let request = bounded(request)
    if request.url.hasPrefix("https://") {
      let answer = try await SecureCall(request, deadlines).send()
      return answer.isEventStream ? .events(EventReader(answer.body)) : .whole(answer)
    }
    do throws(HTTPClientError) {
      let stream = try await client.stream(request, deadlines: deadlines)
      var answer = HTTPAnswer(status: stream.status, headers: stream.head.headers, body: [])
      if answer.isEventStream { return .events(EventReader(stream.body)) }
      var pieces = stream.body.makeAsyncIterator()
      while let piece = try await pieces.next() { answer.body += piece }
      return .whole(answer)
    } catch {
      throw CallFailure(name: error.failureClass, detail: error.description)
    }
  }

  private func bounded(_ request: HTTPClientRequest) -> HTTPClientRequest {
    var request = request
    request.maxBodyBytes = maxBytes
    return request
  }
}

extension HTTPAnswer {
  fileprivate init(status: Int, headers: HTTPHeaders, body: [UInt8]) {
    self.init(status: status, headers: headers.map { ($0.name, $0.value) }, body: body)
  }

  fileprivate var isEventStream: Bool {
    status == 200 && header("content-type")?.lowercased().hasPrefix("text/event-stream") == true
  }
}

/// The events of an answer, one after the other.
struct EventReader {
  private var pieces: HTTPBodyStream.AsyncIterator?
  private var piece: [UInt8] = []
  private var offset = 0
  private var parser = ServerSentEventParser()
  private var hasBegun = false

  init(_ body: HTTPBodyStream) { pieces = body.makeAsyncIterator() }

  /// Of a stream that is here as a whole.
  init(_ body: [UInt8]) { piece = body }

  /// The data of the next event; nil at the end of the stream.
  mutating func next() async throws(CallFailure) -> String? {
    while true {
      if let data = try parse() {
        hasBegun = true
        return data
      }
      do throws(HTTPClientError) {
        guard let next = try await pieces?.next() else { return nil }
        (piece, offset) = (next, 0)
      } catch {
        throw CallFailure(name: error.streamFailureClass(hasBegun: hasBegun), detail: error.description)
      }
    }
  }

  private mutating func parse() throws(CallFailure) -> String? {
    let piece = piece
    do throws(ServerSentEventOverflow) {
      return try piece.withUnsafeBufferPointer { (bytes) throws(ServerSentEventOverflow) in
        while let event = try parser.next(UnsafeRawBufferPointer(bytes), &offset) {
          if case .message(let message) = event { return message.data }
        }
        return nil
      }
    } catch {
      throw CallFailure(name: .badResponse, detail: error.description)
    }
  }
}

extension HTTPClientError {
  fileprivate var failureClass: FailureClass {
    switch self {
    case .badURL, .resolve, .refused, .unreachable, .reset, .cancelled: .gatewayUnreachable
    case .connectTimeout, .firstByteTimeout, .idleTimeout, .totalTimeout: .timeout
    case .truncated, .badResponse, .tooLarge: .badResponse
    }
  }

  /// The class of what ends a stream; one that stalls before its first event is merely late.
  fileprivate func streamFailureClass(hasBegun: Bool) -> FailureClass {
    switch self {
    case .truncated, .reset, .badResponse: .streamTruncated
    case .idleTimeout where hasBegun: .streamTruncated
    default: failureClass
    }
  }
}
