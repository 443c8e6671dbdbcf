/// What the owner of a `RawConnection` is told, on its loop.
package protocol RawConnectionHandler: AnyObject {
  /// Bytes came; they are valid during the call only.
  func received(_ bytes: UnsafeRawBufferPointer, on connection: RawConnection)
  /// The peer sends no more; it may still read.
  func peerEnded(_ connection: RawConnection)
  /// Everything written is with the kernel, after some of it had to wait.
  func drained(_ connection: RawConnection)
  /// Told once; nothing comes behind it.
  func closed(_ end: ChannelEnd, _ connection: RawConnection)
}

/// A TCP connection whose bytes are its owner's business, for a proxy. Belongs to its loop: every
/// member is used only there.
package final class RawConnection: ChannelDelegate {
  package let loop: EventLoop
  package let remote: String
  private var channel: Channel?
  private var handler: (any RawConnectionHandler)?

  init(_ channel: Channel) {
    loop = channel.loop
    remote = channel.remote
    self.channel = channel
  }

  /// Hands every connection that `listener` accepts to `handler`, on the listener's loop.
  package static func accept(on listener: Listener, _ handler: @escaping @Sendable (RawConnection) -> Void) {
    let loop = listener.loop
    listener.accept { fd, remote in handler(RawConnection(Channel(fd, loop: loop, remote: remote))) }
  }

  /// Connects to a host, which may be a name; call it on the loop. `completion` is called once,
  /// there too, perhaps at once.
  package static func connect(
    host: String, port: UInt16, within limit: Duration, on loop: EventLoop,
    _ completion: @escaping (Result<RawConnection, RawConnectFailure>) -> Void
  ) {
    let deadline = Deadline(loop)
    let connector = Connector(host, port, on: loop) { result in
      deadline.end()
      switch result {
      case .success(let channel): completion(.success(RawConnection(channel)))
      case .failure(.resolve(let text)), .failure(.refused(let text)), .failure(.reset(let text)),
        .failure(.failed(let text)):
        completion(.failure(RawConnectFailure(description: text)))
      }
    }
    deadline.whenPassed {
      connector.cancel()
      let text = "no connection to \(host):\(port) within \(limit)"
      completion(.failure(RawConnectFailure(description: text)))
    }
    deadline.set(limit)
    connector.start(host, port)
  }

  /// Starts reading; false, with the socket closed, when the system refuses.
  package func start(_ handler: any RawConnectionHandler) -> Bool {
    self.handler = handler
    return channel?.start(self) ?? false
  }

  /// Bytes written and not yet taken by the kernel.
  package var unsent: Int { channel?.unsent ?? 0 }
  package var isOpen: Bool { channel?.isOpen ?? false }

  package func write(_ bytes: UnsafeRawBufferPointer) { channel?.write(bytes) }
  package func write(_ bytes: [UInt8]) { channel?.write(bytes) }
  package func pauseReading() { channel?.pauseReading() }
  package func resumeReading() { channel?.resumeReading() }
  /// Ends the stream behind what is written; reading goes on.
  package func shutdownWrite() { channel?.shutdownWrite() }
  /// Closes behind what is written.
  package func close() { channel?.close() }
  /// Cuts the connection with RST.
  package func reset() { channel?.reset() }

  func channelRead(_ bytes: UnsafeMutableRawBufferPointer) {
    handler?.received(UnsafeRawBufferPointer(bytes), on: self)
  }

  func channelEOF() { handler?.peerEnded(self) }
  func channelDrained() { handler?.drained(self) }

  func channelClosed(_ end: ChannelEnd) {
    channel = nil
    let handler = handler
    self.handler = nil
    handler?.closed(end, self)
  }
}

/// Why there is no connection.
package struct RawConnectFailure: Error, Sendable, CustomStringConvertible {
  package let description: String
}
