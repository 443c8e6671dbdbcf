import JSON
import MCP
import ProtocolSpec
import Testing

@Suite("MCP as a client")
struct ClientTests {
  let spec: Specification
  var client: MCPClient

  init() throws {
    spec = try Specification.load()
    client = MCPClient(spec, tool: "execute_task", version: "1.2.3")
  }

  /// What the client does about a message.
  private mutating func hear(_ text: String) -> [MCPClient.Action] { client.receive(Array(text.utf8)) }

  private mutating func becomeReady() {
    _ = client.open()
    _ = hear(Self.initialized("2025-11-25"))
    _ = hear(Self.tools(["execute_task"]))
  }

  private static func initialized(_ revision: String) -> String {
    #"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"\#(revision)","capabilities":{},"#
      + #""serverInfo":{"name":"executor","version":"1"}}}"#
  }

  private static func tools(_ names: [String], id: Int = 1, next: String? = nil) -> String {
    let list = names.map { #"{"name":"\#($0)","inputSchema":{}}"# }.joined(separator: ",")
    let cursor = next.map { #","nextCursor":"\#($0)""# } ?? ""
    return #"{"jsonrpc":"2.0","id":\#(id),"result":{"tools":[\#(list)]\#(cursor)}}"#
  }

  @Test("it begins with initialize, whose id is 0 and whose revision is the newest")
  mutating func opens() {
    let expected: JSONValue = [
      "jsonrpc": "2.0", "id": 0, "method": "initialize",
      "params": [
        "protocolVersion": "2025-11-25", "capabilities": [:],
        "clientInfo": ["name": "omni-orchestrator", "version": "1.2.3"],
      ],
    ]
    #expect(client.open() == [.send(expected)])
    #expect(client.open().isEmpty)
  }

  @Test(
    "it keeps to any revision it knows, says so, and asks for the tools",
    arguments: ["2024-11-05", "2025-11-25"])
  mutating func agrees(revision: String) {
    _ = client.open()
    #expect(
      hear(Self.initialized(revision)) == [
        .agreed(revision: revision, server: "executor"),
        .send(["jsonrpc": "2.0", "method": "notifications/initialized"]),
        .send(["jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": [:]]),
      ])
  }

  @Test("a revision that nobody knows is refused")
  mutating func unknownRevision() {
    _ = client.open()
    #expect(hear(Self.initialized("1999-01-01")) == [.broken(.unknownRevision("1999-01-01"))])
    #expect(hear(Self.tools(["execute_task"])).isEmpty)
  }

  @Test("the tool is looked for on every page")
  mutating func pages() {
    _ = client.open()
    _ = hear(Self.initialized("2025-11-25"))
    #expect(
      hear(Self.tools(["a"], next: "more")) == [
        .send(["jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": ["cursor": "more"]])
      ])
    #expect(hear(Self.tools(["execute_task"], id: 2)) == [.ready])
  }

  @Test("a tool that is missing is named with those that are there")
  mutating func missingTool() {
    _ = client.open()
    _ = hear(Self.initialized("2025-11-25"))
    let actions = hear(Self.tools(["a", "b"]))
    #expect(actions == [.broken(.toolMissing("execute_task", among: ["a", "b"]))])
    guard case .broken(let reason) = actions.first else { return }
    #expect(reason.description == "there is no tool execute_task among a, b")
  }

  @Test("a server that refuses initialize is of no use")
  mutating func refused() {
    _ = client.open()
    #expect(
      hear(#"{"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"no"}}"#)
        == [.broken(.refused("no (-32601)"))])
  }

