import JSON
import Testing

@testable import ProtocolSpec

@Suite("Envelopes")
struct EnvelopeTests {
  let spec: Specification

  init() throws { spec = try Specification.load() }

  /// What one connection answers to `messages`, requests shown as `method(params)`.
  func replies(_ messages: [String], initial: Dialect = .bare) -> [String] {
    var reader = MessageReader(spec: spec, initial: initial)
    return messages.map { show(reader.read(Array($0.utf8))) }
  }

  func show(_ incoming: Incoming) -> String {
    switch incoming {
    case .ignored, .response: return "ignored"
    case .batch(let elements): return "[" + elements.map(show).joined(separator: " ") + "]"
    case .request(let request):
      let id = request.id.map { " id \($0)" } ?? ""
      return "\(request.dialect) \(request.method.name)\(id)"
    case .refused(let answer):
      var bytes: [UInt8] = []
      answer.write(to: &bytes)
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  @Test(
    "a message is a request, refused or ignored",
    arguments: [
      (#"{"method":"ping"}"#, "bare ping"),
      (#"{"method":"ping","id":0}"#, "bare ping id 0"),
      (#"{"method":"ping","params":{"extra":1},"more":2}"#, "bare ping"),
      (#"{"jsonrpc":"2.0","id":1.50,"method":"ping"}"#, "jsonrpc ping id 1.50"),
      (#"{"jsonrpc":"2.0","method":"ping"}"#, "jsonrpc ping"),
      (#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, "jsonrpc ping id null"),
      (#"{"jsonrpc":"2.0","method":"nope"}"#, "ignored"),
      (#"{"jsonrpc":"2.0","id":7,"result":{}}"#, "ignored"),
      (#"{"jsonrpc":"2.0","id":7,"error":{}}"#, "ignored"),
      ("{}", #"{"error":"Invalid request: method is required"}"#),
      (#"{"method":null,"id":4}"#, #"{"error":"Invalid request: method must be a string","id":4}"#),
      (#"{"method":"nope"}"#, #"{"error":"Unknown method: nope"}"#),
      (#"{"method":"create_task"}"#, #"{"error":"Missing description"}"#),
      (#"{"method":"create_task","params":null}"#, #"{"error":"Invalid params: must be an object"}"#),
      (#"{"method":"create_task","params":[]}"#, #"{"error":"Invalid params: must be an object"}"#),
      ("5", #"{"error":"Invalid request: a request must be an object"}"#),
      (
        #"{"jsonrpc":"1.0","id":"","method":"ping"}"#,
        #"{"jsonrpc":"2.0","id":"","error":{"code":-32600,"message":"Invalid request: jsonrpc must be \"2.0\"","data":{}}}"#
      ),
      (
        #"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        #"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid request: id must be a string, a number or null","data":{}}}"#
      ),
      (
        #"{"jsonrpc":"2.0","id":3,"method":"get_task_status","params":{}}"#,
        #"{"jsonrpc":"2.0","id":3,"error":{"code":-32602,"message":"Missing task_id","data":{"path":"/task_id","keyword":"required"}}}"#
      ),
      (
        #"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"ping"}]"#,
        "[jsonrpc ping id 1 jsonrpc ping]"
      ),
      (
        "[1]",
        #"[{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid request: a request must be an object","data":{}}}]"#
      ),
      (
        "[]",
        #"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid request: a batch must not be empty","data":{}}}"#
      ),
    ])
  func messages(message: String, expected: String) { #expect(replies([message]) == [expected]) }

  @Test("what has no dialect is answered in that of the last readable message")
  func memory() {
    let parseError = #"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"#
    let replies = replies([
      "{", #"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "{", #"{"method":"ping"}"#, "{",
    ])
    #expect(replies[0] == #"{"error":"Invalid JSON: a key in double quotes is expected: line 1 column 2"}"#)
    #expect(replies[2].hasPrefix(parseError))
    #expect(replies[4] == replies[0])
    #expect(self.replies(["{"], initial: .jsonrpc)[0].hasPrefix(parseError))
  }

  @Test("params get the defaults of the schema")
  func defaults() throws {
    var reader = MessageReader(spec: spec, initial: .bare)
    let incoming = reader.read(Array(#"{"method":"create_task","params":{"description":"x"}}"#.utf8))
    guard case .request(let request) = incoming else {
      Issue.record("no request")
      return
    }
    #expect(request.params["wait"] == true)
    #expect(request.params["type"] == "general")
  }

  @Test("an unknown task is a result in bare and an error in JSON-RPC")
  func unknownTask() {
    let fault = spec.errors.fault(.taskNotFound)
    #expect(
      show(.refused(Answer(dialect: .bare, id: nil, outcome: .failure(fault))))
        == #"{"result":{"error":"Task not found"}}"#)
    #expect(
      show(.refused(Answer(dialect: .jsonrpc, id: 1, outcome: .failure(fault))))
        == #"{"jsonrpc":"2.0","id":1,"error":{"code":1001,"message":"Task not found","data":{}}}"#)
  }

  @Test(
    "fault rules say what is wrong with them",
    arguments: [
      (["status": 99], "/status: a whole number of at least 200 is expected, not 99"),
      (["status": 500, "hang": true], "/hang: hang and status exclude each other"),
      (["stats": 500], "/stats: no such key"),
      (["fault": "http-5000"], "/fault: there is no fault \"http-5000\""),
      (["refuse": true, "on": "*"], "/on: a refused connection has no request to match"),
      (["delay": 3], "/delay: a duration such as 250ms or 2s is expected, not 3"),
      (["headers": ["a": "b\r\nc: d"]], "/headers: \"a\" is no header line"),
    ] as [(JSONValue, String)])
  func badRules(rule: JSONValue, expected: String) {
    #expect {
      _ = try FaultRule(rule, spec: spec)
    } throws: { error in
      "\(error)".hasPrefix(expected)
    }
  }

  @Test("a rule takes what it leaves out from the fault it names")
  func namedFault() throws {
    let rule = try FaultRule(["fault": "http-503-retry-after", "times": 2], spec: spec)
    guard case .answer(let status, _, _, _) = rule.action else {
      Issue.record("no answer")
      return
    }
    #expect(status == 503)
    #expect(rule.times == 2)
    #expect(rule.headers.first?.value == "1")
  }
}
