import Diagnostics
import JSON
import MCP
import Orchestration
import ProtocolSpec
import TaskStore
import Transport

// What MCP adds to a client; the native methods stay as they are.
extension Session {
  func runMCP(_ request: Request, route: (any RequestRoute)?, done: @escaping Done) {
    if runFixture(request, route: route, done: done) { return }
    switch mcp.receive(request) {
    case .answer(let outcome):
      adoptRevision(of: request)
      done(self, answer(request, outcome))
    case .call(let call):
      // Before the list is read, so that no task is missed.
      if request.method.mcp == .resourcesList, request.revision?.isStateless != true { watchResourceList() }
      perform(call, as: underWay.begin(id: request.id, route: route), for: request, done: done)
    case .subscribe(let resource, let uri): subscribe(request, to: resource, uri: uri, done: done)
    case .unsubscribe(let uri): unsubscribe(request, uri: uri, done: done)
    case .listen(let filter): listen(request, to: filter, route: route, done: done)
    case .awaitTask(let id): awaitTask(id, request, route: route, done: done)
    case .log(let level): log(from: level, request, done: done)
    case .cancel(let id):
      cancel(id: id)
      done(self, nil)
    case .nothing: done(self, nil)
    }
  }

  /// The answer to a request of MCP.
  func answer(_ request: Request, _ outcome: Outcome) -> Answer {
    request.answer(service.mcp.told(outcome, to: request))
  }

  /// From the answer to `initialize` on, messages are read by the rules of the revision.
  private func adoptRevision(of request: Request) {
    guard request.method.mcp == .initialize, let revision = mcp.revision else { return }
    agreed(on: revision)
    watchLists()
    let client = request.params["clientInfo"]?["name"]?.string ?? ""
    service.log.debug(
      "mcp",
      JSONObject([
        ("remote", .string(remote)), ("revision", .string(revision.name)),
        ("client", .string(String(client.prefix(100)))),
      ]))
  }

  // MARK: - Calls

  /// Runs `call`, and what its outcome leads to, as the request `number`.
  private func perform(
    _ call: NativeCall, as number: Int, for request: Request, done: @escaping Done
  ) {
    let bound = LoopBound(self, on: loop)
    let created: @Sendable (String) -> Void = { bound.value.created(task: $0, by: request, number) }
    let reply = Reply(on: loop, client: client, created: created) { outcome in
      let session = bound.value
      switch call.next(outcome) {
      case .call(let next) where session.underWay.isAwaited(number):
        session.perform(next, as: number, for: request, done: done)
      case .call:
        _ = session.underWay.end(number)
        done(session, nil)
      case .answer(let outcome):
        session.behindNews(of: number) { session in
          session.endWatch(of: number)
          let isAwaited = session.underWay.end(number)
          if isAwaited, case .success(let result) = outcome { session.follow(result, of: request) }
          done(session, isAwaited ? session.answer(request, outcome) : nil)
        }
      }
    }
    if let stop = service.run(call.request, reply) { underWay.keep(stop, for: number) }
  }

  /// A request that waits has created a task; cancelled meanwhile, it does not want it any more.
  private func created(task id: String, by request: Request, _ number: Int) {
    guard underWay.keep(task: id, for: number) else { return cancel(task: id) }
    watch(task: id, for: number, request)
  }

  /// Cancels the requests of this id, and the tasks that they wait for.
  func cancel(id: JSONValue) {
    for work in underWay.cancel(id: id) {
      work.stop?()
      if let task = work.task { cancel(task: task) }
    }
  }

  private func cancel(task id: String) {
    guard let method = service.spec.method("cancel_task") else { return }
    let request = Request(dialect: .jsonrpc, id: nil, method: method, params: ["task_id": .string(id)])
    // It may have ended already.
    _ = service.run(request, Reply(on: loop) { _ in })
  }

  // MARK: - Tasks of MCP

  /// Waits for the end of a task and answers with its result.
  private func awaitTask(
    _ id: String, _ request: Request, route: (any RequestRoute)?, done: @escaping Done
  ) {
    guard let revision = request.revision ?? mcp.revision else { return done(self, nil) }
    let number = underWay.begin(id: request.id, route: route)
    let name = ConnectionSubscriptions.Name.request(number)
    let bound = LoopBound(self, on: loop)
    let finish: @Sendable (Outcome) -> Void = { outcome in
      let session = bound.value
      session.end(name)
      let isAwaited = session.underWay.end(number)
      done(session, isAwaited ? session.answer(request, outcome) : nil)
    }
    let subscription = Subscription([.task(id: id)]) { [weak self] news in
      guard let self, case .task(let step) = news, step.isFinal(service.spec) else { return }
      finish(.success(service.mcp.result(of: step.json, revision)))
    }
    // From before the task is read, so that its end is not missed.
    subscription.isActive = true
    add(subscription, as: name)
    stopWithoutAnswer(number, done: done)
    // What is committed meanwhile may not be told, and is what is read then.
    service.settle(
      .null,
      Reply(on: loop) { outcome in
        let session = bound.value
        guard session.underWay.isAwaited(number) else { return }
        session.finishIfEnded(id, request, revision, outcome, finish: finish)
      })
  }

  /// Calls `finish` where the task is not one that works on.
  private func finishIfEnded(
    _ id: String, _ request: Request, _ revision: MCPRevision, _ settled: Outcome, finish: (Outcome) -> Void
  ) {
    if case .failure(let fault) = settled { return finish(.failure(fault)) }
    switch service.task(id, on: loop) {
    case .failure(let fault): finish(.failure(fault))
    case .success(nil): finish(.failure(service.mcp.fault(service.spec.errors.fault(.taskNotFound), request)))
    case .success(let task?):
      if service.spec.taskStates.final.contains(task.state) {
        finish(.success(service.mcp.result(of: task.json, revision)))
      }
    }
  }

  /// Where a call has become a task, the client is told of it until it ends.
  private func follow(_ result: JSONValue, of request: Request) {
    guard request.params["task"] != nil, let id = result["task"]?["taskId"]?.string,
      let revision = request.revision ?? mcp.revision,
      subscriptions.count < service.spec.limits.subscriptions
    else { return }
    let name = ConnectionSubscriptions.Name.task(id)
    guard subscriptions[name] == nil else { return }
    var progress = ProgressCount(request)
    let notifications = service.spec.mcp.notifications
    let subscription = Subscription([.task(id: id)]) { [weak self] news in
      guard let self, case .task(let step) = news else { return }
      if let text = progress?.next(step, revision, notifications) { tell(text) }
      tell(MCPText.notification(notifications.taskStatus, service.mcp.task(step.json, revision)))
      if step.isFinal(service.spec) { end(name) }
    }
    subscription.isActive = true
    add(subscription, as: name)
  }
}

/// Messages to clients of MCP, as texts.
enum MCPText {
  static func notification(_ method: String, _ params: JSONObject) -> [UInt8] {
    JSONWriter.bytes(
      .object(JSONObject([("jsonrpc", "2.0"), ("method", .string(method)), ("params", .object(params))])))
  }
}
