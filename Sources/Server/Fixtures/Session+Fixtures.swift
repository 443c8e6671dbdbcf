import JSON
import MCP
import Orchestration
import ProtocolSpec
import Transport

extension Fixtures: MCPExtras {
  var changingLists: [String] { ["tools", "prompts"] }

  func hasResource(_ uri: String) -> Bool { read(uri) != nil }
}

// Requests of MCP that the fixtures answer, where they are offered.
extension Session {
  /// Whether the request is one for the fixtures; it is answered then.
  func runFixture(_ request: Request, route: (any RequestRoute)?, done: @escaping Done) -> Bool {
    guard let fixtures = service.fixtures, !request.isNotification,
      let revision = request.revision ?? mcp.revision
    else { return false }
    let params = request.params
    let name = params["name"]?.string ?? ""
    let arguments = params["arguments"]?.object ?? JSONObject()
    switch request.method.mcp {
    case .toolsCall where fixtures.hasTool(name):
      run(request, revision, route, done) { context throws(ProtocolFault) in
        try await fixtures.callTool(name, arguments, context)
      }
    case .promptsGet where fixtures.hasPrompt(name):
      run(request, revision, route, done) { context throws(ProtocolFault) in
        try await fixtures.getPrompt(name, arguments, context)
      }
    case .resourcesRead, .resourcesSubscribe, .resourcesUnsubscribe:
      guard let contents = fixtures.read(params["uri"]?.string ?? "") else { return false }
      let isRead = request.method.mcp == .resourcesRead
      done(self, answer(request, .success(isRead ? ["contents": [.object(contents)]] : [:])))
    case .complete where fixtures.completes(params["ref"]):
      done(self, answer(request, .success(["completion": ["values": [], "total": 0, "hasMore": false]])))
    case .tasksGet, .tasksUpdate, .tasksCancel:
      guard let result = fixtures.task(request), revision.isStateless, declaresTasks(request) else {
        return false
      }
      done(self, answer(request, .success(.object(result))))
    default: return false
    }
    return true
  }

  private func declaresTasks(_ request: Request) -> Bool {
    mcp.capabilities(for: request)["extensions"]?[FixtureTasks.extensionName]?.object != nil
  }

  private func run(
    _ request: Request, _ revision: MCPRevision, _ route: (any RequestRoute)?, _ done: @escaping Done,
    _ work: @escaping @Sendable (SessionFixtureContext) async throws(ProtocolFault) -> JSONObject?
  ) {
    let number = underWay.begin(id: request.id, route: route)
    let bound = LoopBound(self, on: loop)
    let context = SessionFixtureContext(
      bound, number, request, revision, capabilities: mcp.capabilities(for: request), service.sealed)
    let fault = service.spec.errors.fault(.internalError)
    let running = Task {
      let outcome: Outcome
      do throws(ProtocolFault) {
        outcome = try await work(context).map { .success(.object($0)) } ?? .failure(fault)
      } catch {
        outcome = .failure(error)
      }
      bound.loop.submit {
        let session = bound.value
        // Otherwise it was stopped, and that was said at once: it may wait for an answer of the client.
        guard session.underWay.end(number) else { return }
        done(session, session.answer(request, outcome))
      }
    }
    let stop: Stop = {
      running.cancel()
      let session = bound.value
      _ = session.underWay.end(number)
      done(session, nil)
    }
    underWay.keep(stop, for: number)
  }
}

extension Fixtures {
  /// What becomes of a request about a task of the fixtures; nil if it is about no such task.
  func task(_ request: Request) -> JSONObject? {
    let id = request.params["taskId"]?.string ?? ""
    switch request.method.mcp {
    case .tasksGet: return tasks.get(id)
    case .tasksCancel: return tasks.cancel(id) ? JSONObject() : nil
    case .tasksUpdate:
      return tasks.update(id, request.params["inputResponses"]?.object ?? JSONObject()) ? JSONObject() : nil
    default: return nil
    }
  }
}

/// What a fixture can do while a session waits for it.
private struct SessionFixtureContext: FixtureContext {
  let revision: MCPRevision
  let clientCapabilities: JSONObject
  private let session: LoopBound<Session>
  private let number: Int
  private let request: Request
  private let sealed: SealedState

  var params: JSONObject { request.params }

  init(
    _ session: LoopBound<Session>, _ number: Int, _ request: Request, _ revision: MCPRevision,
    capabilities: JSONObject, _ sealed: SealedState
  ) {
    self.session = session
    self.number = number
    self.request = request
    self.revision = revision
    self.sealed = sealed
    clientCapabilities = capabilities
  }

  /// Runs `body` on the loop of the session and waits for it.
  private func onLoop(_ body: @escaping @Sendable (Session) -> Void) async {
    await withCheckedContinuation { continuation in
      let isTaken = session.loop.submit {
        body(session.value)
        continuation.resume()
      }
      if !isTaken { continuation.resume() }
    }
  }

  func log(_ level: String, _ data: JSONValue) async {
    guard let level = MCPLogSpec.Level(rawValue: level) else { return }
    let number = number
    let wanted = request.logLevel
    let isStateless = revision.isStateless
    await onLoop { session in
      let lowest = isStateless ? wanted : session.mcp.logLevel ?? .debug
      guard let lowest, level >= lowest, session.underWay.isAwaited(number) else { return }
      session.tell(session.service.spec.mcp.logText(level, "fixtures", data), for: number)
    }
  }

  func progress(_ done: Double, of total: Double, _ message: String?) async {
    guard let token = request.meta[MCPMeta.progressToken] else { return }
    let number = number
    let hasText = revision.has(.progressMessages)
    await onLoop { session in
      // Of what was cancelled nothing is told any more.
      guard session.underWay.isAwaited(number) else { return }
      var params: JSONObject = [
        "progressToken": token, "progress": .number(JSONNumber(done)), "total": .number(JSONNumber(total)),
      ]
      if hasText { params["message"] = message.map(JSONValue.string) }
      session.tell(
        MCPText.notification(session.service.spec.mcp.notifications.progress, params), for: number)
    }
  }

  func ask(_ method: String, _ params: JSONObject) async throws(ProtocolFault) -> JSONValue {
    let number = number
    let answer: Result<JSONValue, ProtocolFault> = await withCheckedContinuation { continuation in
      let isTaken = session.loop.submit {
        let session = session.value
        session.ask(method, params, for: number, within: session.service.spec.limits.questionTime) {
          continuation.resume(returning: $0)
        }
      }
      // The server ends: an answer that is none.
      if !isTaken { continuation.resume(returning: .success(.null)) }
    }
    return try answer.get()
  }

  func listChanged(_ what: String) async {
    await onLoop { $0.service.subscriptions.changed(list: what) }
  }

  func disconnect() async {
    let number = number
    await onLoop { $0.underWay.route(of: number)?.disconnect() }
  }

  private var binding: [String] { [request.method.name, request.params["name"]?.string ?? ""] }

  func seal(_ state: JSONValue) -> String { sealed.seal(state, for: binding, at: .now()) }

  func open(_ text: String) -> JSONValue? { sealed.open(text, for: binding, at: .now()) }
}
