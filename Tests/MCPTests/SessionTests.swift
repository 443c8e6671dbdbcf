import Foundation
import JSON
import MCP
import Testing

@testable import ProtocolSpec

@Suite("MCP: sessions")
struct SessionTests {
  let spec: Specification

  init() throws { spec = try Specification.load() }

  func peer(_ revision: String) -> Peer {
    var peer = Peer(spec)
    peer.begin(revision)
    return peer
  }

  func answer(_ text: String) throws -> JSONValue { try JSONParser.parse(text) }

  @Test(
    "the revision asked for is agreed on where it is known, the newest otherwise",
    arguments: [
      ("2024-11-05", "2024-11-05"), ("2025-03-26", "2025-03-26"), ("2025-06-18", "2025-06-18"),
      ("2025-11-25", "2025-11-25"), ("2026-07-28", "2025-11-25"), ("1.0", "2025-11-25"), ("", "2025-11-25"),
    ])
  func negotiation(asked: String, agreed: String) throws {
    var peer = Peer(spec)
    let told = try answer(peer.say(Peer.initialize(asked)))
    #expect(told["id"] == 0)
    #expect(told["result"]?["protocolVersion"]?.string == agreed)
    #expect(told["result"]?["serverInfo"]?["version"] == "1.2.3")
    let capabilities = told["result"]?["capabilities"]
    #expect(capabilities?["tools"] == ["listChanged": false])
    #expect(capabilities?["resources"] == ["subscribe": true, "listChanged": true])
    #expect((capabilities?["completions"] != nil) == (agreed > "2024-11-05"))
    #expect((capabilities?["tasks"] != nil) == (agreed == "2025-11-25"))
    #expect(peer.session.revision?.name == agreed)
  }

