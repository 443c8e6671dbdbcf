import Diagnostics
import JSON
import MCP
import ProtocolSpec
import Synchronization
import Transport

/// What executors share.
struct ExecutorContext: Sendable {
  let spec: Specification
  let log: Log
  let version: String
  let client: HTTPClient
  /// Of the programs that are started.
  let environment: [String: String]
  let connectTimeout: Duration
}

/// An MCP server that does tasks with one tool: keeps a link with it, and calls the tool.
actor Executor {
  /// What others see of it.
  struct Status: Sendable {
    var isConnected = false
    /// Tasks it was given and has not ended.
    var running = 0
    /// In a row, of connecting and of calls alike.
    var failures = 0
  }

  private enum Phase {
    /// Not connected; the next attempt comes later.
    case down(LinkEnd)
    case trying
    case ready
  }

  /// Why a task was not done.
  struct Failure: Error, Sendable {
    let cause: CallFailure
    /// Whether the tool may have begun with it.
    let wasBegun: Bool
  }

  /// Why a call gave nothing.
  private enum Loss: Error {
    case failure(CallFailure)
    /// It was not taken, and may be made again.
    case notTaken(String)
  }

  private struct Call {
    let continuation: CheckedContinuation<Result<Completion, Loss>, Never>
    let task: String
  }

  nonisolated let settings: ExecutorSettings
  nonisolated var name: String { settings.name }
  nonisolated let context: ExecutorContext
  private nonisolated let status = Mutex(Status())

  private var phase = Phase.trying
  private var link: (any MCPLink)?
  private var client: MCPClient
  /// Counts links, so that what belongs to an earlier one is known.
  private var generation = 0
  /// Since when calls can be made on the link.
  private var readySince: ContinuousClock.Instant?
  /// Why the link is of no use, before it has ended.
  private var brokenBy: LinkEnd?
  private var calls: [Int: Call] = [:]
  private var reader: Task<LinkEnd, Never>?
  private var life: Task<Void, Never>?
  private var becameReady: @Sendable () -> Void = {}
  private var waitingForReady: [Int: CheckedContinuation<Void, Never>] = [:]
  private var lastWaiter = 0
  private var backoff: Backoff
  private var notes: NoteBudget

  init(_ settings: ExecutorSettings, _ context: ExecutorContext, seed: UInt64) {
    self.settings = settings
    self.context = context
    let spec = context.spec.executors
    backoff = Backoff(
      base: spec.reconnectBase, cap: spec.reconnectCap, SeededGenerator(seed: seed, stream: settings.name))
    notes = NoteBudget(lines: spec.noteLines, window: spec.noteWindow)
    client = MCPClient(context.spec, tool: settings.tool, version: context.version)
  }

  nonisolated var shown: Status { status.withLock { $0 } }

  // MARK: - The link

  /// Connects, and again whenever the link is lost.
  ///
  /// - Parameter becameReady: called each time that calls may be made again.
  func start(_ becameReady: @escaping @Sendable () -> Void) {
    self.becameReady = becameReady
    life = Task { await self.live() }
  }

  /// Ends the link and gives up what is under way; returns once nothing is left.
  func stop() async {
    life?.cancel()
    await life?.value
    // It may hold whoever holds this.
    becameReady = {}
  }

  private func live() async {
    while !Task.isCancelled {
      phase = .trying
      readySince = nil
      let end = await serve()
      let wasReady = disconnected()
      if !Task.isCancelled { report(end, wasReady) }
      // A lost session says nothing about the server's health.
      phase = end.isSessionLost && wasReady ? .trying : .down(end)
      drop(end, wasReady)
      if case .down = phase {
        tellReadiness()
        try? await Task.sleep(for: backoff.pause(afterFailures: shown.failures))
      }
    }
    phase = .down(LinkEnd(reason: "stopped"))
    tellReadiness()
  }

  /// One link from its beginning to its end.
  private func serve() async -> LinkEnd {
    generation += 1
    client = MCPClient(context.spec, tool: settings.tool, version: context.version)
    do throws(LinkEnd) {
      let link = try await open()
      self.link = link
      let reader = Task { await self.read(link) }
      self.reader = reader
      let limit = context.spec.executors.handshakeTime
      let deadline = Task { [generation] in
        guard (try? await Task.sleep(for: limit)) != nil else { return }
        self.handshakeIsOver(generation)
      }
      perform(client.open())
      let end = await withTaskCancellationHandler {
        await reader.value
      } onCancel: {
        reader.cancel()
      }
      deadline.cancel()
      self.link = nil
      self.reader = nil
      await link.close()
      return end
    } catch {
      return error
    }
  }

  private func read(_ link: any MCPLink) async -> LinkEnd {
    brokenBy = nil
    for await event in link.events {
      switch event {
      case .message(let bytes): perform(client.receive(bytes))
      case .note(let text): note(text)
      case .ended(let end): return brokenBy ?? end
      }
      if let brokenBy { return brokenBy }
    }
    return brokenBy ?? LinkEnd(reason: "stopped")
  }

  private func handshakeIsOver(_ generation: Int) {
    guard generation == self.generation, case .trying = phase else { return }
    brokenBy = LinkEnd(reason: "the tool was not found within \(context.spec.executors.handshakeTime)")
    reader?.cancel()
  }

  private func perform(_ actions: [MCPClient.Action]) {
    for action in actions {
      switch action {
      case .send(let message): link?.send(message)
      case .agreed(let revision, let server):
        link?.agreed(on: revision)
        log(.debug, "executor speaks MCP", [("revision", .string(revision)), ("server", .string(server))])
      case .ready:
        phase = .ready
        readySince = .now
        status.withLock { $0.isConnected = true }
        log(.info, "executor connected", [("tool", .string(settings.tool))])
        tellReadiness()
        becameReady()
      case .progress(let id, let progress): tell(progress, of: id)
      case .finished(let id, let outcome): finish(id, self.result(outcome))
      case .broken(let reason):
        brokenBy = LinkEnd(reason: reason.description)
        reader?.cancel()
      }
    }
  }

  /// Gives up what was under way on a link that has ended.
  private func drop(_ end: LinkEnd, _ wasReady: Bool) {
    let lost = calls
    calls = [:]
    for call in lost.values {
      let loss: Loss =
        end.isSessionLost && wasReady
        ? .notTaken(end.reason)
        : .failure(CallFailure(name: .executorUnavailable, detail: "\(settings.title): \(end.reason)"))
      call.continuation.resume(returning: .failure(loss))
    }
  }

  /// Notes the end of a link, and says whether calls could be made on it.
  private func disconnected() -> Bool {
    // A link that held for a while begins a new row; one that breaks at once is not hurried.
    let held = readySince.map { $0 + context.spec.executors.reconnectCap <= .now } ?? false
    status.withLock { status in
      status.isConnected = false
      status.failures = held ? 1 : status.failures + 1
    }
    return readySince != nil
  }

  // MARK: - Calls

  /// Has the tool do a task. Cancelling the caller tells the tool.
  ///
  /// - Parameter id: the task's, for the log.
  func execute(_ arguments: JSONObject, for id: String) async throws(Failure) -> Completion {
    status.withLock { $0.running += 1 }
    defer { status.withLock { $0.running -= 1 } }
    // Once more where a server that has begun anew did not take it.
    for _ in 0..<2 {
      if let end = await whenReady() { throw unavailable(end.reason) }
      do throws(Loss) {
        let completion = try await call(arguments, id).get()
        status.withLock { $0.failures = 0 }
        return completion
      } catch .failure(let failure) {
        if failure.name == .timeout { status.withLock { $0.failures += 1 } }
        throw Failure(cause: failure, wasBegun: true)
      } catch {
        continue
      }
    }
    throw unavailable("it forgets its sessions")
  }

  private func unavailable(_ reason: String) -> Failure {
    Failure(
      cause: CallFailure(name: .executorUnavailable, detail: "\(settings.title): \(reason)"), wasBegun: false)
  }

  /// Returns nil when calls can be made, else why not; waits only for an attempt to connect that is under
  /// way.
  private func whenReady() async -> LinkEnd? {
    if case .trying = phase, !Task.isCancelled {
      lastWaiter += 1
      let number = lastWaiter
      await withTaskCancellationHandler {
        await withCheckedContinuation { waitingForReady[number] = $0 }
      } onCancel: {
        Task { await self.forgetWaiter(number) }
      }
    }
    switch phase {
    case .ready: return nil
    case .trying: return LinkEnd(reason: "cancelled")
    case .down(let end): return end
    }
  }

  private func forgetWaiter(_ number: Int) {
    waitingForReady.removeValue(forKey: number)?.resume()
  }

  private func tellReadiness() {
    let waiting = waitingForReady
    waitingForReady = [:]
    for waiter in waiting.values { waiter.resume() }
  }

  private func call(_ arguments: JSONObject, _ task: String) async -> Result<Completion, Loss> {
    let (id, actions) = client.call(arguments)
    let generation = generation
    let limit = settings.timeout
    let deadline = Task {
      guard (try? await Task.sleep(for: limit)) != nil else { return }
      let failure = CallFailure(name: .timeout, detail: "\(self.settings.title) took longer than \(limit)")
      self.giveUp(id, generation, failure, reason: "the time is over")
    }
    defer { deadline.cancel() }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        calls[id] = Call(continuation: continuation, task: task)
        perform(actions)
      }
    } onCancel: {
      let failure = CallFailure(name: .executorUnavailable, detail: "cancelled")
      // Behind the registration, since this is an actor.
      Task { await self.giveUp(id, generation, failure, reason: "the task was cancelled") }
    }
  }

  private func giveUp(_ id: Int, _ generation: Int, _ failure: CallFailure, reason: String) {
    guard generation == self.generation, let call = calls.removeValue(forKey: id) else { return }
    perform(client.cancel(id, reason: reason))
    link?.forget(id)
    call.continuation.resume(returning: .failure(.failure(failure)))
  }

  private func finish(_ id: Int, _ result: Result<Completion, Loss>) {
    calls.removeValue(forKey: id)?.continuation.resume(returning: result)
  }

  private nonisolated func result(_ outcome: MCPCallOutcome) -> Result<Completion, Loss> {
    switch outcome {
    case .text(let text): .success(Completion(text: text, isTruncated: false))
    case .toolError(let text), .refused(let text):
      .failure(.failure(CallFailure(name: .executorFailed, detail: text)))
    case .empty:
      .failure(.failure(CallFailure(name: .invalidOutput, detail: "\(settings.title) gave no text")))
    case .malformed(let text):
      .failure(.failure(CallFailure(name: .badResponse, detail: "\(settings.title): \(text)")))
    }
  }

  // MARK: - The log

  private func report(_ end: LinkEnd, _ wasReady: Bool) {
    log(
      .warning, wasReady ? "executor lost" : "executor unavailable",
      [("cause", .string(end.reason)), ("failures", .int(shown.failures))])
  }

  private func tell(_ progress: MCPProgress, of id: Int) {
    guard let task = calls[id]?.task else { return }
    var members: [(String, JSONValue)] = [
      ("task_id", .string(task)), ("progress", .number(JSONNumber(progress.done))),
    ]
    if let total = progress.total { members.append(("total", .number(JSONNumber(total)))) }
    if let message = progress.message { members.append(("message", .string(String(message.prefix(500))))) }
    log(.info, "progress", members)
  }

  private func note(_ text: String) {
    switch notes.take(at: .now) {
    case .write: log(.info, "executor says", [("text", .string(String(text.prefix(500))))])
    case .last: log(.info, "executor says more than is logged", [])
    case .drop: break
    }
  }

  private nonisolated func log(_ level: LogLevel, _ message: String, _ members: [(String, JSONValue)]) {
    context.log.write(level, message, JSONObject([("executor", .string(name))] + members))
  }
}
