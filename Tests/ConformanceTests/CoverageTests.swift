import Conformance
import JSON
import ProtocolSpec
import Testing
import YAML

@Suite("Coverage")
struct CoverageTests {
  private static func matrix(
    _ cases: String, dialect: String = "jsonrpc", excluded: [String] = []
  ) throws -> CoverageMatrix {
    let text = "format: 1\nsuite: t\ndialect: \(dialect)\ncases:\n\(cases)"
    let files = FixtureFiles(files: [("server/t.yaml", text)], prefix: "Fixtures/")
    let place = SourcePlace(file: "coverage.yaml", line: 1, column: 1)
    return CoverageMatrix(
      spec: Kit.spec, cases: try FixtureSet(files, folders: ["server"], spec: Kit.spec).cases,
      excluded: excluded.map { CoverageExclusion(pattern: $0, reason: "because", place: place) })
  }

  private static func cell(_ id: String, _ matrix: CoverageMatrix) throws -> CoverageMatrix.Cell {
    try #require(matrix.sections.flatMap(\.cells).first { $0.id == id })
  }

  @Test("everything in the specification has a case or a reason")
  func gate() throws {
    let spec = Kit.spec
    let cases = try FixtureSet(.embedded, folders: spec.profiles.flatMap(\.fixtures), spec: spec).cases
    let matrix = CoverageMatrix(spec: spec, cases: cases, excluded: try CoverageExclusion.list(.embedded))
    #expect(matrix.missing.map(\.id) == [])
    #expect(matrix.stale.map(\.pattern) == [])
  }

  @Test(
    "which method was answered with which error is read from the lines",
    arguments: [
      (
        "jsonrpc", "- client: {id: 1, method: cancel_task, params: {task_id: x}}",
        "- server: {id: 1, error: {code: {$spec: task_not_found}}}", "method:cancel_task/error:task_not_found"
      ),
      (
        "jsonrpc", "- client: {id: 1, method: list_tasks}", "- server: {id: 1, error: {code: -32602}}",
        "method:list_tasks/error:invalid_params"
      ),
      (
        "bare", "- client: {method: create_task}", "- server: {error: Missing description}",
        "method:create_task/error:invalid_params"
      ),
      (
        "bare", "- client: {method: get_task_status, params: {task_id: x}}",
        "- server: {result: {error: Task not found}}", "method:get_task_status/error:task_not_found"
      ),
      (
        "jsonrpc",
        "- client: {id: 1, method: tools/call, params: {name: cancel_task, arguments: {task_id: x}}}",
        "- server: {id: 1, result: {isError: true, content: [{text: {$regex: '\"code\":1002'}}]}}",
        "method:cancel_task/error:task_not_cancellable"
      ),
    ])
  func errors(dialect: String, said: String, answered: String, id: String) throws {
    let text = "- id: a\n  covers: [method:ping]\n  steps:\n  \(said)\n  \(answered)\n"
    let matrix = try Self.matrix(text, dialect: dialect)
    #expect(try Self.cell(id, matrix).cases == ["t/a"])
  }

  @Test("answers are told apart by their ids, not by their order")
  func ids() throws {
    let matrix = try Self.matrix(
      """
      - id: a
        covers: [method:ping]
        steps:
        - client: {id: 1, method: get_task_status, params: {task_id: x}}
        - client: {id: 2, method: cancel_task, params: {task_id: x}}
        - server: {id: 2, error: {code: 1002}}
        - server: {id: 1, error: {code: 1001}}

      """)
    #expect(try Self.cell("method:cancel_task/error:task_not_cancellable", matrix).mark == .covered)
    #expect(try Self.cell("method:get_task_status/error:task_not_found", matrix).mark == .covered)
    #expect(try Self.cell("method:cancel_task/error:task_not_found", matrix).mark == .missing)
  }

  @Test("a gap says what would close it, an exclusion gives its reason, and a useless one is stale")
  func marks() throws {
    let ping =
      "- id: a\n  covers: [method:ping, transition:idle-dispatching]\n  steps:\n  - client: {id: 1, method: ping}\n"
    let matrix = try Self.matrix(ping, excluded: ["error:internal_*", "method:ping", "method:no_such"])
    #expect(try Self.cell("method:ping", matrix).mark == .covered)
    #expect(try Self.cell("transition:idle-dispatching", matrix).mark == .covered)
    #expect(try Self.cell("error:internal_error", matrix).mark == .excluded)
    let gap = try Self.cell("error:parse_error", matrix)
    #expect(gap.mark == .missing && gap.remedy == "a case with covers: [error:parse_error]")
    #expect(matrix.stale.map(\.pattern) == ["method:ping", "method:no_such"])
    #expect(!matrix.isComplete)
    let text = matrix.table(verbose: false)
    #expect(text.contains("  MISSING error:parse_error: needs a case with covers: [error:parse_error]\n"))
    #expect(text.contains("  STALE coverage.yaml:1: method:ping excludes nothing that is open\n"))
    #expect(text.hasSuffix("by 1 cases\n"))
    let document = matrix.document
    #expect(document["counts"]?["missing"]?.int == matrix.missing.count)
    #expect(document["stale"]?[0]?["id"] == "method:ping")
    #expect(matrix.markdown.contains("| internal_error | – |\n"))
    #expect(matrix.html.contains("<td class=\"excluded\" title=\"because\">–</td>"))
  }

  @Test("a fault counts for the state in which its face is called")
  func faults() throws {
    let matrix = try Self.matrix(
      """
      - id: a
        covers: [fault:http-500, system:brainstem]
        arm:
          litellm: [{fault: http-500, on: "POST /v1/chat/completions"}]
          direct:
          - {fault: http-400, on: "POST /v1/messages"}
          - {fault: http-401, on: "GET /"}
          - {fault: refuse}
          - {on: "POST /v1/messages", sequence: [{fault: http-403}, ok, {fault: http-404}]}
        steps:
        - client: {id: 1, method: ping}

      """)
    let covered = matrix.sections.flatMap(\.cells).filter { $0.mark == .covered && $0.id.hasPrefix("fault:") }
    #expect(
      covered.map(\.id) == [
        "fault:refuse/system:degraded", "fault:refuse/system:brainstem", "fault:http-400/system:degraded",
        "fault:http-401/system:brainstem", "fault:http-403/system:degraded", "fault:http-404/system:degraded",
        "fault:http-500/system:normal",
      ])
  }
}
