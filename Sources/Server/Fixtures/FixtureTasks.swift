import JSON
import ProtocolSpec
import Synchronization

/// Calls of fixture tools that became tasks of the extension `io.modelcontextprotocol/tasks` (SEP-2663): in
/// memory, at most `limit`, each for `lifetime` from its creation.
final class FixtureTasks: Sendable {
  static let extensionName = "io.modelcontextprotocol/tasks"
  private static let limit = 1000
  private static let lifetime = Duration.seconds(600)
  private static let pollInterval = Duration.milliseconds(200)

  fileprivate enum State: Sendable {
    case working
    /// What is still to be answered.
    case inputRequired(JSONObject)
    case completed(JSONObject)
    case failed(ProtocolFault)
    case cancelled
  }

  private struct Entry {
    let createdAt: Timestamp
    var changedAt: Timestamp
    var state = State.working
    /// What came for the questions so far, and who waits for all of it.
    var answers = JSONObject()
    var waiting: CheckedContinuation<JSONObject, Never>?
    var work: [Task<Void, Never>] = []
  }

  private let entries = Mutex<[String: Entry]>([:])
  private let changed: @Sendable (JSONObject) -> Void

  /// - Parameter changed: is told of every change, with what `tasks/get` would give.
  init(changed: @escaping @Sendable (JSONObject) -> Void = { _ in }) { self.changed = changed }

  /// The result that creates a task; nil if there are too many.
  ///
  /// - Parameter work: is run at once; what it gives is how the task ends.
  func start(
    for context: any FixtureContext,
    _ work: @escaping @Sendable (FixtureTaskContext) async -> Result<JSONObject, ProtocolFault>
  ) -> JSONObject? {
    // 128 random bits: who knows an id may read the task.
    let id =
      "fixture-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
      + String(UInt64.random(in: 0 ... .max), radix: 36)
    let now = Timestamp.now()
    let entry = Entry(createdAt: now, changedAt: now)
    let isFull = entries.withLock { entries in
      guard entries.count < Self.limit else { return true }
      entries[id] = entry
      return false
    }
    if isFull { return nil }
    let own = FixtureTaskContext(id: id, tasks: self, of: context)
    let running = Task { [self] in
      switch await work(own) {
      case .success(let result): end(id, .completed(result))
      case .failure(let fault): end(id, .failed(fault))
      }
    }
    let expiry = Task { [self] in
      guard (try? await Task.sleep(for: Self.lifetime)) != nil else { return }
      forget(id)
    }
    entries.withLock { $0[id]?.work = [running, expiry] }
    var created = Self.shown(id, entry)
    created["resultType"] = "task"
    return created
  }

  /// The result of `tasks/get`; nil if there is no such task.
  func get(_ id: String) -> JSONObject? {
    entries.withLock { $0[id] }.map { Self.detailed(id, $0) }
  }

  /// Takes answers to what the task asks for; others are ignored. False if there is no such task.
  func update(_ id: String, _ responses: JSONObject) -> Bool {
    var resumed: (CheckedContinuation<JSONObject, Never>, JSONObject)?
    let entry: Entry? = entries.withLock { entries in
      guard var entry = entries[id] else { return nil }
      if case .inputRequired(var open) = entry.state {
        for (key, answer) in responses where open.contains(key) && answer.object != nil {
          entry.answers[key] = answer
          open[key] = nil
        }
        entry.state = open.isEmpty ? .working : .inputRequired(open)
        entry.changedAt = .now()
        if open.isEmpty, let waiting = entry.waiting {
          resumed = (waiting, entry.answers)
          entry.waiting = nil
        }
        entries[id] = entry
      }
      return entry
    }
    if let (waiting, answers) = resumed { waiting.resume(returning: answers) }
    if let entry { changed(Self.detailed(id, entry)) }
    return entry != nil
  }

  /// Ends the task unless it has ended; false if there is no such task.
  func cancel(_ id: String) -> Bool {
    guard entries.withLock({ $0[id] }) != nil else { return false }
    end(id, .cancelled)
    return true
  }

