internal import Transport

/// The share of one loop in a load: its connections, their schedule and what was counted.
final class BenchWorker: @unchecked Sendable {
  // Invariant: the lets never change; every var is used only on `loop`.
  let plan: BenchPlan
  let loop: EventLoop
  private let index: Int
  private let connectionCount: Int
  private let templates: [RequestTemplate]
  private var statusTemplates: [RequestTemplate?]
  private let round: [BenchMethod]
  private var roundPlace = 0
  private var maskState: UInt64 = .random(in: 1 ... .max)

  private var connections: [BenchConnection] = []
  private(set) var window = BenchWindow(start: 0, begin: .max, end: .max)
  private(set) var tally = BenchTally()
  /// How an answer to a ping looks.
  var pingShape: AnswerShape?
  private var taskIDs: [[UInt8]] = []
  private var taskIDPlace = 0

  private var schedule: OpenLoopSchedule?
  private var timer: FineTimer?
  /// The connection whose turn it is.
  private var turn = 0
  /// Whether requests are due for which no connection has room.
  private var isBehind = false
  /// Connections with something to flush.
  private var touched: [BenchConnection] = []
  private var processorTimeAtBegin: Int64 = 0

  private enum Phase { case connecting, asking, draining, ended }
  private var phase = Phase.connecting
  private var whenConnected: ((String?) -> Void)?
  private var whenEnded: (() -> Void)?
  private var openCount = 0

  /// Handshakes at one time: more would overrun the backlog of many servers.
  private static let connectingAtOnce = 128
  private static let connectTime = Duration.seconds(10)
  /// How long the last answers may take; beyond that they count as unanswered.
  private static let drainTime = Duration.seconds(5)
  private static let keptTaskIDs = 4096

  init(_ plan: BenchPlan, index: Int, loop: EventLoop) {
    self.plan = plan
    self.index = index
    self.loop = loop
    connectionCount = plan.connections / plan.loops + (index < plan.connections % plan.loops ? 1 : 0)
    templates = [BenchMethod.ping, .createTask].map { RequestTemplate($0, plan.dialect) }
    statusTemplates = Array(repeating: nil, count: RequestTemplate.maxTaskIDBytes + 1)
    round = plan.mix.round
  }

  // MARK: Connecting

  /// Opens all connections, then tells nil, or why one could not be had.
  func connect(_ completion: @escaping (String?) -> Void) {
    whenConnected = completion
    for _ in 0..<min(connectionCount, Self.connectingAtOnce) { connectNext() }
  }

  private func connectNext() {
    guard connections.count < connectionCount, phase == .connecting else { return }
    let connection = BenchConnection(self)
    connections.append(connection)
    connection.connect(within: Self.connectTime)
  }

  func opened() {
    openCount += 1
    guard openCount == connectionCount else { return connectNext() }
    tellConnected(nil)
  }

  private func tellConnected(_ problem: String?) {
    let told = whenConnected
    whenConnected = nil
    told?(problem)
  }

  func ended(_ connection: BenchConnection, _ reason: String) {
    guard whenConnected == nil else { return tellConnected(reason) }
    guard phase != .ended else { return }
    tally.lostConnections += 1
    tally.unanswered += connection.unanswered
    note("lost connection: \(reason)")
    connections.removeAll { $0 === connection }
    if phase == .connecting { return }
    if connections.isEmpty { end() } else { endIfDrained() }
  }

  // MARK: Asking

  func begin(_ window: BenchWindow, whenEnded: @escaping () -> Void) {
    self.whenEnded = whenEnded
    self.window = window
    // Lost before it began.
    guard !connections.isEmpty else { return end() }
    phase = .asking
    let now = EventLoop.clock
    loop.schedule(after: .nanoseconds(window.begin - now)) {
      self.processorTimeAtBegin = EventLoop.threadTime
    }
    loop.schedule(after: .nanoseconds(window.end - now)) { self.stopAsking(at: self.window.end) }
    guard let rate = plan.rate else {
      for connection in connections { connection.fill(at: now) }
      return
    }
    schedule = OpenLoopSchedule(rate: rate, index: index, of: plan.loops, start: window.start)
    do throws(TransportError) {
      timer = try FineTimer(on: loop) { [unowned self] now in self.sendDue(at: now) }
      timer?.arm(at: window.start)
    } catch {
      note(error.description)
      end()
    }
  }

  /// Ends the window now, if it has not ended; what is in flight is still waited for.
  func interrupt() {
    if phase == .connecting { return tellConnected("interrupted") }
    let now = EventLoop.clock
    guard phase == .asking else { return }
    window.end = min(window.end, now)
    stopAsking(at: window.end)
  }

  /// Sends what is due by the schedule, to the connections in turn.
  private func sendDue(at now: Int64) {
    guard phase == .asking else { return }
    while let connection = nextWithRoom(), askNext(on: connection, at: now) { turn += 1 }
    finishSending(at: now)
  }

  private func nextWithRoom() -> BenchConnection? {
    for _ in connections.indices {
      if turn >= connections.count { turn = 0 }
      if connections[turn].room > 0 { return connections[turn] }
      turn += 1
    }
    return nil
  }

