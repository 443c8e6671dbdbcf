import Conformance
import JSON
import ProtocolSpec
import Testing
import YAML

enum YAMLKit {
  static func node(_ text: String) throws -> YAMLNode { try YAMLParser.parse(text, file: "t.yaml") }
}

@Suite("transcripts for clients")
struct ClientFixtureTests {
  @Test("every requirement of a client has a case, and every case plays the server")
  func covered() throws {
    let profile = try #require(Kit.spec.profile(named: "client"))
    let cases = try FixtureSet(.embedded, folders: profile.fixtures, spec: Kit.spec).cases
    #expect(cases.allSatisfy { $0.play == .server })
    var covered: Set<String> = []
    for case .requirement(let id) in cases.flatMap(\.covers) { covered.insert(id) }
    let asked = Kit.spec.requirements.keys.filter { $0.hasPrefix("client.") }
    #expect(asked.count > 25)
    #expect(Set(asked).subtracting(covered).isEmpty)
    // Those of stateless revisions of MCP reach only clients that speak them; no case here does.
    let stateless: [ErrorName] = [.headerMismatch, .missingCapability, .unsupportedVersion]
    let told = Kit.spec.errors.all.filter { !stateless.contains($0.name) }
    let errors = Set(told.map { CoverTag.error($0.name.rawValue) })
    #expect(errors.subtracting(cases.flatMap(\.covers)).isEmpty)
    // The way of a task is for operators; what a client does with it is nobody's business but theirs.
    let asks = Kit.spec.methods.filter { $0.name != "get_task_timeline" }
    let methods = Set(asks.map { CoverTag.method($0.name) })
    #expect(methods.subtracting(cases.flatMap(\.covers)).isEmpty)
  }

  @Test(
    "what is wrong with a step is said at its place",
    arguments: [
      ("- answer: {}", "no request is awaited before this answer"),
      ("- await-request: {method: pong}", "unknown method \"pong\", did you mean \"ping\"?"),
      (
        "- await-request: {method: ping}\n- answer: {to: askd}",
        "unknown awaited request \"askd\", did you mean \"asked\"?"
      ),
      (
        "- await-request: {method: ping}\n- answer: {result: {}, error: parse_error}",
        "result and error exclude each other"
      ),
      (
        "- await-request: {method: ping}\n- answer: {cut: true, binary: true}",
        "an answer is wrong in one way only"
      ),
      ("- server: {result: {$regex: x}}", "{$regex: x} matches but gives no value to send"),
      ("- restart: {signal: KILL}", "unknown key \"restart\""),
      ("- drop: softly", "unknown end \"softly\""),
      ("- connects: {atMost: -1, for: 1s}", "at most 0 or more is expected, not -1"),
      (
        "- connect: {}\n  refused: {status: 101}", "a status from 200 to 599 is expected, not 101"
      ),
    ])
  func errors(_ steps: String, _ message: String) throws {
    let error = #expect(throws: FixtureErrors.self) {
      try Kit.cases(Kit.file(steps, dialect: "raw", more: "play: server"))
    }
    #expect(error?.description.contains(message) == true, "\(String(describing: error))")
  }

  @Test("what is for one side only is refused on the other")
  func otherSide() throws {
    let error = #expect(throws: FixtureErrors.self) {
      try Kit.cases(Kit.file("- client: {method: ping}", more: "then: answer"))
    }
    #expect(error?.description.contains("then is for a case that plays the server") == true)
  }

  @Test(
    "a value of each schema can be made, and is valid",
    arguments: ["ping", "create_task", "get_task_status", "list_tasks", "cancel_task", "system_status"])
  func instances(_ method: String) throws {
    for kind in ["params", "result"] {
      var reader = MatcherReader(spec: Kit.spec, dialect: .jsonrpc)
      let matcher = try reader.matcher(YAMLKit.node("{$schema: \(method)/\(kind)}"))
      for seed in 0..<40 {
        var bindings = Bindings(seed: UInt64(seed))
        let value = try #require(try matcher.generate(&bindings))
        #expect(matcher.match(value, &bindings).isEmpty, "\(value)")
      }
    }
  }

  @Test("a client file says how a client is started")
  func file() throws {
    let text = """
      exec: bot {url}
      commands: {"errors/*": "bot --once {url}"}
      environment: {PORT: 7}
      methods: [ping]
      capabilities: [bare]
      """
    let description = try ClientDescription(YAMLKit.node(text), spec: Kit.spec)
    #expect(description.command(for: "a/b", url: "ws://x") == "bot ws://x")
    #expect(description.command(for: "errors/b", url: "ws://x") == "bot --once ws://x")
    #expect(!description.idles)
    #expect(throws: (any Error).self) {
      try ClientDescription(YAMLKit.node("commands: {a: b}"), spec: Kit.spec)
    }
    #expect(throws: (any Error).self) {
      try ClientDescription(YAMLKit.node("exec: a\nmethods: [pong]"), spec: Kit.spec)
    }
  }
}
