import JSON
import Orchestration

/// The requests of one client that run beside its loop, so that waiting for them can be stopped.
struct RequestsUnderWay {
  struct Work {
    let id: JSONValue?
    let route: (any RequestRoute)?
    let isEndless: Bool
    var stop: Stop?
    /// The task that the request has created and waits for.
    var task: String?
  }

  private var works: [Int: Work] = [:]
  /// Cancelled by the client before their answers were there.
  private var cancelled: Set<Int> = []
  private var last = 0

  /// Gives the number of the request.
  ///
  /// - Parameter isEndless: it is not answered before somebody ends it.
  mutating func begin(id: JSONValue?, route: (any RequestRoute)? = nil, isEndless: Bool = false) -> Int {
    last += 1
    works[last] = Work(id: id, route: route, isEndless: isEndless)
    return last
  }

  /// Keeps how to say that nobody waits for the answer, unless it is there already.
  mutating func keep(_ stop: @escaping Stop, for number: Int) { works[number]?.stop = stop }

  /// Keeps which task the request has created.
  ///
  /// - Returns: false if the client has cancelled the request, and so does not want the task.
  mutating func keep(task: String, for number: Int) -> Bool {
    works[number]?.task = task
    return !cancelled.contains(number)
  }

  /// Where messages that belong to the request go; nil: where all others go.
  func route(of number: Int) -> (any RequestRoute)? { works[number]?.route }

  func isAwaited(_ number: Int) -> Bool { works[number] != nil }

  /// Whether anybody still waits for the answer.
  mutating func end(_ number: Int) -> Bool {
    cancelled.remove(number)
    return works.removeValue(forKey: number) != nil
  }

  /// The client has cancelled the requests of this id. There are few to look through: the limit of
  /// requests in flight bounds them, and nothing keeps a client from using an id twice.
  ///
  /// - Returns: what is to be stopped.
  mutating func cancel(id: JSONValue) -> [Work] {
    let found = works.filter { $0.value.id == id }
    for number in found.keys {
      works[number] = nil
      cancelled.insert(number)
    }
    return Array(found.values)
  }

  /// Who has to be told of no end any more, for there will be none.
  ///
  /// - Returns: what is to be stopped.
  mutating func removeEndless() -> [Work] {
    let found = works.filter(\.value.isEndless)
    for number in found.keys { works[number] = nil }
    return Array(found.values)
  }

  /// Nobody waits for anything any more; what was begun runs on.
  ///
  /// - Returns: what is to be stopped.
  mutating func removeAll() -> [Work] {
    defer { works = [:] }
    return Array(works.values)
  }
}
