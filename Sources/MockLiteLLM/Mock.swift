import Diagnostics
import JSON
import ProtocolSpec
import Transport
import Wire

/// The running mock: four ports, the rules armed on them and the journal.
final class Mock: @unchecked Sendable {
  // Invariant: the `let`s never change; everything else is used only on `loop`, and before the
  // loop is started by whoever makes the mock.
  let loop: EventLoop
  private let spec: Specification
  private let latency: Duration
  private let log: Log
  private let listeners: [MockFace: Listener]
  private let adminListener: Listener

  private var faces: Faces
  private var engine: FaultEngine
  private var journal: Journal
  private var start = ContinuousClock.now
  private var servers: [MockFace: HTTPServer] = [:]
  private var adminServer: HTTPServer?
  private var held = HeldExchanges()
  private var waiters: [Int: JournalWaiter] = [:]
  private var nextWaiter = 0
  /// How many rules keep the port of a face closed, and their timers.
  private var closings: [MockFace: Int] = [:]
  private var portTimers: [ScheduledTimer] = []

  /// Calls for the journal that may wait at the same time.
  private static let waiterLimit = 1000
  /// How long a closed connection's peer may take to close it too.
  private static let partingTime = Duration.milliseconds(500)
  /// How long answers under way may take once the mock is told to stop.
  private static let stopTime = Duration.seconds(2)

  /// Binds the ports; nothing is answered before `begin`.
  init(_ options: Options, scenario: Scenario?, spec: Specification, log: Log) throws(TransportError) {
    self.spec = spec
    self.log = log
    latency = options.latency
    var settings = FaceSettings()
    settings.seed = options.seed ?? scenario?.seed ?? 1
    settings.apiKey = options.apiKey
    if let models = options.models ?? scenario?.models { settings.setModels(models) }
    faces = Faces(settings, now: { Int(Timestamp.now().milliseconds) })
    engine = FaultEngine(seed: settings.seed)
    journal = Journal(redaction: log.currentRedaction)
    let loop = try EventLoop(name: "mock-litellm")
    self.loop = loop
    func listen(_ port: UInt16) throws(TransportError) -> Listener {
      try Listener(loop: loop, host: options.host, port: port)
    }
    listeners = [
      .litellm: try listen(options.port), .direct: try listen(options.directPort),
      .local: try listen(options.localPort),
    ]
    adminListener = try listen(options.adminPort)
    for (face, rule) in scenario?.arming?.rules ?? [] { engine.arm(rule, on: face) }
  }

  /// Starts to answer.
  func begin() {
    for (face, listener) in listeners {
      let server = HTTPServer(
        listener: listener, onConnect: { [weak self] _ in self?.connected(face) ?? .reset },
        handler: { [weak self] exchange in self?.handle(exchange, on: face) })
      servers[face] = server
      server.start()
    }
    let server = HTTPServer(
      listener: adminListener,
      handler: { [weak self] exchange in self?.administer(exchange, FaceRequest(exchange.request)) })
    adminServer = server
    server.start()
    loop.submit { for face in MockFace.allCases { self.closePorts(of: face) } }
    loop.start()
  }

  /// Lets answers under way finish, then gives the ports up.
  func stop() async {
    loop.submit {
      self.held.release { $0.reset() }
      self.answerWaiters { _ in true }
    }
    await withTaskGroup(of: Void.self) { group in
      for listener in Array(listeners.values) + [adminListener] { group.addTask { listener.close() } }
    }
    await withTaskGroup(of: Void.self) { group in
      for server in Array(servers.values) + [adminServer].compactMap({ $0 }) {
        group.addTask { await server.stop(within: Self.stopTime) }
      }
    }
    loop.stop()
  }

  /// `{"litellm":"http://127.0.0.1:4000",…}`, the address of each port.
  func addresses(host: String) -> JSONValue {
    // Where every address is listened on, this machine's own is the one to use.
    let reachable = ["0.0.0.0": "127.0.0.1", "::": "::1"][host] ?? host
    let name = reachable.contains(":") ? "[\(reachable)]" : reachable
    var members = MockFace.allCases.map { face in
      (face.rawValue, JSONValue.string("http://\(name):\(listeners[face]?.port ?? 0)"))
    }
    members.append(("admin", .string("http://\(name):\(adminListener.port)")))
    return .object(JSONObject(members))
  }

  // MARK: - Requests

  private func connected(_ face: MockFace) -> ConnectDecision {
    journal.connected(face)
    guard engine.refusesConnection(on: face) else { return .serve }
    log.debug("connection refused", ["face": .string(face.rawValue)])
    return .reset
  }

  private func handle(_ exchange: HTTPExchange, on face: MockFace) {
    let request = FaceRequest(exchange.request)
    guard !AdminRequest.owns(request.path) else { return administer(exchange, request) }
    let rule = engine.fault(method: request.method, path: request.path, on: face)
    let ticket = journal.add(request, on: face, atMilliseconds: elapsed, fault: rule?.source)
    answerWaiters { [journal] in journal.count > $0.after }
    closePorts(of: face)
    let call = Call(exchange: exchange, request: request, face: face, rule: rule, ticket: ticket)
    if let delay = rule?.delay, delay > .zero {
      held.hold(exchange, for: delay + latency, then: { self.answer(call, isReleased: $0) })
    } else if latency > .zero {
      loop.schedule(after: latency) { self.answer(call, isReleased: false) }
    } else {
      answer(call, isReleased: false)
    }
  }

  private struct Call: Sendable {
    let exchange: HTTPExchange
    let request: FaceRequest
    let face: MockFace
    let rule: FaultRule?
    let ticket: Journal.Ticket
  }

