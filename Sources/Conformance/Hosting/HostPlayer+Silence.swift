internal import JSON
internal import ProtocolSpec
internal import Transport
internal import Wire

// What the client must leave alone, and how it goes on and ends.
extension HostPlayer {
  // MARK: Silence and going on

  func expect(_ silence: HostSilence) async throws(HostHalt) {
    let time = silence.time * settings.slack
    let start = ContinuousClock.now
    while ContinuousClock.now < start + time {
      // Who has ended says nothing more.
      guard let happening = try await happen(within: start + time - .now) else { return }
      switch happening {
      case .said(let place, let said):
        let wish = guests[place].understand(said)
        if let asked = wish.requests.first(where: { counts($0, in: silence) }) {
          let again = silence.again == nil ? "" : " again"
          throw failure(
            "\(asked.request.method.name) was asked\(again) after \((said.at - start).short), and not within \(time.short) is allowed"
          )
        }
        serve(wish, on: place)
      case .ended(let place) where !silence.mayEnd && silence.methods.isEmpty && silence.again == nil:
        throw failure("the connection ended: \(ending(of: place))")
      default: try await settle(happening)
      }
    }
  }

  private func counts(_ new: Asked, in silence: HostSilence) -> Bool {
    if let again = silence.again {
      guard let old = asked[again] else { return false }
      return old.request.method.name == new.request.method.name && old.request.params == new.request.params
    }
    return silence.methods.isEmpty || silence.methods.contains(new.request.method.name)
  }

  func expectGoesOn(mayFail: Bool) async throws(HostHalt) {
    let deadline = ContinuousClock.now + limit
    while true {
      if let place = names[step.connection], let ending = guests[place].ending, !isOurs(ending) {
        return try await judgeEnd(ending, until: deadline, mayFail: mayFail)
      }
      guard let happening = try await happen(within: deadline - .now) else { break }
      if case .said(let place, let said) = happening {
        serve(guests[place].understand(said), on: place)
        return
      }
      let isBack = if case .arrived = happening { guests.allSatisfy { $0.ending != nil } } else { false }
      try await settle(happening)
      if isBack && (refusal != nil || names[step.connection] != nil) { return }
    }
    let isOpen = names[step.connection].map { guests[$0].ending == nil } ?? false
    if let client, client.ending != nil { return try await judgeExit(until: deadline, mayFail: mayFail) }
    // Nobody sees what became of a client that comes by itself once its connection is gone.
    if client == nil && !isOpen { return }
    guard description.idles, isOpen else {
      throw failure("the client hangs: it asked nothing within \(limit.short) and did not end, \(soFar)")
    }
    guests[names[step.connection] ?? 0].guest.send(.ping, Array("alive".utf8))
    log.add(.toClient, "(ping) alive", on: step.connection)
    try await expect(pong: Array("alive".utf8))
  }

  private func isOurs(_ event: WebSocketClient.Event) -> Bool {
    if case .closed(_, _, _, .local) = event { true } else { false }
  }

  private func judgeEnd(
    _ ending: WebSocketClient.Event, until deadline: ContinuousClock.Instant, mayFail: Bool
  ) async throws(HostHalt) {
    guard mayFail || Self.isOrderly(ending) else {
      throw failure("the client did not end in order: \(Ending(ending).text)")
    }
    try await judgeExit(until: deadline, mayFail: mayFail)
  }

  private func judgeExit(until deadline: ContinuousClock.Instant, mayFail: Bool) async throws(HostHalt) {
    switch await client?.wait(within: max(deadline - .now, .zero)) {
    case .signalled(let number)?: throw failure("the client was ended by signal \(number)")
    case .exited(let code)? where code != 0 && !mayFail:
      throw failure("the client ended with exit code \(code)")
    default: return
    }
  }

  static func isOrderly(_ event: WebSocketClient.Event?) -> Bool {
    guard case .closed(let code, _, _, .closeFrame)? = event else { return false }
    return code == nil || code == 1000 || code == 1001
  }

  func ending(of place: Int) -> String { guests[place].ending.map { Ending($0).text } ?? "still open" }

  // MARK: Control frames and connections

  func expect(pong bytes: [UInt8]) async throws(HostHalt) {
    let place = try await place(of: step.connection)
    let deadline = ContinuousClock.now + limit
    while let happening = try await happen(within: deadline - .now) {
      switch happening {
      case .pong(place, bytes): return
      case .ended(place): throw failure("the connection ended instead: \(ending(of: place))")
      default: try await settle(happening)
      }
    }
    throw failure("no pong of the same bytes within \(limit.short)", requirement: "client.pong")
  }

