internal import JSON
internal import Transport

// How others reach the server: what only the machine it is deployed on can show.
extension Doctor {
  private static let tailscale = "tailscale"

  private var hasTailscale: Bool {
    Programs.find(Self.tailscale, path: plan.environment["PATH"] ?? "") != nil
  }

  mutating func tailnet() async {
    let title = "served to the tailnet"
    let port = String(plan.url.port)
    guard hasTailscale else {
      return add(
        "tailscale", title, .elsewhere, "there is no tailscale on this machine",
        advice: "on the Mac mini: tailscale serve status names port \(port)")
    }
    do throws(TargetProblem) {
      let command = [Self.tailscale, "serve", "status", "--json"]
      let child = try ChildProcess(command, environment: plan.environment, children: children)
      guard let ending = await child.wait(within: LiveEndpoint.patience) else {
        await child.stop()
        throw TargetProblem("tailscale does not answer within \(LiveEndpoint.patience.short)")
      }
      let lines = await child.lines()
      guard ending == .exited(0) else { throw TargetProblem("tailscale \(ending.text)", lines: lines) }
      let text = lines.joined()
      guard text.contains(":\(port)\"") || text.contains("\"\(port)\"") || text.contains(":\(port)/") else {
        return add(
          "tailscale", title, .bad, "tailscale serve does not name port \(port)",
          advice: "tailscale serve --bg --tcp \(port) tcp://127.0.0.1:\(port)")
      }
      add("tailscale", title, .good, "tailscale serve names port \(port)")
    } catch {
      add(
        "tailscale", title, .bad, ([error.description] + error.lines.suffix(2)).joined(separator: " · "),
        advice: "is Tailscale up (tailscale status)?")
    }
  }

  mutating func remote() async {
    let title = "reachable remotely"
    guard let url = plan.remote else {
      return add(
        "remote", title, hasTailscale ? .open : .elsewhere, "not tried",
        advice: "from another machine of the tailnet: --remote ws://NAME.TAILNET.ts.net:18765")
    }
    let advice = "does tailscale serve status name the port, and is this machine in the tailnet?"
    do {
      let (endpoint, tunnel) = try await endpoint(HTTPURL(url))
      defer { withExtendedLifetime(tunnel) {} }
      let socket = try await endpoint.connect(bearer: plan.token)
      defer { socket.close() }
      let reply = await LiveEndpoint.ask(["method": "ping"], on: socket)
      guard case .result("pong") = reply else {
        return add("remote", title, .bad, "\(url): ping is answered by \(reply.text)", advice: Self.notOne)
      }
      add("remote", title, .good, "\(url) answers a ping")
    } catch let error as WebSocketClientError {
      if case .rejected(let status, _, _, let reason) = error {
        return add("remote", title, .bad, "\(url): \(reason)", advice: refusalAdvice(status))
      }
      add("remote", title, .bad, "\(url): \(error)", advice: advice)
    } catch {
      add("remote", title, .bad, "\(url): \(error)", advice: advice)
    }
  }
}
