package import JSON
package import ProtocolSpec

// Tasks of MCP: the rows of the store as both forms of them show them, that of 2025-11-25 and the extension
// io.modelcontextprotocol/tasks of stateless revisions (SEP-2663).
extension MCPSession {
  /// The call as one that becomes a task; nil if it does not.
  ///
  /// - Parameter params: of the tool; they fit its schema.
  func asTask(
    _ tool: MCPToolSpec, _ params: JSONObject, _ request: Request, _ revision: MCPRevision
  ) -> Action? {
    let spec = offer.spec.mcp.tasks
    let isTool = tool.method.name == spec.tool
    if revision.has(.taskResults), request.params[MCPField.task] != nil {
      guard isTool else {
        // "the server SHOULD respond with -32601" (2025-11-25, tasks, tool-level negotiation).
        let detail = fault(.methodNotFound, ["method": offer.spec.mcp.messages.noTask])
        return .answer(.failure(detail))
      }
    } else if revision.isStateless {
      guard isTool, params["wait"]?.bool != false, missingExtension(request) == nil else { return nil }
    } else {
      return nil
    }
    var params = params
    params["wait"] = false
    let offer = offer
    let create = Request(dialect: .jsonrpc, id: request.id, method: tool.method, params: params)
    return .call(
      NativeCall(
        request: create,
        step: { outcome in
          switch outcome {
          case .failure(let fault): return .answer(ToolOutcome.of(fault, revision))
          case .success(let created):
            let id = created["task_id"]?.string ?? ""
            return offer.read(id, request) { task in
              if revision.isStateless {
                var members = offer.task(task, revision)
                members["resultType"] = "task"
                return .object(members)
              }
              return ["task": .object(offer.task(task, revision))]
            }
          }
        }))
  }

  func task(_ method: MCPMethod, _ request: Request, _ revision: MCPRevision) -> Action {
    if revision.isStateless, let missing = missingExtension(request) { return .answer(.failure(missing)) }
    let id = request.params[MCPField.taskID]?.string ?? ""
    let offer = offer
    switch method {
    case .tasksResult: return .awaitTask(id: id)
    case .tasksList: return listTasks(request, revision)
    case .tasksCancel:
      return offer.native("cancel_task", ["task_id": .string(id)], request) { outcome in
        switch outcome {
        case .success(let task):
          .success(.object(revision.isStateless ? JSONObject() : offer.task(task, revision)))
        // Whoever cancels what has ended is told so only where the protocol has it.
        case .failure(let fault) where fault.name == .taskNotCancellable && revision.isStateless:
          .success(.object(JSONObject()))
        case .failure(let fault): .failure(offer.fault(fault, request))
        }
      }
    // No task of this server asks for anything, so every answer comes too late, and is taken all the same.
    case .tasksUpdate: return offer.reading(id, request) { _ in .object(JSONObject()) }
    default: return offer.reading(id, request) { .object(offer.task($0, revision, isDetailed: true)) }
    }
  }

  private func listTasks(_ request: Request, _ revision: MCPRevision) -> Action {
    let offer = offer
    var params = JSONObject([("limit", .int(offer.spec.mcp.resources.page))])
    params["cursor"] = request.params[MCPField.cursor]
    return offer.native("list_tasks", params, request) { outcome in
      outcome.map { page in
        let tasks = (page["tasks"]?.array ?? []).map { JSONValue.object(offer.task($0, revision)) }
        var members = JSONObject([("tasks", .array(tasks))])
        members["nextCursor"] = page["next_cursor"]
        return .object(members)
      }
    }
  }

  /// Why a client of a stateless revision may not be told of tasks; nil if it may.
  func missingExtension(_ request: Request) -> ProtocolFault? {
    let name = offer.spec.mcp.tasks.extensionName
    guard capabilities(for: request)["extensions"]?[name]?.object == nil else { return nil }
    return offer.spec.errors.fault(
      .missingCapability, ["capability": name],
      data: ["requiredCapabilities": ["extensions": .object(JSONObject([(name, .object(JSONObject()))]))]])
  }
}

