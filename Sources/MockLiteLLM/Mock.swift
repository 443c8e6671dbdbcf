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
  /// How fast completions come where no rule says it.
  private let pace: AnswerPace
  private let log: Log
  private let metrics = MockMetrics()
  private let listeners: [MockFace: Listener]
  private let adminListener: Listener

  private var faces: Faces
  private var engine: FaultEngine
  /// The jitter of each face.
  private var jitter: [MockFace: SeededGenerator]
  private var journal: Journal
  /// When the clock of the mock was 0.
  private var start = ContinuousClock.now
  private var servers: [MockFace: HTTPServer] = [:]
  private var adminServer: HTTPServer?
  private let held = HeldExchanges()
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
  init(
    _ options: Options, scenario: Scenario?, replays: [MockFace: Replay] = [:], spec: Specification, log: Log
  ) throws(TransportError) {
    self.spec = spec
    self.log = log
    latency = options.latency
    pace = options.pace ?? scenario?.pace ?? AnswerPace()
    var settings = FaceSettings()
    settings.seed = options.seed ?? scenario?.seed ?? 1
    settings.apiKey = options.apiKey
    settings.gateway = scenario?.gateway
    if let models = options.models ?? scenario?.models { settings.setModels(models) }
    faces = Faces(settings, replays: replays, now: { Int(Timestamp.now().milliseconds) })
    engine = FaultEngine(seed: settings.seed)
    jitter = Self.jitter(settings.seed)
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
    if let boot = settings.gateway?.boot { engine.arm(boot, on: .litellm) }
    for (face, rule) in scenario?.arming?.rules ?? [] {
      engine.arm(rule, on: face)
      metrics.armed(rule.source, on: face)
    }
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
      self.engine.reset()
      self.held.release()
      self.answerWaiters { _ in true }
      // They hold the mock.
      for timer in self.portTimers { timer.cancel() }
      self.portTimers = []
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
    guard let end = engine.refusal(on: face, now: now) else { return .serve }
    metrics.refusedConnection(on: face)
    log.debug("connection refused", ["face": .string(face.rawValue)])
    return end == .close ? .close : .reset
  }

  private func handle(_ exchange: HTTPExchange, on face: MockFace) {
    let request = FaceRequest(exchange.request)
    guard !AdminRequest.owns(request.path) else { return administer(exchange, request) }
    let met = engine.fault(for: request, on: face, now: now)
    metrics.follow(exchange, request, on: face, rule: met?.rule.source)
    let ticket = journal.add(request, on: face, atMilliseconds: elapsed, fault: met?.rule.source)
    answerWaiters { [journal] in journal.count > $0.after }
    closePorts(of: face)
    let call = Call(
      exchange: exchange, request: request, face: face, rule: met?.rule, queue: met?.queue, ticket: ticket)
    if let queue = call.queue { queue.enter { self.wait(call) } } else { wait(call) }
  }

  private struct Call: @unchecked Sendable {
    // Invariant: `queue` is used only on the loop of the mock.
    let exchange: HTTPExchange
    let request: FaceRequest
    let face: MockFace
    let rule: FaultRule?
    let queue: AnswerQueue?
    let ticket: Journal.Ticket
  }

  private func wait(_ call: Call) {
    if let delay = call.rule?.delay, delay > .zero {
      held.hold(
        call.exchange, for: delay + latency, then: { self.answer(call, isReleased: $0) },
        whenLeft: { call.queue?.leave() })
    } else if latency > .zero {
      loop.schedule(after: latency) { self.answer(call, isReleased: false) }
    } else {
      answer(call, isReleased: false)
    }
  }

  /// - Parameter isReleased: a reset ended the wait, and with it the fault.
  private func answer(_ call: Call, isReleased: Bool) {
    let rule = isReleased ? nil : call.rule
    if rule == nil, let recorded = faces.recorded(call.request, on: call.face) {
      return replay(recorded, call)
    }
    var reply =
      if let rule {
        faces.reply(to: call.request, on: call.face, under: rule)
      } else {
        faces.reply(to: call.request, on: call.face)
      }
    if case .events = reply.content { metrics.streamBegan(call.exchange, on: call.face) }
    // A connection that stays open would pass by a port that refuses.
    if engine.isRefusing(on: call.face, now: now) { reply.set("connection", "close") }
    let status = rule?.action.hidesStatus == true ? nil : reply.status
    if let status { journal.setStatus(status, of: call.ticket) }
    note(call, status)
    let pace = pace(of: reply, under: rule)
    guard pace.isAtOnce, reply.wait == .zero, reply.fault == nil, rule?.action.isWhole ?? true else {
      let isSpoiled = rule.map { !$0.action.isWhole } ?? false
      let script = AnswerScript(
        reply, isSpoiled ? rule?.action : reply.fault, pace: pace, isLiteLLM: call.face == .litellm,
        random: &jitter[call.face, default: SeededGenerator(seed: 1, stream: call.face.rawValue)])
      return held.play(script, on: call.exchange) { self.ended(call, reply.key) }
    }
    Delivery.send(reply, on: call.exchange)
    ended(call, reply.key)
  }

  private func ended(_ call: Call, _ key: String?) {
    if let key { faces.finished(key) }
    call.queue?.leave()
  }

  /// The pace of the rule, or the usual one of a completion.
  private func pace(of reply: Reply, under rule: FaultRule?) -> AnswerPace {
    if let rule, rule.pace != AnswerPace() { return rule.pace }
    if let pace = reply.pace { return pace }
    switch reply.content {
    case .whole where reply.tokens == 0: return AnswerPace()
    default: return pace
    }
  }

  private static func jitter(_ seed: UInt64) -> [MockFace: SeededGenerator] {
    Dictionary(
      uniqueKeysWithValues: MockFace.allCases.map {
        ($0, SeededGenerator(seed: seed, stream: "pace/\($0.rawValue)"))
      })
  }

  private func replay(_ recorded: RecordedCall, _ call: Call) {
    if recorded.isStream { metrics.streamBegan(call.exchange, on: call.face) }
    if let status = recorded.status { journal.setStatus(status, of: call.ticket) }
    note(call, recorded.status)
    held.play(recorded.script, on: call.exchange) { call.queue?.leave() }
  }

  private func note(_ call: Call, _ status: Int?) {
    log.debug(
      "request",
      [
        "face": .string(call.face.rawValue), "method": .string(call.request.method),
        "path": .string(call.request.path), "status": status.map { .int($0) } ?? .null,
        "fault": call.rule.map { call.request.redaction.value($0.source) } ?? .null,
      ])
  }

  /// The clock of the mock, one for all faces: since its start, its last reset or a restart of it.
  private var now: Duration { ContinuousClock.now - start }

  private var elapsed: Double {
    let microseconds = now / .microseconds(1)
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
    case .gateway(let settings):
      faces.beginGateway(settings)
      if let boot = settings.boot {
        engine.arm(boot, on: .litellm, now: now)
        closePorts(of: .litellm)
      }
      Delivery.send(Reply(200, json: [:]), on: exchange)
    case .reset:
      reset()
      Delivery.send(Reply(200, json: [:]), on: exchange)
    case .restartClock:
      restartClock()
      Delivery.send(Reply(200, json: [:]), on: exchange)
    case .clock: Delivery.send(Reply(200, json: ["at_ms": .number(JSONNumber(elapsed))]), on: exchange)
    case .verify(let expectations):
      Delivery.send(Verification.reply(expectations, journal: journal.members(after: 0)), on: exchange)
    case .metrics:
      let ports = servers.map { ($0.key.rawValue, $0.value.connectionCount) }
      let open = ports + [("admin", adminServer?.connectionCount ?? 0)]
      Delivery.send(metrics.reply(open: open, pending: engine.pending), on: exchange)
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
    for (face, rule) in arming.rules {
      engine.arm(rule, on: face, now: now)
      metrics.armed(rule.source, on: face)
    }
    for face in added.keys { closePorts(of: face) }
    log.info("armed", ["rules": .int(arming.rules.count)])
    let refusing = added.keys.filter { engine.isRefusing(on: $0, now: now) || closings[$0, default: 0] > 0 }
    return (Reply(200, json: ["armed": .int(arming.rules.count)]), refusing.compactMap { servers[$0] })
  }

  private func reset() {
    engine.reset()
    faces.reset()
    faces.beginGateway()
    journal.reset()
    start = .now
    openPorts()
    held.release()
    answerWaiters { _ in true }
  }

  /// Rules that begin at a time begin at that time after now.
  private func restartClock() {
    start = .now
    openPorts()
    engine.restartClock()
    for face in MockFace.allCases { closePorts(of: face) }
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

  /// Closes the port of `face` where a rule says so, now or later, and connections that would pass it by.
  private func closePorts(of face: MockFace) {
    if engine.isRefusing(on: face, now: now) { servers[face]?.closeConnections() }
    for closing in engine.closings(on: face, now: now) {
      guard closing.wait > .zero else {
        close(face, for: closing.lasting)
        continue
      }
      portTimers.append(loop.schedule(after: closing.wait) { self.close(face, for: closing.lasting) })
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

  private func openPorts() {
    for timer in portTimers { timer.cancel() }
    portTimers = []
    for face in closings.keys { reopen(face) }
    closings = [:]
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
