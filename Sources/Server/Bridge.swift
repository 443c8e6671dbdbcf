import Diagnostics
import JSON
import Orchestration
import ProtocolSpec
import Transport
import Wire

/// `omni-server bridge`: for clients that launch a command, a way to a server that runs already and that
/// others use too.
struct Bridge {
  private let spec: Specification
  private let settings: Settings
  private let url: HTTPURL
  private let text: String
  private let log: Log
  private let loop: EventLoop
  private let pipe: LinePipe

  /// - Parameter address: of the server; nil for the one of this configuration.
  init(
    spec: Specification, settings: Settings, address: String?, streams: StandardStreams
  ) throws(StartError) {
    self.spec = spec
    self.settings = settings
    text = address ?? "ws://\(settings.reachableHost):\(settings.port)"
    log = Log(level: LogLevel(rawValue: settings.logLevel) ?? .info, secrets: settings.secrets)
    do {
      url = try HTTPURL(text)
      loop = try EventLoop(name: "bridge")
    } catch let error as HTTPURL.Invalid {
      throw StartError(error.description, exit: 2)
    } catch {
      throw StartError("\(error)", exit: 1)
    }
    guard url.scheme == "ws" else {
      let reason = url.scheme == "wss" ? "TLS is for a tunnel before it, such as stunnel" : "it needs ws://"
      throw StartError("the bridge does not speak \(url.scheme): \(reason)", exit: 2)
    }
    pipe = LinePipe(
      input: streams.input, output: streams.output, maxLineBytes: spec.limits.messageBytes,
      maxUnsentBytes: spec.limits.unsentBytes, on: loop)
  }

  /// Relays until the client has ended its input, a signal comes, or the server is lost.
  func run() async throws(StartError) {
    let signals = StopSignals()
    let (endings, continuation) = AsyncStream<BridgeRelay.Ending>.makeStream(
      bufferingPolicy: .bufferingOldest(1))
    let headers: HTTPHeaders = settings.token.map { ["Authorization": "Bearer \($0)"] } ?? []
    let relay = BridgeRelay(
      spec, url: url, text: text, headers: headers, pipe: pipe, log: log,
      whenEnded: { continuation.yield($0) })
    loop.start()
    loop.submit { relay.start() }
    let stopping = Task {
      if await signals.wait() != nil { loop.submit { relay.stop() } }
    }
    var ending = BridgeRelay.Ending.done
    for await first in endings {
      ending = first
      break
    }
    stopping.cancel()
    await pipe.finish(within: spec.limits.closeTime)
    loop.stop()
    log.flush()
    if case .failed(let reason) = ending { throw StartError(reason, exit: 1) }
  }
}
