import JSON
import ProtocolSpec
import Transport
import Wire

/// MCP over a WebSocket: one message a text frame, subprotocol `mcp`. In no revision of MCP, but what
/// executors with a socket speak.
final class WebSocketLink: MCPLink {
  let events: AsyncStream<LinkEvent>
  private let client: WebSocketClient

  private static let subprotocol = "mcp"
  private static let closingTime = Duration.seconds(1)

  static func open(
    _ url: String, token: String?, spec: Specification, within limit: Duration, on loop: EventLoop
  ) async throws(LinkEnd) -> WebSocketLink {
    var options = WebSocketClientOptions()
    options.maxMessageBytes = spec.limits.completionBytes
    var headers: HTTPHeaders = []
    if let token { headers.append("Authorization", "Bearer \(token)") }
    do throws(WebSocketClientError) {
      let client = try await WebSocketClient.connect(
        url: url, subprotocols: [subprotocol], headers: headers, deadline: limit, options: options, on: loop)
      return WebSocketLink(client, spec.limits)
    } catch {
      throw LinkEnd(reason: error.description)
    }
  }

  private init(_ client: WebSocketClient, _ limits: Limits) {
    self.client = client
    events = AsyncStream { await Self.next(client, limits) }
  }

  /// Asks for a sign of life when nothing comes for a while: a machine that is switched off says nothing.
  private static func next(_ client: WebSocketClient, _ limits: Limits) async -> LinkEvent? {
    var isAsked = false
    do throws(WebSocketClientError) {
      while true {
        let received = try await client.next(within: isAsked ? limits.pongTimeout : limits.pingInterval)
        switch received?.event {
        case .message(.text, let bytes): return .message(bytes)
        case .message(.binary, _): return .ended(LinkEnd(reason: "it sent a binary message"))
        case .ping, .pong: isAsked = false
        case .closed(let code, let reason, _, let how):
          return .ended(LinkEnd(reason: text(code, reason, how)))
        case nil:
          guard !isAsked else { return .ended(LinkEnd(reason: "it does not answer pings")) }
          isAsked = true
          client.ping()
        }
      }
    } catch {
      return nil
    }
  }

  private static func text(_ code: UInt16?, _ reason: String, _ how: WebSocketClient.Ending) -> String {
    switch how {
    case .closeFrame: "it closed the connection with \(code.map(String.init) ?? "no code") \(reason)"
    case .eof, .local: "the connection was closed"
    case .reset(let text): "the connection broke: \(text)"
    case .protocolError(let text): "it broke the rules of WebSocket: \(text)"
    }
  }

  func send(_ message: JSONValue) { client.send(text: JSONWriter.bytes(message)) }

  func close() async {
    client.close()
    let client = client
    // Not cut short where who closes was cancelled; a server that does not answer is left.
    await Task {
      while let received = try? await client.next(within: Self.closingTime) {
        if case .closed = received.event { return }
      }
    }.value
  }
}
