import JSON
import MCP
import ProtocolSpec
import Testing

@Suite("MCP: without sessions")
struct StatelessTests {
  let spec: Specification
  var peer: Peer

  init() throws {
    spec = try Specification.load()
    peer = Peer(spec)
    peer.tools["create_task"] = .success(["task_id": "a", "status": "idle"])
  }

  static func task(_ state: String, _ more: JSONObject = JSONObject()) -> JSONValue {
    var task: JSONObject = [
      "task_id": "a", "description": "x", "type": "general", "state": .string(state),
      "created_at": "2026-02-20T09:32:00.000Z", "updated_at": "2026-02-20T09:32:01.000Z",
      "executor": "litellm", "model": "m", "complexity": 50, "attempts": 1,
    ]
    for (key, value) in more { task[key] = value }
    return .object(task)
  }

  static let tasks = #"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#

  /// A message that says what it is to be read by.
  static func message(
    _ method: String, _ params: String = "", capabilities: String = "{}", version: String = "2026-07-28"
  ) -> String {
    #"{"jsonrpc":"2.0","id":1,"method":"\#(method)","params":{"_meta":{"#
      + #""io.modelcontextprotocol/protocolVersion":"\#(version)","#
      + #""io.modelcontextprotocol/clientCapabilities":\#(capabilities)}"#
      + (params.isEmpty ? "" : ",") + params + "}}"
  }

  private mutating func ask(_ message: String) throws -> JSONValue { try JSONParser.parse(peer.say(message)) }

  @Test("no initialize is needed, and none is known")
  mutating func begins() throws {
    let told = try ask(Self.message("server/discover"))
    #expect(told["result"]?["supportedVersions"]?[0] == "2026-07-28")
    #expect(told["result"]?["capabilities"]?["tasks"] == nil)
    #expect(told["result"]?["cacheScope"] == "public")
    #expect(try ask(Self.message("initialize"))["error"]?["code"] == -32601)
    #expect(peer.session.revision == nil)
  }

