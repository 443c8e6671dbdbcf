internal import Wire

/// Where a call's answer goes, on the loop.
protocol HTTPAnswerSink: AnyObject {
  func begin(_ head: HTTPResponseHead)
  /// False asks to wait until `HTTPClientCall.resume`.
  func add(_ bytes: UnsafeRawBufferPointer) -> Bool
  /// Told once.
  func end(_ result: Result<HTTPHeaders, HTTPClientError>)
}

/// One request and its answer, from connecting to the last byte.
final class HTTPClientCall: ChannelDelegate, @unchecked Sendable {
  // Invariant: the lets never change; every var is used only on `loop`.
  private enum Phase { case idle, connecting, sent, answering, over }

  let loop: EventLoop
  private let request: HTTPClientRequest
  private let url: HTTPURL
  private let deadlines: Deadlines
  private let pool: HTTPClientPool

  private var phase = Phase.idle
  private var sink: (any HTTPAnswerSink)?
  private var parser: HTTPResponseParser
  private var channel: Channel?
  private var connector: Connector?
  private var isKept = false
  private var keepsAlive = false
  private var isPaused = false
  private var total: ScheduledTimer?
  private lazy var deadline = Deadline(loop)

  init(_ request: HTTPClientRequest, _ url: HTTPURL, _ deadlines: Deadlines, _ pool: HTTPClientPool) {
    self.request = request
    self.url = url
    self.deadlines = deadlines
    self.pool = pool
    loop = pool.loop
    parser = HTTPResponseParser(
      method: request.method, limits: HTTPLimits(headBytes: 64 * 1024, bodyBytes: request.maxBodyBytes))
  }

  private var key: String { "\(url.host):\(url.port)" }

  func start(_ sink: any HTTPAnswerSink) {
    // Cancelled before it began.
    guard phase == .idle else { return sink.end(.failure(.cancelled)) }
    self.sink = sink
    if let limit = deadlines.total {
      total = loop.scheduleHere(nanoseconds: limit.nanoseconds) { [weak self] in
        self?.finish(.failure(.totalTimeout(limit)))
      }
    }
    if let channel = pool.take(key) {
      isKept = true
      send(on: channel)
    } else {
      connect()
    }
  }

  /// Ends the call and its connection; from any thread.
  func cancel() {
    loop.run { self.finish(.failure(.cancelled)) }
  }

  /// Reads on after the sink asked to wait; from any thread.
  func resume() {
    loop.run {
      guard self.isPaused, self.phase == .answering else { return }
      self.isPaused = false
      self.deadline.set(self.deadlines.idle)
      self.channel?.resumeReading()
    }
  }

  private func connect() {
    isKept = false
    phase = .connecting
    expect(deadlines.connect, else: HTTPClientError.connectTimeout)
    let connector = Connector(url.host, url.port, on: loop) { [weak self] result in
      guard let self else { return }
      self.connector = nil
      switch result {
      case .failure(.resolve(let text)): finish(.failure(.resolve(text)))
      case .failure(.refused(let text)): finish(.failure(.refused(text)))
      case .failure(.reset(let text)): finish(.failure(.reset(text)))
      case .failure(.failed(let text)): finish(.failure(.unreachable(text)))
      case .success(let channel):
        guard channel.start(self) else {
          return finish(.failure(.unreachable("the socket cannot be watched")))
        }
        send(on: channel)
      }
    }
    self.connector = connector
    connector.start(url.host, url.port)
  }

  private func send(on channel: Channel) {
    self.channel = channel
    channel.delegate = self
    phase = .sent
    expect(deadlines.firstByte, else: HTTPClientError.firstByteTimeout)
    // Host comes first (RFC 9110 §7.2).
    var headers: HTTPHeaders = request.headers["Host"] == nil ? ["Host": url.hostField] : []
    headers.append(contentsOf: request.headers)
    let hasBody = !request.body.isEmpty || ["POST", "PUT", "PATCH"].contains(request.method)
    if hasBody, headers["Content-Length"] == nil, headers["Transfer-Encoding"] == nil {
      headers.append("Content-Length", "\(request.body.count)")
    }
    channel.withOutput { output in
      let head = HTTPRequestHead(method: request.method, target: url.target, headers: headers)
      HTTPEncoder.append(head, to: &output)
      output.append(contentsOf: request.body)
    }
  }

  private func expect(_ limit: Duration, else error: @escaping (Duration) -> HTTPClientError) {
    deadline.whenPassed { [weak self] in self?.finish(.failure(error(limit))) }
    deadline.set(limit)
  }

  // MARK: The answer

  func channelRead(_ bytes: UnsafeMutableRawBufferPointer) {
    if phase == .sent {
      phase = .answering
      expect(deadlines.idle, else: HTTPClientError.idleTimeout)
    } else if phase == .answering {
      deadline.set(deadlines.idle)
    }
    var offset = 0
    do {
      while phase == .answering, let event = try parser.next(UnsafeRawBufferPointer(bytes), &offset) {
        take(event, isLast: offset == bytes.count)
      }
    } catch {
      finish(.failure(error.status == 413 ? .tooLarge(request.maxBodyBytes) : .badResponse(error.message)))
    }
  }

  private func take(_ event: HTTPResponseParser.Event, isLast: Bool) {
    switch event {
    case .head(let head):
      guard head.status != 101 else {
        return finish(.failure(.badResponse("101 to a request that asked for no upgrade (RFC 9110 §15.2.2)")))
      }
      keepsAlive = head.keepsAlive
      sink?.begin(head)
    case .body(let bytes):
      guard sink?.add(bytes) == false else { return }
      isPaused = true
      deadline.clear()
      channel?.pauseReading()
    case .end(let trailers):
      // Bytes behind the answer belong to no request: such a connection is not kept.
      keepsAlive = keepsAlive && isLast && channel?.unsent == 0
      finish(.success(trailers))
    }
  }

  func channelEOF() {
    guard phase == .sent || phase == .answering else { return }
    do {
      if try parser.finish() {
        keepsAlive = false
        return finish(.success([]))
      }
      failed("the server closed the connection before it answered")
    } catch {
      finish(.failure(.truncated(error.message)))
    }
  }

  func channelDrained() {}

  func channelClosed(_ end: ChannelEnd) {
    channel = nil
    guard phase == .sent || phase == .answering else { return }
    if case .reset(let text) = end {
      failed("the connection broke: \(text)")
    } else {
      failed("the connection was closed")
    }
  }

  /// The connection is of no more use; a kept one may simply have been too old.
  private func failed(_ text: String) {
    guard phase == .sent else { return finish(.failure(.truncated(text))) }
    guard isKept, request.retriesOnKeptConnection else { return finish(.failure(.reset(text))) }
    channel?.delegate = nil
    channel?.reset()
    channel = nil
    connect()
  }

  private func finish(_ result: Result<HTTPHeaders, HTTPClientError>) {
    guard phase != .over else { return }
    phase = .over
    deadline.end()
    total?.cancel()
    total = nil
    connector?.cancel()
    connector = nil
    if let channel {
      self.channel = nil
      channel.delegate = nil
      if case .failure = result {
        channel.reset()
      } else if keepsAlive {
        if isPaused { channel.resumeReading() }
        pool.put(channel, key)
      } else {
        channel.close()
      }
    }
    let sink = sink
    self.sink = nil
    sink?.end(result)
  }
}
