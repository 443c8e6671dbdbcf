import JSON
import MCP
import Orchestration
import ProtocolSpec
import TaskStore
import Transport
import Wire

/// What one connection has asked to be told of.
struct ConnectionSubscriptions {
  /// By what the client knows them by: ids of the protocol, or URIs of resources of MCP.
  private var all: [Name: Subscription] = [:]
  private var lastNumber = 0
  /// Told once that the list of resources has changed.
  var toList: Subscription?

  enum Name: Hashable {
    case id(String)
    case uri(String)
    /// Of what a request waits for or is told, by the number it is under way as.
    case request(Int)
    /// A call that has become a task of MCP.
    case task(String)
    case log
    /// Of MCP, such as that of the tools.
    case lists
  }

  var count: Int { all.count }

  subscript(name: Name) -> Subscription? {
    get { all[name] }
    set { all[name] = newValue }
  }

  mutating func nextID() -> String {
    lastNumber += 1
    return "s\(lastNumber)"
  }

  /// Gives all of them, and has none any more.
  mutating func removeAll() -> [Subscription] {
    defer { self = ConnectionSubscriptions() }
    return Array(all.values) + [toList].compactMap(\.self)
  }
}

extension Session {
  static let subscribeMethod = "subscribe"
  static let unsubscribeMethod = "unsubscribe"

  // MARK: - The methods of the protocol

  func subscribe(_ request: Request, done: @escaping Done) {
    // To a notification nobody could say which subscription it has begun.
    guard !request.isNotification else { return done(self, nil) }
    let topics = Set((request.params["topics"]?.array ?? []).compactMap { $0.string.flatMap(Topic.init) })
    let task = request.params["task_id"]?.string
    if let task, let fault = faultOfTask(task, unknown: service.spec.errors.fault(.taskNotFound)) {
      return done(self, request.answer(.failure(fault)))
    }
    var subjects: Set<Subscription.Subject> = []
    if topics.contains(.tasks) { subjects.insert(task.map { .task(id: $0) } ?? .allTasks) }
    if topics.contains(.system) { subjects.insert(.system) }
    let id = subscriptions.nextID()
    let notices = Notices(id: id, service.spec)
    let subscription = Subscription(subjects) { [weak self] news in
      guard let self, let text = notices.text(news) else { return }
      text.withUnsafeBytes { self.tell($0) }
    }
    begin(subscription, as: .id(id), request, result: ["subscription_id": .string(id)], done: done)
  }

  func unsubscribe(_ request: Request, done: @escaping Done) {
    let id = request.params["subscription_id"]?.string ?? ""
    let outcome: Outcome =
      end(.id(id))
      ? .success(.object(JSONObject())) : .failure(service.spec.errors.fault(.subscriptionNotFound))
    done(self, request.isNotification ? nil : request.answer(outcome))
  }

  // MARK: - Resources of MCP

  func subscribe(_ request: Request, to resource: MCPResource, uri: String, done: @escaping Done) {
    let name = ConnectionSubscriptions.Name.uri(uri)
    let nothing = JSONValue.object(JSONObject())
    // Asked again, it is told once all the same.
    guard subscriptions[name] == nil else { return done(self, request.answer(.success(nothing))) }
    if case .task(let id) = resource, let fault = faultOfTask(id, unknown: service.mcp.notFound(uri, request))
    {
      return done(self, request.answer(.failure(fault)))
    }
    let spec = service.spec.mcp
    let text = JSONWriter.bytes([
      "jsonrpc": "2.0", "method": .string(spec.notifications.resourceUpdated),
      "params": ["uri": .string(uri)],
    ])
    let subscription = Subscription([resource.subject]) { [weak self] _ in
      text.withUnsafeBytes { self?.tell($0) }
    }
    begin(subscription, as: name, request, result: nothing, done: done)
  }

  func unsubscribe(_ request: Request, uri: String, done: @escaping Done) {
    end(.uri(uri))
    done(self, request.answer(.success(.object(JSONObject()))))
  }

