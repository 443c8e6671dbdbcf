internal import JSON
package import ProtocolSpec
internal import Transport
internal import Wire
internal import YAML

/// How a case went in which the runner was the server.
package enum HostOutcome: Sendable {
  case played(PlayOutcome)
  /// The client does not do what the case is about.
  case notApplicable(String)
  /// No client came.
  case nobody(String)
}

/// Plays the server's side of one case against a client.
package actor HostPlayer {
  enum HostHalt: Error {
    case failed(CaseFailure)
    case notApplicable(String)
    case nobody(String)
    case notTestable(String)
  }

  /// What the client did next.
  enum Happening {
    case arrived(any Guest)
    case said(Int, Said)
    case pong(Int, [UInt8])
    case ended(Int)
  }

  let transcript: TranscriptCase
  let spec: Specification
  let settings: PlaySettings
  let host: any GuestHost
  let client: ChildProcess?
  let description: ClientDescription
  let comesWithin: Duration
  var bindings: Bindings
  var server: SpecServer
  var log: WireLog
  var remarks: [CaseFailure] = []
  var step: Step
  var guests: [Hosted] = []
  /// They came before a step waited for them.
  var early: [any Guest] = []
  /// The places of the connections that steps name.
  var names: [String: Int] = [:]
  /// The awaited requests by their names.
  var asked: [String: Asked] = [:]
  /// How often each method was asked for.
  var counts: [String: Int] = [:]
  /// Ids of a transcript that plays both ways, and those that the client chose instead.
  var aliases: [(written: JSONValue, chosen: JSONValue)] = []
  /// Whether a request that no step waited for was answered with an error.
  var hasRefused = false
  /// How a handshake is answered that no step waits for; nil: by accepting it.
  var refusal: HostRefusal?

  /// How often the end of the client's process is looked for.
  static let glance = Duration.milliseconds(40)

  /// - Parameters:
  ///   - client: its process; nil where it comes by itself.
  ///   - comesWithin: how long it may take to connect.
  package init(
    _ transcript: TranscriptCase, spec: Specification, host: any GuestHost, client: ChildProcess?,
    description: ClientDescription, comesWithin: Duration, settings: PlaySettings
  ) {
    self.transcript = transcript
    self.spec = spec
    self.settings = settings
    self.host = host
    self.client = client
    self.description = description
    self.comesWithin = comesWithin
    bindings = Bindings(seed: settings.seed, secrets: settings.secrets)
    bindings.random = SeededGenerator(seed: settings.seed ^ StableHash.of(transcript.id.utf8))
    server = SpecServer(spec)
    log = WireLog(start: .now, masking: settings.masking)
    step = Step(
      place: transcript.place, connection: "a", within: .seconds(2), notBefore: nil, level: transcript.level,
      why: nil, action: .quiet(.zero))
  }

  package func play() async -> HostOutcome {
    let outcome: HostOutcome
    do throws(HostHalt) {
      try await playSteps()
      outcome = .played(.passed(remarks: remarks))
    } catch {
      switch error {
      case .failed(var failure):
        _ = try? await happen(within: .zero)
        failure.wire = log.entries
        failure.targetLines = await lines()
        outcome = .played(.failed(failure, remarks: remarks))
      case .notApplicable(let reason): outcome = .notApplicable(reason)
      case .nobody(let reason): outcome = .nobody(reason)
      case .notTestable(let reason): outcome = .played(.notTestable(reason))
      }
    }
    await sendAway()
    return outcome
  }

  private func lines() async -> [String] {
    var lines = await client?.lines() ?? []
    if let client, let ending = client.ending { lines.insert("\(client.name) \(ending.text)", at: 0) }
    return lines.map(settings.masking.masked)
  }

  private func playSteps() async throws(HostHalt) {
    for step in transcript.steps {
      self.step = step
      do throws(HostHalt) {
        try await play(step)
      } catch {
        guard try isRemark(error) else { return }
      }
    }
    if transcript.servesOn {
      try await serveOn()
    } else if !transcript.servesBackground || transcript.play != .server {
      try await checkNothingIsLeft()
    }
  }

  /// Keeps a failure that does not count; true if the case goes on behind it.
  private func isRemark(_ halt: HostHalt) throws(HostHalt) -> Bool {
    guard case .failed(var failure) = halt, settings.threshold < failure.level else { throw halt }
    failure.wire = log.entries
    remarks.append(failure)
    return !(settings.threshold < transcript.level)
  }

  private func play(_ step: Step) async throws(HostHalt) {
    switch step.action {
    case .say(let line): try await hear(line)
    case .expect(let line): try await speak(line.matcher, dialect: line.dialect)
    case .unordered(let lines):
      for line in lines { try await speak(line.frame.matcher, dialect: line.frame.dialect) }
    case .raw(let message):
      if transcript.play == .server { try await send(message) } else { try await hear(message) }
    case .pong(let bytes): try await expect(pong: bytes)
    case .close(let code, let reason):
      if transcript.play == .server { try await close(code, reason) } else { try await expectClose([code]) }
    case .closed(let codes):
      // In a case that plays both ways the server ends the connection, unless the client has.
      let place = try await place(of: step.connection)
      if guests[place].ending == nil { try await close(codes.lazy.compactMap(\.self).first, "") }
    // Of a case that plays both ways: the server is the one that is quiet.
    case .quiet: break
    case .host(let action): try await play(action)
    case .poll(let poll): try await hear(poll)
    case .connect(let connect): try await hear(connect)
    case .http, .restart, .arm, .await:
      throw .notApplicable("line \(step.place.line) is for a case that checks a server")
    }
  }

  private func play(_ action: HostAction) async throws(HostHalt) {
    switch action {
    case .await(let request): try await expect(request)
    case .answer(let answer): try await give(answer)
    case .connect(let connect): try await expect(connect)
    case .connects(let most, let time): try await expect(connects: most, for: time)
    case .quiet(let silence): try await expect(silence)
    case .closed(let codes, let needsFrame): try await expectClosed(codes, needsFrame: needsFrame)
    case .delay(let time): try await serve(for: time)
    case .holds(let time): try await hold(for: time)
    case .rests(let time): try await untilRest(time)
    case .drop(let reset):
      let place = try await place(of: step.connection)
      log.add(.toClient, reset ? "(reset)" : "(end of stream)", on: step.connection)
      guests[place].guest.drop(reset: reset)
      guests[place].ending = .closed(code: nil, reason: "", clean: false, how: .local)
    case .goesOn(let mayFail): try await expectGoesOn(mayFail: mayFail)
    }
  }

  /// `within` of the current step, with the slack of the run.
  var limit: Duration { step.within * settings.slack }

  func failure(
    _ message: String, _ differences: [Difference] = [], requirement: String? = nil
  ) -> HostHalt {
    let rule = requirement.flatMap { spec.requirements[$0] }
    let source = rule.map { " (\($0.id))" } ?? ""
    return .failed(
      CaseFailure(
        place: step.place, title: rule?.text ?? step.why ?? transcript.title,
        level: rule?.level ?? step.level,
        message: settings.masking.masked(message) + source,
        differences: differences.map { $0.masked(settings.masking) }, wire: []))
  }

  // MARK: What happens

  /// The next thing that the client does; nil when it does nothing within `limit`, or has ended.
  ///
  /// - Throws: a failure where it breaks a rule that always holds.
  func happen(within limit: Duration) async throws(HostHalt) -> Happening? {
    let deadline = ContinuousClock.now + limit
    while true {
      let left = max(deadline - .now, .zero)
      let hasEnded = client?.ending != nil
      if let event = await host.next(within: min(left, Self.glance)) {
        if let happening = try take(event) { return happening }
      } else if hasEnded || ContinuousClock.now >= deadline {
        return nil
      }
    }
  }

  private func take(_ event: GuestEvent) throws(HostHalt) -> Happening? {
    switch event {
    case .arrived(let guest):
      guard !guest.isOther else {
        // Whoever asks first whether the server is there.
        guest.refuse(status: guest.request.path == "/readyz" || guest.request.path == "/healthz" ? 200 : 404)
        return nil
      }
      log.add(.toServer, "(connects to \(guest.request.target))", on: "")
      if let problem = guest.problem {
        guest.refuse(status: 400)
        throw failure("the handshake is none: \(problem)", requirement: "client.rfc6455-4.1")
      }
      return .arrived(guest)
    case .received(let guest, let event, let at):
      guard let place = guests.firstIndex(where: { $0.guest === guest }) else { return nil }
      return try take(event, at, place)
    case .breach(let requirement, let text):
      log.add(.toServer, "(\(text))", on: "")
      guard transcript.play == .server else { return nil }
      throw failure(text, requirement: requirement)
    }
  }

  private func take(
    _ event: WebSocketClient.Event, _ at: ContinuousClock.Instant, _ place: Int
  ) throws(HostHalt) -> Happening? {
    let name = name(of: place)
    switch event {
    case .message(.text, let text):
      log.add(.toServer, text.shown, on: name, at: at)
      guests[place].hasSpoken = true
      guard transcript.play == .server else {
        return .said(place, Said(text: text, value: (try? JSONParser.parse(text)) ?? .null, at: at))
      }
      let (value, breach) = guests[place].rules.check(text)
      if let breach { throw failure(breach.message, breach.differences, requirement: breach.requirement) }
      return .said(place, Said(text: text, value: value ?? .null, at: at))
    case .message(_, let bytes):
      log.add(.toServer, "(binary) \(bytes.hexadecimal)", on: name, at: at)
      throw failure("a binary message came instead of a text", requirement: "client.json")
    case .ping(let bytes): log.add(.toServer, "(ping) \(bytes.shown)", on: name, at: at)
    case .pong(let bytes):
      log.add(.toServer, "(pong) \(bytes.shown)", on: name, at: at)
      return .pong(place, bytes)
    case .closed:
      let ending = Ending(event)
      log.add(.toServer, "(\(ending.text))", on: name, at: at)
      guests[place].ending = event
      if let breach = ending.breach {
        let isText = breach.contains("UTF-8")
        throw failure(
          "the client broke RFC 6455: \(breach)",
          requirement: isText ? "client.rfc6455-8.1" : "client.rfc6455-5.1")
      }
      return .ended(place)
    }
    return nil
  }

  func name(of place: Int) -> String { names.first { $0.value == place }?.key ?? "\(place + 1)" }

  // MARK: Connections

  /// The place of the connection that steps call `name`: the next that comes, unless it is there.
  func place(of name: String) async throws(HostHalt) -> Int {
    if let place = names[name] { return place }
    let limit = guests.isEmpty ? comesWithin : limit
    let deadline = ContinuousClock.now + limit
    while let happening = try await happen(within: deadline - .now) {
      try await settle(happening)
      if let place = names[name] { return place }
    }
    guard guests.isEmpty else { throw failure("no other connection within \(limit.short)") }
    throw .nobody(await nobody(limit))
  }

  private func nobody(_ limit: Duration) async -> String {
    guard let client else { return "no client has connected within \(limit.short)" }
    guard let ending = client.ending else { return "\(client.name) has not connected within \(limit.short)" }
    let lines = await client.lines().map(settings.masking.masked)
    return (["\(client.name) \(ending.text) and had not connected"] + lines).joined(separator: "\n        ")
  }

  /// Accepts, with the subprotocol of the specification where it is offered.
  @discardableResult
  func adopt(
    _ guest: any Guest, subprotocol: String? = nil, headers: HTTPHeaders = []
  ) -> Int {
    let offered = WebSocketHandshake.offeredSubprotocols(guest.request)
    let known = spec.overview.subprotocol
    guest.accept(subprotocol: subprotocol ?? (offered.contains(known) ? known : nil), headers: headers)
    guests.append(Hosted(guest, spec, server))
    let place = guests.count - 1
    let isFree = names[step.connection].map { guests[$0].ending != nil } ?? true
    if isFree { names[step.connection] = place }
    return place
  }

  /// Says goodbye to every connection that is still open.
  private func sendAway() async {
    // Who plays the other side of a case looks once more whether anything is left, and then leaves.
    if transcript.play != .server { await untilAllHaveGone() }
    for hosted in guests where hosted.ending == nil {
      hosted.guest.close(code: 1000, reason: "the case is over")
    }
    await untilAllHaveGone()
    for hosted in guests where hosted.ending == nil { hosted.guest.drop(reset: false) }
  }

  private func untilAllHaveGone() async {
    let deadline = ContinuousClock.now + .milliseconds(200)
    while guests.contains(where: { $0.ending == nil }), ContinuousClock.now < deadline, client?.ending == nil
    {
      guard let happening = try? await happen(within: deadline - .now) else { return }
      if case .arrived(let guest) = happening { guest.refuse(status: 503) }
    }
  }
}
