internal import JSON
internal import Transport
internal import Wire
internal import YAML

// Steps that say what a client does, in a case that plays both ways: here the client has to do it.
extension HostPlayer {
  /// The client asks until it is told what it waits for, and is told at once.
  func hear(_ poll: Poll) async throws(HostHalt) {
    guard let last = poll.last else {
      throw .notApplicable("line \(step.place.line): the poll does not say what is answered in the end")
    }
    try await hear(poll.request)
    try await speak(last.matcher, dialect: last.dialect)
  }

  /// A message that is no JSON, byte for byte.
  func hear(_ message: RawMessage) async throws(HostHalt) {
    guard case .text(let parts) = message else {
      throw .notApplicable("line \(step.place.line): only the player of a client makes such frames")
    }
    let expected = TextPart.joined(parts)
    let place = try await place(of: step.connection)
    let deadline = ContinuousClock.now + limit
    while guests[place].backlog.isEmpty {
      guard let happening = try await happen(within: deadline - .now) else {
        throw failure("no frame within \(limit.short), \(soFar)")
      }
      if case .ended(place) = happening {
        guard await isOnlyALook(place) else {
          throw failure("the connection ended instead: \(ending(of: place))")
        }
        names[step.connection] = nil
        return try await hear(message)
      }
      try await settle(happening)
    }
    let said = guests[place].backlog.removeFirst()
    guard said.text != expected else { return }
    throw failure(
      "the frame differs",
      [
        Difference(
          JSONPointer(), expected: FlowText.string(expected.shown), gotText: FlowText.string(said.text.shown))
      ])
  }

  /// The handshake that the client is to make, answered as the case says.
  func hear(_ connect: Connect) async throws(HostHalt) {
    let guest = try await arrival()
    let differences = try differences(guest.request, connect)
    guard differences.isEmpty else {
      guard await onlyLooks(adopt(guest), within: limit) else {
        throw failure("the handshake differs", differences)
      }
      return try await hear(connect)
    }
    switch connect.outcome {
    case .accepted(let subprotocol, _):
      let chosen = subprotocol.flatMap { try? $0.generate(&bindings) }?.string
      let place = adopt(guest, subprotocol: chosen)
      if place == 0, await onlyLooks(place, within: Self.glance) { return try await hear(connect) }
      names[step.connection] = place
    case .refused(let answered):
      let status = answered.status.flatMap { try? $0.generate(&bindings) }?.int ?? 503
      let headers = answered.headers.map { (name: $0.key, value: $0.matcher) }
      refuse(guest, HostRefusal(status: status, headers: headers, body: ""))
    }
  }

  private func differences(
    _ request: HTTPRequestHead, _ connect: Connect
  ) throws(HostHalt) -> [Difference] {
    var differences: [Difference] = []
    func compare(_ name: String, _ expected: String, _ got: String) {
      guard expected != got else { return }
      differences.append(
        Difference(
          JSONPointer(tokens: [name]), expected: FlowText.string(expected), gotText: FlowText.string(got)))
    }
    compare("path", connect.path, request.target)
    var offers: [String] = []
    for offer in connect.offers { offers.append(try value(of: offer).string ?? "") }
    let offered = WebSocketHandshake.offeredSubprotocols(request)
    compare("subprotocols", offers.joined(separator: ", "), offered.joined(separator: ", "))
    for header in connect.headers {
      let got = request.headers[header.name].map(JSONValue.string)
      differences += header.value.match(got, at: JSONPointer(tokens: ["headers", header.name]), &bindings)
    }
    return differences
  }

  /// Whether the client leaves again without a word: it may look first whether anybody is there.
  private func onlyLooks(_ place: Int, within time: Duration) async -> Bool {
    let deadline = ContinuousClock.now + time
    while let happening = try? await happen(within: deadline - .now) {
      switch happening {
      case .ended(place):
        guard await isOnlyALook(place) else { return false }
        names[step.connection] = nil
        return true
      case .said(let place, let said):
        guests[place].backlog.append(said)
        return false
      case .arrived(let guest):
        early.append(guest)
        return false
      default: guard (try? await settle(happening)) != nil else { return false }
      }
    }
    return false
  }

  private func arrival() async throws(HostHalt) -> any Guest {
    if !early.isEmpty { return early.removeFirst() }
    let limit = guests.isEmpty ? comesWithin : limit
    let deadline = ContinuousClock.now + limit
    while let happening = try await happen(within: deadline - .now) {
      if case .arrived(let guest) = happening { return guest }
      try await settle(happening)
    }
    if guests.isEmpty { _ = try await place(of: step.connection) }
    throw failure(
      client?.ending == nil ? "no handshake within \(limit.short)" : "the client has ended instead")
  }
}
