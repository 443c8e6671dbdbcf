internal import JSON
internal import ProtocolSpec

// What each step asks, and what the model allows as its answer.
extension SequenceRun {
  mutating func take(_ step: SequenceStep) async throws(Halt) {
    let connection = free(step.connection)
    switch step.action {
    case .ping: try await ask("ping", nil, on: connection, [Choice(pong)])
    case .create(let creation): try await create(creation, on: step.connection)
    case .get(let pick): try await get(pick, on: connection)
    case .cancel(let pick): try await cancel(pick, on: connection)
    case .list(let state, let limit): try await list(state, limit, on: connection)
    case .page(let limit): try await page(limit, on: connection)
    case .status:
      try await ask("system_status", nil, on: connection, [Choice(.result(["system_state": "normal"]))])
    case .refused(let number): try await refused(number, on: connection)
    case .notify(let number): try await notify(number, on: connection)
    case .burst(let pick): try await burst(pick, on: connection)
    case .settle(let pick): if let place = model.place(pick) { try await settle(place, on: connection) }
    case .reconnect: try await reconnect(step.connection)
    case .restart: try await restart()
    }
  }

  /// What must hold behind every sequence: all tasks are there in their order, and nobody said too much.
  mutating func end() async throws(Halt) {
    for place in model.held { try await cancel(.task(place), on: free(0)) }
    try await settleAll()
    if hasMock && model.calls == nil {
      // A call that a race has left under way shall not meet the faults of whoever comes next.
      try await create(Creation(mode: .wait, text: 0, type: 0, key: nil), on: free(0))
    }
    try await list(nil, model.tasks.count, on: free(0))
    try await player.finish()
  }

  private var pong: Outcome { .result(plan.isBare ? "pong" : .object(JSONObject())) }

  // MARK: Making tasks

  private mutating func create(_ creation: Creation, on connection: Int) async throws(Halt) {
    let type = TaskModel.types[creation.type % TaskModel.types.count]
    let task = ModelTask(name: model.nextName, text: "text \(creation.text)", type: type)
    if let key = creation.key, let place = model.keys[key] {
      return try await createAgain(place, task, key, creation.mode, on: free(connection))
    }
    var mode = creation.mode
    // A call that may still be under way would take the fault of another one.
    let isQuiet = hasMock && model.calls != nil
    if mode != .noWait && !isQuiet { mode = .wait }
    if mode == .blocked && model.waiting != nil { mode = .held }
    switch mode {
    case .held, .blocked: try await arm("hang")
    case .failing: try await arm("http-400")
    case .flaky: try await arm("http-500")
    case .wait, .noWait: break
    }
    var params = JSONObject([("description", .string(task.text)), ("type", .string(type))])
    if mode == .noWait || mode == .held { params["wait"] = false }
    if let key = creation.key {
      params["idempotency_key"] = ["$type": "string", "$length": 16, "$as": .string("key\(key)")]
    }
    model.calls = model.calls.map { $0 + (mode == .flaky ? 2 : 1) }
    guard mode != .blocked else {
      return try await block(task, .object(params), creation.key, on: free(connection))
    }
    var made = task
    var answer = JSONObject()
    answer["task_id"] = ["$type": "uuid", "$as": .string(task.name)]
    switch mode {
    case .noWait, .held: answer["status"] = "idle"
    case .failing: (answer["status"], answer["error"]) = ("failed", ["$regex": "^invalid_request: ."])
    default: (answer["status"], answer["result"]) = ("completed", ["$type": "string"])
    }
    try await ask("create_task", .object(params), on: free(connection), [Choice(.result(.object(answer)))])
    made.isHeld = mode == .held
    made.end = mode == .failing ? .failed : mode == .wait || mode == .flaky ? .completed : nil
    model.add(made, key: creation.key)
    if mode == .held { try await awaitCalls() }
  }

  /// A key that is known: the task it belongs to, or a conflict.
  private mutating func createAgain(
    _ place: Int, _ wanted: ModelTask, _ key: Int, _ mode: Creation.Mode, on connection: Int
  ) async throws(Halt) {
    let task = model.tasks[place]
    var params = JSONObject([("description", .string(wanted.text)), ("type", .string(wanted.type))])
    params["idempotency_key"] = ["$ref": .string("key\(key)")]
    // Whether a second waiting request is answered now or at the end is left open.
    if !task.isSettled || task.end == nil || mode == .noWait { params["wait"] = false }
    guard task.text == wanted.text && task.type == wanted.type else {
      let conflict = Violation(path: ["idempotency_key"], keyword: "idempotency_key")
      try await ask("create_task", .object(params), on: connection, [Choice(.invalid([conflict]))])
      return
    }
    try await follow("create_task", .object(params), place, on: connection) { .result($0.status(in: $1)) }
  }

