internal import JSON
internal import Transport
internal import Wire

// What is said and expected on WebSocket connections.
extension Player {
  func value(of matcher: Matcher) throws(Halt) -> JSONValue {
    do throws(GenerationError) {
      return try matcher.generate(&bindings) ?? .null
    } catch {
      throw .notTestable(error.description)
    }
  }

  @discardableResult
  func say(_ matcher: Matcher, on name: String) async throws(Halt) -> JSONValue {
    let place = try await place(of: name)
    let value = try value(of: matcher)
    let bytes = JSONWriter.bytes(value)
    connections[place].lastSaid = .now
    log.add(.toServer, bytes.shown, on: name)
    try await say(bytes, on: place)
    return value
  }

  private func say(_ bytes: [UInt8], on place: Int) async throws(Halt) {
    guard !step.headers.isEmpty else { return await connections[place].channel.say(bytes) }
    var headers: [(name: String, value: String?)] = []
    for (name, matcher) in step.headers {
      let value: JSONValue?
      do throws(GenerationError) {
        value = try matcher.generate(&bindings)
      } catch {
        throw .notTestable(error.description)
      }
      headers.append((name, value.map { $0.string ?? $0.description }))
    }
    let fields = headers.map { " \($0.name): \($0.value ?? "(none)")" }.joined(separator: ",")
    log.add(.aside, "with header fields\(fields)", on: connections[place].name)
    await connections[place].channel.say(bytes, headers: headers)
  }

  func send(_ message: RawMessage) async throws(Halt) {
    let place = try await place(of: step.connection)
    connections[place].lastSaid = .now
    if case .text(let parts) = message {
      let bytes = TextPart.joined(parts)
      log.add(.toServer, bytes.shown, on: step.connection)
      return try await say(bytes, on: place)
    }
    guard let client = (connections[place].channel as? WebSocketChannel)?.client else {
      throw .notTestable("there are no such frames over \(target.transport.words)")
    }
    let text: String
    switch message {
    case .text: return
    case .bytes(let bytes):
      text = "(bytes) \(bytes.hexadecimal)"
      client.sendRaw(bytes)
    case .binary(let bytes):
      text = "(binary) \(bytes.hexadecimal)"
      client.send(binary: bytes)
    case .ping(let bytes):
      text = "(ping) \(bytes.shown)"
      client.ping(bytes)
    case .frame(let fin, let rsv, let opcode, let isMasked, let parts):
      let payload = TextPart.joined(parts)
      text = "(frame fin=\(fin ? 1 : 0) rsv=\(rsv) opcode=\(opcode)) \(payload.shown)"
      var bytes: [UInt8] = []
      let mask = isMasked ? UInt32.random(in: .min ... .max, using: &bindings.random) : nil
      FrameEncoder.append(
        FrameEncoder.RawFrame(opcode: opcode, payload: payload, fin: fin, rsv: rsv, mask: mask), to: &bytes)
      client.sendRaw(bytes)
    }
    log.add(.toServer, text, on: step.connection)
  }

  func close(_ code: UInt16?, _ reason: String) async throws(Halt) {
    let place = try await place(of: step.connection)
    connections[place].lastSaid = .now
    log.add(.toServer, "(close \(code.map(String.init) ?? "without a code"))", on: step.connection)
    connections[place].channel.close(code: code, reason: reason)
  }

  // MARK: Expecting

  /// The next event of a connection that is no ping; nil if none comes in time. Pongs that nobody
  /// waits for are allowed (RFC 6455 §5.5.3).
  func next(on place: Int, within limit: Duration, takesPongs: Bool = false) async throws(Halt)
    -> ChannelReceived?
  {
    let name = connections[place].name
    if let ending = connections[place].ending {
      throw failure("connection \(name) has ended already: \(ending.text)")
    }
    let deadline = ContinuousClock.now + limit
    while true {
      let channel = connections[place].channel
      guard let received = await channel.next(within: max(deadline - .now, .zero)) else { return nil }
      note(received, on: name)
      connections[place].hasHeard = true
      switch received.event {
      case .ping: continue
      case .pong where !takesPongs: continue
      case .breach(let cause, _): throw failure("on connection \(name) \(cause)")
      case .ended(let ending):
        connections[place].ending = ending
        if let breach = ending.breach {
          let rule = target.transport == .ws ? "RFC 6455" : "the rules of \(target.transport.words)"
          throw failure("the server broke \(rule) on connection \(name): \(breach)")
        }
        watch?.heard(received.event, on: name)
        return received
      default:
        watch?.heard(received.event, on: name)
        return received
      }
    }
  }

