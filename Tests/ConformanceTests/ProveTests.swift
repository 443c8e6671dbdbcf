import Conformance
import Foundation
import JSON
import ProtocolSpec
import Testing
import Transport
import Wire
import YAML

/// Cases against a peer that does right, behind a proxy that makes it wrong.
@Suite("Proving cases")
struct ProveTests {
  /// What the case complained of, by the names of the mutations; nil: it did not notice.
  private static func prove(
    _ text: String, on peer: Peer, mock: String? = nil, patterns: [String] = [], sample: Int? = nil
  ) async throws -> [CaseProof] {
    try await prove(text, on: peer.url, mock: mock, patterns: patterns, sample: sample)
  }

  static func prove(
    _ text: String, on url: String, description: TargetDescription? = nil, mock: String? = nil,
    patterns: [String] = [], sample: Int? = nil
  ) async throws -> [CaseProof] {
    let loop = try EventLoop(name: "prover")
    loop.start()
    defer { loop.stop() }
    let children = Children()
    defer { children.killAll() }
    let target = Target(
      description ?? TargetDescription(url: url), faces: nil, loop: loop, children: children,
      inherited: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? ""])
    var plan = ProofPlan()
    plan.patterns = patterns
    plan.sample = sample
    let prover = Prover(
      spec: Kit.spec, info: Kit.info(url),
      stands: [Stand(target: target, mock: mock.map { MockBackend(admin: $0, loop: loop) })], plan: plan,
      loop: loop, settings: PlaySettings(seed: 1, threshold: .may))
    return try await prover.prove(try Kit.cases(text))
  }

  private static func messages(_ proof: CaseProof?) -> [String: String?] {
    Dictionary((proof?.results ?? []).map { ($0.mutation.id, $0.message) }) { first, _ in first }
  }

  private static let done: Peer.Behaviour = { text, number in
    guard let request = try? JSONParser.parse(text), request["method"] == "create_task" else {
      return Peer.wellBehaved(text, number)
    }
    let result = #"{"task_id":"5f0c7a1e-7d1c-4a53-9d3c-3c1b2f8a9e10","status":"completed","result":"done"}"#
    return [.text(#"{"jsonrpc":"2.0","id":1,"result":\#(result)}"#)]
  }

  private static func create(_ result: String) -> String {
    Kit.file(
      """
      - client: {id: 1, method: create_task, params: {description: hi}}
      - server: {id: 1, result: \(result)}
      """
    ).replacing("method:ping", with: "method:create_task")
  }

  @Test("a transcript that asks for too little is found out, with its line", .timeLimit(.minutes(2)))
  func weak() async throws {
    let peer = try Peer(behaviour: Self.done)
    let text = Self.create("{task_id: {$type: string}}")
    let proof = try #require(try await Self.prove(text, on: peer).first)
    let survivors = proof.results.filter { $0.verdict == .survived }
    #expect(
      survivors.map(\.mutation.id).sorted() == [
        "2.member-dropped:/result/result", "2.member-dropped:/result/status", "2.type-changed:/result/result",
        "2.type-changed:/result/status",
      ])
    #expect(survivors.allSatisfy { $0.mutation.place.line == 11 })
    let report = ProofReport([proof], survivors: Survivors(), stale: [], threshold: 98, rerun: "omni prove")
    #expect(report.exitCode == 1)
    let block = report.block(proof, try #require(survivors.first))
    #expect(block.contains("Fixtures/server/t.yaml:11"))
    #expect(block.contains("omni prove --run t/case --mutation '2."))
  }

  @Test("a transcript that asks for all of it notices all", .timeLimit(.minutes(2)))
  func strong() async throws {
    let peer = try Peer(behaviour: Self.done)
    let text = Self.create("{task_id: {$type: uuid}, status: completed, result: {$type: string}}")
    let proof = try #require(try await Self.prove(text, on: peer).first)
    let report = ProofReport([proof], survivors: Survivors(), stale: [], threshold: 98, rerun: "")
    #expect(report.open.map(\.result.mutation.id) == [])
    #expect(report.total > 25)
    #expect(report.exitCode == 0)
    #expect(report.verdict.hasPrefix("proven: 1 cases notice \(report.total) of \(report.total) mutations"))
  }

  /// Each kind that is done to a message, and what the case then complains of.
  static let kinds = [
    "version-dropped:/jsonrpc": "the frame differs",
    "version-changed:/jsonrpc": "the frame differs",
    "id-dropped:/id": "the frame differs",
    "id-changed:/id": "the frame differs",
    "id-retyped:/id": "the frame differs",
    "result-and-error:/error": "the frame differs",
    "error-for-result": "the frame differs",
    "type-changed:/result": "the frame differs",
    "member-dropped:/result": "the frame differs",
    "frame-missing": "no frame within 250ms",
    "frame-late": "no frame within 250ms",
    "frame-twice": "a frame that no step declares, on connection a",
    "frame-added": "a frame that no step declares, on connection a",
    "frame-cut": "the connection ended instead: ",
    "text-cut": "the frame is no JSON: ",
    "binary-for-text": "a binary message came instead of a text",
    "close-for-frame": "the connection ended instead: close 1011",
    "end-for-frame": "the connection ended instead: end of stream",
  ]

  @Test("each kind of mutation does to a message what its name says", .timeLimit(.minutes(2)))
  func frames() async throws {
    let steps = "- client: {id: 1, method: ping}\n- server: {id: 1, result: {}}"
    let proofs = try await Self.prove(Kit.file(steps), on: Peer())
    let messages = Self.messages(proofs.first)
    for (name, expected) in Self.kinds {
      let message = messages["2.\(name)"] ?? messages["2.\(name):"] ?? nil
      #expect(message?.hasPrefix(expected) == true, "\(name): \(message ?? "survived")")
    }
  }

  @Test("pongs, ends, handshakes and pages are made wrong too", .timeLimit(.minutes(2)))
  func others() async throws {
    let steps = """
      - raw: {ping: abc}
      - pong: abc
      - raw: {frame: {fin: true, rsv: 4, opcode: 1, masked: true, text: x}}
      - closed: {by: server, code: [1002]}
      - connect: {path: /, subprotocols: [mcp]}
        accepted: {subprotocol: mcp}
        conn: b
      - connect: {path: /, version: 8}
        refused: {status: 426, headers: {sec-websocket-version: 13}}
        conn: c
      - http: {get: /page}
        answer: {status: 200, headers: {x-a: b}, body: {state: ok}}
      """
    let peer = try Peer(subprotocol: "mcp", pages: PlaybackTests.pages)
    let proof = try await Self.prove(Kit.file(steps, dialect: "raw"), on: peer).first
    #expect(proof?.failure?.message == nil)
    let expected = [
      "2.pong-changed": "the pong differs", "2.pong-missing": "no pong within 250ms",
      "4.close-code-changed:1000": "the connection ended with another code",
      "4.close-late": "the connection is still open after 250ms",
      "4.frame-for-close": "a frame came instead of the end of the connection",
      "5.upgrade-refused": "the upgrade was refused: ",
      "5.header-changed:Sec-WebSocket-Accept": "the upgrade was refused: ",
      "5.header-changed:Sec-WebSocket-Protocol": "the upgrade was refused: ",
      "5.header-dropped:Sec-WebSocket-Protocol": "the answer to the upgrade differs",
      "6.upgrade-accepted": "the upgrade was accepted, a refusal is expected",
      "6.status-changed:500": "the refusal differs",
      "6.header-dropped:sec-websocket-version": "the refusal differs",
      "7.status-changed:500": "the answer differs", "7.header-changed:x-a": "the answer differs",
      "7.body-changed:text-changed /state": "the answer differs",
      "7.answer-cut": "GET /page got no answer: ",
    ]
    let messages = Self.messages(proof)
    for (name, expected) in expected {
      let message = messages[name] ?? nil
      #expect(message?.hasPrefix(expected) == true, "\(name): \(message ?? "not there, or survived")")
    }
  }

  @Test("what the mock tells of its calls is made wrong", .timeLimit(.minutes(2)))
  func calls() async throws {
    let call = """
      {"n":1,"face":"litellm","method":"POST","path":"/v1/chat/completions","headers":{"X-Key":"k"},"body":{"model":"m"},"at_ms":10}
      """
    let mock = try MockBackendTests.FakeMock(
      calls: "[\(call),\(call.replacing(":10}", with: ":900}"))]")
    let text = Kit.file(
      "- client: {id: 1, method: ping}\n- server: {id: 1, result: {}}",
      more: """
        level: must
        arm: {litellm: [{status: 500, times: 1}]}
        observe: {litellm: {path: /v1/chat/completions, count: 2, header: {x-key: k}, body: {model: m}, spacing: {atLeast: 500ms}}, direct: {path: /, count: 0}}
        """)
    let proof = try await Self.prove(text, on: Peer(), mock: mock.admin).first
    let messages = Self.messages(proof)
    let names = [
      "3.call-missing:litellm /v1/chat/completions", "3.call-added:litellm /v1/chat/completions",
      "3.call-added:direct /", "3.call-changed:litellm /v1/chat/completions x-key",
      "3.call-changed:litellm /v1/chat/completions text-changed /body/model",
      "3.calls-too-close:litellm /v1/chat/completions",
    ]
    for name in names {
      #expect((messages[name] ?? nil) == "the backend did not observe what was expected", "\(name)")
    }
    #expect((messages["3.fault-unused"] ?? nil) == "an armed fault never happened")
  }

  @Test("what ends a poll is made wrong, what is allowed on the way is not", .timeLimit(.minutes(2)))
  func polls() async throws {
    let peer = try Peer(behaviour: { text, number in
      let id = (try? JSONParser.parse(text))?["id"]?.int ?? 0
      let state = number == 1 ? "idle" : "completed"
      return [.text(#"{"jsonrpc":"2.0","id":\#(id),"result":{"state":"\#(state)","n":1}}"#)]
    })
    let text = Kit.file(
      """
      - poll: {every: 1ms, for: 5s, at: /result/state, allow: [idle, executing], until: completed}
        client: {id: {$next: int}, method: get_task_status, params: {task_id: t}}
        server: {result: {n: 1}}
      """)
    let proof = try #require(try await Self.prove(text, on: peer).first)
    let messages = Self.messages(proof)
    let expected = [
      "1.id-changed:/id": "the answer to a poll differs",
      "1.version-dropped:/jsonrpc": "the answer to a poll differs",
      "1.result-and-error:/error": "the answer to a poll differs",
      "1.state-changed:/result/state": "the answer has a value that is not allowed on the way",
      "1.type-changed:/result/state": "the answer has a value that is not allowed on the way",
      "1.value-changed:/result/n": "the last answer differs",
    ]
    for (name, message) in expected {
      #expect((messages[name] ?? nil) == message, "\(name): \((messages[name] ?? nil) ?? "not there")")
    }
    #expect(proof.results.allSatisfy { $0.verdict == .noticed })
  }

  @Test("lengths are changed until they are wrong, and what any order fits is not swapped")
  func lengths() async throws {
    let peer = try Peer(behaviour: { _, _ in
      [.text(#"{"jsonrpc":"2.0","id":1,"result":{"a":[1,2],"b":[3,4]}}"#)]
    })
    let text = Kit.file(
      """
      - client: {id: 1, method: ping}
      - server: {id: 1, result: {a: {$length: {$between: [1, 5]}}, b: [{$type: int}, {$type: int}]}}
      """)
    let proof = try #require(
      try await Self.prove(text, on: peer, patterns: ["*element*", "*order*"]).first)
    #expect(
      Set(proof.results.map(\.mutation.id)) == [
        "2.element-dropped:/result/a", "2.element-added:/result/a", "2.element-dropped:/result/b",
        "2.element-added:/result/b",
      ])
    #expect(proof.results.allSatisfy { $0.verdict == .noticed })
  }

  @Test("edits of values")
  func edits() {
    let value: JSONValue = ["a": [1, 2, 3], "b": ["c": "d"]]
    func edited(_ edit: JSONEdit) -> String { JSONWriter.text(edit.edited(value)) }
    func place(_ tokens: String...) -> JSONPointer { JSONPointer(tokens: tokens) }
    #expect(edited(.remove(place("b", "c"))) == #"{"a":[1,2,3],"b":{}}"#)
    #expect(edited(.remove(place("a", "1"))) == #"{"a":[1,3],"b":{"c":"d"}}"#)
    #expect(edited(.set(place("b", "e"), true)) == #"{"a":[1,2,3],"b":{"c":"d","e":true}}"#)
    #expect(edited(.swap(place("a"), 0, 1)) == #"{"a":[2,1,3],"b":{"c":"d"}}"#)
    #expect(edited(.exchange(place(), "b", for: "e", 5)) == #"{"a":[1,2,3],"e":5}"#)
  }

  @Test("answers in HTTP keep a length that fits")
  func answers() {
    let answer = Array("HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 9\r\n\r\n{\"a\":\"b\"}".utf8)
    let request = HTTPRequestHead(method: "GET", target: "/")
    func changed(_ change: AnswerChange) -> String {
      String(decoding: change.changed(answer, to: request), as: UTF8.self)
    }
    #expect(changed(.status(404)).hasPrefix("HTTP/1.1 404 Changed\r\nX-A: b\r\n"))
    #expect(changed(.header("x-a", nil)) == "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\":\"b\"}")
    #expect(
      changed(.body("longer than it was"))
        == "HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 18\r\n\r\nlonger than it was")
    #expect(changed(.edit(.remove(JSONPointer(tokens: ["a"])))).hasSuffix("Content-Length: 2\r\n\r\n{}"))
  }

  @Test("a case that does not pass is left out, and told", .timeLimit(.minutes(1)))
  func failing() async throws {
    let text = Kit.file("- client: {id: 1, method: ping}\n- server: {id: 2, result: {}}")
    let proof = try #require(try await Self.prove(text, on: Peer()).first)
    #expect(proof.results.isEmpty)
    #expect(proof.failure?.message == "the frame differs")
    let report = ProofReport([proof], survivors: Survivors(), stale: [], threshold: 98, rerun: "")
    #expect(report.exitCode == 1)
  }

  @Test("a survivor needs a reason, and leaves the list when it is none", .timeLimit(.minutes(2)))
  func listed() async throws {
    func survivors(_ mutation: String, case name: String = "t/case") throws -> Survivors {
      let text = "format: 1\nsurvivors:\n- {case: \(name), mutation: \"\(mutation)\", reason: because}"
      return try Survivors(YAMLParser.parse(text, file: "survivors.yaml"))
    }
    let text = Self.create("{task_id: {$type: uuid}}")
    let proofs = try await Self.prove(text, on: Peer(behaviour: Self.done))
    func report(_ survivors: Survivors) -> ProofReport {
      ProofReport(
        proofs, survivors: survivors, stale: survivors.stale(proofs, known: ["t/case"], isWhole: true),
        threshold: 100, rerun: "")
    }
    #expect(report(try survivors("2.*:/result/*")).exitCode == 0)
    let stale = report(try survivors("2.id-changed*"))
    #expect(stale.stale.map(\.message) == ["t/case notices 2.id-changed*"])
    #expect(stale.exitCode == 1)
    #expect(
      report(try survivors("9.*")).stale.map(\.message) == ["t/case has no mutation 9.*"])
    #expect(
      report(try survivors("2.*", case: "t/other")).stale.map(\.message) == ["there is no case t/other"])
    #expect(throws: SourceError.self) {
      try Survivors(
        YAMLParser.parse("format: 1\nsurvivors:\n- {case: a/b, mutation: x, reason: ' '}", file: "s.yaml"))
    }
  }

  @Test("a sample is chosen by the seed", .timeLimit(.minutes(1)))
  func sample() async throws {
    let text = Kit.file("- client: {id: 1, method: ping}\n- server: {id: 1, result: {}}")
    let first = try await Self.prove(text, on: Peer(), sample: 3)
    let second = try await Self.prove(text, on: Peer(), sample: 3)
    let ids = first.flatMap { $0.results.map(\.mutation.id) }
    #expect(ids.count == 8)
    #expect(ids == second.flatMap { $0.results.map(\.mutation.id) })
  }
}