  /// Asks for something that tells the state of a task, and learns from it.
  private mutating func follow(
    _ method: String, _ params: JSONValue, _ place: Int, on connection: Int,
    _ answer: (ModelTask, TaskState) -> Outcome
  ) async throws(Halt) {
    let task = model.tasks[place]
    let choices = task.possible.map { Choice(answer(task, $0), end: $0) }
    let chosen = try await ask(method, params, on: connection, choices)
    learn(task.possible[chosen], of: place)
  }

  private mutating func learn(_ state: TaskState, of place: Int) {
    guard [.completed, .failed, .cancelled].contains(state) else { return }
    model.update(place) { $0.end = state }
  }

  /// Somebody waits for a task that never ends by itself; another connection learns its id.
  private mutating func block(
    _ task: ModelTask, _ params: JSONValue, _ key: Int?, on connection: Int
  ) async throws(Halt) {
    var made = task
    let id = try await say("create_task", params, on: connection)
    try await awaitCalls()
    made.isHeld = true
    let known: JSONValue = [
      "task_id": ["$type": "uuid", "$as": .string(task.name)], "description": .string(task.text),
      "type": .string(task.type), "state": "executing",
    ]
    let other = (connection + 1) % SequencePlan.connections
    try await ask("list_tasks", ["limit": 1], on: other, [Choice(.result(["tasks": [known]]))])
    made.waiter = (connection, id)
    model.add(made, key: key)
  }

  // MARK: Asking for tasks

  private static let unknownIDs: [JSONValue] = [
    "no-such-task", "", "00000000-0000-4000-8000-000000000000", "TASK1",
  ]

  private func unknownID(_ pick: Pick) -> JSONValue {
    guard case .unknown(let number) = pick else { return Self.unknownIDs[0] }
    return Self.unknownIDs[number % Self.unknownIDs.count]
  }

  private mutating func get(_ pick: Pick, on connection: Int) async throws(Halt) {
    guard let place = model.place(pick) else {
      try await ask(
        "get_task_status", ["task_id": unknownID(pick)], on: connection, [Choice(.error(.taskNotFound))])
      return
    }
    let params: JSONValue = ["task_id": model.tasks[place].reference]
    try await follow("get_task_status", params, place, on: connection) { .result($0.answer(in: $1)) }
  }

  private mutating func cancel(_ pick: Pick, on connection: Int) async throws(Halt) {
    guard let place = model.place(pick) else {
      try await ask(
        "cancel_task", ["task_id": unknownID(pick)], on: connection, [Choice(.error(.taskNotFound))])
      return
    }
    let task = model.tasks[place]
    let connection = free(connection, except: task.waiter?.connection)
    var choices: [Choice] = []
    if task.end == nil { choices.append(Choice(.result(task.answer(in: .cancelled)), end: .cancelled)) }
    for state in task.possible where [.completed, .failed, .cancelled].contains(state) {
      let text: JSONValue = ["$regex": .string("^Task .* is already \(state.rawValue)$")]
      choices.append(Choice(.error(.taskNotCancellable, text: text), end: state))
    }
    let chosen = try await ask("cancel_task", ["task_id": task.reference], on: connection, choices)
    let isCancelled = task.end == nil && chosen == 0
    // Whether the model was called before is not known.
    if isCancelled && !task.isHeld { model.calls = nil }
    if let end = choices[chosen].end { learn(end, of: place) }
    guard isCancelled, let waiter = task.waiter else { return }
    model.update(place) { $0.waiter = nil }
    _ = try await hear(waiter.id, on: waiter.connection, [Choice(.result(task.status(in: .cancelled)))])
  }

  // MARK: Lists

  private mutating func list(_ state: TaskState?, _ limit: Int, on connection: Int) async throws(Halt) {
    var params = JSONObject()
    params["state"] = state.map { .string($0.rawValue) }
    let known = model.listed(state)
    // Behind the tasks of this sequence come those of others.
    guard let known, !known.isEmpty else {
      params["limit"] = .int(max(limit, 1))
      let any: JSONValue = ["tasks": ["$length": ["$between": [0, .int(max(limit, 1))]]]]
      try await ask("list_tasks", .object(params), on: connection, [Choice(.result(any))])
      return
    }
    let count = max(1, min(limit, known.count))
    params["limit"] = .int(count)
    var result = JSONObject([("tasks", Self.elements(known.prefix(count)))])
    var next: (cursor: String, left: Int)?
    if state == nil && count < known.count {
      next = (model.nextCursor(), known.count - count)
      result["next_cursor"] = ["$type": "string", "$as": .string(next?.cursor ?? "")]
    }
    try await ask("list_tasks", .object(params), on: connection, [Choice(.result(.object(result)))])
    if state == nil { model.page = next }
  }

