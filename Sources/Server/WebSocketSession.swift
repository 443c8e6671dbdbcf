import Diagnostics
import JSON
import ProtocolSpec
import Transport
import Wire

/// One client on a WebSocket.
final class WebSocketSession: StreamSession, WebSocketHandler {
  let connection: WebSocketConnection

  init(_ service: Service, _ connection: WebSocketConnection) {
    self.connection = connection
    let isMCP = connection.subprotocol == service.spec.overview.subprotocol
    super.init(
      service, on: connection.loop, remote: connection.remote, dialect: isMCP ? .jsonrpc : .bare)
    service.metrics.opened(.webSocket)
  }

  func onMessage(
    _ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer, on connection: WebSocketConnection
  ) {
    if case .binary = kind {
      connection.close(code: 1003, reason: "binary messages are not served")
      return
    }
    if answersPlain(bytes) { return }
    take(bytes)
  }

  func onClose(code: UInt16?, reason: String, clean: Bool, on connection: WebSocketConnection) {
    end()
    service.metrics.closed(.webSocket)
    service.metrics.closed(code: code)
    service.log.debug(
      "closed",
      JSONObject([
        ("connection", .int(client)), ("remote", .string(remote)),
        ("code", code.map { .int(Int($0)) } ?? .null),
        ("reason", .string(reason)),
      ]))
  }

  override func tell(_ message: UnsafeRawBufferPointer) { connection.sendHere(.text, message) }

  override func read(_ goesOn: Bool) {
    if goesOn { connection.resumeReading() } else { connection.pauseReading() }
  }
}