  /// The close frame of the client in a case that plays both ways.
  func expectClose(_ codes: [UInt16?]) async throws(HostHalt) {
    try await expectClosed(codes, needsFrame: true)
  }

  func expectClosed(_ codes: [UInt16?]?, needsFrame: Bool) async throws(HostHalt) {
    let place = try await place(of: step.connection)
    let deadline = ContinuousClock.now + limit
    while guests[place].ending == nil, let happening = try await happen(within: deadline - .now) {
      try await settle(happening)
    }
    guard let event = guests[place].ending, case .closed(let code, _, _, let how) = event else {
      throw failure("the connection is still open after \(limit.short), and no close frame came")
    }
    if needsFrame, how != .closeFrame {
      throw failure("the connection ended without a close frame: \(Ending(event).text)")
    }
    guard let codes, !codes.contains(how == .closeFrame ? code : nil) else { return }
    let expected = codes.map { $0.map(String.init) ?? "none" }.joined(separator: ", ")
    throw failure(
      "the connection ended with another code",
      [
        Difference(
          JSONPointer(tokens: ["code"]), expected: codes.count == 1 ? expected : "[\(expected)]",
          gotText: "\(code.map(String.init) ?? "none") (\(Ending(event).text))")
      ])
  }

  func expect(_ connect: HostConnect) async throws(HostHalt) {
    let deadline = ContinuousClock.now + max(limit, guests.isEmpty && refusal == nil ? comesWithin : .zero)
    while let happening = try await happen(within: deadline - .now) {
      guard case .arrived(let guest) = happening else {
        try await settle(happening)
        continue
      }
      let differences = differences(guest, connect)
      switch connect.outcome {
      case .accepted(let subprotocol, let headers):
        var fields = HTTPHeaders()
        for header in headers { fields.append(header.name, try value(of: header.value).string ?? "") }
        names[step.connection] = adopt(guest, subprotocol: subprotocol, headers: fields)
      case .refused(let refusal):
        self.refusal = refusal
        refuse(guest, refusal)
      }
      guard differences.isEmpty else { throw failure("the handshake differs", differences) }
      if case .accepted = connect.outcome { refusal = nil }
      return
    }
    if guests.isEmpty && refusal == nil { _ = try await place(of: step.connection) }
    throw failure(
      client?.ending == nil ? "no handshake within \(limit.short)" : "the client has ended instead")
  }

  private func differences(_ guest: any Guest, _ connect: HostConnect) -> [Difference] {
    var differences =
      connect.path?.match(.string(guest.request.path), at: JSONPointer(tokens: ["path"]), &bindings) ?? []
    for header in connect.headers {
      let value = guest.request.headers[header.key].map(JSONValue.string)
      differences += header.matcher.match(value, at: JSONPointer(tokens: ["headers", header.key]), &bindings)
    }
    return differences
  }

  func expect(connects most: Int, for time: Duration) async throws(HostHalt) {
    let refusing = refusal ?? HostRefusal(status: 503, headers: [], body: "")
    let deadline = ContinuousClock.now + time
    var count = 0
    while ContinuousClock.now < deadline, let happening = try await happen(within: deadline - .now) {
      guard case .arrived(let guest) = happening else {
        try await settle(happening)
        continue
      }
      count += 1
      refuse(guest, refusing)
      guard count <= most else {
        throw failure("\(count) handshakes within \(time.short), at most \(most) are expected")
      }
    }
  }

  /// Of a case without a background: no frame may be left that nobody declared.
  func checkNothingIsLeft() async throws(HostHalt) {
    for place in guests.indices where guests[place].ending == nil {
      let mark = Array("barrier \(bindings.nextNumber())".utf8)
      guests[place].guest.send(.ping, mark)
      let deadline = ContinuousClock.now + limit
      waiting: while let happening = try await happen(within: deadline - .now) {
        switch happening {
        case .pong(place, mark), .ended(place): break waiting
        default: try await settle(happening)
        }
      }
    }
    guard let place = guests.firstIndex(where: { !$0.backlog.isEmpty }) else { return }
    throw failure(
      "a frame that no step declares: \(String(guests[place].backlog[0].text.shown.prefix(200)))")
  }
}
