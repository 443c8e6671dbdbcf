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
  private let front: Front
  private let clientLoop: EventLoop
  private let orchestrator: Orchestrator
  private let service: Service

  init(
    spec: Specification, settings: Settings, loops count: Int, hasFixtures: Bool = false
  ) throws(StartError) {
    self.spec = spec
    self.settings = settings
    log = Log(level: LogLevel(rawValue: settings.logLevel) ?? .info, secrets: settings.secrets)
    front = try Front(spec: spec, settings: settings, loops: count)
    do throws(TransportError) {
      clientLoop = try EventLoop(name: "calls")
    } catch {
      throw StartError(error.description, exit: 1)
    }
    let desk = CreationDesk()
    let subscriptions = Subscriptions(loops: front.loops)
    let readers: LoopReaders
    do throws(StoreError) {
      lock = try StoreLock(storePath: settings.databasePath)
      store = try TaskStore(
        path: settings.databasePath, spec: spec, maxUnfinished: settings.maxQueued, committed: desk.flush,
        watch: subscriptions)
      readers = try LoopReaders(store, loops: front.loops)
    } catch {
      throw StartError(
        "the task store cannot be used: \(error.description) (OMNI_DATA names its folder)", exit: 1)
    }
    let client = HTTPClient(loop: clientLoop)
    let seed = settings.seed ?? .random(in: .min ... .max)
    orchestrator = Orchestrator(
      spec: spec, settings: settings, store: store, readers: readers, desk: desk,
      upstreams: Upstreams(settings: settings, spec: spec, client: client),
      executors: Executors(
        settings: settings, spec: spec, client: client, log: log, version: kitVersion,
        environment: ProcessInfo.processInfo.environment, seed: seed),
      subscriptions: subscriptions, log: log, version: kitVersion, seed: seed)
    service = try Service(
      spec: spec, settings: settings, log: log, store: store, readers: readers, subscriptions: subscriptions,
      orchestrator: orchestrator, hasFixtures: hasFixtures)
  }

  /// What is left of the drain time for clients that do not answer a close frame: who stops
  /// containers sends SIGKILL after it.
  private static let closingReserve = Duration.seconds(1)

  /// Serves until SIGTERM or SIGINT, and returns when everything is put away.
  func run() async throws(StartError) {
    let signals = StopSignals()
    raiseDescriptorLimit()
    clientLoop.start()
    let server = front.serve(Routes(service).serve)
    do throws(StoreError) {
      try await orchestrator.start()
    } catch {
      throw StartError("the task store cannot be read: \(error.description)", exit: 1)
    }
    service.phase = .ready
    announce()
    let memory = Task(priority: .background, operation: MemoryReturn.watch)
    defer { memory.cancel() }
    let signal = await signals.wait().flatMap { StopSignals.names[$0] } ?? "none"
    log.info("draining", JSONObject([("signal", .string(signal))]))
    service.phase = .draining
    let end = ContinuousClock.now + spec.limits.drainTime
    await orchestrator.drain(limit: spec.limits.drainTime - Self.closingReserve)
    service.openStreams.closeAll()
    await server.stop(within: min(spec.limits.closeTime, ContinuousClock.now.duration(to: end)))
    for loop in front.loops + [clientLoop] { loop.stop() }
    log.info("stopped")
    log.flush()
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
    let host = settings.host.contains(":") ? "[\(settings.host)]" : settings.host
    log.info(
      "listening",
      JSONObject([
        ("url", .string("ws://\(host):\(front.listener.port)")), ("database", .string(settings.databasePath)),
        ("litellm", .string(settings.litellmURL)), ("version", .string(kitVersion)),
      ]))
    let loopback = ["127.0.0.1", "::1", "localhost"]
    if settings.token == nil, !loopback.contains(settings.host) {
      log.warning("anybody who reaches this port may use it: set OMNI_TOKEN, or bind to loopback")
    }
    if !settings.unusableExecutors.isEmpty {
      let names = settings.unusableExecutors.map(JSONValue.string)
      log.warning(
        "executors without a url, or with stdio but no command: their tasks go through LiteLLM",
        JSONObject([("mcp_servers", .array(names))]))
    }
  }
}
