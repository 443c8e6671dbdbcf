internal import Wire

/// A client for plain HTTP/1.1 that keeps connections for the next call. Every part of a call has
/// its deadline; cancelling the task closes the socket.
package struct HTTPClient: Sendable {
  private let pool: HTTPClientPool

  /// Keeps up to `keptPerHost` idle connections to each host and port, for `keptFor`.
  package init(loop: EventLoop, keptPerHost: Int = 16, keptFor: Duration = .seconds(30)) {
    pool = HTTPClientPool(loop, perHost: keptPerHost, time: keptFor)
  }

  package var loop: EventLoop { pool.loop }

  /// Sends a request and gives the whole answer, of any status.
  package func send(
    _ request: HTTPClientRequest, deadlines: Deadlines = Deadlines()
  ) async throws(HTTPClientError) -> HTTPClientResponse {
    let call = try call(request, deadlines)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isTaken = pool.loop.submit {
          call.start(WholeAnswer { continuation.resume(returning: $0) })
        }
        if !isTaken { continuation.resume(returning: .failure(.unreachable("the event loop has ended"))) }
      }
    } onCancel: {
      call.cancel()
    }
    return try result.get()
  }

  /// Sends a request and gives the answer's head as soon as it is there.
  package func stream(
    _ request: HTTPClientRequest, deadlines: Deadlines = Deadlines()
  ) async throws(HTTPClientError) -> HTTPClientStream {
    let call = try call(request, deadlines)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isTaken = pool.loop.submit {
          call.start(StreamedAnswer(call) { continuation.resume(returning: $0) })
        }
        if !isTaken { continuation.resume(returning: .failure(.unreachable("the event loop has ended"))) }
      }
    } onCancel: {
      call.cancel()
    }
    return try result.get()
  }

  /// Closes the connections kept.
  package func closeIdle() {
    pool.loop.run { pool.closeAll() }
  }

  private func call(
    _ request: HTTPClientRequest, _ deadlines: Deadlines
  ) throws(HTTPClientError) -> HTTPClientCall {
    let url: HTTPURL
    do { url = try HTTPURL(request.url) } catch { throw .badURL(error.description) }
    guard url.scheme == "http" else {
      throw .badURL("\"\(request.url)\" is not http: this client does not speak TLS")
    }
    return HTTPClientCall(request, url, deadlines, pool)
  }
}

/// Collects the whole body.
private final class WholeAnswer: HTTPAnswerSink {
  private var head: HTTPResponseHead?
  private var body: [UInt8] = []
  private let completion: (Result<HTTPClientResponse, HTTPClientError>) -> Void

  init(_ completion: @escaping (Result<HTTPClientResponse, HTTPClientError>) -> Void) {
    self.completion = completion
  }

  func begin(_ head: HTTPResponseHead) { self.head = head }
  func add(_ bytes: UnsafeRawBufferPointer) -> Bool {
    body.append(contentsOf: bytes)
    return true
  }
  func end(_ result: Result<HTTPHeaders, HTTPClientError>) {
    guard let head else {
      return completion(.failure(result.error ?? .badResponse("the answer has no head")))
    }
    completion(result.map { HTTPClientResponse(head: head, body: body, trailers: $0) })
  }
}

/// Hands the head over, then the body through an inbox.
private final class StreamedAnswer: HTTPAnswerSink {
  private static let maxQueuedBytes = 1 << 20

  private let inbox: Inbox<HTTPBodyStream.Piece>
  private let call: HTTPClientCall
  private var completion: ((Result<HTTPClientStream, HTTPClientError>) -> Void)?

  init(
    _ call: HTTPClientCall, _ completion: @escaping (Result<HTTPClientStream, HTTPClientError>) -> Void
  ) {
    self.call = call
    self.completion = completion
    inbox = Inbox(loop: call.loop, limit: Self.maxQueuedBytes) { call.resume() }
  }

  func begin(_ head: HTTPResponseHead) {
    // Forgotten first: who gets the stream may drop it at once, which ends the call within this.
    let completion = completion
    self.completion = nil
    completion?(.success(HTTPClientStream(head: head, body: HTTPBodyStream(inbox, call))))
  }

  func add(_ bytes: UnsafeRawBufferPointer) -> Bool {
    inbox.push(.bytes(Array(bytes)), weight: bytes.count)
  }

  func end(_ result: Result<HTTPHeaders, HTTPClientError>) {
    if let completion {
      self.completion = nil
      return completion(.failure(result.error ?? .badResponse("the answer has no head")))
    }
    _ = inbox.push(.end(result.error), weight: 0)
  }
}

extension Result {
  fileprivate var error: Failure? { if case .failure(let error) = self { error } else { nil } }
}

/// The pieces of a body as they come; throws when it is cut short.
package final class HTTPBodyStream: AsyncSequence, Sendable {
  package typealias Element = [UInt8]

  enum Piece: Sendable {
    case bytes([UInt8])
    case end(HTTPClientError?)
  }

  private let inbox: Inbox<Piece>
  private let call: HTTPClientCall

  init(_ inbox: Inbox<Piece>, _ call: HTTPClientCall) {
    self.inbox = inbox
    self.call = call
  }

  deinit { call.cancel() }

  /// Gives up the rest of the body and the connection with it.
  package func cancel() { call.cancel() }

  package struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let stream: HTTPBodyStream
    private var isOver = false

    fileprivate init(_ stream: HTTPBodyStream) { self.stream = stream }

    package mutating func next() async throws(HTTPClientError) -> [UInt8]? {
      try await next(isolation: nil)
    }

    package mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(HTTPClientError) -> [UInt8]? {
      guard !isOver else { return nil }
      switch await stream.inbox.next(within: nil) {
      case .bytes(let bytes): return bytes
      case .end(let error):
        isOver = true
        if let error { throw error }
        return nil
      case nil:
        isOver = true
        stream.call.cancel()
        throw .cancelled
      }
    }
  }

  package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }
}