  @Test("a call carries its id as the progress token, and calls are told apart")
  mutating func calls() {
    becomeReady()
    let first = client.call(["task_id": "x"])
    #expect(
      first.actions == [
        .send([
          "jsonrpc": "2.0", "id": 2, "method": "tools/call",
          "params": ["name": "execute_task", "arguments": ["task_id": "x"], "_meta": ["progressToken": 2]],
        ])
      ])
    let second = client.call(["task_id": "y"])
    #expect(
      hear(
        #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":3,"progress":1,"total":2,"message":"m"}}"#
      ) == [.progress(call: second.call, MCPProgress(done: 1, total: 2, message: "m"))])
    #expect(
      hear(#"{"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"second"}]}}"#)
        == [.finished(call: second.call, .text("second"))])
    #expect(
      hear(#"{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"first"}]}}"#)
        == [.finished(call: first.call, .text("first"))])
  }

  @Test(
    "every answer to a call is told as what it is",
    arguments: [
      (
        #""result":{"content":[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}]}"#,
        .text("a\nb")
      ),
      (#""result":{"content":[],"structuredContent":{"a":1}}"#, .text(#"{"a":1}"#)),
      (#""result":{"content":[{"type":"text","text":"no"}],"isError":true}"#, .toolError("no")),
      (#""result":{"content":[]}"#, .empty),
      (#""result":{}"#, .malformed("the result of the tool has no content")),
      (#""error":{"code":-32603,"message":"broken"}"#, .refused("broken (-32603)")),
      (#""error":{}"#, .refused("an error without a message")),
    ] as [(String, MCPCallOutcome)])
  mutating func outcomes(answer: String, expected: MCPCallOutcome) {
    becomeReady()
    let (id, _) = client.call([:])
    #expect(hear(#"{"jsonrpc":"2.0","id":\#(id),\#(answer)}"#) == [.finished(call: id, expected)])
  }

  @Test("a cancelled call is told to the server once, and its answer is ignored")
  mutating func cancels() {
    becomeReady()
    let (id, _) = client.call([:])
    #expect(
      client.cancel(id, reason: "enough") == [
        .send([
          "jsonrpc": "2.0", "method": "notifications/cancelled",
          "params": ["requestId": .int(id), "reason": "enough"],
        ])
      ])
    #expect(client.cancel(id, reason: "enough").isEmpty)
    #expect(hear(#"{"jsonrpc":"2.0","id":\#(id),"result":{"content":[]}}"#).isEmpty)
    #expect(
      hear(
        #"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":\#(id),"progress":1}}"#
      ).isEmpty)
  }

  @Test("ping is answered, id 0 and all; anything else that a server asks is an unknown method")
  mutating func serverAsks() {
    becomeReady()
    #expect(
      hear(#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#)
        == [.send(["jsonrpc": "2.0", "id": 0, "result": [:]])])
    guard
      case .send(let answer) = hear(#"{"jsonrpc":"2.0","id":"s","method":"sampling/createMessage"}"#).first
    else {
      Issue.record("nothing was answered")
      return
    }
    #expect(answer["id"] == "s")
    #expect(answer["error"]?["code"] == -32601)
    #expect(hear(#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#).isEmpty)
  }

  @Test("an array is taken apart, as 2025-03-26 has it")
  mutating func batch() {
    becomeReady()
    let (id, _) = client.call([:])
    let answer = #"{"jsonrpc":"2.0","id":\#(id),"result":{"content":[{"type":"text","text":"x"}]}}"#
    #expect(
      hear(#"[{"jsonrpc":"2.0","id":9,"method":"ping"},\#(answer)]"#) == [
        .send(["jsonrpc": "2.0", "id": 9, "result": [:]]), .finished(call: id, .text("x")),
      ])
  }

  @Test(
    "what is no MCP ends the connection, once",
    arguments: [
      "no json", "1", "{}", #"{"jsonrpc":"1.0"}"#, #"{"jsonrpc":"2.0","id":2}"#,
      #"{"jsonrpc":"2.0","id":2,"result":{},"error":{}}"#,
      #"{"jsonrpc":"2.0","id":null,"error":{"message":"x"}}"#,
      String(repeating: "[", count: 1000),
    ])
  mutating func garbage(text: String) {
    becomeReady()
    let actions = hear(text)
    guard case .broken(.malformed) = actions.first, actions.count == 1 else {
      Issue.record("\(actions)")
      return
    }
    #expect(hear(text).isEmpty)
    #expect(client.call([:]).actions.count == 1)
  }
}
