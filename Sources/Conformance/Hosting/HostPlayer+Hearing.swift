internal import JSON
internal import ProtocolSpec
internal import Transport
internal import Wire

// What the client must do.
extension HostPlayer {
  // MARK: What no step waits for

  /// Deals with something that the current step does not wait for.
  func settle(_ happening: Happening) async throws(HostHalt) {
    switch happening {
    case .arrived(let guest):
      if let refusal { refuse(guest, refusal) } else { adopt(guest) }
    case .said(let place, let said):
      guard transcript.servesBackground, transcript.play == .server else {
        return guests[place].backlog.append(said)
      }
      serve(guests[place].understand(said), on: place)
    case .pong, .ended: break
    }
  }

  func refuse(_ guest: any Guest, _ refusal: HostRefusal) {
    var headers = HTTPHeaders()
    for header in refusal.headers {
      let value = (try? header.value.generate(&bindings)) ?? nil
      headers.append(header.name, value?.string ?? value.map { JSONWriter.text($0) } ?? "")
    }
    log.add(.toClient, "(refuses with \(refusal.status))", on: "")
    guest.refuse(status: refusal.status, headers: headers, body: refusal.body)
  }

  func serve(for time: Duration) async throws(HostHalt) {
    let deadline = ContinuousClock.now + time
    while ContinuousClock.now < deadline {
      guard let happening = try await happen(within: deadline - .now) else { return }
      try await settle(happening)
    }
  }

  /// Behind the last step, until the client has ended.
  func serveOn() async throws(HostHalt) {
    let deadline = ContinuousClock.now + limit
    while guests.contains(where: { $0.ending == nil }),
      let happening = try await happen(within: deadline - .now)
    { try await settle(happening) }
    guard case .exited(let code)? = await client?.wait(within: max(deadline - .now, .zero)), code != 0 else {
      return
    }
    throw failure("the client ended with exit code \(code)", requirement: "client.answers")
  }

  func hold(for time: Duration) async throws(HostHalt) {
    let deadline = ContinuousClock.now + time
    var held: [Happening] = []
    // What comes until then counts, also where this machine is too busy to look at it in time.
    while let happening = try await happen(within: deadline - .now) {
      held.append(happening)
      if case .said(_, let said) = happening, said.at > deadline { break }
    }
    for happening in held { try await settle(happening) }
  }

  func untilRest(_ time: Duration) async throws(HostHalt) {
    let deadline = ContinuousClock.now + limit
    while let happening = try await happen(within: time) {
      guard ContinuousClock.now < deadline else {
        throw .notApplicable("the client asks on without waiting for an answer")
      }
      try await settle(happening)
    }
  }

  // MARK: Requests

  /// The next message on the connection of the step, word for word.
  func hear(_ line: Matcher) async throws(HostHalt) {
    let place = try await place(of: step.connection)
    let deadline = ContinuousClock.now + max(limit, guests[place].hasSpoken ? .zero : comesWithin)
    while true {
      while !guests[place].backlog.isEmpty {
        let said = guests[place].backlog.removeFirst()
        if try match(line, said, place) { return }
      }
      guard let happening = try await happen(within: deadline - .now) else {
        throw failure("no frame within \(limit.short), \(soFar)")
      }
      switch happening {
      case .said(place, let said): guests[place].backlog.append(said)
      case .ended(place):
        if await isOnlyALook(place) {
          names[step.connection] = nil
          return try await hear(line)
        }
        throw failure("the connection ended instead: \(ending(of: place))")
      default: try await settle(happening)
      }
    }
  }

  /// Whether the connection was opened and closed to see whether anybody is there.
  func isOnlyALook(_ place: Int) async -> Bool {
    guard transcript.play != .server, !guests[place].hasSpoken else { return false }
    return Self.isOrderly(guests[place].ending)
  }

