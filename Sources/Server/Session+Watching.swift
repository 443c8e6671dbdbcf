import JSON
import MCP
import Orchestration
import ProtocolSpec
import TaskStore
import Transport

// What a client of MCP is told while things happen: progress of a call, the log, and what it listens to.
extension Session {
  /// Sends a message that belongs to the request `number`.
  func tell(_ message: [UInt8], for number: Int) {
    message.withUnsafeBytes { underWay.route(of: number)?.tell($0) ?? tell($0) }
  }

  func tell(_ message: [UInt8]) { message.withUnsafeBytes { tell($0) } }

  // MARK: - While a call waits for its task

  /// Tells of the steps of the task that the request has created, as far as it asked to be told.
  func watch(task id: String, for number: Int, _ request: Request) {
    guard let revision = request.revision ?? mcp.revision else { return }
    var progress = ProgressCount(request)
    let level = revision.isStateless ? request.logLevel : nil
    guard progress != nil || level != nil else { return }
    let spec = service.spec.mcp
    let subscription = Subscription([.task(id: id)]) { [weak self] news in
      guard let self, case .task(let step) = news else { return }
      if let text = progress?.next(step, revision, spec.notifications) { tell(text, for: number) }
      if let level, let text = spec.logText(step, from: level) { tell(text, for: number) }
    }
    subscription.isActive = true
    add(subscription, as: .request(number))
  }

  /// Calls `then` when the client has been told all that was committed so far, where it is told of the
  /// request's task: the last step comes before the answer.
  func behindNews(of number: Int, _ then: @escaping @Sendable (Session) -> Void) {
    guard subscriptions[.request(number)] != nil else { return then(self) }
    let bound = LoopBound(self, on: loop)
    service.settle(.null, Reply(on: loop) { _ in then(bound.value) })
  }

  func endWatch(of number: Int) { end(.request(number)) }

  /// The request `number` ends when it is stopped: what it is told ends with it, and it is not answered.
  func stopWithoutAnswer(_ number: Int, done: @escaping Done) {
    let bound = LoopBound(self, on: loop)
    let stop: Stop = {
      let session = bound.value
      session.endWatch(of: number)
      _ = session.underWay.end(number)
      done(session, nil)
    }
    underWay.keep(stop, for: number)
  }

  // MARK: - The log of a session

  /// Tells of what happens from `level` on, until another level is set.
  func log(from level: MCPLogSpec.Level, _ request: Request, done: @escaping Done) {
    let spec = service.spec.mcp
    end(.log)
    mcp.logLevel = level
    let subscription = Subscription([.system, .allTasks]) { [weak self] news in
      switch news {
      case .task(let step): spec.logText(step, from: level).map { self?.tell($0) }
      case .system(let change): spec.logText(change, from: level).map { self?.tell($0) }
      case .newTasks, .list: break
      }
    }
    begin(subscription, as: .log, request, result: .object(JSONObject()), done: done)
  }

  // MARK: - subscriptions/listen

  func listen(
    _ request: Request, to filter: MCPFilter, route: (any RequestRoute)?, done: @escaping Done
  ) {
    let limit = service.spec.limits.subscriptions
    guard subscriptions.count < limit else {
      let fault = service.spec.errors.fault(.tooManySubscriptions, ["limit": String(limit)])
      return done(self, answer(request, .failure(fault)))
    }
    var filter = filter
    filter.resources.removeAll { entry in
      guard case .task(let id) = entry.resource else { return false }
      return !isThere(task: id)
    }
    filter.tasks.removeAll { !isThere(task: $0) }
    let number = underWay.begin(id: request.id, route: route, isEndless: true)
    let name = ConnectionSubscriptions.Name.request(number)
    let listener = NotificationStream(filter, request, service)
    let calm = Calm(loop, service.spec.limits.listChangedPause)
    let subscription = Subscription(listener.subjects) { [weak self] news in
      let texts = listener.texts(news)
      let tell = { [weak self] in
        guard let self, underWay.isAwaited(number) else { return }
        for text in texts { self.tell(text, for: number) }
      }
      if case .newTasks = news { calm.run(tell) } else { tell() }
    }
    add(subscription, as: name)
    let bound = LoopBound((session: self, subscription: subscription), on: loop)
    stopWithoutAnswer(number, done: done)
    service.settle(
      .null,
      Reply(on: loop) { outcome in
        let (session, subscription) = bound.value
        guard session.underWay.isAwaited(number) else { return }
        switch outcome {
        case .success:
          session.tell(listener.acknowledgement, for: number)
          subscription.isActive = true
        case .failure(let fault):
          _ = session.underWay.end(number)
          session.end(name)
          done(session, session.answer(request, .failure(fault)))
        }
      })
  }

  private func isThere(task id: String) -> Bool {
    if service.fixtures?.tasks.get(id) != nil { return true }
    if case .success(true) = service.hasTask(id, on: loop) { return true }
    return false
  }
}

/// Counts the steps of a task for who asked for progress.
struct ProgressCount {
  private let token: JSONValue
  private var count = 0

  /// Nil if the request did not ask for it.
  init?(_ request: Request) {
    switch request.meta[MCPMeta.progressToken] {
    case .string(let text): token = .string(text)
    case .number(let number) where number.isInteger: token = .number(number)
    default: return nil
    }
  }

  /// The next notification. How many steps there will be nobody knows: a task may be tried again.
  mutating func next(_ step: TaskStep, _ revision: MCPRevision, _ names: MCPNotifications) -> [UInt8] {
    count += 1
    var params: JSONObject = ["progressToken": token, "progress": .int(count)]
    if revision.has(.progressMessages) { params["message"] = .string(step.state.rawValue) }
    return MCPText.notification(names.progress, params)
  }
}

extension TaskStep {
  func isFinal(_ spec: Specification) -> Bool { spec.taskStates.final.contains(state) }
}

extension Request {
  /// From which level on the client wants the log of this request (2026-07-28, logging).
  var logLevel: MCPLogSpec.Level? { meta[MCPMeta.logLevel]?.string.flatMap(MCPLogSpec.Level.init) }
}

extension MCPSpec {
  func logText(_ step: TaskStep, from level: MCPLogSpec.Level) -> [UInt8]? {
    let own = log.level(step.state)
    guard own >= level else { return nil }
    var data: JSONObject = ["task_id": .string(step.id), "state": .string(step.state.rawValue)]
    data["error"] = step.json["error"]
    return logText(own, log.taskLogger, .object(data))
  }

  func logText(_ change: SystemChange, from level: MCPLogSpec.Level) -> [UInt8]? {
    let own = log.level(change.to)
    guard own >= level else { return nil }
    return logText(
      own, log.systemLogger,
      [
        "system_state": .string(change.to.rawValue), "from": .string(change.from.rawValue),
        "since": .string(change.since.text),
      ])
  }

  func logText(_ level: MCPLogSpec.Level, _ logger: String, _ data: JSONValue) -> [UInt8] {
    MCPText.notification(
      notifications.message, ["level": .string(level.rawValue), "logger": .string(logger), "data": data])
  }

  /// The notification that a list has changed.
  func listChanged(_ list: String) -> String? {
    switch list {
    case "tools": notifications.toolListChanged
    case "prompts": notifications.promptListChanged
    case "resources": notifications.resourceListChanged
    default: nil
    }
  }
}

extension MCPResource {
  var subject: Subscription.Subject {
    switch self {
    case .system: .system
    case .task(let id): .task(id: id)
    }
  }
}