  /// - Parameter isReleased: a reset ended the wait, and with it the fault.
  private func answer(_ call: Call, isReleased: Bool) {
    let rule = isReleased ? nil : call.rule
    if case .hang? = rule?.action {
      note(call, nil)
      return held.hold(call.exchange)
    }
    var reply =
      if let rule {
        faces.reply(to: call.request, on: call.face, under: rule)
      } else {
        faces.reply(to: call.request, on: call.face)
      }
    // A connection that stays open would pass by a port that refuses.
    if engine.isRefusing(on: call.face) { reply.set("connection", "close") }
    switch rule?.action {
    case .reset?:
      note(call, nil)
      guard case .events = reply.content else { return call.exchange.reset() }
      return Delivery.resetMidway(reply, on: call.exchange)
    case .truncate(let bytes)?: Delivery.truncate(reply, by: bytes, on: call.exchange)
    case .malformed?: Delivery.malform(reply, on: call.exchange)
    default: Delivery.send(reply, on: call.exchange)
    }
    journal.setStatus(reply.status, of: call.ticket)
    note(call, reply.status)
  }

  private func note(_ call: Call, _ status: Int?) {
    log.debug(
      "request",
      [
        "face": .string(call.face.rawValue), "method": .string(call.request.method),
        "path": .string(call.request.path), "status": status.map { .int($0) } ?? .null,
        "fault": call.rule?.source ?? .null,
      ])
  }

  private var elapsed: Double {
    let microseconds = (ContinuousClock.now - start) / .microseconds(1)
    return microseconds.rounded() / 1000
  }

  // MARK: - Admin API

  private func administer(_ exchange: HTTPExchange, _ request: FaceRequest) {
    switch AdminRequest(request, spec: spec) {
    case .refused(let reply): Delivery.send(reply, on: exchange)
    case .arm(let arming):
      let (reply, refusing) = arm(arming)
      // Whoever armed a refusal must not see a client use a connection that is about to close.
      let answer: @Sendable () -> Void = { Delivery.send(reply, on: exchange) }
      refusing.reduce(answer) { next, server in
        { server.closeConnections(within: Self.partingTime, then: next) }
      }()
    case .reset:
      reset()
      Delivery.send(Reply(200, json: [:]), on: exchange)
    case .journal(let after, let wait):
      guard wait > .zero, journal.count <= after, waiters.count < Self.waiterLimit else {
        return Delivery.send(journalReply(after: after), on: exchange)
      }
      let number = nextWaiter
      nextWaiter += 1
      let timer = loop.schedule(after: wait) { self.answerWaiters { $0.number == number } }
      waiters[number] = JournalWaiter(number: number, after: after, exchange: exchange, timer: timer)
      exchange.onClose {
        self.waiters.removeValue(forKey: number)?.timer.cancel()
        exchange.close()
      }
    }
  }

  /// Gives the answer, and the servers whose connections have to go before it is sent.
  private func arm(_ arming: Arming) -> (reply: Reply, refusing: [HTTPServer]) {
    let added = Dictionary(grouping: arming.rules, by: \.face)
    if let full = added.first(where: { engine.count(on: $0.key) + $0.value.count > FaultEngine.limit }) {
      let text = "more than \(FaultEngine.limit) rules on \(full.key.rawValue), reset first"
      return (Reply(400, json: ["error": .string(text)]), [])
    }
    for (face, rule) in arming.rules { engine.arm(rule, on: face) }
    for face in added.keys { closePorts(of: face) }
    log.info("armed", ["rules": .int(arming.rules.count)])
    let refusing = added.keys.filter { engine.isRefusing(on: $0) || closings[$0, default: 0] > 0 }
    return (Reply(200, json: ["armed": .int(arming.rules.count)]), refusing.compactMap { servers[$0] })
  }

  private func reset() {
    engine.reset()
    journal.reset()
    start = .now
    for timer in portTimers { timer.cancel() }
    portTimers = []
    for face in closings.keys { reopen(face) }
    closings = [:]
    held.release { $0.reset() }
    answerWaiters { _ in true }
  }

  private func journalReply(after: Int) -> Reply {
    var members = journal.members(after: after)
    members["pending"] = .array(engine.pending)
    return Reply(200, json: .object(members))
  }

  private func answerWaiters(_ isDue: (JournalWaiter) -> Bool) {
    for waiter in waiters.values.filter(isDue) {
      waiters[waiter.number] = nil
      waiter.timer.cancel()
      Delivery.send(journalReply(after: waiter.after), on: waiter.exchange)
    }
  }

  // MARK: - Ports

  /// Closes the port of `face` where a rule says so now, and connections that would pass it by.
  private func closePorts(of face: MockFace) {
    if engine.isRefusing(on: face) { servers[face]?.closeConnections() }
    for rule in engine.closings(on: face) {
      guard case .refuseListening(let time) = rule.action else { continue }
      guard let delay = rule.delay, delay > .zero else {
        close(face, for: time)
        continue
      }
      portTimers.append(loop.schedule(after: delay) { self.close(face, for: time) })
    }
  }

  private func close(_ face: MockFace, for time: Duration?) {
    closings[face, default: 0] += 1
    listeners[face]?.suspend()
    servers[face]?.closeConnections()
    guard let time else { return }
    portTimers.append(
      loop.schedule(after: time) {
        self.closings[face, default: 1] -= 1
        if self.closings[face] == 0 { self.reopen(face) }
      })
  }

  private func reopen(_ face: MockFace) {
    do throws(TransportError) {
      try listeners[face]?.resume()
    } catch {
      log.error(
        "a port could not be opened again", ["face": .string(face.rawValue), "error": .string("\(error)")])
    }
  }
}

/// A call for the journal that waits for the next entry.
struct JournalWaiter {
  let number: Int
  let after: Int
  let exchange: HTTPExchange
  let timer: ScheduledTimer
}
