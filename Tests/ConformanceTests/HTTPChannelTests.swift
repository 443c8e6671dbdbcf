import Conformance
import JSON
import ProtocolSpec
import Testing
import Transport
import Wire

/// Cases over Streamable HTTP, against a server that does right and servers with one wrong behaviour each.
@Suite("Streamable HTTP")
struct HTTPChannelTests {
  private static let list = """
    - client: {id: 1, method: tools/list}
    - server: {id: 1, result: {tools: {$type: array}}}
    """

  private static func play(
    _ steps: String, dialect: String = "mcp-2025-11-25", more: String = "level: must", on peer: MCPPeer
  ) async throws -> CaseResult {
    let text = Kit.file(steps, dialect: dialect, more: more)
    let result = try await Kit.run(text, against: peer.url)
    return try #require(result.results.first)
  }

  @Test("a session has its headers from its beginning to its end", .timeLimit(.minutes(1)))
  func session() async throws {
    let peer = try MCPPeer()
    let result = try await Self.play(Self.list, on: peer)
    #expect(result.verdict == .pass, "\(String(describing: result.failure))")
    // Behind what the server was asked before the case: whether it is there, and what it declares.
    let asked = Array(peer.asked.drop { $0.id != "begin" })
    #expect(
      asked.map { $0.name ?? $0.method }.prefix(4) == [
        "initialize", "notifications/initialized", "GET", "tools/list",
      ])
    #expect(asked.first?.headers["Mcp-Session-Id"] == nil)
    #expect(asked.first?.headers["MCP-Protocol-Version"] == nil)
    #expect(asked.dropFirst().allSatisfy { $0.headers["Mcp-Session-Id"] == "session-1" })
    #expect(asked.dropFirst().allSatisfy { $0.headers["MCP-Protocol-Version"] == "2025-11-25" })
    #expect(asked.first?.headers["Accept"] == "application/json, text/event-stream")
    #expect(asked.last?.method == "DELETE")
  }

  @Test("before 2025-06-18 no header tells the revision", .timeLimit(.minutes(1)))
  func older() async throws {
    let peer = try MCPPeer()
    let result = try await Self.play(Self.list, dialect: "mcp-2025-03-26", on: peer)
    #expect(result.verdict == .pass, "\(String(describing: result.failure))")
    #expect(peer.asked.allSatisfy { $0.headers["MCP-Protocol-Version"] == nil })
  }

  @Test("a stream that ends early is taken up again behind its last event", .timeLimit(.minutes(1)))
  func resumption() async throws {
    let peer = try MCPPeer { asked in
      if asked.name == "tools/list", asked.id == 1 { return .events("id: e-7\nretry: 10\ndata:\n\n") }
      guard asked.headers["Last-Event-ID"] == "e-7" else { return nil }
      return .events("id: e-8\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\ndata: \"result\":{\"tools\":[]}}\n\n")
    }
    let result = try await Self.play(Self.list, on: peer)
    #expect(result.verdict == .pass, "\(String(describing: result.failure))")
    #expect(peer.asked.count { $0.headers["Last-Event-ID"] == "e-7" } == 1)
  }

  @Test("what the server asks and tells comes as messages of the connection", .timeLimit(.minutes(1)))
  func server() async throws {
    let peer = try MCPPeer { asked in
      if asked.method == "GET", asked.headers["Last-Event-ID"] == nil {
        return .events(
          "id: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n")
      }
      guard asked.name == "tools/call" else { return nil }
      return .events(
        "data: {\"jsonrpc\":\"2.0\",\"id\":\"s\",\"method\":\"sampling/createMessage\",\"params\":{}}\n\n"
          + "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\n\n")
    }
    let steps = """
      - client: {id: 0, method: ping}
      - unordered:
        - server: {method: notifications/tools/list_changed}
        - server: {id: 0, result: {}}
      - client: {id: 1, method: tools/call, params: {name: x}}
      - server: {id: s, method: sampling/createMessage, params: {}}
      - client: {id: s, result: {role: assistant}}
      - server: {id: 1, result: {content: []}}
      """
    let result = try await Self.play(steps, more: "client: {capabilities: {sampling: {}}}", on: peer)
    #expect(result.verdict == .pass, "\(String(describing: result.failure))")
    let begin = try #require(peer.asked.first { $0.id == "begin" })
    #expect(begin.message?["params"]?["capabilities"] == ["sampling": .object(JSONObject())])
    #expect(peer.asked.contains { $0.message?["result"]?["role"] == "assistant" })
  }

  @Test("requests of 2026-07-28 say of themselves what others agree on", .timeLimit(.minutes(1)))
  func stateless() async throws {
    let peer = try MCPPeer()
    let steps = """
      - client: {id: 1, method: tools/call, params: {name: träge}}
      - server: {id: 1, result: {content: []}}
        status: 200
      - client: {id: 2, method: tools/call, params: {name: x, _meta: {progressToken: t}}}
      - server: {id: 2, result: {}}
      - client: {id: 3, method: tools/list, params: {_meta: {$absent: true}}}
        headers: {Mcp-Method: other, MCP-Protocol-Version: {$absent: true}}
      - server: {id: 3, result: {}}
      - client: {id: 4, method: fly}
      - server: {id: 4, error: {code: -32601}}
        status: 404
      """
    let result = try await Self.play(
      steps, dialect: "mcp-2026-07-28", more: "transports: [http]", on: peer)
    #expect(result.verdict == .pass, "\(String(describing: result.failure))")
    let first = try #require(peer.asked.first { $0.id == 1 })
    #expect(first.headers["MCP-Protocol-Version"] == "2026-07-28")
    #expect(first.headers["Mcp-Method"] == "tools/call")
    #expect(first.headers["Mcp-Name"] == "=?base64?dHLDpGdl?=")
    let prefix = "io.modelcontextprotocol/"
    let meta = first.message?["params"]?["_meta"]
    #expect(meta?[prefix + "protocolVersion"] == "2026-07-28")
    #expect(meta?[prefix + "clientCapabilities"] == .object(JSONObject()))
    #expect(meta?[prefix + "clientInfo"]?["name"] == "omni-conformance")
    let second = try #require(peer.asked.first { $0.id == 2 }?.message?["params"]?["_meta"])
    #expect(second["progressToken"] == "t" && second[prefix + "protocolVersion"] == "2026-07-28")
    let third = try #require(peer.asked.first { $0.id == 3 })
    #expect(third.message?["params"] == .object(JSONObject()))
    #expect(third.headers["Mcp-Method"] == "other" && third.headers["MCP-Protocol-Version"] == nil)
    #expect(!peer.asked.contains { $0.method == "GET" || $0.method == "DELETE" })
  }

  struct Wrong: Sendable, CustomTestStringConvertible {
    let name: String
    let message: String
    let behaviour: MCPPeer.Behaviour
    var testDescription: String { name }

    init(_ name: String, _ message: String, _ behaviour: @escaping MCPPeer.Behaviour) {
      (self.name, self.message, self.behaviour) = (name, message, behaviour)
    }

    /// Something else for the request of the case.
    static func answer(_ name: String, _ answer: MCPPeer.Answer, _ message: String) -> Wrong {
      Wrong(name, message) { $0.name == "tools/list" && $0.id == 1 ? answer : nil }
    }
  }

  private static let right = #"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#

  static let wrongs: [Wrong] = [
    .answer("another id", .json(#"{"jsonrpc":"2.0","id":2,"result":{"tools":[]}}"#), "the frame differs"),
    .answer("no message", .accepted, "on connection a a request was answered with 202 and nothing"),
    .answer(
      "a page", MCPPeer.Answer(status: 500, headers: ["Content-Type": "text/html"], body: "oh"),
      "on connection a a request was answered with 500 and \"oh\""),
    .answer(
      "no type", MCPPeer.Answer(headers: ["Content-Type": "text/plain"], body: right),
      "on connection a a message came with the Content-Type \"text/plain\", application/json is expected"),
    .answer(
      "no answer in the stream", .events("data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n"),
      "the frame differs"),
    .answer(
      "an empty stream", .events(": nothing\n\n"),
      "on connection a the stream of a POST ended before all of it was answered"),
    .answer(
      "answered twice", .events("data: \(right)\n\ndata: \(right)\n\n"),
      "a frame that no step declares, on connection a"),
    .answer("no JSON", .json("{"), "the frame is no JSON: "),
    Wrong(
      "a notification with a body", "on connection a what is no request was answered with 200 and nothing"
    ) {
      $0.name == "notifications/initialized" ? MCPPeer.Answer(status: 200) : nil
    },
    Wrong(
      "a GET that is neither", "on connection a a GET was answered with 500, neither with events nor with 405"
    ) { $0.method == "GET" ? MCPPeer.Answer(status: 500) : nil },
    Wrong("another revision", "the server does not agree on the revision") { asked in
      guard asked.name == "initialize", asked.id == "begin" else { return nil }
      return .json(#"{"jsonrpc":"2.0","id":"begin","result":{"protocolVersion":"2025-06-18"}}"#)
    },
    Wrong("a session that no header can hold", "on connection a the Mcp-Session-Id has characters") { asked in
      guard asked.id == "begin" else { return nil }
      let result = #"{"protocolVersion":"2025-11-25","capabilities":{}}"#
      return .json(
        #"{"jsonrpc":"2.0","id":"begin","result":\#(result)}"#, ["Mcp-Session-Id": "a b"])
    },
  ]

  @Test("a wrong behaviour fails the case", .timeLimit(.minutes(1)), arguments: wrongs)
  func wrong(_ wrong: Wrong) async throws {
    let result = try await Self.play(Self.list, on: try MCPPeer(wrong.behaviour))
    #expect(result.verdict == .fail)
    let message = result.failure?.message ?? ""
    #expect(message.hasPrefix(wrong.message), "\(message)")
  }

  @Test("a status that differs fails the case", .timeLimit(.minutes(1)))
  func status() async throws {
    let steps = "- client: {id: 4, method: fly}\n- server: {id: 4, error: {code: -32601}}\n  status: 400"
    let result = try await Self.play(steps, on: try MCPPeer())
    #expect(result.failure?.message == "the status of the answer differs")
  }

  struct Gate: Sendable {
    let needs: String
    let dialect: String
    let reason: String?
  }

  static let gates = [
    Gate(needs: "mcp.tools", dialect: "mcp-2025-11-25", reason: nil),
    Gate(needs: "mcp.fixtures", dialect: "mcp-2025-11-25", reason: nil),
    Gate(
      needs: "omni.tools", dialect: "mcp-2025-11-25",
      reason: "needs omni.tools, which the target does not declare"),
    Gate(
      needs: "mcp.resources.subscribe, mcp.tasks", dialect: "mcp-2025-11-25",
      reason: "needs mcp.resources.subscribe, mcp.tasks, which the target does not declare"),
    Gate(
      needs: "mcp.tools", dialect: "mcp-2024-11-05",
      reason: "needs MCP 2024-11-05, and the target offers 2025-11-25"),
    Gate(
      needs: "mcp.tools", dialect: "mcp-2026-07-28",
      reason: #"needs MCP 2026-07-28, and the target answers {code: -32601, message: no such method}"#),
  ]

  @Test("what a server does not declare is not asked for", .timeLimit(.minutes(1)), arguments: gates)
  func gate(_ gate: Gate) async throws {
    let peer = try MCPPeer { asked in
      if asked.name == "server/discover" { return MCPPeer.usual(MCPPeer.Asked.unknown(asked.id)) }
      guard asked.name == "initialize" else { return nil }
      let result =
        #"{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"resources":{"subscribe":false}}}"#
      return .json(#"{"jsonrpc":"2.0","id":\#(asked.id),"result":\#(result)}"#)
    }
    let result = try await Self.play(
      Self.list, dialect: gate.dialect, more: "needs: [\(gate.needs)]", on: peer)
    #expect(result.reason == gate.reason)
    #expect(result.verdict == (gate.reason == nil ? .pass : .notApplicable))
  }

  @Test("every mutation of a message is noticed", .timeLimit(.minutes(1)))
  func proof() async throws {
    let peer = try MCPPeer()
    let steps =
      Self.list + "\n- client: {id: 2, method: fly}\n- server: {id: 2, error: {code: -32601}}\n  status: 404"
    let proof = try #require(
      try await ProveTests.prove(Kit.file(steps, dialect: "mcp-2025-11-25"), on: peer.url).first)
    #expect(proof.failure == nil, "\(String(describing: proof.failure))")
    let kinds = Set(proof.results.map(\.mutation.kind))
    #expect(
      kinds.isSuperset(of: [.frameMissing, .frameTwice, .frameLate, .textCut, .idChanged, .statusChanged]))
    #expect(kinds.isDisjoint(with: [.frameCut, .binaryForText, .closeForFrame]))
    for result in proof.results { #expect(result.verdict == .noticed, "\(result.mutation.id)") }
  }
}

extension MCPPeer.Asked {
  static func unknown(_ id: JSONValue) -> MCPPeer.Asked {
    MCPPeer.Asked(method: "POST", headers: [], message: ["id": id, "method": "fly"])
  }
}
