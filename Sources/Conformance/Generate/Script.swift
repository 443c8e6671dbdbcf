internal import JSON
internal import ProtocolSpec

/// In which way a generated case speaks.
enum Speech: String, CaseIterable {
  case bare, jsonrpc
  /// Native methods as tools of the newest revision that begins with initialize, and of the one before.
  case mcp
  case mcpBefore = "mcp-before"
  /// The same without initialize.
  case mcpStateless = "mcp-stateless"

  var dialect: TranscriptDialect { self == .bare ? .bare : .jsonrpc }
  var isTools: Bool { [.mcp, .mcpBefore, .mcpStateless].contains(self) }

  /// Of cases that are played over every transport of MCP, and so leave the beginning to the dialect.
  var ownDialect: TranscriptDialect {
    switch self {
    case .bare, .jsonrpc: dialect
    case .mcp: .mcp20251125
    case .mcpBefore: .mcp20250618
    case .mcpStateless: .mcp20260728
    }
  }
}

/// What a request must be answered with, in no dialect yet.
enum Outcome {
  /// Members of the result.
  case result(JSONValue)
  /// `invalid_params` at any of these places.
  case invalid([Violation])
  case error(ErrorName, text: JSONValue? = nil)
}

/// Where params do not fit, and which keyword says so.
struct Violation: Hashable {
  let path: [String]
  let keyword: String

  var pointer: String { JSONPointer(tokens: path).description }
}

/// Writes the lines of a case in its dialect.
struct Script {
  let speech: Speech
  private(set) var steps: [JSONValue] = []
  private var lastID = 0

  /// - Parameter begins: whether MCP is begun here, not by the dialect.
  init(_ speech: Speech, spec: Specification, begins: Bool = true) {
    self.speech = speech
    guard speech.isTools, begins else { return }
    let known = spec.mcp.revisions.map(\.name).sorted()
    let newest = spec.mcp.newest.name
    let revision = speech == .mcp ? newest : known.last { $0 < newest } ?? newest
    lastID = 1
    steps = [
      [
        "client": [
          "id": 1, "method": "initialize",
          "params": [
            "protocolVersion": .string(revision), "capabilities": .object(JSONObject()),
            "clientInfo": ["name": "transcript", "version": "1"],
          ],
        ]
      ],
      ["server": ["id": 1, "result": ["protocolVersion": .string(revision)]]],
    ]
  }

  /// A request and its answer. `params` as they are spoken: texts may be `{$repeat: …}`.
  mutating func ask(_ method: String, _ params: JSONValue?, _ outcome: Outcome, why: String? = nil) {
    lastID += 1
    var request = JSONObject()
    if speech != .bare { request["id"] = .int(lastID) }
    if speech.isTools {
      request["method"] = "tools/call"
      var call = JSONObject([("name", .string(method))])
      call["arguments"] = params
      request["params"] = .object(call)
    } else {
      request["method"] = .string(method)
      request["params"] = params
    }
    var answer = JSONObject()
    if speech != .bare { answer["id"] = .int(lastID) }
    let (key, value) = body(outcome)
    answer[key] = value
    steps.append(["client": .object(request)])
    expect(.object(answer), why: why)
  }

  /// A text that is sent as it stands, and the answer.
  mutating func send(raw text: JSONValue, _ answer: JSONValue?, why: String? = nil) {
    steps.append(["raw": ["text": text]])
    if let answer { expect(answer, why: why) }
  }

  mutating func append(_ step: JSONValue) { steps.append(step) }

  private mutating func expect(_ answer: JSONValue, why: String?) {
    var step = JSONObject([("server", answer)])
    step["why"] = why.map(JSONValue.string)
    steps.append(.object(step))
  }

  // MARK: Answers

  /// The member of an answer that says how it went.
  func body(_ outcome: Outcome) -> (key: String, value: JSONValue) {
    switch outcome {
    case .result(let result):
      return ("result", speech.isTools ? ["isError": false, "structuredContent": result] : result)
    case .invalid(let violations):
      if speech == .bare { return ("error", Self.text(violations, isBare: true)) }
      if speech == .mcp || speech == .mcpStateless {
        return ("result", ["isError": true, "content": [["text": Self.toolText(violations)]]])
      }
      let error: JSONValue = [
        "code": ["$spec": "invalid_params"], "message": Self.text(violations, isBare: false),
        "data": Self.data(violations, below: speech == .mcpBefore ? ["arguments"] : []),
      ]
      return ("error", error)
    case .error(let name, let text):
      if speech.isTools { return ("result", ["isError": true]) }
      let text = text ?? ["$spec": .string("\(name.rawValue).text")]
      if speech == .bare {
        return name == .taskNotFound ? ("result", ["error": text]) : ("error", text)
      }
      return (
        "error", ["code": ["$spec": .string(name.rawValue)], "message": text, "data": ["$type": "object"]]
      )
    }
  }

  private static func any(_ values: [JSONValue]) -> JSONValue {
    var distinct: [JSONValue] = []
    for value in values where !distinct.contains(value) { distinct.append(value) }
    return distinct.count == 1 ? distinct[0] : ["$oneOf": .array(distinct)]
  }

  private static func data(_ violations: [Violation], below: [String]) -> JSONValue {
    any(
      violations.map { violation in
        let path = JSONPointer(tokens: below + violation.path).description
        return ["path": .string(path), "keyword": .string(violation.keyword)]
      })
  }

  private static func text(_ violations: [Violation], isBare: Bool) -> JSONValue {
    any(
      violations.map { violation in
        if violation.keyword == "required" {
          guard violation.path.count == 1 else { return ["$spec": "invalid_params.required"] }
          return .string("Missing \(violation.path[0])")
        }
        guard isBare else {
          return ["$spec": .string("invalid_params.\(violation.path.isEmpty ? "root" : "text")")]
        }
        let place = violation.path.isEmpty ? "" : violation.pointer + ": "
        return ["$regex": .string("^Invalid params: \(place).")]
      })
  }

  /// The error object as JSON text, with its members in any order.
  private static func toolText(_ violations: [Violation]) -> JSONValue {
    any(
      violations.map { violation in
        let path = "(?=[\\s\\S]*\"path\":\\s*\"\(violation.pointer)\")"
        return ["$regex": .string("^\(path)(?=[\\s\\S]*\"keyword\":\\s*\"\(violation.keyword)\")")]
      })
  }
}
