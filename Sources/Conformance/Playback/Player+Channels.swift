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
      channel = try await ChannelOpener(target: target, dialect: transcript.dialect, loop: loop).open(
        within: limit)
    } catch {
      throw failure("connection \(name) cannot be opened: \(error)")
    }
    let place = adopt(channel, name)
    try await begin(place, name)
    return place
  }

  /// The place of the connection that is listened to: one from before a restart may still have
  /// something to say, as long as nobody has spoken on a newer one.
  func listeningPlace(of name: String) async throws(Halt) -> Int {
    if let place = connections.lastIndex(where: { $0.name == name }) { return place }
    return try await place(of: name)
  }

  func adopt(_ channel: any MessageChannel, _ name: String) -> Int {
    connections.append(PlayedConnection(name: name, channel: channel, lastSaid: .now))
    return connections.count - 1
  }

  /// Begins a connection that has just been opened, as the dialect wants.
  func begin(_ place: Int, _ name: String) async throws(Halt) {
    if transcript.begins, transcript.dialect.hasHandshake, let revision = transcript.dialect.revision {
      try await agree(place, revision)
    }
    guard let watch else { return }
    let channel = connections[place].channel
    connections[place].channel = watch.channel(channel, target.transport, on: name)
  }

  private static let beginning = "begin"

  /// Agrees on the revision of the dialect.
  private func agree(_ place: Int, _ revision: String) async throws(Halt) {
    let name = connections[place].name
    let channel = connections[place].channel
    let request = JSONWriter.bytes(transcript.client.initialize(revision, id: Self.beginning))
    log.add(.toServer, request.shown, on: name)
    await channel.say(request)
    let limit = target.transport == .stdio ? slowStart : self.limit
    let deadline = ContinuousClock.now + limit
    while true {
      guard let received = await channel.next(within: max(deadline - .now, .zero)) else {
        throw failure("initialize is not answered within \(limit.short), on connection \(name)")
      }
      note(received, on: name)
      watch?.skips(received.event, on: name)
      switch received.event {
      case .message(let bytes, _):
        // Servers may log before they are initialized.
        guard try hasBegun(bytes, revision) else { continue }
      case .ping, .pong: continue
      case .binary: throw failure("a binary message came instead of the answer to initialize")
      case .breach(let cause, _): throw failure("on connection \(name) \(cause)")
      case .ended(let ending):
        connections[place].ending = ending
        throw failure("the connection ended instead of an answer to initialize: \(ending.text)")
      }
      break
    }
    let initialized = JSONWriter.bytes(MCPClientOffer.initialized)
    log.add(.toServer, initialized.shown, on: name)
    await channel.say(initialized)
    connections[place].lastSaid = .now
    connections[place].hasHeard = true
  }

  /// How long the first answer on a connection may take: over stdio its process starts meanwhile.
  var firstLimit: Duration {
    guard target.transport == .stdio else { return limit }
    return watch?.limit(slowStart) ?? slowStart
  }

  private var slowStart: Duration { max(step.within, Self.startTime) * settings.slack }

  private static let startTime = Duration.seconds(20)

  private func hasBegun(_ bytes: [UInt8], _ revision: String) throws(Halt) -> Bool {
    guard let answer = try? JSONParser.parse(bytes) else {
      throw failure("the answer to initialize is no JSON: \(String(bytes.shown.prefix(200)))")
    }
    if answer["method"] != nil { return false }
    guard answer["id"]?.string == Self.beginning, let result = answer["result"] else {
      throw failure("initialize was answered with \(FlowText.text(answer, limit: 200))")
    }
    guard result["protocolVersion"]?.string == revision else {
      throw failure(
        "the server does not agree on the revision",
        [
          Difference(
            JSONPointer(tokens: ["result", "protocolVersion"]), expected: FlowText.string(revision),
            got: result["protocolVersion"])
        ])
    }
    return true
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
    case .breach(let cause, _): text = "(\(cause))"
    case .ended(let ending): text = "(\(ending.text))"
    }
    log.add(.toClient, text, on: name, at: received.at)
  }
}