  /// What the client answers, when it has answered all; what came until then if the task ends before.
  fileprivate func answers(to requests: JSONObject, of id: String) async -> JSONObject {
    await withCheckedContinuation { continuation in
      let entry: Entry? = entries.withLock { entries in
        guard var entry = entries[id], case .working = entry.state else { return nil }
        entry.state = .inputRequired(requests)
        entry.changedAt = .now()
        entry.answers = JSONObject()
        entry.waiting = continuation
        entries[id] = entry
        return entry
      }
      if let entry { changed(Self.detailed(id, entry)) } else { continuation.resume(returning: JSONObject()) }
    }
  }

  private func end(_ id: String, _ state: State) {
    var waiting: CheckedContinuation<JSONObject, Never>?
    let entry: Entry? = entries.withLock { entries in
      guard var entry = entries[id], !entry.state.isEnd else { return nil }
      entry.state = state
      entry.changedAt = .now()
      waiting = entry.waiting
      entry.waiting = nil
      entries[id] = entry
      return entry
    }
    waiting?.resume(returning: JSONObject())
    guard let entry else { return }
    // The expiry runs on, so that what became of the task can be read.
    if case .cancelled = state { entry.work.first?.cancel() }
    changed(Self.detailed(id, entry))
  }

  private func forget(_ id: String) {
    end(id, .cancelled)
    entries.withLock { _ = $0.removeValue(forKey: id) }
  }

  // MARK: - What is told of a task

  private static func shown(_ id: String, _ entry: Entry) -> JSONObject {
    [
      "taskId": .string(id), "status": .string(entry.state.name),
      "createdAt": .string(entry.createdAt.text), "lastUpdatedAt": .string(entry.changedAt.text),
      "ttlMs": .int(milliseconds(lifetime)), "pollIntervalMs": .int(milliseconds(pollInterval)),
    ]
  }

  private static func detailed(_ id: String, _ entry: Entry) -> JSONObject {
    var members = shown(id, entry)
    switch entry.state {
    case .working, .cancelled: break
    case .inputRequired(let open): members["inputRequests"] = .object(open)
    case .completed(var result):
      result["resultType"] = "complete"
      members["result"] = .object(result)
    case .failed(let fault): members["error"] = fault.json
    }
    return members
  }

  private static func milliseconds(_ time: Duration) -> Int { Int(time / .milliseconds(1)) }
}

extension FixtureTasks.State {
  fileprivate var name: String {
    switch self {
    case .working: "working"
    case .inputRequired: "input_required"
    case .completed: "completed"
    case .failed: "failed"
    case .cancelled: "cancelled"
    }
  }

  fileprivate var isEnd: Bool {
    switch self {
    case .working, .inputRequired: false
    case .completed, .failed, .cancelled: true
    }
  }
}

/// What a fixture can do inside a task: the request that began it is answered already.
struct FixtureTaskContext: FixtureContext {
  let revision: MCPRevision
  let clientCapabilities: JSONObject
  let params: JSONObject
  private let id: String
  private let tasks: FixtureTasks
  private let request: any FixtureContext

  init(id: String, tasks: FixtureTasks, of request: any FixtureContext) {
    self.id = id
    self.tasks = tasks
    self.request = request
    revision = request.revision
    clientCapabilities = request.clientCapabilities
    params = request.params
  }

  /// What the client answers by `tasks/update`.
  func answers(to requests: JSONObject) async -> JSONObject { await tasks.answers(to: requests, of: id) }

  func log(_ level: String, _ data: JSONValue) async {}
  func progress(_ done: Double, of total: Double, _ message: String?) async {}
  func disconnect() async {}
  func listChanged(_ what: String) async { await request.listChanged(what) }
  func seal(_ state: JSONValue) -> String { request.seal(state) }
  func open(_ sealed: String) -> JSONValue? { request.open(sealed) }

  func ask(_ method: String, _ params: JSONObject) async throws(ProtocolFault) -> JSONValue {
    await answers(to: [method: ["method": .string(method), "params": .object(params)]])[method] ?? .null
  }
}
