import Diagnostics
import JSON
import ProtocolSpec
import Transport
import Wire

/// Carries the messages of a bridge: a line of standard input becomes a message of the WebSocket, and one
/// of these a line of standard output.
///
/// The client need not know that there is a connection: one that could not be had yet, or is lost while
/// nothing depends on it, is tried for a time. If something does, the client is told that it is lost.
final class BridgeRelay: LinePipeHandler, LoopWebSocketHandler, @unchecked Sendable {
  // Invariant: the lets never change, and every var is used only on the loop of `pipe`.
  private enum Phase { case connecting, greeting, open, over }

  enum Ending: Sendable {
    case done
    case failed(String)
  }

  private let spec: Specification
  private let url: HTTPURL
  private let text: String
  private let headers: HTTPHeaders
  private let pipe: LinePipe
  private let log: Log
  private let whenEnded: @Sendable (Ending) -> Void
  private var loop: EventLoop { pipe.loop }
  private var limits: Limits { spec.limits }

  private var phase = Phase.connecting
  private var socket: LoopWebSocket?
  private var ledger = BridgeLedger()
  private var reader: MessageReader
  /// Lines that wait for a connection.
  private var held: [[UInt8]] = []
  private var heldBytes = 0
  /// The client will ask nothing more.
  private var hasEnded = false
  private var isReadingPaused = false
  private var isSocketPaused = false
  /// Until when a connection is tried, and how often it has failed.
  private var patience = ContinuousClock.now
  private var failures = 0
  /// Tells one from the next.
  private var connections = 0
  private var silence = Silence()

  /// What is known of a server that says nothing.
  private struct Silence {
    var hasHeard = false
    var isPinged = false
    var timer: ScheduledTimer?
  }

  /// The id of an `initialize` that is repeated; its answer is not the client's.
  private static let greetingID: JSONValue = "omni-server-bridge"
  private static let firstPause = Duration.milliseconds(50)
  private static let longestPause = Duration.seconds(1)
  /// What a Close says that comes again after a while: going away, restart, try again later (RFC 6455
  /// §7.4.1 and the registry of its codes).
  private static let passing: Set<UInt16> = [1001, 1012, 1013]
  /// The same for a handshake: a proxy or a server that is starting.
  private static let passingStatus: Set<Int> = [502, 503, 504]

  /// - Parameter whenEnded: called once, when all is told that will be.
  init(
    _ spec: Specification, url: HTTPURL, text: String, headers: HTTPHeaders, pipe: LinePipe, log: Log,
    whenEnded: @escaping @Sendable (Ending) -> Void
  ) {
    self.spec = spec
    self.url = url
    self.text = text
    self.headers = headers
    self.pipe = pipe
    self.log = log
    self.whenEnded = whenEnded
    reader = MessageReader(spec: spec, initial: .jsonrpc)
  }

  func start() {
    guard pipe.start(self) else { return whenEnded(.failed("the system has no threads left")) }
    patience = .now + limits.reconnectTime
    connect()
  }

  /// Ends now: what is not answered will not be.
  func stop() { finish("the bridge was stopped") }

  // MARK: - Lines

  func onLine(_ bytes: UnsafeRawBufferPointer) {
    guard phase != .over else { return }
    let line = Array(bytes)
    guard let value = try? JSONParser.parse(line, limits: JSONLimits(depth: limits.jsonDepth)) else {
      // It may not even be text, which a WebSocket does not carry.
      return refuse(reader.read(line))
    }
    if case .object(let object) = value { reader.note(object.contains("jsonrpc") ? .jsonrpc : .bare) }
    ledger.asked(value, bytes: bytes.count)
    if phase == .open {
      socket?.send(text: bytes)
    } else {
      held.append(line)
      heldBytes += line.count
    }
    updateReading()
  }

  func onLongLine() { refuse(reader.refuseLongMessage()) }

  private func refuse(_ incoming: Incoming) {
    guard case .refused(let answer) = incoming else { return }
    var bytes: [UInt8] = []
    answer.write(to: &bytes)
    bytes.withUnsafeBytes { tell($0) }
  }

  func onEnd() {
    hasEnded = true
    finishIfIdle()
    boundEnd()
  }

  /// What is under way behind the end of the input may take a time; a connection that is not there yet has
  /// one of its own.
  private func boundEnd() {
    guard hasEnded, phase == .open else { return }
    loop.schedule(after: limits.endOfInputTime) { self.finish("the input of the bridge has ended") }
  }

  func onBroken(_ reason: String) {
    log.info("the client reads no more", ["reason": .string(reason)])
    finish(reason)
  }

  /// No more is read than the server, or the wait for it, may have under way.
  private func updateReading() {
    let isFull =
      ledger.count >= limits.inFlight || max(ledger.bytes, heldBytes) >= limits.inFlightBytes
      || (socket?.unsent ?? 0) > limits.inFlightBytes || pipe.unsent > limits.unsentBytes / 2
    guard isFull != isReadingPaused else { return }
    isReadingPaused = isFull
    if isFull { pipe.pauseReading() } else { pipe.resumeReading() }
  }

  // MARK: - Messages

  func onMessage(_ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer) {
    guard phase != .over else { return }
    let message = Array(bytes)
    guard kind == .text,
      let value = try? JSONParser.parse(message, limits: JSONLimits(allowsDuplicateKeys: true))
    else { return log.warning("the server sent what is no JSON; it is left out") }
    if phase == .greeting, value["id"] == Self.greetingID { return greeted(value) }
    ledger.told(value)
    message.contains(where: Self.isLineEnd)
      ? message.map { Self.isLineEnd($0) ? UInt8(ascii: " ") : $0 }.withUnsafeBytes { tell($0) } : tell(bytes)
    updateReading()
    finishIfIdle()
  }