  /// Tells the client once that there are tasks which the list that it asks for now does not have.
  func watchResourceList() {
    guard subscriptions.toList == nil else { return }
    let text = JSONWriter.bytes([
      "jsonrpc": "2.0", "method": .string(service.spec.mcp.notifications.resourceListChanged),
    ])
    let subscription = Subscription([.newTasks]) { [weak self] _ in
      guard let self, let subscription = subscriptions.toList else { return }
      subscriptions.toList = nil
      service.subscriptions.remove(subscription, on: loop)
      text.withUnsafeBytes { self.tell($0) }
    }
    subscription.isActive = true
    subscriptions.toList = subscription
    service.subscriptions.add(subscription, on: loop)
  }

  /// Tells the client when a list changes that is declared to do so.
  func watchLists() {
    guard let lists = service.fixtures?.changingLists else { return }
    let spec = service.spec.mcp
    let subscription = Subscription(Set(lists.map(Subscription.Subject.list))) { [weak self] news in
      guard case .list(let list) = news, let method = spec.listChanged(list) else { return }
      self?.tell(MCPText.notification(method, JSONObject()))
    }
    subscription.isActive = true
    add(subscription, as: .lists)
  }

  // MARK: - What both share

  /// Answers `request`, and from then on tells the client of everything that is committed later: no
  /// more and no less than what a read that follows the answer may not show yet.
  func begin(
    _ subscription: Subscription, as name: ConnectionSubscriptions.Name, _ request: Request,
    result: JSONValue, done: @escaping Done
  ) {
    let limit = service.spec.limits.subscriptions
    guard subscriptions.count < limit else {
      let fault = service.spec.errors.fault(.tooManySubscriptions, ["limit": String(limit)])
      return done(self, request.answer(.failure(fault)))
    }
    add(subscription, as: name)
    let number = underWay.begin(id: request.id)
    let bound = LoopBound((session: self, subscription: subscription), on: loop)
    let reply = Reply(on: loop) { outcome in
      let (session, subscription) = bound.value
      let isAwaited = session.underWay.end(number)
      if isAwaited, case .success = outcome {
        subscription.isActive = true
      } else if session.subscriptions[name] === subscription {
        session.end(name)
      }
      done(session, isAwaited ? request.answer(outcome) : nil)
    }
    service.settle(result, reply)
  }

  func add(_ subscription: Subscription, as name: ConnectionSubscriptions.Name) {
    subscriptions[name] = subscription
    service.subscriptions.add(subscription, on: loop)
  }

  /// Whether there was such a subscription.
  @discardableResult
  func end(_ name: ConnectionSubscriptions.Name) -> Bool {
    guard let subscription = subscriptions[name] else { return false }
    subscriptions[name] = nil
    service.subscriptions.remove(subscription, on: loop)
    return true
  }

  func endSubscriptions() {
    for subscription in subscriptions.removeAll() {
      service.subscriptions.remove(subscription, on: loop)
    }
  }

  /// Why a task cannot be subscribed to, if it cannot.
  private func faultOfTask(_ id: String, unknown: ProtocolFault) -> ProtocolFault? {
    switch service.hasTask(id, on: loop) {
    case .success(true): nil
    case .success(false): unknown
    case .failure(let fault): fault
    }
  }
}

/// The notifications of one subscription, as texts.
private struct Notices {
  private let id: String
  private let system: NotificationSpec
  /// What stands before the text of a task.
  private let taskStart: [UInt8]
  private static let end = Array("}}".utf8)

  init(id: String, _ spec: Specification) {
    self.id = id
    system = spec[.systemChanged]
    let whole = JSONWriter.bytes(
      spec[.taskChanged].message(JSONObject([("subscription_id", .string(id)), ("task", .null)])))
    taskStart = Array(whole.dropLast("null".utf8.count + Self.end.count))
  }

  func text(_ news: News) -> [UInt8]? {
    switch news {
    case .task(let step): return taskStart + step.text + Self.end
    case .system(let change):
      return JSONWriter.bytes(
        system.message(
          JSONObject([
            ("subscription_id", .string(id)), ("system_state", .string(change.to.rawValue)),
            ("since", .string(change.since.text)), ("from", .string(change.from.rawValue)),
          ])))
    case .newTasks, .list: return nil
    }
  }
}
