package import Transport

/// A proxy between clients and one target: each connection it accepts gets one to the target, and
/// an interceptor that sees, and may change, what goes through.
///
/// Bytes pass as they came unless an interceptor says otherwise, wrong ones too, so that an
/// endpoint behind the proxy is judged as without it. Only Host and Origin are adapted.
package final class Proxy: @unchecked Sendable {
  // Invariant: every var is used only on `loop`.
  package let loop: EventLoop
  private let listener: Listener
  private let target: HTTPURL
  /// What the target calls itself: the front of its pages' URLs, and what stands in Host.
  private let origin: (scheme: String, authority: String)
  private let offersExtensions: Bool
  private let connectTime: Duration
  private let makeInterceptor: @Sendable (_ number: Int, _ remote: String) -> any ProxyInterceptor
  private var connections: [ObjectIdentifier: ProxiedConnection] = [:]
  private var count = 0

  /// - Parameters:
  ///   - target: `ws://host:port`; the path is the client's business.
  ///   - behind: the URL of the endpoint where `target` is only the way to it, a tunnel.
  ///   - port: 0 takes any free one.
  ///   - offersExtensions: whether clients' offers of extensions reach the target. What is
  ///     compressed passes, but no interceptor can read it.
  ///   - interceptor: called on the loop for each connection, which are counted from 1.
  package init(
    target: HTTPURL, behind: HTTPURL? = nil, host: String = "127.0.0.1", port: UInt16 = 0,
    offersExtensions: Bool = true, connectTime: Duration = .seconds(10), on loop: EventLoop,
    interceptor: @escaping @Sendable (_ number: Int, _ remote: String) -> any ProxyInterceptor
  ) throws(TransportError) {
    self.loop = loop
    self.target = target
    let real = behind ?? target
    origin = (["wss", "https"].contains(real.scheme) ? "https" : "http", real.hostField)
    self.offersExtensions = offersExtensions
    self.connectTime = connectTime
    makeInterceptor = interceptor
    listener = try Listener(loop: loop, host: host, port: port)
  }

  package var port: UInt16 { listener.port }
  /// Where clients find it.
  package var url: String { "ws://\(listener.host):\(listener.port)" }

  package func start() {
    RawConnection.accept(on: listener) { [weak self] client in
      if let self { accept(client) } else { client.reset() }
    }
  }

  private func accept(_ client: RawConnection) {
    count += 1
    let own = ["\(listener.host):\(port)", "localhost:\(port)"]
    let connection = ProxiedConnection(
      client,
      handshake: HandshakeTap(own: own, target: origin, offersExtensions: offersExtensions),
      interceptor: makeInterceptor(count, client.remote)
    ) { [weak self] in self?.connections.removeValue(forKey: ObjectIdentifier($0)) }
    connections[ObjectIdentifier(connection)] = connection
    connection.begin(target.host, target.port, within: connectTime)
  }

  /// Gives the port up and cuts what is open.
  package func stop() {
    listener.close()
    loop.run { for connection in Array(self.connections.values) { connection.cut() } }
  }
}
