import ProtocolSpec
import Transport

extension Executor {
  /// A link of the kind that the configuration names.
  nonisolated func open() async throws(LinkEnd) -> any MCPLink {
    let limits = context.spec.limits
    switch settings.place {
    case .webSocket(let url):
      return try await WebSocketLink.open(
        url, token: settings.token, spec: context.spec, within: context.connectTimeout,
        on: context.client.loop)
    case .http(let url):
      // The executor keeps the time of a call, so that the server is told; this is for what it cannot end.
      let late = max(settings.timeout, context.spec.executors.handshakeTime) + .seconds(30)
      let deadlines = Deadlines(connect: context.connectTimeout, firstByte: late, idle: late, total: late)
      return HTTPLink(
        url, token: settings.token, client: context.client, deadlines: deadlines,
        maxBytes: limits.completionBytes)
    case .program(let command):
      return try ProcessLink(
        command, environment: context.environment, maxLineBytes: limits.completionBytes,
        grace: context.spec.executors.stopGrace, on: context.client.loop)
    }
  }
}
