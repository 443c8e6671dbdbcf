import Diagnostics
import Foundation
import JSON
import Orchestration
import ProtocolSpec
import TaskStore
import Transport
import Wire

/// The server as a whole: makes its parts, runs until it is told to stop, and drains.
struct OmniServer {
  private let spec: Specification
  private let settings: Settings
  private let log: Log
  private let lock: StoreLock
  private let store: TaskStore
  private let entrance: Entrance
  private let clientLoop: EventLoop
  private let orchestrator: Orchestrator
  private let service: Service

  /// Where clients come from.
  enum Entrance {
    case port(Front)
    case pipe(PipeFront)

    var loops: [EventLoop] {
      switch self {
      case .port(let front): front.loops
      case .pipe(let front): [front.loop]
      }
    }
  }

  /// - Throws: a `StartError` with the trouble of the store, if it is that.
  init(
    spec: Specification, settings: Settings, entrance: Entrance, log: Log, hasFixtures: Bool = false
  ) throws(StartError) {
    self.spec = spec
    self.settings = settings
    self.entrance = entrance
    self.log = log
    do throws(TransportError) {
      clientLoop = try EventLoop(name: "calls")
    } catch {
      throw StartError(error.description, exit: 1)
    }
    let desk = CreationDesk()
    let metrics = ServerMetrics(spec: spec, settings: settings, loops: entrance.loops)
    let subscriptions = Subscriptions(loops: entrance.loops)
    let readers: LoopReaders
    do throws(StoreError) {
      lock = try StoreLock(storePath: settings.databasePath)
      store = try TaskStore(
        path: settings.databasePath, spec: spec, maxUnfinished: settings.maxQueued, committed: desk.flush,
        watch: subscriptions, measured: metrics.orchestration.committed)
      readers = try LoopReaders(store, loops: entrance.loops)
    } catch {
      throw Self.storeError(error, settings, entrance)
    }
    let client = HTTPClient(loop: clientLoop)
    let seed = settings.seed ?? .random(in: .min ... .max)
    orchestrator = Orchestrator(
      spec: spec, settings: settings, store: store, readers: readers, desk: desk,
      upstreams: Upstreams(
        settings: settings, spec: spec, client: client, metrics: metrics.orchestration),
      executors: Executors(
        settings: settings, spec: spec, client: client, log: log, version: kitVersion,
        environment: ProcessInfo.processInfo.environment, seed: seed),
      subscriptions: subscriptions, metrics: metrics.orchestration, log: log, version: kitVersion, seed: seed)
    service = try Service(
      spec: spec, settings: settings, log: log, store: store, readers: readers, subscriptions: subscriptions,
      orchestrator: orchestrator, metrics: metrics, hasFixtures: hasFixtures)
  }

  private static func storeError(
    _ error: StoreError, _ settings: Settings, _ entrance: Entrance
  ) -> StartError {
    if error.isInUse, case .pipe = entrance {
      let url = "ws://\(settings.reachableHost):\(settings.port)"
      return StartError("\(error.description); to share it, launch: omni-server bridge \(url)", exit: 1)
    }
    return StartError(
      "the task store cannot be used: \(error.description) (OMNI_DATA names its folder)", exit: 1,
      store: error)
  }

  /// What is left of the drain time for clients that do not answer a close frame: who stops
  /// containers sends SIGKILL after it.
  private static let closingReserve = Duration.seconds(1)

