import Testing

@testable import Transport

let upgradeRequest = Array(
  ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").utf8)

/// A socket that sends what it is told and keeps what comes.
final class RawClient: ChannelDelegate, @unchecked Sendable {
  // Invariant: used only on `loop`, but for the streams and the locking inbox.
  private let loop: EventLoop
  private var channel: Channel?
  private let inbox: Inbox<[UInt8]?>
  private let stays: Bool

  private init(_ loop: EventLoop, stays: Bool) {
    self.loop = loop
    self.stays = stays
    inbox = Inbox(loop: loop, limit: .max) {}
  }

  /// One that `stays` does not close its side when the other has.
  static func connect(_ port: UInt16, on loop: EventLoop, stays: Bool = false) async throws -> RawClient {
    try #require(await attempt(port, on: loop, stays: stays), "no connection")
  }

  /// Nil when the connection fails, or is cut off before it is known to be there.
  static func attempt(_ port: UInt16, on loop: EventLoop, stays: Bool = false) async throws -> RawClient? {
    let client = RawClient(loop, stays: stays)
    let connected = Mailbox<Bool>()
    loop.submit {
      let connector = Connector("127.0.0.1", port, on: loop) { result in
        guard case .success(let channel) = result else { return connected.post(false) }
        client.channel = channel
        connected.post(channel.start(client))
      }
      connector.start("127.0.0.1", port)
    }
    return try await connected.next() ? client : nil
  }

  func send(_ bytes: [UInt8]) { loop.submit { self.channel?.write(bytes) } }
  func send(_ text: String) { send(Array(text.utf8)) }
  func pause() { loop.submit { self.channel?.pauseReading() } }
  func resume() { loop.submit { self.channel?.resumeReading() } }
  func shutdownWrite() { loop.submit { self.channel?.shutdownWrite() } }
  func reset() { loop.submit { self.channel?.reset() } }

  /// What comes until it ends in `text`, or the connection ends.
  func read(until text: String) async throws -> String {
    var bytes: [UInt8] = []
    while !bytes.reversed().starts(with: text.utf8.reversed()) {
      let piece = try #require(await inbox.next(within: patience), "got only \(bytes)")
      guard let piece else { break }
      bytes += piece
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Everything that comes until the connection ends.
  func readToEnd() async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while let piece = try #require(await inbox.next(within: patience), "got only \(bytes)") { bytes += piece }
    return bytes
  }

  func channelRead(_ bytes: UnsafeMutableRawBufferPointer) { _ = inbox.push(Array(bytes), weight: 0) }
  func channelEOF() {
    _ = inbox.push(nil, weight: 0)
    if !stays { channel?.close() }
  }
  func channelDrained() {}
  func channelClosed(_ end: ChannelEnd) {
    channel = nil
    _ = inbox.push(nil, weight: 0)
  }
}