  /// Asks what is due next; false if nothing is.
  private func askNext(on connection: BenchConnection, at now: Int64) -> Bool {
    guard let due = schedule?.takeDue(at: now, before: window.end) else { return false }
    if !connection.hasOutput { touched.append(connection) }
    connection.ask(nextMethod(), start: due)
    return true
  }

  private func finishSending(at now: Int64) {
    for connection in touched { connection.flush(at: now) }
    touched.removeAll(keepingCapacity: true)
    guard let next = schedule?.next else { return }
    isBehind = next <= now
    if !isBehind { timer?.arm(at: next) }
  }

  func hasRead(_ connection: BenchConnection, at now: Int64) {
    switch phase {
    case .asking:
      guard schedule != nil else { return connection.fill(at: now) }
      // All are full but this one.
      guard isBehind else { return }
      while connection.room > 0, askNext(on: connection, at: now) {}
      finishSending(at: now)
    case .draining: endIfDrained()
    case .connecting, .ended: break
    }
  }

  private func stopAsking(at end: Int64) {
    guard phase == .asking else { return }
    if schedule != nil { sendDue(at: end) }
    phase = .draining
    tally.notSent = schedule?.left(from: window.begin, before: end) ?? 0
    tally.processorTime = EventLoop.threadTime - processorTimeAtBegin
    loop.schedule(after: Self.drainTime) { self.end() }
    endIfDrained()
  }

  private func endIfDrained() {
    if phase == .draining, connections.allSatisfy({ $0.inFlight == 0 }) { end() }
  }

  private func end() {
    guard phase != .ended else { return }
    if phase == .asking {
      // Every connection is lost.
      window.end = min(window.end, max(window.begin, EventLoop.clock))
      tally.processorTime = EventLoop.threadTime - processorTimeAtBegin
    }
    phase = .ended
    let unanswered = connections.reduce(0) { $0 + $1.unanswered }
    if unanswered > 0 {
      tally.unanswered += unanswered
      note("no answer within \(Self.drainTime.components.seconds) s of the end", count: unanswered)
    }
    timer?.cancel()
    timer = nil
    let told = whenEnded
    whenEnded = nil
    told?()
  }

  /// Says goodbye on every connection; before the loop ends.
  func close() {
    phase = .ended
    for connection in connections { connection.close() }
    connections = []
  }

  // MARK: What connections use

  @inline(__always)
  func nextMask() -> UInt32 {
    // xorshift64: masks keep proxies from being fooled (RFC 6455 §10.3), which a fixed request cannot.
    maskState ^= maskState << 13
    maskState ^= maskState >> 7
    maskState ^= maskState << 17
    return UInt32(truncatingIfNeeded: maskState >> 32)
  }

  @inline(__always)
  func nextMethod() -> BenchMethod {
    let method = round[roundPlace]
    roundPlace += 1
    if roundPlace == round.count { roundPlace = 0 }
    // Until a task is known there is none to ask for.
    return method == .getTaskStatus && taskIDs.isEmpty ? .createTask : method
  }

  @inline(__always)
  func template(_ method: BenchMethod, taskIDBytes: Int) -> RequestTemplate {
    guard method == .getTaskStatus else { return templates[method.rawValue] }
    if let known = statusTemplates[taskIDBytes] { return known }
    let made = RequestTemplate(method, plan.dialect, taskIDBytes: taskIDBytes)
    statusTemplates[taskIDBytes] = made
    return made
  }

  /// Keeps the id of a task of this run; the oldest give way.
  func keepTaskID(_ id: UnsafeRawBufferPointer) {
    guard id.count <= RequestTemplate.maxTaskIDBytes, plan.mix.asksForStatus else { return }
    if taskIDs.count < Self.keptTaskIDs {
      taskIDs.append(Array(id))
    } else {
      taskIDPlace = (taskIDPlace + 1) % taskIDs.count
      taskIDs[taskIDPlace] = Array(id)
    }
  }

  /// Copies the id of some task of this run; gives its length.
  func takeTaskID(_ copy: UnsafeMutableRawBufferPointer) -> Int {
    taskIDPlace = (taskIDPlace + 1) % taskIDs.count
    copy.copyBytes(from: taskIDs[taskIDPlace])
    return taskIDs[taskIDPlace].count
  }

  @inline(__always)
  func countSent(_ start: Int64) { if window.contains(start) { tally.sent += 1 } }

  func countBytes(sent: Int = 0, received: Int = 0, at now: Int64) {
    guard window.contains(now) else { return }
    tally.bytesSent += sent
    tally.bytesReceived += received
  }

  func countAnswers(_ count: Int, at now: Int64) {
    tally.answersInAll += count
    if window.contains(now) { tally.answersInWindow += count }
  }

  @inline(__always)
  func record(_ method: BenchMethod, start: Int64, latency: Int64) {
    guard window.contains(start) else { return }
    tally.latencies[method.rawValue].record(latency)
  }

  func failed(_ kind: String, start: Int64) {
    if window.contains(start) { tally.failed += 1 }
    note(kind)
  }

  func note(_ kind: String) { tally.note(kind) }
  private func note(_ kind: String, count: Int) { tally.note(kind, count: count) }
}
