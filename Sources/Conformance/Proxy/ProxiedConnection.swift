internal import Transport
internal import Wire

/// A client's connection and the one to the target that belongs to it.
final class ProxiedConnection: RawConnectionHandler, @unchecked Sendable {
  // Invariant: everything is used only on the loop of the proxy.
  private let client: RawConnection
  private var server: RawConnection?
  private let interceptor: any ProxyInterceptor
  private let whenOver: (ProxiedConnection) -> Void
  private var handshake: HandshakeTap
  private var isWebSocket = false
  /// What has come of an answer in HTTP that is held back.
  private var heldAnswer: [UInt8] = []
  private var toServer: ProxiedStream
  private var toClient: ProxiedStream
  private var openSides = 2
  private var isOver = false

  /// Unsent bytes past which the other side is not read until they are sent.
  private static let maxUnsent = 4 << 20

  init(
    _ client: RawConnection, handshake: HandshakeTap, interceptor: any ProxyInterceptor,
    whenOver: @escaping (ProxiedConnection) -> Void
  ) {
    self.client = client
    self.handshake = handshake
    self.interceptor = interceptor
    self.whenOver = whenOver
    toServer = ProxiedStream(.toServer, isHeld: interceptor.holds(.toServer))
    toClient = ProxiedStream(.toClient, isHeld: interceptor.holds(.toClient))
  }

  func begin(_ host: String, _ port: UInt16, within limit: Duration) {
    guard client.start(self) else { return }
    // What the client says meanwhile waits in the kernel.
    client.pauseReading()
    RawConnection.connect(host: host, port: port, within: limit, on: client.loop) { [self] result in
      guard !isOver else { return }
      switch result {
      case .success(let server):
        self.server = server
        guard server.start(self) else { return cut() }
        client.resumeReading()
      case .failure(let failure):
        openSides = 1
        interceptor.unreachable(failure.description)
        client.reset()
      }
    }
  }

  /// Cuts both connections.
  func cut() {
    client.reset()
    server?.reset()
  }

  // MARK: What comes

  func received(_ bytes: UnsafeRawBufferPointer, on connection: RawConnection) {
    let direction: ProxyDirection = connection === client ? .toServer : .toClient
    if isWebSocket {
      feed(bytes, direction)
    } else if direction == .toServer {
      write(handshake.fromClient(bytes), .toServer)
    } else {
      receivedAnswer(bytes)
    }
    restrain(direction)
  }

  /// Bytes of the server before the connection is a WebSocket.
  private func receivedAnswer(_ bytes: UnsafeRawBufferPointer) {
    var passed = 0
    for found in handshake.fromServer(bytes) {
      switch found {
      case .answered(let exchange):
        interceptor.answered(exchange)
        guard interceptor.holdsAnswers else { continue }
        // One request on a connection is all that a held answer allows for.
        pass(heldAnswer + bytes, to: exchange.request)
        return
      case .upgraded(let request, let response, let rest):
        let head = UnsafeRawBufferPointer(rebasing: bytes[..<rest])
        if interceptor.holdsAnswers { pass(heldAnswer + head, to: request) } else { client.write(head) }
        passed = rest
        isWebSocket = true
        interceptor.opened(request, response)
      }
    }
    let rest = UnsafeRawBufferPointer(rebasing: bytes[passed...])
    if isWebSocket {
      feed(rest, .toClient)
    } else if interceptor.holdsAnswers && !handshake.isLost {
      heldAnswer += rest
    } else {
      client.write(rest)
    }
  }

  private func pass(_ answer: [UInt8], to request: HTTPRequestHead) {
    heldAnswer = []
    write(interceptor.rewritten(answer, to: request), .toClient)
  }

  func peerEnded(_ connection: RawConnection) {
    let direction: ProxyDirection = connection === client ? .toServer : .toClient
    if direction == .toClient {
      for case .answered(let exchange) in handshake.serverEnded() {
        interceptor.answered(exchange)
        if interceptor.holdsAnswers { pass(heldAnswer, to: exchange.request) }
      }
      write(heldAnswer, .toClient)
      heldAnswer = []
    } else if !isWebSocket {
      write(handshake.takeRest(), .toServer)
    }
    update(direction) { $0.end() }
    work(direction)
  }

  func drained(_ connection: RawConnection) {
    // The destination has taken everything: its source may speak again.
    let direction: ProxyDirection = connection === client ? .toClient : .toServer
    if !stream(direction).isWaiting { source(direction)?.resumeReading() }
  }

  func closed(_ end: ChannelEnd, _ connection: RawConnection) {
    let direction: ProxyDirection = connection === client ? .toServer : .toClient
    if case .reset(let cause) = end {
      interceptor.ended(direction, cause: cause)
      destination(direction)?.reset()
    } else if !stream(direction).hasEnded {
      // Closed by ourselves, or both of its ends were.
      destination(direction)?.close()
    }
    openSides -= 1
    guard openSides == 0, !isOver else { return }
    isOver = true
    interceptor.finished()
    whenOver(self)
  }

  // MARK: Passing on

  private func feed(_ bytes: UnsafeRawBufferPointer, _ direction: ProxyDirection) {
    guard !bytes.isEmpty else { return }
    if !stream(direction).isHeld { destination(direction)?.write(bytes) }
    update(direction) { $0.take(bytes) }
    work(direction)
  }

  /// Does what is to be done in this direction until it has to wait.
  private func work(_ direction: ProxyDirection) {
    while !stream(direction).isWaiting {
      var next: ProxiedStream.Item?
      update(direction) { next = $0.next() }
      guard let next else { return }
      switch next {
      case .message(let message):
        let actions = interceptor.intercept(message, direction)
        update(direction) { if $0.isHeld { $0.put(actions, for: message) } }
      case .bytes(let bytes, _): write(bytes, direction)
      case .wait(let time): wait(time, direction)
      case .end(let isByPeer):
        if isByPeer { interceptor.ended(direction, cause: nil) }
        destination(direction)?.shutdownWrite()
      case .cut: cut()
      }
    }
  }

  private func wait(_ time: Duration, _ direction: ProxyDirection) {
    update(direction) { $0.isWaiting = true }
    source(direction)?.pauseReading()
    client.loop.schedule(after: time) { [self] in
      update(direction) { $0.isWaiting = false }
      guard !isOver else { return }
      source(direction)?.resumeReading()
      work(direction)
    }
  }

  private func write(_ bytes: [UInt8], _ direction: ProxyDirection) {
    if !bytes.isEmpty { destination(direction)?.write(bytes) }
  }

  /// Lets the source wait while its destination does not take what it said.
  private func restrain(_ direction: ProxyDirection) {
    guard let destination = destination(direction), destination.unsent > Self.maxUnsent else { return }
    source(direction)?.pauseReading()
  }

  private func source(_ direction: ProxyDirection) -> RawConnection? {
    direction == .toServer ? client : server
  }

  private func destination(_ direction: ProxyDirection) -> RawConnection? {
    direction == .toServer ? server : client
  }

  private func stream(_ direction: ProxyDirection) -> ProxiedStream {
    direction == .toServer ? toServer : toClient
  }

  private func update(_ direction: ProxyDirection, _ change: (inout ProxiedStream) -> Void) {
    if direction == .toServer { change(&toServer) } else { change(&toClient) }
  }
}
