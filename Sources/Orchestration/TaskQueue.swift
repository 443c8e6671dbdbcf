/// Ids of tasks in the order in which they will run. Both ends take constant time on average, and what has
/// been taken is given back: a queue that was long once is not kept.
struct TaskQueue: Sendable {
  /// The next one last.
  private var front: [String] = []
  /// The newest last; behind all of `front`.
  private var back: [String] = []

  var count: Int { front.count + back.count }
  var isEmpty: Bool { front.isEmpty && back.isEmpty }
  var ids: [String] { front.reversed() + back }

  init(_ ids: [String] = []) { back = ids }

  mutating func append(_ id: String) { back.append(id) }

  /// Puts `ids` before all others, the first of them first.
  mutating func prepend(_ ids: [String]) { front.append(contentsOf: ids.reversed()) }

  mutating func popFirst() -> String? {
    if front.isEmpty {
      front = back.reversed()
      back = []
    }
    let id = front.popLast()
    if front.isEmpty { front = [] }
    return id
  }
}
