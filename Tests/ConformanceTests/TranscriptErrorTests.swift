import Conformance
import ProtocolSpec
import Testing
import YAML

@Suite("Mistakes in transcripts")
struct TranscriptErrorTests {
  struct Mistake: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    let message: String
    var testDescription: String { name }

    init(_ name: String, _ text: String, _ message: String) {
      self.name = name
      self.text = text
      self.message = message
    }

    static func step(_ name: String, _ step: String, _ message: String, more: String = "") -> Mistake {
      Mistake(name, Kit.file(step, more: more), message)
    }
  }

  static let mistakes: [Mistake] = [
    .step(
      "frames of WebSocket over stdio", "- raw: {ping: x}",
      """
      Fixtures/server/t.yaml:10:10: raw like this is of WebSocket: the case needs transports: [ws]
        10 |   - raw: {ping: x}
           |          ^
      """, more: "transports: [ws, stdio]"),
    .step(
      "header fields over WebSocket", "- client: {id: 1}\n  headers: {A: b}",
      """
      Fixtures/server/t.yaml:11:14: only HTTP has header fields: the case needs transports: [http]
        11 |     headers: {A: b}
           |              ^
      """),
    .step(
      "a status over WebSocket", "- server: {id: 1}\n  status: 200",
      """
      Fixtures/server/t.yaml:11:13: only HTTP has a status
        11 |     status: 200
           |             ^
      """),
    .step(
      "an unknown transport", "- client: {id: 1}",
      """
      Fixtures/server/t.yaml:8:16: unknown transport "tcp", known: ws, http, stdio
         8 |   transports: [tcp]
           |                ^
      """, more: "transports: [tcp]"),
    .step(
      "an unknown beginning", "- client: {id: 1}",
      """
      Fixtures/server/t.yaml:8:10: unknown beginning "no", known: initialize, none
         8 |   begin: no
           |          ^
      """, more: "begin: no"),
    .step(
      "a capability that no server of MCP has", "- client: {id: 1}",
      """
      Fixtures/server/t.yaml:8:11: unknown capability "mcp.tool", did you mean "mcp.tools"?
         8 |   needs: [mcp.tool]
           |           ^
      """, more: "needs: [mcp.tool]"),
    .step(
      "a need of MCP in another dialect", "- client: {id: 1}",
      """
      Fixtures/server/t.yaml:8:10: mcp.tools is declared to clients of MCP: the dialect is jsonrpc
         8 |   needs: [mcp.tools]
           |          ^
      """, more: "needs: [mcp.tools]"),
    .step(
      "unknown key of a step", "- clint: {id: 1}",
      """
      Fixtures/server/t.yaml:10:5: unknown key "clint", did you mean "client"?
        10 |   - clint: {id: 1}
           |     ^
      """),
    .step(
      "unknown key of a case", "- client: {id: 1}",
      """
      Fixtures/server/t.yaml:8:3: unknown key "frsh", did you mean "fresh"?
         8 |   frsh: true
           |   ^
      """, more: "frsh: true"),
    .step(
      "two actions", "- {client: {id: 1}, server: {id: 1}}",
      """
      Fixtures/server/t.yaml:10:23: client and server do not go together in one step
        10 |   - {client: {id: 1}, server: {id: 1}}
           |                       ^
      """),
    .step(
      "two parts of any length", "- server: {id: {$join: [{$type: string}, {$type: string}]}}",
      """
      Fixtures/server/t.yaml:10:44: a text or a $ref must stand between two parts of any length
        10 |   - server: {id: {$join: [{$type: string}, {$type: string}]}}
           |                                            ^
      """),
    .step(
      "$exactly beside others", "- server: {id: {$exactly: 1, $as: x}}",
      """
      Fixtures/server/t.yaml:10:29: $exactly stands alone
        10 |   - server: {id: {$exactly: 1, $as: x}}
           |                             ^
      """),
    .step(
      "$say without a value", "- client: {id: {$type: id, $say: {$regex: x}}}",
      """
      Fixtures/server/t.yaml:10:36: {$regex: x} gives no value to say
        10 |   - client: {id: {$type: id, $say: {$regex: x}}}
           |                                    ^
      """),
    .step(
      "unknown matcher", "- server: {id: {$typ: int}}",
      """
      Fixtures/server/t.yaml:10:19: unknown key "$typ", did you mean "$type"?
        10 |   - server: {id: {$typ: int}}
           |                   ^
      """),
    .step(
      "unknown type", "- server: {id: {$type: integer}}",
      """
      Fixtures/server/t.yaml:10:26: unknown type "integer", known: string, int, number, bool, object, array, null, uuid, timestamp, id
        10 |   - server: {id: {$type: integer}}
           |                          ^
      """),
    .step(
      "reference before its capture", "- server: {id: {$ref: tsk}, result: {t: {$as: task}}}",
      """
      Fixtures/server/t.yaml:10:25: unknown capture "tsk"
        10 |   - server: {id: {$ref: tsk}, result: {t: {$as: task}}}
           |                         ^
      """),
    .step(
      "reference that is misspelt", "- server: {id: {$as: task}}\n- server: {id: {$ref: tsk}}",
      """
      Fixtures/server/t.yaml:11:25: unknown capture "tsk", did you mean "task"?
        11 |   - server: {id: {$ref: tsk}}
           |                         ^
      """),
    .step(
      "unknown error", "- server: {error: {code: {$spec: task_not_fund}}}",
      """
      Fixtures/server/t.yaml:10:36: unknown error "task_not_fund", did you mean "task_not_found"?
        10 |   - server: {error: {code: {$spec: task_not_fund}}}
           |                                    ^
      """),
    .step(
      "unknown schema", "- server: {result: {$schema: create_tsk/result}}",
      """
      Fixtures/server/t.yaml:10:32: unknown schema "create_tsk/result", did you mean "create_task/result"?
        10 |   - server: {result: {$schema: create_tsk/result}}
           |                                ^
      """),
    .step(
      "a matcher gives no value to send", "- client: {id: {$regex: x}}",
      """
      Fixtures/server/t.yaml:10:18: {$regex: x} matches but gives no value to send
        10 |   - client: {id: {$regex: x}}
           |                  ^
      """),
    .step(
      "a rule of the mock", "- client: {id: 1}",
      """
      Fixtures/server/t.yaml:8:20: /status: a status from 200 to 599 is expected, not 700
         8 |   arm: {litellm: [{status: 700}]}
           |                    ^
      """, more: "arm: {litellm: [{status: 700}]}"),
    .step(
      "an unknown face", "- arm: {lite: []}",
      """
      Fixtures/server/t.yaml:10:11: unknown face "lite", known: litellm, direct, local
        10 |   - arm: {lite: []}
           |           ^
      """),
    .step(
      "odd bytes", "- raw: {hex: 81 0}",
      """
      Fixtures/server/t.yaml:10:16: bytes in hexadecimal are expected: "81 02 7b 7d"
        10 |   - raw: {hex: 81 0}
           |                ^
      """),
    .step(
      "a close code", "- closed: {by: server, code: [99]}",
      """
      Fixtures/server/t.yaml:10:33: a close code from 1000 to 4999 is expected, not 99 (RFC 6455 §7.4)
        10 |   - closed: {by: server, code: [99]}
           |                                 ^
      """),
    .step(
      "a length below nothing", "- client: {id: {$type: string, $length: -1}}",
      """
      Fixtures/server/t.yaml:10:43: a length from 0 to 67108864 is expected, not -1
        10 |   - client: {id: {$type: string, $length: -1}}
           |                                           ^
      """),
    .step(
      "a text too long to repeat", "- client: {id: {$repeat: abcd, times: 20000000}}",
      """
      Fixtures/server/t.yaml:10:41: a text of at most 67108864 bytes is expected, not 80000000
        10 |   - client: {id: {$repeat: abcd, times: 20000000}}
           |                                         ^
      """),
    .step(
      "a pattern", "- server: {id: {$regex: '('}}",
      """
      Fixtures/server/t.yaml:10:27: not a regular expression
      """),
    .step(
      "an unknown capability", "- client: {id: 1}",
      """
      Fixtures/server/t.yaml:8:11: unknown capability "restrat", did you mean "restart"?
         8 |   needs: [restrat]
           |           ^
      """, more: "needs: [restrat]"),
    Mistake(
      "unknown cover tag",
      Kit.file("- client: {id: 1}").replacing("method:ping", with: "req:ping.obect"),
      """
      Fixtures/server/t.yaml:7:12: unknown cover tag "req:ping.obect", did you mean "req:ping.object"?
         7 |   covers: [req:ping.obect]
           |            ^
      """),
    Mistake(
      "duplicate id",
      Kit.file("- client: {id: 1}") + "\n- {id: case, covers: [method:ping], steps: [{client: {id: 1}}]}\n",
      """
      Fixtures/server/t.yaml:11:8: case t/case stands already at Fixtures/server/t.yaml:5
        11 | - {id: case, covers: [method:ping], steps: [{client: {id: 1}}]}
           |        ^
      """),
    Mistake(
      "no steps", Kit.file("- client: {id: 1}").replacing("steps:\n  - client: {id: 1}", with: "steps: []"),
      """
      Fixtures/server/t.yaml:9:10: a case needs a step
         9 |   steps: []
           |          ^
      """),
  ]

  @Test("are told with place and caret", arguments: mistakes)
  func mistake(_ mistake: Mistake) throws {
    let error = try #require(throws: FixtureErrors.self) { try Kit.cases(mistake.text) }
    let first = try #require(error.all.first).description
    if mistake.name == "a pattern" { return #expect(first.hasPrefix(mistake.message)) }
    #expect(first == mistake.message)
  }

  @Test("every broken case is told, not only the first")
  func all() throws {
    let text = Kit.file("- clint: 1") + "\n- {id: other, covers: [method:png], steps: [{client: 1}]}\n"
    let error = try #require(throws: FixtureErrors.self) { try Kit.cases(text) }
    #expect(error.all.map(\.place.line) == [10, 11])
  }

  @Test("the embedded transcripts are sound")
  func embedded() throws {
    for profile in Kit.spec.profiles {
      _ = try FixtureSet(.embedded, folders: profile.fixtures, spec: Kit.spec)
    }
  }
}