  @Test("what is served before initialize, and what is not")
  func before() throws {
    var peer = Peer(spec)
    #expect(peer.say(#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#) != "")
    #expect(try answer(peer.say(Peer.call("list_tasks")))["error"]?["code"] == -32601)
    #expect(try answer(peer.say(#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#))["id"] == .null)
    #expect(
      try answer(peer.say(#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#))["error"]?["code"] == -32602)
    #expect(peer.say(#"{"jsonrpc":"2.0","method":"initialize"}"#) == "")
    #expect(peer.session.revision == nil)
  }

  @Test("a second initialize changes nothing")
  func again() throws {
    var peer = peer("2025-03-26")
    let told = try answer(peer.say(Peer.initialize("2025-11-25")))
    #expect(
      told["error"]?["message"] == "Invalid request: initialize was answered already on this connection")
    #expect(peer.session.revision?.name == "2025-03-26")
  }

  @Test(
    "batches belong to 2025-03-26",
    arguments: [("2024-11-05", false), ("2025-03-26", true), ("2025-06-18", false), ("2025-11-25", false)])
  func batches(revision: String, areServed: Bool) throws {
    var peer = peer(revision)
    let told = try answer(peer.say(#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#))
    let refusal = "Invalid request: MCP \(revision) has no batches"
    #expect(areServed ? told[0]?["result"] != nil : told["error"]?["message"]?.string == refusal)
  }

  @Test(
    "ids are strings and integers",
    arguments: [
      (#""""#, true), ("0", true), ("-1", true), ("1.0", true), ("1e2", true), ("1.5", false),
      ("null", false),
      ("true", false), ("{}", false),
    ])
  func ids(id: String, isOne: Bool) throws {
    var peer = peer("2025-11-25")
    let told = try answer(peer.say(#"{"jsonrpc":"2.0","id":\#(id),"method":"ping"}"#))
    #expect((told["result"] != nil) == isOne)
    #expect(isOne ? "\(try #require(told["id"]))" == id : told["id"] == nil)
  }

  @Test(
    "what goes wrong is a result or an error",
    arguments: [
      ("2025-06-18", ErrorName.taskNotFound, true), ("2025-06-18", .invalidParams, false),
      ("2025-06-18", .shuttingDown, true), ("2025-06-18", .internalError, false),
      ("2025-11-25", .taskNotFound, true), ("2025-11-25", .invalidParams, true),
      ("2025-11-25", .storageUnavailable, true), ("2025-11-25", .internalError, false),
    ])
  func faults(revision: String, name: ErrorName, isResult: Bool) throws {
    var peer = peer(revision)
    let fault = spec.errors.fault(name, data: ["path": "/limit"])
    peer.tools["list_tasks"] = .failure(fault)
    let told = try answer(peer.say(Peer.call("list_tasks")))
    if isResult {
      #expect(told["result"]?["isError"] == true)
      #expect(told["result"]?["structuredContent"] == nil)
      #expect(try answer(#require(told["result"]?["content"]?[0]?["text"]?.string)) == fault.json)
    } else {
      #expect(told["error"]?["code"]?.int == fault.code)
      let path = name == .invalidParams ? "/arguments/limit" : "/limit"
      #expect(told["error"]?["data"]?["path"]?.string == path)
    }
  }

  @Test("a call runs the native method with the defaults of its schema")
  func call() {
    var reader = MessageReader(spec: spec, initial: .jsonrpc)
    var session = MCPSession(MCPOffer(spec, version: "1"))
    var calls: [NativeCall] = []
    for message in [
      Peer.initialize("2025-06-18"), Peer.call("create_task", #"{"description":"x"}"#, id: "7"),
    ] {
      guard case .request(let request) = reader.read(Array(message.utf8)) else { continue }
      if case .call(let call) = session.receive(request) { calls.append(call) }
      reader.revision = session.revision
    }
    #expect(calls.map(\.request.method.name) == ["create_task"])
    #expect(calls.first?.request.id == 7)
    #expect(calls.first?.request.params == ["description": "x", "type": "general", "wait": true])
  }

  @Test(
    "a resource is known by its URI to the letter",
    arguments: [
      ("omni://system", "subscribe omni://system system"), ("task://a", "subscribe task://a task"),
      ("task://", ""), ("task:a", ""), ("TASK://a", ""), ("omni://system/", ""), ("", ""),
    ])
  func resources(uri: String, told: String) throws {
    var peer = peer("2025-11-25")
    let said = peer.say(Peer.resource("subscribe", uri))
    guard told.isEmpty else { return #expect(said == told) }
    let error = try #require(answer(said)["error"])
    #expect(error["code"] == -32002)
    #expect(error["data"]?["uri"]?.string == uri)
    #expect(try answer(peer.say(Peer.resource("read", uri)))["error"] == error)
  }

  @Test("a resource that the method does not find is told with its URI, anything else as it is")
  func missingResource() throws {
    var peer = peer("2025-06-18")
    peer.tools["get_task_status"] = .failure(spec.errors.fault(.taskNotFound))
    let missing = try answer(peer.say(Peer.resource("read", "task://a")))
    #expect(missing["error"]?["code"] == -32002)
    #expect(missing["error"]?["data"] == ["uri": "task://a"])
    peer.tools["get_task_status"] = .failure(spec.errors.fault(.storageUnavailable))
    #expect(try answer(peer.say(Peer.resource("read", "task://a")))["error"]?["code"] == 1004)
  }

  @Test("pages of the list go on, and the system is on the first")
  func resourceList() throws {
    var peer = peer("2025-06-18")
    peer.tools["list_tasks"] = .success(["tasks": [["task_id": "a"]], "next_cursor": "t1"])
    let list = #"{"jsonrpc":"2.0","id":1,"method":"resources/list","params":{}}"#
    let first = try #require(answer(peer.say(list))["result"])
    #expect(first["resources"]?.array?.map { $0["uri"] } == ["omni://system", "task://a"])
    #expect(first["resources"]?[1]?["title"] == "Task a")
    #expect(first["nextCursor"] == "t1")
    let second = try answer(peer.say(list.replacingOccurrences(of: "{}", with: #"{"cursor":"t1"}"#)))
    #expect(second["result"]?["resources"]?.array?.map { $0["uri"] } == ["task://a"])
  }

  @Test(
    "a cancellation names the id with its type",
    arguments: [("7", "cancel 7"), (#""7""#, #"cancel "7""#), ("null", ""), ("1.5", ""), ("{}", "")])
  func cancellation(id: String, told: String) {
    var peer = peer("2025-06-18")
    let message = #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":\#(id)}}"#
    #expect(peer.say(message) == told)
  }
}

@Suite("MCP: the specification")
struct MCPSpecTests {
  private func message(_ change: (String) -> String) -> String {
    var texts = Dictionary(EmbeddedSpec.files.map { ($0.path, $0.text) }) { first, _ in first }
    texts["mcp.yaml"] = change(texts["mcp.yaml"] ?? "")
    do {
      _ = try Specification(files: SpecFiles(texts: texts, prefix: "Spec/"))
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test(
    "says what is wrong with it",
    arguments: [
      ("method: tools/call", "method: tools/cal", #"did you mean "tools/call"?"#),
      ("method: tools/call", "method: tools/list", "the method tools/list stands twice"),
      (
        "- method: list_tasks", "- method: list_task",
        #"unknown method "list_task", did you mean "list_tasks"?"#
      ),
      ("has: [batches, annotations,", "has: [batch, annotations,", #"unknown value "batch""#),
      ("revision: 2025-03-26", "revision: 2024-01-01", "2024-01-01 is not after 2024-11-05"),
      ("readOnlyHint: true", "readOnly: true", #"unknown key "readOnly""#),
    ])
  func refused(old: String, new: String, expected: String) {
    let told = message { text in
      guard let range = text.firstRange(of: old) else { return text }
      return text.replacingCharacters(in: range, with: new)
    }
    #expect(told.contains(expected), "\(told)")
    #expect(told.contains("Spec/mcp.yaml:"))
  }
}
