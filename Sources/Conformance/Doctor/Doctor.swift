import Foundation
internal import JSON
package import ProtocolSpec
package import Transport
internal import Wire

/// Walks the checklist of a deployment against a live orchestrator. It leaves nothing behind but one
/// task that says what it is, and that is cancelled.
package struct Doctor: Sendable {
  package struct Plan: Sendable {
    package var url: HTTPURL
    package var name: String
    package var remote: String?
    package var restart: String?
    package var liteLLM: String?
    /// The container to ask the engine for.
    package var container: String?
    package var token: String?
    /// The variable that the token was read from.
    package var tokenName = "OMNI_TOKEN"
    package var roots: String?
    package var environment: [String: String] = [:]

    package init(url: HTTPURL, name: String) {
      self.url = url
      self.name = name
    }
  }

  let plan: Plan
  private let spec: Specification
  let loop: EventLoop
  let children: Children
  private let tell: @Sendable (DoctorCheck) -> Void
  private var report: DoctorReport

  /// - Parameter tell: called with each line as soon as it is known.
  package init(
    _ plan: Plan, spec: Specification, loop: EventLoop, children: Children,
    tell: @escaping @Sendable (DoctorCheck) -> Void
  ) {
    self.spec = spec
    self.plan = plan
    self.loop = loop
    self.children = children
    self.tell = tell
    report = DoctorReport(url: plan.name)
  }

  mutating func add(
    _ id: String, _ title: String, _ verdict: DoctorCheck.Verdict, _ seen: String, advice: String? = nil
  ) {
    let check = DoctorCheck(id, title, verdict, seen, advice: advice)
    report.add(check)
    tell(check)
  }

  package mutating func run() async -> DoctorReport {
    await container()
    do throws(TargetProblem) {
      let (endpoint, tunnel) = try await endpoint(plan.url)
      await local(endpoint)
      withExtendedLifetime(tunnel) {}
    } catch {
      add("reachable", "reachable", .bad, error.description, advice: Self.absent)
    }
    await liteLLM()
    await tailnet()
    await remote()
    return report
  }

  static let absent =
    "is it running (docker compose ps), does it listen on this address (OMNI_HOST, OMNI_PORT), is the port published?"

  /// The endpoint, by way of a tunnel where it speaks TLS; the tunnel ends with who holds it.
  func endpoint(_ url: HTTPURL) async throws(TargetProblem) -> (LiveEndpoint, TLSTunnel?) {
    guard TLSTunnel.isNeeded(for: url) else {
      let text = "ws://\(url.hostField)\(url.target == "/" ? "" : url.target)"
      return (LiveEndpoint(url: text, headers: [], loop: loop), nil)
    }
    let tunnel = try await TLSTunnel.open(
      to: url, roots: plan.roots, loop: loop, children: children, environment: plan.environment)
    return (LiveEndpoint(url: tunnel.url, headers: ["Host": tunnel.host], loop: loop), tunnel)
  }

  // MARK: The endpoint

  private mutating func local(_ endpoint: LiveEndpoint) async {
    let socket: WebSocketClient
    do throws(WebSocketClientError) {
      socket = try await endpoint.connect(bearer: plan.token)
      report.isReachable = true
      add("reachable", "reachable", .good, "\(plan.name) takes WebSockets")
    } catch {
      if case .rejected(let status, _, _, let reason) = error {
        report.isReachable = true
        add("reachable", "reachable", .bad, reason, advice: refusalAdvice(status))
        await pages(endpoint)
      } else {
        add("reachable", "reachable", .bad, error.description, advice: Self.absent)
      }
      return
    }
    await pages(endpoint)
    await token(endpoint)
    await origin(endpoint)
    await metrics(endpoint)
    await dashboard(endpoint)
    await ping(socket)
    await mcp(endpoint)
    let task = await task(socket)
    await system(socket)
    socket.close()
    await persistence(endpoint, task)
  }

  func refusalAdvice(_ status: Int) -> String {
    switch status {
    case 401 where plan.token == nil: "it needs a token: put it in a variable and name that with --token-env"
    case 401: "the token in \(plan.tokenName) is not the one the server was started with"
    case 403: "the server or a proxy before it does not let this origin in"
    case 404, 426, 200: "another server listens there, or a proxy that does not pass WebSockets on"
    case 502, 503, 504: "the proxy is there but not the orchestrator behind it, or it is full"
    default: "see the log of the server (docker compose logs)"
    }
  }

  private mutating func pages(_ endpoint: LiveEndpoint) async {
    let alive = await endpoint.page("/healthz")
    if alive.status == 200 {
      add("healthy", "healthy", .good, "/healthz says 200")
    } else {
      add(
        "healthy", "healthy", .bad, "/healthz " + Self.said(alive),
        advice: "a container cannot be told healthy without it; see the log of the server")
    }
    let ready = await endpoint.page("/readyz")
    if ready.status == 200 {
      add("ready", "takes work", .good, "/readyz says 200")
    } else {
      add(
        "ready", "takes work", .bad, "/readyz " + Self.said(ready),
        advice: ready.text.contains("written")
          ? Self.volume
          : "it starts or shuts down: wait a moment; see the log of the server")
    }
  }

  static func said(_ page: (status: Int?, text: String)) -> String {
    guard let status = page.status else { return "cannot be read: \(page.text)" }
    return "says \(status)\(page.text.isEmpty ? "" : ": \(FlowText.text(.string(page.text), limit: 160))")"
  }

  private mutating func token(_ endpoint: LiveEndpoint) async {
    guard plan.token != nil else {
      return add(
        "token", "closed to strangers", .open, "no token is used",
        advice: "beyond this machine everyone who reaches it can give it work: set OMNI_TOKEN")
    }
    do throws(WebSocketClientError) {
      let stranger = try await endpoint.connect(bearer: nil)
      stranger.close()
      add(
        "token", "closed to strangers", .bad, "without the token the connection is accepted too",
        advice: "start the server with OMNI_TOKEN set (docker-compose.yml passes it on)")
    } catch {
      if case .rejected(401, _, _, _) = error {
        add("token", "closed to strangers", .good, "without the token it says 401")
      } else {
        add("token", "closed to strangers", .good, "without the token: \(error.description)")
      }
    }
  }

  /// A page of another site must not be able to give it work through the browser of who looks at it.
  private mutating func origin(_ endpoint: LiveEndpoint) async {
    let title = "closed to web pages"
    do throws(WebSocketClientError) {
      let page = try await endpoint.connect(bearer: plan.token, origin: Self.strangeOrigin)
      page.close()
      add(
        "origin", title, .bad, "a page of \(Self.strangeOrigin) may connect",
        advice:
          "every web page that somebody on this machine opens can use it: is a proxy taking Origin away?")
    } catch {
      add("origin", title, .good, "a page of another site: \(error.description)")
    }
  }

  private static let strangeOrigin = "http://doctor.invalid"

  /// What MCP clients do first.
  private mutating func mcp(_ endpoint: LiveEndpoint) async {
    let title = "MCP"
    do throws(WebSocketClientError) {
      let socket = try await endpoint.connect(bearer: plan.token)
      defer { socket.close() }
      let revision = spec.mcp.newest.name
      let reply = await LiveEndpoint.ask(
        call(
          "initialize",
          [
            "protocolVersion": .string(revision), "capabilities": [:],
            "clientInfo": ["name": "omni-conformance doctor", "version": .string(kitVersion)],
          ]), on: socket)
      guard case .result(let value) = reply, let name = value["serverInfo"]?["name"]?.string else {
        return add("mcp", title, .bad, "initialize is answered by \(reply.text)", advice: Self.notOne)
      }
      let agreed = value["protocolVersion"]?.string ?? "no revision"
      add("mcp", title, .good, "\(FlowText.text(.string(name), limit: 60)) speaks \(agreed)")
    } catch {
      add("mcp", title, .bad, error.description, advice: Self.notOne)
    }
  }

  private mutating func ping(_ socket: WebSocketClient) async {
    let bare = await LiveEndpoint.ask(["method": "ping"], on: socket)
    guard case .result("pong") = bare else {
      return add("ping", "ping", .bad, "ping is answered by \(bare.text), not by pong", advice: Self.notOne)
    }
    let other = await LiveEndpoint.ask(["jsonrpc": "2.0", "id": 1, "method": "ping"], on: socket)
    guard case .result(.object) = other else {
      return add(
        "ping", "ping", .bad, "ping in JSON-RPC is answered by \(other.text), not by {}",
        advice: "MCP clients hang on anything but an object")
    }
    add("ping", "ping", .good, "pong, and {} in JSON-RPC")
  }

  private static let volume = "is the volume mounted, writable for the user of the container, and not full?"
  static let notOne = "is this an orchestrator? omni-conformance run --target says what does not hold"

  // MARK: Tasks

  private static let description = "omni-conformance doctor: a check of the deployment, nothing is to be done"

  private func call(_ method: String, _ params: JSONValue) -> JSONValue {
    ["jsonrpc": "2.0", "id": .string("doctor-\(method)"), "method": .string(method), "params": params]
  }

  /// The id of a task that was made, read and cancelled.
  private mutating func task(_ socket: WebSocketClient) async -> String? {
    let title = "create and read"
    let made = await LiveEndpoint.ask(
      call("create_task", ["description": .string(Self.description), "wait": false]), on: socket,
      // One that does not know `wait` answers when the task is done.
      within: .seconds(30))
    guard case .result(let value) = made, let id = value["task_id"]?.string else {
      var advice = "see the log of the server"
      if case .error(let error) = made, error["code"]?.int == spec.errors[.storageUnavailable].code {
        advice = Self.volume
      }
      add("task", title, .bad, "create_task is answered by \(made.text)", advice: advice)
      return nil
    }
    let read = await LiveEndpoint.ask(call("get_task_status", ["task_id": .string(id)]), on: socket)
    // One that has begun or is done already need not be cancellable.
    _ = await LiveEndpoint.ask(call("cancel_task", ["task_id": .string(id)]), on: socket)
    guard case .result(let task) = read, task["task_id"]?.string == id else {
      add(
        "task", title, .bad, "get_task_status of the new task \(id) is answered by \(read.text)",
        advice: Self.notOne)
      return nil
    }
    add("task", title, .good, "task \(id) was made and read (\(task["state"]?.string ?? "no state"))")
    return id
  }

  private mutating func persistence(_ endpoint: LiveEndpoint, _ task: String?) async {
    let title = "survives a restart"
    guard let task else { return add("persistence", title, .open, "there is no task to look for") }
    guard let command = plan.restart else {
      return add(
        "persistence", title, .open, "not tried",
        advice: "--restart 'docker compose restart' tries it; by hand: restart it and ask for \(task)")
    }
    let began = ContinuousClock.now
    do throws(TargetProblem) {
      try await restart(command, endpoint)
      let socket = try await reconnected(endpoint)
      defer { socket.close() }
      let read = await LiveEndpoint.ask(call("get_task_status", ["task_id": .string(task)]), on: socket)
      let status = await LiveEndpoint.ask(call("system_status", [:]), on: socket)
      let passed = (ContinuousClock.now - began) / .seconds(1)
      if case .result(let value) = status, let uptime = value["uptime_s"]?.double, uptime > passed + 1 {
        return add(
          "persistence", title, .bad, "it was not restarted: it is up since \(Int(uptime)) s",
          advice: "does the command of --restart restart this server?")
      }
      guard case .result(let value) = read, value["task_id"]?.string == task else {
        return add(
          "persistence", title, .bad, "task \(task) is gone: \(read.text)",
          advice: "OMNI_DATA must be on a volume (docker-compose.yml: omni-data:/app/data)")
      }
      add("persistence", title, .good, "task \(task) is there after the restart")
    } catch {
      add(
        "persistence", title, .bad, ([error.description] + error.lines.suffix(3)).joined(separator: " · "),
        advice: "see the log of the server")
    }
  }

  /// The command may leave a server behind that holds everything it inherited, so its exit code is
  /// what it says, not what the end of the process tells; and its group is never ended by us.
  private func restart(_ command: String, _ endpoint: LiveEndpoint) async throws(TargetProblem) {
    let shell = try ChildProcess(
      ["/bin/sh", "-c", #"( eval "$1" ) >&2; echo "$?""#, "sh", command], environment: plan.environment,
      children: Children())
    guard let code = await shell.firstLine(within: .seconds(120)) else {
      throw TargetProblem("the command of --restart did not end within 120s", lines: await shell.lines())
    }
    guard code == "0" else {
      let lines = await shell.lines().filter { $0 != code }
      throw TargetProblem("the command of --restart ended with exit code \(code)", lines: lines)
    }
  }

  private func reconnected(_ endpoint: LiveEndpoint) async throws(TargetProblem) -> WebSocketClient {
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
      do throws(WebSocketClientError) {
        return try await endpoint.connect(bearer: plan.token)
      } catch {
        guard ContinuousClock.now < deadline else {
          throw TargetProblem("it did not come back within 60s: \(error.description)")
        }
        try? await Task.sleep(for: .milliseconds(50))
      }
    }
  }

  // MARK: What is around it

  private mutating func system(_ socket: WebSocketClient) async {
    let status = await LiveEndpoint.ask(call("system_status", [:]), on: socket)
    guard case .result(let value) = status, let state = value["system_state"]?.string else {
      return add("system", "LiteLLM from there", .bad, "system_status is answered by \(status.text)")
    }
    let (title, upstream) = ("LiteLLM from there", value["litellm"])
    if upstream?["healthy"] == false || state != "normal" {
      let failures = upstream?["consecutive_failures"]?.int ?? 0
      add(
        "system", title, .bad, "the system is \(state), \(failures) calls of LiteLLM failed in a row",
        advice: "is LITELLM_URL right as seen from the container, is LITELLM_API_KEY one it knows?")
    } else if upstream?["checked_at"] == nil {
      add(
        "system", title, .open, "the system is normal, LiteLLM was not asked yet",
        advice: "ask again after one health_check_interval")
    } else {
      add("system", title, .good, "the system is normal, LiteLLM answers")
    }
  }

  private mutating func liteLLM() async {
    let title = "LiteLLM from here"
    guard let url = plan.liteLLM else {
      return add("litellm", title, .open, "not asked", advice: "--litellm http://127.0.0.1:4000 asks it")
    }
    let base = url.hasSuffix("/") ? String(url.dropLast()) : url
    let path = "/health/liveliness"
    let page = await LiveEndpoint.page(base + path, HTTPClient(loop: loop, keptPerHost: 0))
    if page.status == 200 {
      add("litellm", title, .good, "\(path) says 200")
    } else {
      add("litellm", title, .bad, "\(path) " + Self.said(page), advice: "is LiteLLM running at \(base)?")
    }
  }
}
