import JSON
import ProtocolSpec
import Testing
import Wire

@testable import omni_server

@Suite("What the header of a request for MCP says")
struct HTTPRulesTests {
  let spec: Specification
  let rules: HTTPRules

  init() throws {
    spec = try Specification.load()
    rules = HTTPRules(spec)
  }

  func head(_ headers: HTTPHeaders) -> HTTPRequestHead {
    HTTPRequestHead(method: "POST", target: "/mcp", headers: headers)
  }

  @Test(
    "Accept lists both types, or ranges that hold them (RFC 9110 §12.5.1)",
    arguments: [
      (["application/json, text/event-stream"], true), (["text/event-stream,application/json"], true),
      (["application/json", "text/event-stream"], true), (["*/*"], true),
      (["application/*, text/*;q=0.5"], true), (["Application/JSON ; q=1 , TEXT/event-stream"], true),
      ([], false), ([""], false), (["application/json"], false), (["text/event-stream"], false),
      (["application/json, text/event-stream;q=0"], false),
      (["application/json, text/event-stream; Q=0.00"], false), (["application/jsonx, text/html"], false),
    ] as [([String], Bool)])
  func accept(values: [String], isAccepted: Bool) {
    let head = head(HTTPHeaders(values.map { ("Accept", $0) }))
    #expect(rules.accepts([HTTPRules.json, HTTPRules.eventStream], head) == isAccepted)
  }

  @Test(
    "Content-Type is that of JSON, with parameters or without",
    arguments: [
      (["application/json"], true), (["Application/JSON; charset=utf-8"], true), ([], false),
      (["text/json"], false), (["application/json", "application/json"], false), ([""], false),
      (["application/json-rpc"], false),
    ] as [([String], Bool)])
  func contentType(values: [String], isJSON: Bool) {
    #expect(rules.isJSON(head(HTTPHeaders(values.map { ("Content-Type", $0) }))) == isJSON)
  }

  static let meta: JSONValue = [
    "_meta": ["io.modelcontextprotocol/protocolVersion": "2026-07-28"], "name": "häufig", "uri": "a",
    "taskId": "7",
  ]

  @Test(
    "a message of a stateless revision says in the header what it says in the body",
    arguments: [
      ("tools/call", [:], nil),
      ("tools/call", ["Mcp-Method": "tools/call"], nil),
      ("tools/call", ["mcp-method": "tools/list"], "Mcp-Method says tools/list, the message tools/call"),
      ("tools/call", ["Mcp-Method": "TOOLS/CALL"], "Mcp-Method says TOOLS/CALL, the message tools/call"),
      ("tools/call", ["Mcp-Name": "=?base64?aMOkdWZpZw==?="], nil),
      ("prompts/get", ["Mcp-Name": "=?base64?aMOkdWZpZw==?="], nil),
      ("tools/call", ["Mcp-Name": "other"], "Mcp-Name says other, the message häufig"),
      ("tools/call", ["Mcp-Name": "=?base64?!?="], "Mcp-Name is no Base64 of a text"),
      ("tools/call", ["Mcp-Name": "=?base64?/w==?="], "Mcp-Name is no Base64 of a text"),
      ("tools/call", ["Mcp-Name": "=?BASE64?YQ==?="], "Mcp-Name says =?BASE64?YQ==?=, the message häufig"),
      ("resources/read", ["Mcp-Name": "a"], nil), ("tasks/get", ["Mcp-Name": "7"], nil),
      ("tasks/cancel", ["Mcp-Name": "8"], "Mcp-Name says 8, the message 7"),
      ("tools/list", ["Mcp-Name": "whatever"], nil),
      ("tools/list", ["Mcp-Method": "tools/list", "mcp-method": "x"], "Mcp-Method stands more than once"),
    ] as [(String, HTTPHeaders, String?)])
  func mismatch(method: String, headers: HTTPHeaders, detail: String?) {
    var headers = headers
    headers.append("mcp-protocol-version", "2026-07-28")
    let fault = rules.mismatch(head(headers), ["method": .string(method), "params": Self.meta])
    #expect(fault?.message == detail.map { "Header mismatch: " + $0 })
  }

  @Test(
    "the revision is in the header too, and the same",
    arguments: [
      ([], "MCP-Protocol-Version is missing"),
      (
        ["MCP-Protocol-Version": "2025-11-25"],
        "MCP-Protocol-Version says 2025-11-25, the message 2026-07-28"
      ),
      (["MCP-Protocol-Version": "2026-07-28"], nil),
    ] as [(HTTPHeaders, String?)])
  func version(headers: HTTPHeaders, detail: String?) {
    let fault = rules.mismatch(head(headers), ["method": "tools/list", "params": Self.meta])
    #expect(fault?.message == detail.map { "Header mismatch: " + $0 })
  }

  @Test(
    "which era a message is of, header or message say",
    arguments: [
      ([:], ["method": "tools/list"], false), ([:], ["method": "tools/list", "params": Self.meta], true),
      ([:], ["method": "server/discover"], true), ([:], ["method": "initialize"], false), ([:], [1], false),
      (["MCP-Protocol-Version": "2026-07-28"], ["method": "tools/list"], true),
      (["MCP-Protocol-Version": "2025-11-25"], ["method": "tools/list"], false),
      (["MCP-Protocol-Version": "2099-01-01"], ["method": "tools/list"], false),
    ] as [(HTTPHeaders, JSONValue, Bool)])
  func era(headers: HTTPHeaders, message: JSONValue, isStateless: Bool) {
    #expect(rules.isStateless(head(headers), message) == isStateless)
  }

  @Test(
    "with a session the header names a revision that has sessions, if it is there",
    arguments: [
      ([], nil), (["2025-03-26"], nil), (["2024-11-05"], nil), (["2026-07-28"], .unsupportedVersion),
      (["2025-13-13"], .unsupportedVersion), ([""], .unsupportedVersion),
      (["2025-03-26", "2025-03-26"], .invalidRequest),
    ] as [([String], ErrorName?)])
  func sessionVersion(values: [String], name: ErrorName?) {
    let headers = HTTPHeaders(values.map { ("MCP-Protocol-Version", $0) })
    #expect(rules.refusalOfVersion(head(headers))?.name == name)
  }

  @Test(
    "errors have the status that their revision gives them",
    arguments: [
      (.parseError, 400, 400), (.invalidRequest, 400, 400), (.methodNotFound, 200, 404),
      (.headerMismatch, 400, 400), (.missingCapability, 400, 400), (.unsupportedVersion, 400, 400),
      (.invalidParams, 200, 200), (.internalError, 200, 200), (.rateLimited, 200, 200),
    ] as [(ErrorName, Int, Int)])
  func status(name: ErrorName, session: Int, stateless: Int) {
    let answer = Answer(dialect: .jsonrpc, id: 1, outcome: .failure(spec.errors.fault(name)))
    #expect(rules.status(of: answer, isStateless: false) == session)
    #expect(rules.status(of: answer, isStateless: true) == stateless)
  }

  @Test("params that do not fit are 400 where _meta is what does not fit, without a session")
  func statusOfMeta() {
    for (path, status) in [("/_meta", 400), ("/_meta/a", 400), ("/_metal", 200), ("/name", 200)] {
      let fault = spec.errors.fault(.invalidParams, data: ["path": .string(path)])
      let answer = Answer(dialect: .jsonrpc, id: 1, outcome: .failure(fault))
      #expect(rules.status(of: answer, isStateless: true) == status)
      #expect(rules.status(of: answer, isStateless: false) == 200)
    }
  }
}
