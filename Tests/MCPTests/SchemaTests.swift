import Foundation
import JSON
import JSONSchema
import MCP
import ProtocolSpec
import TestSupport
import Testing

/// The official schema of one revision.
struct OfficialSchema {
  private let document: JSONValue
  private let definitions: String

  init(_ file: URL) throws {
    document = try JSONParser.parse(Array(Data(contentsOf: file)), limits: JSONLimits(depth: 256))
    definitions = document["$defs"] == nil ? "definitions" : "$defs"
  }

  func violations(_ name: String, _ value: JSONValue) throws -> [String] {
    var root = document
    root["$ref"] = .string("#/\(definitions)/\(name)")
    return try JSONSchema(root).validate(value).map { "\($0)" }
  }
}

@Suite("MCP: the official schemas")
struct SchemaTests {
  /// What a client says, what kind of message that is, and what kind of result comes back.
  static func conversation(_ revision: String) -> [(said: String, kind: String, result: String?)] {
    let request = "ClientRequest"
    let notification = "ClientNotification"
    return [
      (Peer.initialize(revision), request, "InitializeResult"),
      (#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, notification, nil),
      (#"{"jsonrpc":"2.0","id":"","method":"ping"}"#, request, "EmptyResult"),
      (#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#, request, "ListToolsResult"),
      (#"{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"cursor":"x"}}"#, request, "error"),
      (Peer.call("create_task", #"{"description":"hi"}"#), request, "CallToolResult"),
      (Peer.call("get_task_status", #"{"task_id":"a"}"#), request, "CallToolResult"),
      (Peer.call("list_tasks"), request, "CallToolResult"),
      (Peer.call("cancel_task", #"{"task_id":"a"}"#, id: #""x""#), request, "CallToolResult"),
      (Peer.call("system_status"), request, "CallToolResult"),
      (Peer.call("create_task"), request, revision < "2025-11-25" ? "error" : "CallToolResult"),
      (Peer.call("nope"), request, "error"),
      (#"{"jsonrpc":"2.0","id":3,"method":"resources/list"}"#, request, "ListResourcesResult"),
      (
        #"{"jsonrpc":"2.0","id":3,"method":"resources/templates/list"}"#, request,
        "ListResourceTemplatesResult"
      ),
      (Peer.resource("read", "omni://system"), request, "ReadResourceResult"),
      (Peer.resource("read", "task://a"), request, "ReadResourceResult"),
      (Peer.resource("read", "task://"), request, "error"),
      (#"{"jsonrpc":"2.0","id":3,"method":"prompts/list"}"#, request, "ListPromptsResult"),
      (Peer.prompt(#"{"goal":"a garden"}"#), request, "GetPromptResult"),
      (Peer.prompt("{}"), request, "error"),
      (
        Peer.completion(#"{"type":"ref/prompt","name":"break_into_tasks"}"#, "type"), request,
        "CompleteResult"
      ),
      (Peer.completion(#"{"type":"ref/resource","uri":"task://{id}"}"#, "id"), request, "CompleteResult"),
      (Peer.initialize(revision, id: "4"), request, "error"),
      (
        #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,"reason":"late"}}"#,
        notification, nil
      ),
    ]
  }

  @Test("every message of both sides is valid in every revision")
  func conversations() throws {
    guard let corpus = Corpora.folder("mcp-schema") else { return }
    let spec = try Specification.load()
    var verdicts: [String?] = []
    for revision in spec.mcp.revisions where !revision.isStateless {
      let official = try OfficialSchema(corpus.appending(path: "\(revision.name)/schema.json"))
      // A schema that takes anything would prove nothing.
      #expect(try !official.violations("InitializeResult", [:]).isEmpty)
      verdicts += try converse(revision, spec).map { kind, message in
        let violations = try official.violations(kind, message)
        return violations.isEmpty ? nil : "\(revision.name) \(kind): \(violations): \(message)"
      }
    }
    let failed = verdicts.compactMap(\.self)
    Corpora.report("mcp-schema", checked: verdicts.count, failed: failed.count)
    #expect(failed == [])
  }

  /// What a client of a stateless revision says, and what kind of result comes back.
  private static let stateless: [(said: String, result: String)] = [
    (StatelessTests.message("server/discover"), "DiscoverResult"),
    (StatelessTests.message("tools/list"), "ListToolsResult"),
    (
      StatelessTests.message("tools/call", #""name":"create_task","arguments":{"description":"x"}"#),
      "CallToolResult"
    ),
    (StatelessTests.message("resources/list"), "ListResourcesResult"),
    (StatelessTests.message("resources/templates/list"), "ListResourceTemplatesResult"),
    (StatelessTests.message("resources/read", #""uri":"omni://system""#), "ReadResourceResult"),
    (StatelessTests.message("prompts/list"), "ListPromptsResult"),
    (
      StatelessTests.message("prompts/get", #""name":"break_into_tasks","arguments":{"goal":"x"}"#),
      "GetPromptResult"
    ),
    (
      StatelessTests.message(
        "completion/complete",
        #""ref":{"type":"ref/prompt","name":"break_into_tasks"},"argument":{"name":"type","value":"p"}"#),
      "CompleteResult"
    ),
    (StatelessTests.message("ping"), "MethodNotFoundError"),
    (StatelessTests.message("resources/read", #""uri":"x://y""#), "InvalidParamsError"),
    (StatelessTests.message("tools/list", version: "2030-01-01"), "UnsupportedProtocolVersionError"),
    (StatelessTests.message("tasks/get", #""taskId":"a""#), "MissingRequiredClientCapabilityError"),
  ]

  @Test("every message without a session is valid")
  func statelessConversations() throws {
    guard let corpus = Corpora.folder("mcp-schema") else { return }
    let spec = try Specification.load()
    for revision in spec.mcp.revisions where revision.isStateless {
      let official = try OfficialSchema(corpus.appending(path: "\(revision.name)/schema.json"))
      var peer = Peer(spec)
      for (said, kind) in Self.stateless {
        let answer = try JSONParser.parse(peer.say(said))
        let isError = kind.hasSuffix("Error")
        #expect(try official.violations("JSONRPCMessage", answer) == [], "\(said)")
        let part = try #require(isError ? answer["error"] : answer["result"], "\(said) → \(answer)")
        let whole = isError && ["MethodNotFoundError", "InvalidParamsError"].contains(kind) == false
        #expect(try official.violations(kind, whole ? answer : part) == [], "\(kind) \(answer)")
      }
    }
  }

  /// Every message of a conversation with each kind it has to be.
  private func converse(_ revision: MCPRevision, _ spec: Specification) throws -> [(
    kind: String, message: JSONValue
  )] {
    let error = revision.has(.errorsWithoutID) ? "JSONRPCErrorResponse" : "JSONRPCError"
    var peer = Peer(spec)
    peer.tools["cancel_task"] = .failure(spec.errors.fault(.taskNotFound))
    var messages: [(kind: String, message: JSONValue)] = []
    for (said, kind, result) in Self.conversation(revision.name) {
      let message = try JSONParser.parse(said)
      messages += [("JSONRPCMessage", message), (kind, message)]
      let told = peer.say(said)
      guard let result else {
        #expect(told == "" || told == "cancel 7")
        continue
      }
      let answer = try JSONParser.parse(told)
      messages.append(("JSONRPCMessage", answer))
      let isError = result == "error"
      messages.append(
        isError ? (error, answer) : (result, try #require(answer["result"], "\(said) → \(told)")))
    }
    // The older schemas have no message for this.
    guard revision.has(.errorsWithoutID) else { return messages }
    for said in ["{", "5", "[]", #"{"jsonrpc":"2.0","id":null,"method":"ping"}"#] {
      messages.append((error, try JSONParser.parse(peer.say(said))))
    }
    return messages
  }

  @Test("every tool's schemas are valid, stand alone and accept what the method takes and gives")
  func tools() throws {
    let spec = try Specification.load()
    for tool in spec.mcp.tools.map({ Tool($0, mayBeTask: false) }) {
      let input = try JSONSchema(tool.inputSchema)
      _ = try JSONSchema(tool.outputSchema)
      #expect(tool.inputSchema["type"] == "object")
      #expect(tool.outputSchema["type"] == "object", "\(tool.name)")
      let text = "\(tool.outputSchema)"
      #expect(!text.contains("omni:task") && !text.contains("$id"), "\(tool.name)")
      #expect(input.isValid(["description": "x", "task_id": "y"]))
    }
    let task = try #require(spec.mcp.tool(named: "get_task_status")).method
    let list = try #require(spec.mcp.tool(named: "list_tasks")).method
    let bad: JSONValue = ["tasks": [["task_id": "x"]]]
    #expect(try !JSONSchema(list.resultSchema).isValid(bad))
    #expect(try !JSONSchema(task.resultSchema).isValid(["task_id": "x"]))
    #expect(try JSONSchema(list.resultSchema).isValid(["tasks": []]))
  }
}
