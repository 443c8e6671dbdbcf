/// What does a task: a model, or an executor. The tasks of one share its places.
enum Lane: Sendable, Hashable {
  case model(String)
  case executor(String)
}

/// A task that waits for its turn.
struct QueuedTask: Sendable, Hashable {
  let id: String
  let lane: Lane
  /// Who created it, as `Reply.client` numbers them.
  let client: Int
}

/// Tasks in the order in which they will run: the lanes take turns, and within a lane the clients do,
/// so that neither a slow model nor a client with many tasks holds up the others. The tasks of one client
/// in one lane run in the order in which they came.
///
/// Every operation takes constant time on average; there are few lanes, which are looked through.
struct TaskQueue: Sendable {
  private var lanes: [Lane: Clients] = [:]
  /// The lanes that have tasks, the one whose turn is next first.
  private var turns: [Lane] = []
  /// Cancelled tasks that may still be queued.
  private var cancelled: Set<String> = []
  /// Cancelled ones included until they are met.
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func append(_ task: QueuedTask) {
    open(task.lane)
    lanes[task.lane]?.append(task)
    count += 1
  }

  /// Puts `tasks` before all others of their clients, and makes it their clients' turn; the first of them first.
  mutating func prepend(_ tasks: [QueuedTask]) {
    for task in tasks.reversed() {
      open(task.lane)
      lanes[task.lane]?.prepend(task)
      count += 1
    }
  }

  private mutating func open(_ lane: Lane) {
    guard lanes[lane] == nil else { return }
    lanes[lane] = Clients()
    turns.append(lane)
  }

  /// Takes the next task of a lane in which there is place.
  mutating func popFirst(where hasPlace: (Lane) -> Bool = { _ in true }) -> QueuedTask? {
    while let place = turns.firstIndex(where: hasPlace) {
      let lane = turns.remove(at: place)
      let task = lanes[lane]?.popFirst()
      if lanes[lane]?.isEmpty == true { lanes[lane] = nil } else { turns.append(lane) }
      count -= 1
      if let task, cancelled.remove(task.id) == nil { return task }
    }
    return nil
  }

  /// Forgets a task that was cancelled, if it is queued: at the latest when half of what is queued is such.
  mutating func cancel(_ id: String) {
    cancelled.insert(id)
    guard cancelled.count > Self.fewCancelled, cancelled.count > count / 2 else { return }
    var kept = TaskQueue()
    for task in inOrder { kept.append(task) }
    self = kept
  }

  private static let fewCancelled = 1024

  /// All of them as they would be taken.
  var inOrder: [QueuedTask] {
    var rest = self
    var tasks: [QueuedTask] = []
    while let task = rest.popFirst() { tasks.append(task) }
    return tasks
  }
}

/// The tasks of one lane by client.
private struct Clients: Sendable {
  private var tasks: [Int: FIFO<QueuedTask>] = [:]
  /// The clients that have tasks, the one whose turn is next first.
  private var turns = FIFO<Int>()

  var isEmpty: Bool { tasks.isEmpty }

  mutating func append(_ task: QueuedTask) {
    if tasks[task.client] == nil { turns.append(task.client) }
    tasks[task.client, default: FIFO()].append(task)
  }

  mutating func prepend(_ task: QueuedTask) {
    if tasks[task.client] == nil { turns.prepend(task.client) }
    tasks[task.client, default: FIFO()].prepend(task)
  }

  mutating func popFirst() -> QueuedTask? {
    guard let client = turns.popFirst() else { return nil }
    let task = tasks[client]?.popFirst()
    if tasks[client]?.isEmpty == true { tasks[client] = nil } else { turns.append(client) }
    return task
  }
}

/// A queue with two ends, each in constant time on average; what has been taken is given back: a queue that
/// was long once is not kept.
private struct FIFO<Element: Sendable>: Sendable {
  /// The next one last.
  private var front: [Element] = []
  /// The newest last; behind all of `front`.
  private var back: [Element] = []

  var isEmpty: Bool { front.isEmpty && back.isEmpty }

  mutating func append(_ element: Element) { back.append(element) }
  mutating func prepend(_ element: Element) { front.append(element) }

  mutating func popFirst() -> Element? {
    if front.isEmpty {
      front = back.reversed()
      back = []
    }
    let element = front.popLast()
    if front.isEmpty { front = [] }
    return element
  }
}