  /// The next frame as JSON.
  func frame(on name: String) async throws(Halt) -> JSONValue {
    let place = try await listeningPlace(of: name)
    let limit = connections[place].hasHeard ? self.limit : firstLimit
    guard let received = try await next(on: place, within: limit) else {
      throw failure("no frame within \(limit.short)")
    }
    try checkNotBefore(received, connections[place])
    switch received.event {
    case .message(let bytes, let status):
      try checkStatus(status)
      do throws(JSONError) {
        return try JSONParser.parse(bytes)
      } catch {
        throw failure("the frame is no JSON: \(error): \(String(bytes.shown.prefix(200)))")
      }
    case .ended(let ending): throw failure("the connection ended instead: \(ending.text)")
    default: throw failure("a binary message came instead of a text")
    }
  }

  private func checkStatus(_ status: Int?) throws(Halt) {
    guard let matcher = step.status, target.transport == .http else { return }
    let differences = matcher.match(status.map(JSONValue.int), at: JSONPointer(tokens: ["status"]), &bindings)
    guard differences.isEmpty else { throw failure("the status of the answer differs", differences) }
  }

  private func checkNotBefore(_ received: ChannelReceived, _ connection: PlayedConnection)
    throws(Halt)
  {
    guard let least = step.notBefore else { return }
    let time = received.at - connection.lastSaid
    guard time < least else { return }
    throw failure("the frame came after \(time.short), not before \(least.short) was allowed")
  }

  func expect(_ expected: FrameMatcher) async throws(Halt) {
    let value = try await frame(on: step.connection)
    let differences = expected.match(value, &bindings)
    guard differences.isEmpty else { throw failure("the frame differs", differences) }
  }

  func expect(unordered frames: [Expected]) async throws(Halt) {
    var open = frames
    while !open.isEmpty {
      let value = try await frame(on: step.connection)
      var closest: [Difference]?
      let found = open.firstIndex { expected in
        let differences = expected.frame.match(value, &bindings)
        if differences.count < closest?.count ?? .max { closest = differences }
        return differences.isEmpty
      }
      guard let found else {
        let text = "the frame is none of the \(open.count) expected in any order; the closest differs"
        throw failure(text, closest ?? [])
      }
      open.remove(at: found)
    }
  }

  func expect(pong bytes: [UInt8]) async throws(Halt) {
    let place = try await listeningPlace(of: step.connection)
    guard let received = try await next(on: place, within: limit, takesPongs: true) else {
      throw failure("no pong within \(limit.short)")
    }
    switch received.event {
    case .pong(let got) where got == bytes: return
    case .pong(let got):
      throw failure(
        "the pong differs",
        [
          Difference(
            JSONPointer(), expected: FlowText.string(bytes.shown), gotText: FlowText.string(got.shown))
        ])
    case .ended(let ending): throw failure("the connection ended instead: \(ending.text)")
    default: throw failure("a message came instead of a pong")
    }
  }

  func expect(closed codes: [UInt16?]) async throws(Halt) {
    guard let place = connections.lastIndex(where: { $0.name == step.connection }) else {
      throw failure("connection \(step.connection) was never opened")
    }
    guard let received = try await next(on: place, within: limit) else {
      throw failure("the connection is still open after \(limit.short)")
    }
    guard case .ended(let ending) = received.event else {
      throw failure("a frame came instead of the end of the connection")
    }
    connections.remove(at: place)
    guard !codes.contains(ending.code) else { return }
    let expected = codes.map { $0.map(String.init) ?? "none" }
    throw failure(
      "the connection ended with another code",
      [
        Difference(
          JSONPointer(tokens: ["code"]),
          expected: expected.count == 1 ? expected[0] : "[\(expected.joined(separator: ", "))]",
          gotText: "\(ending.code.map(String.init) ?? "none") (\(ending.text))")
      ])
  }

