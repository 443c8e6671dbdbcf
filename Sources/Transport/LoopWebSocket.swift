package import Wire

/// What the owner of a `LoopWebSocket` is told, on its loop.
package protocol LoopWebSocketHandler: AnyObject {
  func onOpen()
  /// `count` bytes have come at `now`: `onMessage` for each message in them, then `onRead`.
  func onReadable(at now: Int64, count: Int)
  /// A whole message. The bytes are valid during the call only.
  func onMessage(_ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer)
  func onRead()
  /// Everything that was written is with the kernel, after some of it had to wait.
  func onDrained()
  /// Told once, unless we closed: the connection could not be had, or is gone.
  func onEnd(_ reason: String)
}

extension LoopWebSocketHandler {
  package func onDrained() {}
}

/// A WebSocket client that lives on one loop: no task, no queue and no copy stand between the socket
/// and its handler, and what the handler writes while bytes are told leaves in one system call.
/// `WebSocketClient` is the one for any thread.
package final class LoopWebSocket: ChannelDelegate {
  private enum Phase { case idle, connecting, handshake, open, over }

  private let loop: EventLoop
  private let url: HTTPURL
  private let subprotocols: [String]
  private let headers: HTTPHeaders
  private let key = WebSocketHandshake.newKey()
  private var phase = Phase.idle
  /// Keeps the handler until the end.
  private var handler: (any LoopWebSocketHandler)?
  private var connector: Connector?
  private var channel: Channel?
  private var parser = HTTPResponseParser(limits: HTTPLimits())
  private var machine: WebSocketMachine
  /// What the machine answers by itself: pongs and the Close.
  private var answer: [UInt8] = []
  private let deadline: Deadline
  /// What our `close` calls once the descriptor is closed.
  private var whenClosed: (() -> Void)?
  /// The status with which the server answered the handshake, if it did.
  package private(set) var status: Int?
  /// That of the server's Close, if it sent one.
  package private(set) var closeCode: UInt16?

  package init(
    url: HTTPURL, subprotocols: [String] = [], headers: HTTPHeaders = [], maxMessageBytes: Int = 16 << 20,
    on loop: EventLoop
  ) {
    self.loop = loop
    self.url = url
    self.subprotocols = subprotocols
    self.headers = headers
    machine = WebSocketMachine(role: .client, maxMessageBytes: maxMessageBytes)
    deadline = Deadline(loop)
  }

  /// Connects and shakes hands; `onOpen` or `onEnd` follows.
  package func connect(within limit: Duration, _ handler: any LoopWebSocketHandler) {
    guard phase == .idle else { return }
    self.handler = handler
    phase = .connecting
    deadline.whenPassed { [weak self] in self?.end("no websocket within \(limit)") }
    deadline.set(limit)
    // Keeps this alive until it is told, as the channel does afterwards.
    let connector = Connector(url.host, url.port, on: loop) { self.connected($0) }
    self.connector = connector
    connector.start(url.host, url.port)
  }

  private func connected(_ result: Result<Channel, ConnectFailure>) {
    connector = nil
    switch result {
    case .failure(.resolve(let text)), .failure(.refused(let text)), .failure(.reset(let text)),
      .failure(.failed(let text)):
      end(text)
    case .success(let channel):
      self.channel = channel
      phase = .handshake
      guard channel.start(self) else { return }
      let request = WebSocketHandshake.request(
        host: url.hostField, target: url.target, key: key, subprotocols: subprotocols, headers: headers)
      channel.withOutput { HTTPEncoder.append(request, to: &$0) }
    }
  }

  /// Tells the end, and lets go of everything.
  private func end(_ reason: String) {
    guard phase != .over else { return }
    phase = .over
    deadline.end()
    connector?.cancel()
    connector = nil
    let handler = handler
    self.handler = nil
    channel?.close()
    channel = nil
    handler?.onEnd(reason)
  }

  // MARK: Receiving

  func channelRead(_ bytes: UnsafeMutableRawBufferPointer) {
    switch phase {
    case .handshake: shakeHands(bytes)
    case .open: receive(bytes)
    case .idle, .connecting, .over: break
    }
  }

  private func shakeHands(_ bytes: UnsafeMutableRawBufferPointer) {
    var offset = 0
    do {
      guard case .head(let head) = try parser.next(UnsafeRawBufferPointer(bytes), &offset) else { return }
      status = head.status
      _ = try WebSocketHandshake.verify(head, key: key, offered: subprotocols)
    } catch let error as HTTPError {
      return end(error.message)
    } catch let error as WebSocketHandshake.Refusal {
      return end(error.text)
    } catch {
      return end("\(error)")
    }
    phase = .open
    deadline.end()
    handler?.onOpen()
    if offset < bytes.count { receive(UnsafeMutableRawBufferPointer(rebasing: bytes[offset...])) }
  }

  private func receive(_ bytes: UnsafeMutableRawBufferPointer) {
    guard let handler else { return }
    handler.onReadable(at: Sys.now(), count: bytes.count)
    var offset = 0
    while phase == .open {
      let event = machine.next(bytes, &offset, output: &answer)
      if !answer.isEmpty {
        channel?.write(answer)
        answer.removeAll(keepingCapacity: true)
      }
      guard let event else { break }
      switch event {
      case .message(let kind, let message): handler.onMessage(kind, message)
      case .ping, .pong: break
      case .close(let code, let reason):
        closeCode = code
        let text = reason.isEmpty ? "" : " (\(reason))"
        return end("closed by the server with code \(code.map(String.init) ?? "none")\(text)")
      case .failure(let failure): return end("the server broke RFC 6455: \(failure.message)")
      }
    }
    handler.onRead()
  }

  func channelEOF() {
    end(phase == .open ? "ended by the server without a close frame" : "ended by the server in the handshake")
  }

  func channelDrained() { handler?.onDrained() }

  func channelClosed(_ cause: ChannelEnd) {
    channel = nil
    switch cause {
    case .closed: end("closed")
    case .reset(let text): end("broken: \(text)")
    }
    let whenClosed = whenClosed
    self.whenClosed = nil
    whenClosed?()
  }

  // MARK: Sending

  /// Sends bytes as they are: whole frames, masked (RFC 6455 §5.3).
  package func write(_ frames: UnsafeRawBufferPointer) {
    guard phase == .open else { return }
    channel?.write(frames)
  }

  /// Sends a text message.
  package func send(text: UnsafeRawBufferPointer) { send(.text, text) }

  package func ping() { send(.ping, UnsafeRawBufferPointer(start: nil, count: 0)) }

  private func send(_ opcode: WebSocketOpcode, _ bytes: UnsafeRawBufferPointer) {
    guard phase == .open else { return }
    channel?.withOutput { _ = machine.send(opcode, bytes, to: &$0) }
  }

  /// Bytes queued and not yet taken by the kernel.
  package var unsent: Int { channel?.unsent ?? 0 }

  /// Stops reading; what has been read already is told still.
  package func pauseReading() { channel?.pauseReading() }
  package func resumeReading() { channel?.resumeReading() }

  /// Says goodbye and closes; the handler hears no more.
  ///
  /// - Parameter whenClosed: called on the loop once the server has closed too, or has had its time.
  package func close(_ whenClosed: (() -> Void)? = nil) {
    guard let channel else {
      end("")
      whenClosed?()
      return
    }
    if phase == .open {
      channel.withOutput { machine.sendClose(code: 1000, to: &$0) }
      self.whenClosed = whenClosed
    }
    handler = nil
    end("")
    if self.whenClosed == nil { whenClosed?() }
  }
}
