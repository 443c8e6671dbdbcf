import Diagnostics
import JSON
import MCP
import Orchestration
import ProtocolSpec
import Synchronization
import TaskStore
import Transport

/// What sessions and routes share: the specification, the handlers, and whether work is taken.
final class Service: Sendable {
  /// Whether the process takes work, as `/readyz` tells.
  enum Phase: Int, Sendable {
    case starting, ready, draining
  }

  let spec: Specification
  let settings: Settings
  let log: Log
  let store: TaskStore
  let mcp: MCPOffer
  /// What the official scenarios call, where that is asked for.
  let fixtures: Fixtures?
  /// Seals what clients carry from one request to the next.
  let sealed = SealedState()
  let subscriptions: Subscriptions
  let metrics: ServerMetrics
  let orchestrator: Orchestrator
  /// What goes out over HTTP and does not end by itself.
  let openStreams = HTTPOpenStreams()
  private let readers: LoopReaders
  private let handlers: [String: Handler]
  private let lastClient = Atomic<Int>(Reply.nobody)
  private let phaseNumber = Atomic<Int>(Phase.starting.rawValue)

  /// - Throws: if a method of the specification has no handler, or a handler no method.
  init(
    spec: Specification, settings: Settings, log: Log, store: TaskStore, readers: LoopReaders,
    subscriptions: Subscriptions, orchestrator: Orchestrator, metrics: ServerMetrics, hasFixtures: Bool
  ) throws(StartError) {
    self.spec = spec
    self.settings = settings
    self.log = log
    self.store = store
    self.readers = readers
    self.subscriptions = subscriptions
    self.metrics = metrics
    self.orchestrator = orchestrator
    let tasks = FixtureTasks { task in
      if let id = task["taskId"]?.string { subscriptions.changed(list: id) }
    }
    fixtures = hasFixtures ? Fixtures(spec, tasks: tasks) : nil
    mcp = MCPOffer(spec, version: kitVersion, extra: fixtures)
    handlers = orchestrator.handlers
    let known = Set(handlers.keys).union([
      Self.pingMethod, Session.subscribeMethod, Session.unsubscribeMethod,
    ])
    let specified = Set(spec.methods.map(\.name))
    if let method = specified.subtracting(known).min() {
      throw StartError(
        "the specification has the method \(method), this server has no handler for it", exit: 2)
    }
    if let method = known.subtracting(specified).min() {
      throw StartError(
        "this server has a handler for \(method), the specification has no such method", exit: 2)
    }
  }

  private static let ping: StaticString = "ping"
  private static let pingMethod = ping.description
  let plain = PlainAnswers(ping: ping, result: pingResult)

  deinit { plain.deallocate() }

  /// A number for somebody new.
  func nextClient() -> Int { lastClient.add(1, ordering: .relaxed).newValue }

  var phase: Phase {
    get { Phase(rawValue: phaseNumber.load(ordering: .relaxed)) ?? .starting }
    set { phaseNumber.store(newValue.rawValue, ordering: .relaxed) }
  }

  /// The result of what needs no waiting; nil for everything else.
  func immediate(_ request: Request) -> JSONValue? {
    guard request.method.name == Self.pingMethod else { return nil }
    return Self.pingResult(request.dialect)
  }

  private static func pingResult(_ dialect: Dialect) -> JSONValue {
    dialect == .bare ? "pong" : .object(JSONObject())
  }

  /// The result of get_task_status as text, valid until the next call; nil if there is none, or it has
  /// to be asked for the long way. To be called on `loop`.
  func status(of id: UnsafeRawBufferPointer, on loop: EventLoop) -> UnsafeRawBufferPointer? {
    do throws(StoreError) {
      return try readers.text(of: id, on: loop)
    } catch {
      return nil
    }
  }

  /// The task of this id, if there is one; to be called on `loop`.
  func task(_ id: String, on loop: EventLoop) -> Result<StoredTask?, ProtocolFault> {
    do throws(StoreError) {
      return .success(try readers.task(id, on: loop))
    } catch {
      return .failure(storageFault(error))
    }
  }

  /// Whether there is a task of this id; to be called on `loop`.
  func hasTask(_ id: String, on loop: EventLoop) -> Result<Bool, ProtocolFault> {
    task(id, on: loop).map { $0 != nil }
  }

  /// Replies with `result` when all that is being written now has been committed.
  func settle(_ result: JSONValue, _ reply: Reply) {
    store.settle { outcome in reply(outcome.map { result }.mapError(self.storageFault)) }
  }

  private func storageFault(_ error: StoreError) -> ProtocolFault {
    log.error("store", JSONObject([("cause", .string(error.description))]))
    return spec.errors.fault(.storageUnavailable)
  }

  /// Runs a native request; to be called on the loop of `reply`.
  func run(_ request: Request, _ reply: Reply) -> Stop? {
    guard let handler = handlers[request.method.name] else {
      log.error("no handler", JSONObject([("method", .string(request.method.name))]))
      reply(.failure(spec.errors.fault(.internalError)))
      return nil
    }
    return handler(request.params, reply)
  }
}

/// Why the server does not start: one line for the person who started it.
struct StartError: Error, CustomStringConvertible {
  let description: String
  /// 1 for the machine's fault, 2 for usage, configuration or specification.
  let exit: Int32
  /// What is wrong with the store, if that is why.
  let store: StoreError?

  init(_ description: String, exit: Int32, store: StoreError? = nil) {
    self.description = description
    self.exit = exit
    self.store = store
  }
}