extension MCPOffer {
  /// A task as one of MCP.
  ///
  /// - Parameters:
  ///   - task: as `get_task_status` gives it.
  ///   - isDetailed: whether a stateless revision shows what came of it too.
  package func task(_ task: JSONValue, _ revision: MCPRevision, isDetailed: Bool = false) -> JSONObject {
    let isStateless = revision.isStateless
    let state = task["state"]?.string.flatMap(TaskState.init) ?? spec.taskStates.initial
    // There a task fails by an error of JSON-RPC only; what a tool reports is a result.
    let shown = isStateless && state == .failed ? TaskState.completed : state
    var members = JSONObject()
    members["taskId"] = task["task_id"]
    members["status"] = .string(spec.mcp.tasks.status(shown))
    members["statusMessage"] = task["error"] ?? .string(state.rawValue)
    members["createdAt"] = task["created_at"]
    members["lastUpdatedAt"] = task["updated_at"]
    // Tasks are kept for good.
    members[isStateless ? "ttlMs" : "ttl"] = .null
    members[isStateless ? "pollIntervalMs" : "pollInterval"] = .int(
      spec.mcp.tasks.pollInterval.wholeMilliseconds)
    if isStateless, isDetailed, shown == .completed { members["result"] = result(of: task, revision) }
    return members
  }

  /// The result of the call that became the task, as far as it has come.
  package func result(of task: JSONValue, _ revision: MCPRevision) -> JSONValue {
    var outcome = JSONObject([("task_id", task["task_id"] ?? ""), ("status", task["state"] ?? "")])
    for key in ["result", "truncated", "error", "error_info"] { outcome[key] = task[key] }
    var members = ToolResult.success(.object(outcome)).json(revision).object ?? JSONObject()
    let isError = task["state"]?.string != TaskState.completed.rawValue
    members["isError"] = .bool(isError)
    if revision.has(.taskResults) {
      let related = JSONObject([("taskId", task["task_id"] ?? "")])
      members[MCPMeta.member] = .object(JSONObject([(MCPMeta.relatedTask, .object(related))]))
    }
    if revision.isStateless { members["resultType"] = "complete" }
    return .object(members)
  }

  /// A fault about a task as clients of MCP are told it.
  package func fault(_ fault: ProtocolFault, _ request: Request) -> ProtocolFault {
    let messages = spec.mcp.messages
    switch fault.name {
    case .taskNotFound: return invalidTask(request, messages.unknownTask)
    case .taskNotCancellable: return invalidTask(request, messages.taskEnded)
    default: return fault
    }
  }

  private func invalidTask(_ request: Request, _ detail: String) -> ProtocolFault {
    request.method.invalidParams(
      path: JSONPointer(tokens: [MCPField.taskID]), keyword: "format", detail: detail)
  }

  func reading(
    _ id: String, _ request: Request, _ show: @escaping @Sendable (JSONValue) -> JSONValue
  ) -> MCPSession.Action {
    switch read(id, request, show) {
    case .answer(let outcome): .answer(outcome)
    case .call(let call): .call(call)
    }
  }

  /// Reads a task and shows it.
  func read(
    _ id: String, _ request: Request, _ show: @escaping @Sendable (JSONValue) -> JSONValue
  ) -> NativeCall.Step {
    guard let method = spec.method("get_task_status") else {
      return .answer(.failure(spec.errors.fault(.internalError)))
    }
    let native = Request(
      dialect: .jsonrpc, id: request.id, method: method, params: ["task_id": .string(id)])
    return .call(
      NativeCall(request: native, tell: { $0.map(show).mapError { self.fault($0, request) } }))
  }
}

extension Duration {
  package var wholeMilliseconds: Int {
    Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
  }
}