  func expectQuiet(_ time: Duration) async throws(Halt) {
    let place = try await listeningPlace(of: step.connection)
    guard let received = try await next(on: place, within: time) else { return }
    if case .ended(let ending) = received.event { throw failure("the connection ended: \(ending.text)") }
    throw failure("a frame came within \(time.short), nobody expects one")
  }

  func play(_ poll: Poll) async throws(Halt) {
    let deadline = ContinuousClock.now + poll.limit * settings.slack
    while true {
      let request = try await say(poll.request, on: step.connection)
      let answer = try await frame(on: step.connection)
      try checkIsAnswer(answer, to: request)
      let value = answer[poll.pointer]
      if poll.until.match(value, &bindings).isEmpty {
        guard let last = poll.last else { return }
        let differences = last.match(answer, &bindings)
        guard differences.isEmpty else { throw failure("the last answer differs", differences) }
        return
      }
      if let allow = poll.allow {
        var tokens = poll.pointer.tokens
        let name = tokens.popLast() ?? ""
        let differences = allow.match(value, at: JSONPointer(tokens: tokens + [name]), &bindings)
        guard differences.isEmpty else {
          throw failure("the answer has a value that is not allowed on the way", differences)
        }
      }
      guard ContinuousClock.now + poll.every < deadline else {
        let until = Difference(poll.pointer, expected: FlowText.text(poll.until.source), got: value)
        throw failure("not reached within \((poll.limit * settings.slack).short)", [until])
      }
      try? await Task.sleep(for: poll.every)
    }
  }

  /// Each answer of a poll belongs to its request, also where no line says so.
  private func checkIsAnswer(_ answer: JSONValue, to request: JSONValue) throws(Halt) {
    let other = answer["result"] == nil ? "result" : "error"
    let absent = Matcher(
      place: step.place, source: ["$absent": true], rule: .all([.absent(true)], capture: nil))
    var members = [Matcher.Member(key: other, matcher: absent)]
    if let id = request["id"] {
      members.append(
        Matcher.Member(key: "id", matcher: Matcher(place: step.place, source: id, rule: .exactly)))
    }
    let matcher = Matcher(place: step.place, source: .object(JSONObject()), rule: .object(members))
    // An answer is in the dialect of its request.
    let dialect = request["jsonrpc"] == nil ? TranscriptDialect.bare : .jsonrpc
    let differences = FrameMatcher(matcher, dialect: transcript.dialect == .raw ? .raw : dialect)
      .match(answer, &bindings)
    guard differences.isEmpty else { throw failure("the answer to a poll differs", differences) }
  }

  /// Everything sent before this ping has been answered when its pong is there, so a frame that
  /// comes first is one that nobody declared.
  func barrier(_ name: String) async throws(Halt) {
    guard let place = connections.lastIndex(where: { $0.name == name }) else { return }
    let mark = Array("barrier \(bindings.nextNumber())".utf8)
    connections[place].channel.ask(mark)
    log.add(.toServer, "(\(target.transport == .ws ? "ping" : "sign of life?")) \(mark.shown)", on: name)
    while true {
      guard let received = try await next(on: place, within: limit, takesPongs: true) else {
        throw failure(
          "no \(target.transport == .ws ? "pong" : "sign of life") within \(limit.short) behind the last step, on connection \(name)"
        )
      }
      switch received.event {
      case .pong(let bytes) where bytes == mark: return
      case .pong, .ping: continue
      case .message, .binary, .breach: throw failure("a frame that no step declares, on connection \(name)")
      case .ended(let ending):
        throw failure("connection \(name) ended and no step declares it: \(ending.text)")
      }
    }
  }
}
