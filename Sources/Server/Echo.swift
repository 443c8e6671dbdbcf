import Diagnostics
import JSON
import Orchestration
import ProtocolSpec
import Transport
import Wire

/// `omni-server echo`: every message comes back as it came, through the port, the loops and the
/// limits that serve sessions, so that WebSocket test suites judge those.
struct Echo {
  private let front: Front
  private let settings: Settings
  private let access: Access
  private let options: WebSocketOptions
  private let closeTime: Duration

  init(spec: Specification, settings: Settings, loops: Int) throws(StartError) {
    front = try Front(spec: spec, settings: settings, loops: loops)
    self.settings = settings
    access = Access(settings, tokenPrefix: spec.overview.tokenSubprotocolPrefix)
    options = WebSocketOptions(spec.limits)
    closeTime = spec.limits.closeTime
  }

  /// Echoes until SIGTERM or SIGINT.
  func run() async {
    let signals = StopSignals()
    let log = Log(level: LogLevel(rawValue: settings.logLevel) ?? .info, secrets: settings.secrets)
    let server = front.serve { [access, options] exchange in
      if let refusal = access.refusal(of: exchange.request.head) {
        return exchange.respond(
          status: refusal.status, headers: refusal.headers, text: refusal.text + "\n")
      }
      exchange.upgradeToWebSocket(options: options) { _ in Handler() }
    }
    log.info("echoing", JSONObject([("url", .string("ws://\(settings.host):\(server.port)"))]))
    await signals.wait()
    await server.stop(within: closeTime)
    for loop in front.loops { loop.stop() }
    log.flush()
  }

  private final class Handler: WebSocketHandler {
    func onMessage(
      _ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer, on connection: WebSocketConnection
    ) { connection.sendHere(kind, bytes) }

    func onClose(code: UInt16?, reason: String, clean: Bool, on connection: WebSocketConnection) {}
  }
}
