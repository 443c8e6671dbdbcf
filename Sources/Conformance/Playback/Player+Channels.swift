internal import JSON
internal import Transport

// The connections of a case.
extension Player {
  /// The place of the connection in `connections`, opened if it is not there yet.
  func place(of name: String) async throws(Halt) -> Int {
    if let place = connections.firstIndex(where: { $0.name == name && !$0.isFromBeforeRestart }) {
      return place
    }
    watch?.connects(name)
    let channel: any MessageChannel
    do {
      channel = try await open()
    } catch {
      throw failure("connection \(name) cannot be opened: \(error)")
    }
    return adopt(channel, name)
  }

  private func open() async throws -> any MessageChannel {
    switch target.transport {
    case .ws:
      return WebSocketChannel(
        try await WebSocketClient.connect(
          url: await target.url, headers: target.headers, deadline: limit, options: Self.options, on: loop))
    case .http:
      return HTTPChannel(
        url: await target.url, headers: target.headers, isStateless: false, loop: loop, sign: Self.sign)
    case .stdio: return LineChannel(try await target.process(), sign: Self.sign)
    }
  }

  private static let sign: @Sendable (String) -> JSONValue = { id in
    ["jsonrpc": "2.0", "id": .string(id), "method": "ping"]
  }

  /// The place of the connection that is listened to: one from before a restart may still have
  /// something to say, as long as nobody has spoken on a newer one.
  func listeningPlace(of name: String) async throws(Halt) -> Int {
    if let place = connections.lastIndex(where: { $0.name == name }) { return place }
    return try await place(of: name)
  }

  func adopt(_ channel: any MessageChannel, _ name: String) -> Int {
    let channel = watch?.channel(channel, target.transport, on: name) ?? channel
    connections.append(PlayedConnection(name: name, channel: channel, lastSaid: .now))
    return connections.count - 1
  }

  static var options: WebSocketClientOptions {
    var options = WebSocketClientOptions()
    options.maxMessageBytes = 64 << 20
    return options
  }

  /// Reads what has arrived by now, so that the log of a failure is complete.
  func drain() async {
    for connection in connections where connection.ending == nil {
      for _ in 0..<20 {
        guard let received = await connection.channel.next(within: .zero) else { break }
        note(received, on: connection.name)
      }
    }
  }

  /// What the processes behind the connections wrote last beside their messages.
  var notes: [String] { connections.flatMap(\.channel.notes) }

  func hangUp() async {
    let open = connections.filter { connection in
      let isOver = connection.ending != nil || connection.isFromBeforeRestart
      return !isOver || !(connection.channel is WebSocketChannel)
    }.map(\.channel)
    connections.removeAll()
    await withTaskGroup { group in
      for channel in open { group.addTask { await channel.hangUp() } }
    }
  }

  /// Logs an event.
  func note(_ received: ChannelReceived, on name: String) {
    let text: String
    switch received.event {
    case .message(let bytes, let status?) where status != 200: text = "(\(status)) \(bytes.shown)"
    case .message(let bytes, _): text = bytes.shown
    case .binary(let bytes): text = "(binary) \(bytes.hexadecimal)"
    case .ping(let bytes): text = "(ping) \(bytes.shown)"
    case .pong(let bytes): text = "(\(target.transport == .ws ? "pong" : "sign of life")) \(bytes.shown)"
    case .breach(let cause): text = "(\(cause))"
    case .ended(let ending): text = "(\(ending.text))"
    }
    log.add(.toClient, text, on: name, at: received.at)
  }
}
