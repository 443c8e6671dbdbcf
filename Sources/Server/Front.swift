import Orchestration
import ProtocolSpec
import Transport
import Wire

/// The port, the loops behind it and the limits of the specification: what is the same whatever
/// answers.
struct Front {
  let loops: [EventLoop]
  let listener: Listener
  private let options: HTTPServerOptions

  /// Binds the port; nothing is accepted before `serve`.
  init(spec: Specification, settings: Settings, loops count: Int) throws(StartError) {
    do throws(TransportError) {
      var loops: [EventLoop] = []
      for number in 0..<count { loops.append(try EventLoop(name: "loop-\(number)")) }
      self.loops = loops
      listener = try Listener(loop: loops[0], host: settings.host, port: UInt16(settings.port))
    } catch {
      throw StartError(error.description, exit: 1)
    }
    var options = HTTPServerOptions()
    options.limits = HTTPLimits(headBytes: spec.limits.headerBytes, bodyBytes: spec.limits.bodyBytes)
    options.headTime = spec.limits.handshakeTime
    options.maxConnections = settings.maxConnections
    options.maxUnsentBytes = spec.limits.unsentBytes
    options.retryAfter = Int(spec.limits.retryAfter.components.seconds)
    self.options = options
  }

  /// Starts the loops and lets `handler` answer.
  ///
  /// - Parameter refused: told the status of what is refused before the handler hears of it.
  func serve(
    _ handler: @escaping @Sendable (HTTPExchange) -> Void,
    refused: @escaping @Sendable (Int) -> Void = { _ in }
  ) -> HTTPServer {
    for loop in loops { loop.start() }
    let server = HTTPServer(
      listener: listener, loops: loops, options: options, refused: refused, handler: handler)
    server.start()
    return server
  }
}

extension WebSocketOptions {
  init(_ limits: Limits) {
    self.init()
    maxMessageBytes = limits.messageBytes
    maxUnsentBytes = limits.unsentBytes
    pingInterval = limits.pingInterval
    pongTimeout = limits.pongTimeout
    closeTimeout = limits.closeTime
  }
}