  @Test(
    "what `_meta` lacks is named",
    arguments: [
      (#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#, "/_meta", "required"),
      (#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":5}}"#, "/_meta", "type"),
      (
        #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
        "/_meta/io.modelcontextprotocol~1clientCapabilities", "required"
      ),
      (
        #"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":20260728}}}"#,
        "/_meta/io.modelcontextprotocol~1protocolVersion", "type"
      ),
      (
        message("tools/list", capabilities: "[]"), "/_meta/io.modelcontextprotocol~1clientCapabilities",
        "type"
      ),
    ])
  mutating func meta(message: String, path: String, keyword: String) throws {
    let error = try ask(message)["error"]
    #expect(error?["code"] == -32602)
    #expect(error?["data"] == ["path": .string(path), "keyword": .string(keyword)])
  }

  @Test("a revision that is not there, or begins with initialize, is refused with those that are")
  mutating func versions() throws {
    for version in ["2030-01-01", "2025-11-25", ""] {
      let error = try ask(Self.message("tools/list", version: version))["error"]
      #expect(error?["code"] == -32022)
      #expect(error?["data"]?["requested"]?.string == version)
      #expect(error?["data"]?["supported"]?[0] == "2026-07-28")
    }
  }

  @Test(
    "what the revision has no more is unknown, whatever its params",
    arguments: [
      "ping", "logging/setLevel", "resources/subscribe", "tasks/list", "tasks/result", "create_task",
    ])
  mutating func removed(method: String) throws {
    #expect(try ask(Self.message(method))["error"]?["code"] == -32601)
  }

  @Test("a call becomes a task where the client knows tasks, and only there")
  mutating func tasks() throws {
    peer.tools["get_task_status"] = .success(Self.task("executing"))
    let call = #""name":"create_task","arguments":{"description":"x"}"#
    let plain = try ask(Self.message("tools/call", call))["result"]
    #expect(plain?["resultType"] == "complete")
    let task = try ask(Self.message("tools/call", call, capabilities: Self.tasks))["result"]
    #expect(task?["resultType"] == "task")
    #expect(task?["taskId"] == "a" && task?["status"] == "working" && task?["ttlMs"] == .null)
    let undeclared = try ask(Self.message("tasks/get", #""taskId":"a""#))["error"]
    #expect(undeclared?["code"] == -32021)
    #expect(
      undeclared?["data"]?["requiredCapabilities"]?["extensions"]?["io.modelcontextprotocol/tasks"] == [:])
  }

  @Test(
    "a task is told with what came of it",
    arguments: [
      ("waiting", JSONObject(), "working", nil), ("completed", ["result": "Paris"], "completed", false),
      ("failed", ["error": "timeout: late"], "completed", true),
      ("cancelled", JSONObject(), "cancelled", nil),
    ] as [(String, JSONObject, String, Bool?)])
  mutating func ends(state: String, more: JSONObject, status: String, isError: Bool?) throws {
    peer.tools["get_task_status"] = .success(Self.task(state, more))
    let told = try ask(Self.message("tasks/get", #""taskId":"a""#, capabilities: Self.tasks))["result"]
    #expect(told?["status"]?.string == status)
    #expect(told?["result"]?["isError"]?.bool == isError)
    #expect(told?["resultType"] == "complete")
  }

  @Test("an end that comes too late is acknowledged, an unknown task is not")
  mutating func cancels() throws {
    peer.tools["cancel_task"] = .failure(spec.errors.fault(.taskNotCancellable))
    let cancel = Self.message("tasks/cancel", #""taskId":"a""#, capabilities: Self.tasks)
    #expect(try ask(cancel)["result"]?["resultType"] == "complete")
    peer.tools["cancel_task"] = .failure(spec.errors.fault(.taskNotFound))
    #expect(try ask(cancel)["error"]?["data"]?["path"] == "/taskId")
  }

  @Test("what is listened to is what the server has")
  mutating func listens() {
    let asked =
      #""notifications":{"toolsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":"#
      + #"["omni://system","omni://system","x://y","task://a"],"taskIds":["a","a"]}"#
    #expect(
      peer.say(Self.message("subscriptions/listen", asked, capabilities: Self.tasks))
        == #"listen {"resourcesListChanged":true,"resourceSubscriptions":["omni://system","task://a"],"taskIds":["a"]}"#
    )
    #expect(peer.say(Self.message("subscriptions/listen", asked)).contains("-32021"))
  }

  @Test("a cancellation names no revision, and is heard where initialize was never sent")
  mutating func hearsCancellations() {
    let cancellation = #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}"#
    #expect(peer.say(cancellation) == #"cancel "a""#)
  }

  @Test("messages of both eras are read side by side")
  mutating func eras() throws {
    peer.begin("2025-06-18")
    #expect(try ask(Self.message("tools/list"))["result"]?["resultType"] == "complete")
    let old = try ask(#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#)["result"]
    #expect(old?["tools"] != nil && old?["resultType"] == nil && old?["_meta"] == nil)
  }
}

@Suite("MCP: tasks of 2025-11-25")
struct TaskTests {
  let spec: Specification
  var peer: Peer

  init() throws {
    spec = try Specification.load()
    peer = Peer(spec)
    peer.tools["create_task"] = .success(["task_id": "a", "status": "idle"])
    peer.tools["get_task_status"] = .success(StatelessTests.task("idle"))
    peer.begin("2025-11-25")
  }

  private mutating func ask(_ method: String, _ params: String) throws -> JSONValue {
    try JSONParser.parse(peer.say(#"{"jsonrpc":"2.0","id":1,"method":"\#(method)","params":\#(params)}"#))
  }

  @Test("a call with a task is answered with it at once")
  mutating func creates() throws {
    let told = try ask(
      "tools/call", #"{"name":"create_task","arguments":{"description":"x"},"task":{"ttl":1000}}"#)
    let task = told["result"]?["task"]
    #expect(task?["taskId"] == "a" && task?["status"] == "working" && task?["ttl"] == .null)
    #expect(task?["createdAt"] == "2026-02-20T09:32:00.000Z" && task?["pollInterval"] == 1000)
  }

  @Test("other tools make no tasks, and older revisions know none")
  mutating func forbidden() throws {
    let call = #"{"name":"system_status","task":{}}"#
    #expect(try ask("tools/call", call)["error"]?["code"] == -32601)
    var older = Peer(spec)
    older.begin("2025-06-18")
    let text = #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":\#(call)}"#
    #expect(older.say(text).contains(#""isError":false"#))
    #expect(older.say(#"{"jsonrpc":"2.0","id":1,"method":"tasks/list"}"#).contains("-32601"))
  }

  @Test("what cannot be told of is invalid_params")
  mutating func unknown() throws {
    peer.tools["get_task_status"] = .failure(spec.errors.fault(.taskNotFound))
    peer.tools["cancel_task"] = .failure(spec.errors.fault(.taskNotCancellable))
    for method in ["tasks/get", "tasks/cancel"] {
      let error = try ask(method, #"{"taskId":"a"}"#)["error"]
      #expect(error?["code"] == -32602 && error?["data"]?["path"] == "/taskId", "\(method)")
    }
    #expect(try ask("tasks/get", "{}")["error"]?["message"] == "Missing taskId")
  }

  @Test("the result of a task is that of the call, with the task in _meta")
  mutating func results() throws {
    let revision = try #require(spec.mcp.revision(named: "2025-11-25"))
    let offer = peer.session.offer
    let done = offer.result(of: StatelessTests.task("completed", ["result": "Paris"]), revision)
    #expect(done["structuredContent"] == ["task_id": "a", "status": "completed", "result": "Paris"])
    #expect(done["isError"] == false)
    #expect(done["_meta"]?["io.modelcontextprotocol/related-task"] == ["taskId": "a"])
    #expect(offer.result(of: StatelessTests.task("failed", ["error": "x"]), revision)["isError"] == true)
    #expect(
      peer.say(#"{"jsonrpc":"2.0","id":1,"method":"tasks/result","params":{"taskId":"a"}}"#) == "await a")
  }
}