  /// False where the message is served instead: the case waits for another method.
  private func match(_ line: Matcher, _ said: Said, _ place: Int) throws(HostHalt) -> Bool {
    let wanted = line.members?.first { $0.key == "method" }?.matcher
    let method = said.value["method"]
    let isOther = wanted.map { !$0.match(method, &bindings).isEmpty } ?? (method != nil)
    if transcript.play == .server, transcript.servesBackground, isOther {
      serve(guests[place].understand(said), on: place)
      return false
    }
    let differences =
      transcript.play == .server ? line.match(said.value, &bindings) : matchAnyID(line, said.value)
    guard differences.isEmpty else { throw failure("the frame differs", differences) }
    // Its dialect, its revision: what later answers depend on.
    _ = guests[place].understand(said)
    return true
  }

  /// Ids in a case that plays both ways stand for those that the client chooses.
  private func matchAnyID(_ line: Matcher, _ value: JSONValue) -> [Difference] {
    guard let written = line.source["id"],
      case .exactly? = line.members?.first(where: { $0.key == "id" })?.matcher.rule,
      let chosen = value["id"], (written.string == nil) == (chosen.string == nil),
      case .object(let members) = line.rule
    else { return line.match(value, &bindings) }
    aliases.append((written, chosen))
    let rest = Matcher(
      place: line.place, source: line.source, rule: .object(members.filter { $0.key != "id" }))
    return rest.match(value, &bindings)
  }

  /// A request that may come at any time.
  func expect(_ wanted: AwaitedRequest) async throws(HostHalt) {
    let deadline = ContinuousClock.now + max(limit, guests.allSatisfy { !$0.hasSpoken } ? comesWithin : .zero)
    while let happening = try await happen(within: deadline - .now) {
      guard case .said(let place, let said) = happening else {
        try await settle(happening)
        continue
      }
      let wish = guests[place].understand(said)
      guard case .asked(var asked) = wish, isWanted(asked, by: wanted), !asked.envelope.isNotification else {
        serve(wish, on: place)
        continue
      }
      if let params = wanted.params {
        let differences = params.match(.object(asked.request.params), &bindings)
        guard differences.isEmpty else { throw failure("the params differ", differences) }
      }
      count(asked)
      asked.place = place
      self.asked[wanted.name] = asked
      names[step.connection] = place
      return
    }
    guard !guests.isEmpty else {
      _ = try await place(of: step.connection)
      return
    }
    try neverAsked(wanted)
  }

  private func isWanted(_ asked: Asked, by wanted: AwaitedRequest) -> Bool {
    if let method = wanted.method, asked.request.method.name != method { return false }
    switch wanted.dialect {
    case .bare?: return asked.request.dialect == .bare
    case .jsonrpc?:
      return asked.request.dialect == .jsonrpc && (asked.envelope.id.map { !$0.isNull } ?? false)
    case .raw?, nil: return true
    default: return asked.request.dialect == .jsonrpc
    }
  }

  private func neverAsked(_ wanted: AwaitedRequest) throws(HostHalt) {
    let method = wanted.method ?? "anything"
    let manner = wanted.dialect.map { " in \($0.rawValue)" } ?? ""
    // It was given nothing but valid answers, so its failure is its own.
    if let client, let ending = client.ending, ending != .exited(0), !hasRefused {
      throw failure(
        "the client \(ending.text) although every answer was valid", requirement: "client.answers")
    }
    if let method = wanted.method, description.methods.contains(method) {
      throw failure("the client never asked for \(method)\(manner), \(soFar)")
    }
    let moment = asked.isEmpty ? "" : " while \(asked.keys.sorted().joined(separator: ", ")) waited"
    throw .notApplicable("the client never asked for \(method)\(manner)\(moment)")
  }

  /// For messages: what was asked until now.
  var soFar: String {
    guard !counts.isEmpty else { return "nothing was asked before" }
    let list = counts.sorted { $0.key < $1.key }.map { $0.value == 1 ? $0.key : "\($0.key) ×\($0.value)" }
    return "asked before: \(list.joined(separator: ", "))"
  }
}