  /// Serves until SIGTERM or SIGINT, or until its only client has left, and returns when everything is
  /// put away.
  func run(_ signals: StopSignals) async throws(StartError) {
    clientLoop.start()
    var server: HTTPServer?
    if case .port(let front) = entrance {
      raiseDescriptorLimit()
      server = front.serve(Routes(service).serve, refused: service.metrics.refused)
    }
    do throws(StoreError) {
      try await orchestrator.start()
    } catch {
      guard error.trouble == .damaged else {
        clientLoop.stop()
        throw StartError("the task store cannot be read: \(error.description)", exit: 1, store: error)
      }
      // Nothing is run or written; what can be read still is.
      log.error("the task store is damaged", JSONObject([("cause", .string(error.description))]))
    }
    service.phase = .ready
    var client: PipeClient?
    if case .pipe(let front) = entrance { client = front.serve(service) }
    announce()
    let memory = Task(priority: .background, operation: MemoryReturn.watch)
    defer { memory.cancel() }
    Task(priority: .background) { [store, log] in await Self.check(store, log) }
    let reason = await reasonToStop(signals, client)
    log.info("draining", reason.fields)
    service.phase = .draining
    let end = ContinuousClock.now + spec.limits.drainTime
    await orchestrator.drain(limit: spec.limits.drainTime - Self.closingReserve)
    service.openStreams.closeAll()
    let rest = min(spec.limits.closeTime, ContinuousClock.now.duration(to: end))
    await server?.stop(within: rest)
    await client?.finish(within: rest)
    for loop in entrance.loops + [clientLoop] { loop.stop() }
    log.info("stopped")
    log.flush()
    if case .client(.behind(let limit)) = reason {
      throw StartError("the client does not read: more than \(limit) bytes wait for it", exit: 1)
    }
  }

  /// How long the file of the store is looked through for damage after a start.
  private static let checkTime = Duration.seconds(30)

  private static func check(_ store: TaskStore, _ log: Log) async {
    for file in store.openFiles {
      log.warning(
        "others may read this file of the task store, and it is not this user's",
        JSONObject([("file", .string(file))]))
    }
    switch await store.check(within: checkTime) {
    case .whole: log.debug("the task store is whole")
    case .unfinished: log.info("the task store is too large to be looked through at a start")
    case .damaged(let error):
      log.error(
        "the task store is damaged, nothing is written any more",
        JSONObject([("cause", .string(error.description))]))
    case .failed(let error):
      log.warning(
        "the task store cannot be looked through", JSONObject([("cause", .string(error.description))]))
    }
  }

  private enum StopReason {
    case signal(Int32?)
    case client(PipeClient.Ending)

    var fields: JSONObject {
      switch self {
      case .signal(let number): ["signal": .string(number.flatMap { StopSignals.names[$0] } ?? "none")]
      case .client(let ending): ["client": .string(ending.description)]
      }
    }
  }

  /// What has come first: a signal, or the end of the only client.
  private func reasonToStop(_ signals: StopSignals, _ client: PipeClient?) async -> StopReason {
    guard let client else { return .signal(await signals.wait()) }
    return await withTaskGroup(of: StopReason.self) { group in
      group.addTask { .signal(await signals.wait()) }
      group.addTask { .client(await client.end()) }
      defer { group.cancelAll() }
      return await group.next() ?? .signal(nil)
    }
  }

  /// Each connection needs a descriptor, and so do the store and calls of models.
  private func raiseDescriptorLimit() {
    let others = 256 + settings.maxRunning
    let wanted = min(settings.maxConnections, Int.max - others) + others
    let limit = DescriptorLimit.raise(to: wanted)
    guard limit < wanted else { return }
    log.warning(
      "the system allows fewer descriptors than server.max_connections and router.max_running may need",
      JSONObject([("allowed", .int(limit)), ("needed", .int(wanted))]))
  }

  private func announce() {
    var fields = JSONObject([
      ("database", .string(settings.databasePath)), ("litellm", .string(settings.litellmURL)),
      ("version", .string(kitVersion)),
    ])
    switch entrance {
    case .pipe: log.info("listening on standard input", fields)
    case .port(let front):
      fields["url"] = .string(settings.listeningURL(port: front.listener.port))
      log.info("listening", fields)
      let loopback = ["127.0.0.1", "::1", "localhost"]
      if settings.token == nil, !loopback.contains(settings.host) {
        log.warning("anybody who reaches this port may use it: set OMNI_TOKEN, or bind to loopback")
      }
    }
    if let migration = store.migration {
      log.info(
        "the task store was brought to this version",
        JSONObject([("from", .int(Int(migration.from))), ("kept", .string(migration.kept))]))
    }
    if !settings.unusableExecutors.isEmpty {
      let names = settings.unusableExecutors.map(JSONValue.string)
      log.warning(
        "executors without a url, or with stdio but no command: their tasks go through LiteLLM",
        JSONObject([("mcp_servers", .array(names))]))
    }
  }
}