  private static func elements(_ tasks: some Sequence<(task: ModelTask, state: TaskState?)>) -> JSONValue {
    .array(
      tasks.map { task, state in
        if let state { return task.answer(in: state) }
        return ["task_id": task.reference, "description": .string(task.text), "type": .string(task.type)]
      })
  }

  /// Tasks made since the first page are newer than all of them, so that they shift nothing.
  private mutating func page(_ limit: Int, on connection: Int) async throws(Halt) {
    guard let page = model.page else { return try await list(nil, limit, on: connection) }
    let count = min(limit, page.left)
    let oldest = Array(model.tasks.prefix(page.left).reversed())
    let params: JSONValue = ["limit": .int(count), "cursor": ["$ref": .string(page.cursor)]]
    var result = JSONObject([("tasks", Self.elements(oldest.prefix(count).map { ($0, $0.end) }))])
    var next: (cursor: String, left: Int)?
    if count < page.left {
      next = (model.nextCursor(), page.left - count)
      result["next_cursor"] = ["$type": "string", "$as": .string(next?.cursor ?? "")]
    }
    try await ask("list_tasks", params, on: connection, [Choice(.result(.object(result)))])
    model.page = next
  }

  // MARK: What changes nothing

  private static let refusals: [(method: String, params: JSONValue?, outcome: Outcome)] = [
    ("create_task", .object(JSONObject()), .invalid([Violation(path: ["description"], keyword: "required")])),
    ("create_task", ["description": 5], .invalid([Violation(path: ["description"], keyword: "type")])),
    (
      "create_task", ["description": "x", "type": "other"],
      .invalid([Violation(path: ["type"], keyword: "enum")])
    ),
    ("list_tasks", ["limit": 0], .invalid([Violation(path: ["limit"], keyword: "minimum")])),
    ("list_tasks", ["cursor": "nowhere"], .invalid([Violation(path: ["cursor"], keyword: "format")])),
    ("get_task_status", nil, .invalid([Violation(path: ["task_id"], keyword: "required")])),
    ("cancel_task", ["task_id": .null], .invalid([Violation(path: ["task_id"], keyword: "type")])),
    ("no_such_method", nil, .error(.methodNotFound)),
  ]

  private mutating func refused(_ number: Int, on connection: Int) async throws(Halt) {
    let refusal = Self.refusals[number % Self.refusals.count]
    try await ask(refusal.method, refusal.params, on: connection, [Choice(refusal.outcome)])
  }

  private mutating func notify(_ number: Int, on connection: Int) async throws(Halt) {
    guard !plan.isBare else { return }
    let refusal = Self.refusals[number % Self.refusals.count]
    try await send(request(refusal.method, refusal.params, id: nil), on: connection)
  }

  /// In JSON-RPC a batch; in bare three requests at once, whose answers keep their order.
  private mutating func burst(_ pick: Pick, on connection: Int) async throws(Halt) {
    guard let place = model.place(pick) else { return }
    let task = model.tasks[place]
    let params: JSONValue = ["task_id": task.reference]
    let answers = task.possible.map { Outcome.result(task.answer(in: $0)) }
    if plan.isBare {
      let first = try await say("ping", nil, on: connection)
      let second = try await say("get_task_status", params, on: connection)
      let third = try await say("ping", nil, on: connection)
      _ = try await hear(first, on: connection, [Choice(pong)])
      let chosen = try await hear(second, on: connection, answers.map { Choice($0) })
      learn(task.possible[chosen], of: place)
      _ = try await hear(third, on: connection, [Choice(pong)])
      return
    }
    try await send(
      [
        request("ping", nil, id: 1), request("ping", nil, id: nil),
        request("get_task_status", params, id: 2),
      ], on: connection)
    let chosen = try await hear(answers.map { [answer(1, pong), answer(2, $0)] }, on: connection)
    learn(task.possible[chosen], of: place)
  }

  private mutating func reconnect(_ connection: Int) async throws(Halt) {
    let isWaitedOn = model.tasks.contains { $0.waiter?.connection == connection }
    guard !isWaitedOn else { return }
    let name = Self.name(connection)
    guard await player.isOpen(name) else { return }
    write("close", ["code": 1000], on: connection)
    write("closed", ["code": [1000]], on: connection)
    await player.focus(on: name)
    try await player.close(1000, "")
    try await player.expect(closed: [1000])
  }

  private mutating func restart() async throws(Halt) {
    write("restart", ["signal": "KILL"])
    try await player.restart(.kill, nil)
    model.restart()
  }
}

extension Player {
  func isOpen(_ name: String) -> Bool {
    connections.contains { $0.name == name && !$0.isFromBeforeRestart && $0.ending == nil }
  }
}
