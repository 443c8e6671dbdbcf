import Orchestration
import ProtocolSpec
import Synchronization
import Transport
import Wire

/// The port, the loops behind it and the limits of the specification: what is the same whatever
/// answers.
struct Front {
  let loops: [EventLoop]
  let listener: Listener
  private let options: HTTPServerOptions
  private let door = Door()

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

  /// Lets `handler` answer from now on; the first time the loops are started.
  ///
  /// - Parameter refused: told the status of what is refused before the handler hears of it; only that of the
  ///   first time counts.
  func serve(
    _ handler: @escaping @Sendable (HTTPExchange) -> Void,
    refused: @escaping @Sendable (Int) -> Void = { _ in }
  ) -> HTTPServer {
    let server = door.open(handler) { [door] in
      HTTPServer(listener: listener, loops: loops, options: options, refused: refused) { door.handler($0) }
    }
    if let server = server.new {
      for loop in loops { loop.start() }
      server.start()
    }
    return server.any
  }
}

/// Who answers: somebody else as long as the store cannot be opened.
private final class Door: Sendable {
  typealias Handler = @Sendable (HTTPExchange) -> Void

  private struct State {
    var handler: Handler?
    var server: HTTPServer?
  }

  private let state = Mutex(State())

  func handler(_ exchange: HTTPExchange) { state.withLock { $0.handler }?(exchange) }

  func open(_ handler: @escaping Handler, make: () -> HTTPServer) -> (any: HTTPServer, new: HTTPServer?) {
    state.withLock { state in
      state.handler = handler
      if let server = state.server { return (server, nil) }
      let server = make()
      state.server = server
      return (server, server)
    }
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