  /// In JSON they stand between values only, where a space means the same.
  private static func isLineEnd(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
  }

  private func tell(_ line: UnsafeRawBufferPointer) {
    pipe.write(line)
    guard pipe.unsent > limits.unsentBytes / 2 else { return }
    isSocketPaused = true
    socket?.pauseReading()
    updateReading()
  }

  func onRoom() {
    isSocketPaused = false
    socket?.resumeReading()
    updateReading()
  }

  func onDrained() { updateReading() }

  func onReadable(at now: Int64, count: Int) { silence.hasHeard = true }
  func onRead() {}

  // MARK: - The connection

  private func connect() {
    guard phase == .connecting else { return }
    let socket = LoopWebSocket(
      url: url, subprotocols: [spec.overview.subprotocol], headers: headers, on: loop)
    self.socket = socket
    socket.connect(within: max(patience - .now, Self.firstPause), self)
  }

  func onOpen() {
    log.info("connected", ["url": .string(text)])
    failures = 0
    connections += 1
    if isSocketPaused { socket?.pauseReading() }
    watchSilence()
    guard let greeting = ledger.greeting else { return open() }
    phase = .greeting
    var request = greeting.request
    request["id"] = Self.greetingID
    send(.object(request))
    loop.schedule(after: max(patience - .now, Self.firstPause)) { [connections] in
      guard self.phase == .greeting, connections == self.connections else { return }
      self.socket?.close()
      self.onEnd("initialize was not answered")
    }
  }

  /// The server has answered the repeated `initialize`.
  private func greeted(_ answer: JSONValue) {
    guard let greeting = ledger.greeting else { return }
    guard answer["result"]?["protocolVersion"]?.string == greeting.revision else {
      return fail("the server at \(text) does not agree on MCP \(greeting.revision) any more")
    }
    if greeting.isDone {
      send(["jsonrpc": "2.0", "method": .string(MCPMethod.initialized.rawValue)])
    }
    open()
  }

  private func open() {
    phase = .open
    for line in held { line.withUnsafeBytes { socket?.send(text: $0) } }
    held = []
    heldBytes = 0
    updateReading()
    finishIfIdle()
    boundEnd()
  }

  private func send(_ message: JSONValue) {
    JSONWriter.bytes(message).withUnsafeBytes { socket?.send(text: $0) }
  }

  func onEnd(_ reason: String) {
    silence.timer?.cancel()
    let (status, code) = (socket?.status, socket?.closeCode)
    socket = nil
    switch phase {
    case .over: return
    case .connecting:
      if let status, !Self.passingStatus.contains(status) {
        let hint = status == 401 ? "; OMNI_TOKEN has to be its token" : ""
        return fail("cannot connect to \(text): \(reason)\(hint)")
      }
    case .greeting: phase = .connecting
    case .open:
      if ledger.count > 0 { return fail("the connection to \(text) is lost: \(reason)") }
      if let method = ledger.lasting {
        return fail("the connection to \(text) is lost, and what \(method) has asked for with it: \(reason)")
      }
      if let code, !Self.passing.contains(code) { return fail("\(text) has ended the connection: \(reason)") }
      if hasEnded { return finish(reason) }
      log.warning("connection lost, trying again", ["url": .string(text), "reason": .string(reason)])
      patience = .now + limits.reconnectTime
      phase = .connecting
    }
    tryAgain(reason)
  }

  private func tryAgain(_ reason: String) {
    failures += 1
    let pause =
      min(Self.longestPause, Self.firstPause * (1 << min(failures, 10))) * Double.random(in: 0.5..<1)
    guard ContinuousClock.now + pause < patience else {
      return fail("no connection to \(text) within \(limits.reconnectTime): \(reason)")
    }
    loop.schedule(after: pause) { self.connect() }
  }

  /// A server that is gone without a word would be waited for without end.
  private func watchSilence() {
    silence.hasHeard = false
    let wait = silence.isPinged ? limits.pongTimeout : limits.pingInterval
    silence.timer = loop.schedule(after: wait) {
      guard self.phase == .open || self.phase == .greeting, let socket = self.socket else { return }
      if self.silence.hasHeard || self.isSocketPaused {
        self.silence.isPinged = false
      } else if self.silence.isPinged {
        self.silence.isPinged = false
        socket.close()
        return self.onEnd("no answer to ping within \(self.limits.pongTimeout)")
      } else {
        self.silence.isPinged = true
        socket.ping()
      }
      self.watchSilence()
    }
  }

  // MARK: - The end

  private func finishIfIdle() {
    if hasEnded, ledger.isIdle, held.isEmpty { finish("the input of the bridge has ended") }
  }

  /// Says goodbye to both sides.
  private func finish(_ reason: String) {
    guard giveUp(reason) else { return }
    let whenEnded = whenEnded
    guard let socket else { return whenEnded(.done) }
    loop.schedule(after: limits.closeTime) { whenEnded(.done) }
    socket.close { whenEnded(.done) }
  }

  private func fail(_ reason: String) {
    guard giveUp(reason) else { return }
    socket?.close()
    whenEnded(.failed(reason))
  }

  /// Whether this is the end; it comes once.
  private func giveUp(_ reason: String) -> Bool {
    guard phase != .over else { return false }
    phase = .over
    silence.timer?.cancel()
    let fault = spec.errors.fault(.internalError, variant: "connection_lost", ["detail": reason])
    for answer in ledger.giveUp(fault) { answer.withUnsafeBytes { pipe.write($0) } }
    return true
  }
}
