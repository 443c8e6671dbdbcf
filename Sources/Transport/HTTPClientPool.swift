/// The idle connections of a client.
final class HTTPClientPool: @unchecked Sendable {
  // Invariant: `idle` is used only on `loop`.
  let loop: EventLoop
  private let perHost: Int
  private let time: Duration
  private var idle: [String: [IdleConnection]] = [:]

  init(_ loop: EventLoop, perHost: Int, time: Duration) {
    self.loop = loop
    self.perHost = perHost
    self.time = time
  }

  /// The connection used last, which is the likeliest to live.
  func take(_ key: String) -> Channel? {
    guard let connection = idle[key]?.popLast() else { return nil }
    connection.leave()
    return connection.channel
  }

  func put(_ channel: Channel, _ key: String) {
    guard perHost > 0, channel.isOpen else { return channel.close() }
    let connection = IdleConnection(channel, key, self)
    idle[key, default: []].append(connection)
    if let count = idle[key]?.count, count > perHost { idle[key]?.removeFirst().close() }
    connection.wait(time)
  }

  fileprivate func remove(_ connection: IdleConnection) {
    idle[connection.key]?.removeAll { $0 === connection }
    if idle[connection.key]?.isEmpty == true { idle[connection.key] = nil }
  }

  func closeAll() {
    let all = idle.values.joined()
    idle = [:]
    for connection in all { connection.close() }
  }

  deinit {
    // The last owner may be any thread, but channels are closed on their loop.
    let rest = LoopBound(idle.values.flatMap { $0 }, on: loop)
    loop.submit { for connection in rest.value { connection.close() } }
  }
}

/// A kept connection: whatever comes on it ends it.
private final class IdleConnection: ChannelDelegate {
  let channel: Channel
  let key: String
  private weak var pool: HTTPClientPool?
  private var timer: ScheduledTimer?

  init(_ channel: Channel, _ key: String, _ pool: HTTPClientPool) {
    self.channel = channel
    self.key = key
    self.pool = pool
    channel.delegate = self
  }

  func wait(_ time: Duration) {
    timer = channel.loop.scheduleHere(nanoseconds: time.nanoseconds) { [weak self] in self?.drop() }
  }

  func leave() {
    timer?.cancel()
    timer = nil
  }

  func close() {
    leave()
    channel.close()
  }

  private func drop() {
    pool?.remove(self)
    close()
  }

  func channelRead(_ bytes: UnsafeMutableRawBufferPointer) { drop() }
  func channelEOF() { drop() }
  func channelDrained() {}
  func channelClosed(_ end: ChannelEnd) {
    leave()
    pool?.remove(self)
  }
}
