import JSON
import MCP
import Orchestration
import ProtocolSpec
import Transport

/// Writes what a listener is told; every text says which request it belongs to.
final class NotificationStream: Sendable {
  let acknowledgement: [UInt8]
  let subjects: Set<Subscription.Subject>
  private let filter: MCPFilter
  private let tag: JSONValue
  private let spec: Specification
  private let offer: MCPOffer
  private let fixtures: Fixtures?
  private let revision: MCPRevision

  init(_ filter: MCPFilter, _ request: Request, _ service: Service) {
    self.filter = filter
    let spec = service.spec
    self.spec = spec
    offer = service.mcp
    fixtures = service.fixtures
    revision = request.revision ?? spec.mcp.newest
    tag = .object(JSONObject([(MCPMeta.subscriptionID, request.id ?? .null)]))
    acknowledgement = MCPText.notification(
      spec.mcp.notifications.acknowledged, ["_meta": tag, "notifications": filter.json])
    var subjects: Set<Subscription.Subject> = []
    if filter.toolsListChanged { subjects.insert(.list("tools")) }
    if filter.promptsListChanged { subjects.insert(.list("prompts")) }
    if filter.resourcesListChanged { subjects.formUnion([.list("resources"), .newTasks]) }
    for entry in filter.resources { subjects.insert(entry.resource.subject) }
    for id in filter.tasks { subjects.insert(fixtures?.tasks.get(id) == nil ? .task(id: id) : .list(id)) }
    self.subjects = subjects
  }

  func texts(_ news: News) -> [[UInt8]] {
    let names = spec.mcp.notifications
    switch news {
    case .newTasks: return [text(names.resourceListChanged)]
    // A task of a fixture is no row of the store: that it has changed is told by its id.
    case .list(let id) where filter.tasks.contains(id):
      return fixtures?.tasks.get(id).map { [text(names.task, $0)] } ?? []
    case .list(let list): return spec.mcp.listChanged(list).map { [text($0)] } ?? []
    case .system:
      return filter.resources.filter { $0.resource == .system }.map { updated($0.uri) }
    case .task(let step):
      var texts = filter.resources.filter { $0.resource == .task(id: step.id) }.map { updated($0.uri) }
      if filter.tasks.contains(step.id) {
        texts.append(text(names.task, offer.task(step.json, revision, isDetailed: true)))
      }
      return texts
    }
  }

  private func updated(_ uri: String) -> [UInt8] {
    text(spec.mcp.notifications.resourceUpdated, ["uri": .string(uri)])
  }

  private func text(_ method: String, _ params: JSONObject = JSONObject()) -> [UInt8] {
    var params = params
    params["_meta"] = tag
    return MCPText.notification(method, params)
  }
}

/// Runs something at once, and what is asked for within the pause behind it once, when the pause is over.
/// Confined to a loop.
final class Calm {
  private let loop: EventLoop
  private let pause: Duration
  private var isResting = false
  private var next: (() -> Void)?

  init(_ loop: EventLoop, _ pause: Duration) {
    self.loop = loop
    self.pause = pause
  }

  func run(_ action: @escaping () -> Void) {
    guard !isResting else {
      next = action
      return
    }
    isResting = true
    action()
    let bound = LoopBound(self, on: loop)
    loop.schedule(after: pause) {
      let calm = bound.value
      calm.isResting = false
      guard let next = calm.next else { return }
      calm.next = nil
      calm.run(next)
    }
  }
}
