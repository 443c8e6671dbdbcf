package import JSON
package import ProtocolSpec

/// The client's side of MCP on one connection, as a state machine without I/O: it says what to send and
/// what has come. For servers of the revisions that begin with `initialize`; it offers the newest
/// of `Spec/mcp.yaml` and takes any of them.
///
/// It finds one tool, and then calls it any number of times at once.
package struct MCPClient: Sendable {
  /// What is to be done about what was received or asked for, in this order.
  package enum Action: Sendable, Equatable {
    /// One JSON-RPC message for the server.
    case send(JSONValue)
    /// `initialize` was answered; the transport may want the revision from here on.
    case agreed(revision: String, server: String)
    /// The tool is there: calls may begin.
    case ready
    case progress(call: Int, MCPProgress)
    /// The last that is told of a call.
    case finished(call: Int, MCPCallOutcome)
    /// The connection is of no use; told once, and nothing after it.
    case broken(MCPBreak)
  }

  private enum Phase: Equatable {
    case new, initializing, ready, broken
    case listing(pages: Int)
  }

  /// Servers list their tools in pages; one that never ends them is given up.
  private static let mostPages = 100

  private let spec: Specification
  private let tool: String
  private let version: String
  private var phase = Phase.new
  /// The tools seen so far while the one is looked for.
  private var otherTools: [String] = []
  private var lastID = -1
  /// The one request under way that is no call.
  private var awaited: Int?
  private var calls: Set<Int> = []

  /// - Parameters:
  ///   - tool: the name of the tool that will be called.
  ///   - version: ours, as the server is told.
  package init(_ spec: Specification, tool: String, version: String) {
    self.spec = spec
    self.tool = tool
    self.version = version
  }

  // MARK: - What the owner asks for

  /// Begins with `initialize`, whose id is 0.
  package mutating func open() -> [Action] {
    guard phase == .new else { return [] }
    phase = .initializing
    let params: JSONValue = [
      "protocolVersion": .string(spec.mcp.newest.name), "capabilities": .object(JSONObject()),
      "clientInfo": ["name": .string(spec.mcp.serverName), "version": .string(version)],
    ]
    return [.send(request(MCPMethod.initialize.rawValue, params))]
  }

  /// Calls the tool; to be used once it is ready.
  ///
  /// - Returns: the number under which the call is told of.
  package mutating func call(_ arguments: JSONObject) -> (call: Int, actions: [Action]) {
    let id = nextID()
    guard phase == .ready else {
      return (id, [.finished(call: id, .malformed("the connection is not ready"))])
    }
    calls.insert(id)
    // The id serves as the token: both are unique among what is under way.
    let params: JSONValue = [
      "name": .string(tool), "arguments": .object(arguments), "_meta": ["progressToken": .int(id)],
    ]
    return (id, [.send(message(id, MCPMethod.toolsCall.rawValue, params))])
  }

  /// Tells the server that nobody waits for a call any more; its answer, if one comes, is ignored.
  package mutating func cancel(_ call: Int, reason: String) -> [Action] {
    guard calls.remove(call) != nil, phase != .broken else { return [] }
    return [
      .send(
        notification(
          MCPMethod.cancelled.rawValue,
          JSONObject([(MCPField.requestID, .int(call)), ("reason", .string(reason))])))
    ]
  }

  // MARK: - What comes

  /// Takes one message of the server, or an array of them as 2025-03-26 has it.
  package mutating func receive(_ bytes: [UInt8]) -> [Action] {
    let limits = JSONLimits(depth: spec.limits.jsonDepth, allowsDuplicateKeys: true)
    do throws(JSONError) {
      let value = try JSONParser.parse(bytes, limits: limits)
      guard let batch = value.array else { return receive(value) }
      var actions: [Action] = []
      for element in batch { actions += receive(element) }
      return actions
    } catch {
      return broken(.malformed("a message is no JSON: \(error.description)"))
    }
  }

  private mutating func receive(_ value: JSONValue) -> [Action] {
    guard phase != .broken else { return [] }
    guard let message = value.object, message["jsonrpc"] == "2.0" else {
      return broken(.malformed("a message is no JSON-RPC 2.0"))
    }
    if let method = message["method"]?.string {
      guard let id = message["id"] else { return notified(method, message["params"]) }
      return [.send(answer(method, id))]
    }
    guard let id = message["id"]?.int else {
      let text = message["error"]?["message"]?.string ?? "an answer has no id"
      return broken(.malformed(text))
    }
    guard message.contains("result") != message.contains("error") else {
      return broken(.malformed("an answer needs either a result or an error"))
    }
    if id == awaited {
      awaited = nil
      if let error = message["error"] { return broken(.refused(MCPCallOutcome.text(of: error))) }
      return phase == .initializing ? initialized(message["result"]) : listed(message["result"])
    }
    // An answer to a call that was cancelled may come all the same.
    guard calls.remove(id) != nil else { return [] }
    return [.finished(call: id, MCPCallOutcome(message))]
  }

  private mutating func initialized(_ result: JSONValue?) -> [Action] {
    guard let revision = result?[MCPField.protocolVersion]?.string else {
      return broken(.malformed("the answer to initialize has no protocolVersion"))
    }
    guard spec.mcp.revision(named: revision) != nil else { return broken(.unknownRevision(revision)) }
    let server = result?["serverInfo"]?["name"]?.string ?? ""
    phase = .listing(pages: 1)
    return [
      .agreed(revision: revision, server: server),
      .send(notification(MCPMethod.initialized.rawValue, JSONObject())),
      .send(request(MCPMethod.toolsList.rawValue, .object(JSONObject()))),
    ]
  }

  private mutating func listed(_ result: JSONValue?) -> [Action] {
    guard case .listing(let pages) = phase, let tools = result?["tools"]?.array else {
      return broken(.malformed("the answer to tools/list has no tools"))
    }
    let names = tools.compactMap { $0[MCPField.name]?.string }
    guard !names.contains(tool) else {
      phase = .ready
      return [.ready]
    }
    otherTools += names
    guard let cursor = result?["nextCursor"]?.string, pages < Self.mostPages else {
      return broken(.toolMissing(tool, among: otherTools))
    }
    phase = .listing(pages: pages + 1)
    return [.send(request(MCPMethod.toolsList.rawValue, ["cursor": .string(cursor)]))]
  }

  private func notified(_ method: String, _ params: JSONValue?) -> [Action] {
    guard method == "notifications/progress", let call = params?["progressToken"]?.int,
      calls.contains(call), let done = params?["progress"]?.double
    else { return [] }
    let progress = MCPProgress(
      done: done, total: params?["total"]?.double, message: params?["message"]?.string)
    return [.progress(call: call, progress)]
  }

  /// Of what servers may ask clients, only ping is offered here.
  private func answer(_ method: String, _ id: JSONValue) -> JSONValue {
    var answer = JSONObject([("jsonrpc", "2.0"), ("id", id)])
    if method == "ping" {
      answer["result"] = .object(JSONObject())
    } else {
      answer["error"] = spec.errors.fault(.methodNotFound, ["method": method]).json
    }
    return .object(answer)
  }

  private mutating func broken(_ reason: MCPBreak) -> [Action] {
    guard phase != .broken else { return [] }
    phase = .broken
    return [.broken(reason)]
  }

  // MARK: - Messages

  private mutating func nextID() -> Int {
    lastID += 1
    return lastID
  }

  private mutating func request(_ method: String, _ params: JSONValue) -> JSONValue {
    let id = nextID()
    awaited = id
    return message(id, method, params)
  }

  private func message(_ id: Int, _ method: String, _ params: JSONValue) -> JSONValue {
    ["jsonrpc": "2.0", "id": .int(id), "method": .string(method), "params": params]
  }

  private func notification(_ method: String, _ params: JSONObject) -> JSONValue {
    var message = JSONObject([("jsonrpc", "2.0"), ("method", .string(method))])
    if !params.isEmpty { message["params"] = .object(params) }
    return .object(message)
  }
}
