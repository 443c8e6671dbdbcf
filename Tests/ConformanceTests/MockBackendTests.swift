import Conformance
import JSON
import ProtocolSpec
import Testing
import Transport
import Wire

@Suite("The backend behind the target")
struct MockBackendTests {
  /// The admin API of a mock whose journal is given.
  final class FakeMock: Sendable {
    private let peer: Peer
    private let requests: Requests
    var admin: String { peer.httpURL }
    /// `METHOD /path body` of each call.
    var received: [String] { requests.all }

    private final class Requests: @unchecked Sendable {
      // Invariant: `lines` is touched under `lock`.
      private let lock = Lock()
      private var lines: [String] = []
      var all: [String] { lock.withLock { lines } }
      func add(_ line: String) { lock.withLock { lines.append(line) } }
    }

    init(calls: String = "[]", pending: String = "[]", armStatus: Int = 200) throws {
      let requests = Requests()
      self.requests = requests
      peer = try Peer(pages: { request in
        let body = String(decoding: request.body, as: UTF8.self)
        requests.add("\(request.head.method) \(request.head.path) \(body)")
        switch request.head.path {
        case "/_mock/arm":
          return (armStatus, [], armStatus == 200 ? #"{"armed":1}"# : #"{"error":"no such face"}"#)
        case "/_mock/reset": return (200, [], "{}")
        default: return (200, [], #"{"calls":\#(calls),"pending":\#(pending),"connections":{}}"#)
        }
      })
    }
  }

  struct Example: Sendable, CustomTestStringConvertible {
    let name: String
    let observe: String
    var differences: [String] = []
    var testDescription: String { name }
  }

  private static let calls = """
    [{"n":1,"face":"litellm","method":"POST","path":"/v1/chat/completions","headers":{"X-Key":"k"},"body":{"model":"m"},"at_ms":10},
     {"n":2,"face":"litellm","method":"POST","path":"/v1/chat/completions?x=1","headers":{"x-key":"k"},"body":{"model":"n"},"at_ms":510},
     {"n":3,"face":"direct","method":"GET","path":"/","headers":{},"body":"","at_ms":600}]
    """

  static let examples = [
    Example(name: "a count", observe: "{litellm: {path: /v1/chat/completions, count: 2}}"),
    Example(
      name: "another count", observe: "{litellm: {path: /v1/chat/completions, count: 3}}",
      differences: ["litellm//v1/chat/completions/count: 3 | litellm//v1/chat/completions/count: 2"]),
    Example(name: "a count as a matcher", observe: "{litellm: {path: '/v1/*', count: {$between: [1, 5]}}}"),
    Example(
      name: "a count between bounds",
      observe: "{litellm: {path: '/v1/*', count: {atLeast: 1, atMost: 2}}, direct: {count: {atLeast: 1}}}"),
    Example(
      name: "a count past its bound", observe: "{litellm: {path: '/v1/*', count: {atMost: 1}}}",
      differences: ["litellm//v1/*/count: {atMost: 1} | litellm//v1/*/count: 2"]),
    Example(name: "at least one by default", observe: "{direct: {path: /}}"),
    Example(
      name: "none where one is expected", observe: "{local: {path: /v1/chat/completions}}",
      differences: ["local//v1/chat/completions/count: at least 1 | local//v1/chat/completions/count: 0"]),
    Example(name: "none, as expected", observe: "{direct: {path: /v1/messages, count: 0}}"),
    Example(
      name: "a header of every call", observe: "{litellm: {path: /v1/chat/completions, header: {X-Key: k}}}"),
    Example(
      name: "the body of every call", observe: "{litellm: {path: /v1/chat/completions, body: {model: m}}}",
      differences: [
        "litellm//v1/chat/completions/call 2/body/model: m | litellm//v1/chat/completions/call 2/body/model: n"
      ]),
    Example(name: "a spacing", observe: "{litellm: {path: /v1/chat/completions, spacing: {atLeast: 500ms}}}"),
    Example(
      name: "too close", observe: "{litellm: {path: /v1/chat/completions, spacing: {atLeast: 1s}}}",
      differences: [
        "litellm//v1/chat/completions/spacing before call 2: at least 1s | litellm//v1/chat/completions/spacing before call 2: 500ms"
      ]),
    Example(name: "a list", observe: "{litellm: [{path: '/v1/*'}, {path: /v1/models, count: 0}]}"),
  ]

  @Test("has observed what is expected, or not", arguments: examples)
  func observe(_ example: Example) async throws {
    let mock = try FakeMock(calls: Self.calls)
    let peer = try Peer()
    // Only what is missing is waited for.
    let within = example.differences.isEmpty ? "2s" : "100ms"
    let text = Kit.file("- client: {method: ping}\n  within: \(within)", more: "observe: \(example.observe)")
    let result = try await Kit.run(text, against: peer.url, mock: mock.admin)
    let failure = result.results.first?.failure
    #expect((failure?.differences ?? []).map { "\($0.expected) | \($0.got)" } == example.differences)
    #expect(result.results.first?.verdict == (example.differences.isEmpty ? .pass : .fail))
  }

  @Test("is reset before a case and armed by it, and awaited in the middle")
  func armed() async throws {
    let mock = try FakeMock(calls: Self.calls)
    let result = try await Kit.play(
      """
      - arm: {direct: [{status: 500, times: 1}]}
      - await: {litellm: {path: /v1/chat/completions, count: 2}}
      """, more: "arm: {litellm: [{status: 503}]}", on: try Peer(), mock: mock.admin)
    #expect(result.verdict == .pass)
    #expect(
      mock.received.prefix(4) == [
        "POST /_mock/reset {}", #"POST /_mock/arm {"litellm":[{"status":503}]}"#,
        #"POST /_mock/arm {"direct":[{"status":500,"times":1}]}"#, "GET /_mock/journal ",
      ])
  }

  @Test("a fault that never happened turns the case red")
  func unused() async throws {
    let mock = try FakeMock(
      pending:
        #"[{"face":"litellm","rule":{"status":500,"times":2},"left":1},{"face":"litellm","rule":{"status":500},"left":1}]"#
    )
    let result = try await Kit.play(
      "- client: {method: ping}", more: "arm: {litellm: [{status: 500, times: 2}]}", on: try Peer(),
      mock: mock.admin)
    let failure = try #require(result.failure)
    #expect(failure.message == "an armed fault never happened")
    #expect(failure.differences.map(\.expected) == ["litellm: {status: 500, times: 2}"])
    #expect(failure.differences.map(\.got) == ["litellm: 1 times left"])
  }

  @Test("a mock that refuses or is not there is a set-up error")
  func broken() async throws {
    let mock = try FakeMock(armStatus: 400)
    let peer = try Peer()
    let more = "arm: {litellm: [{status: 500}]}"
    let refused = try await Kit.play("- client: {method: ping}", more: more, on: peer, mock: mock.admin)
    #expect(refused.verdict == .setupError)
    #expect(refused.reason == "the mock refuses POST /_mock/arm: no such face")
    let gone = try await Kit.play(
      "- client: {method: ping}", more: more, on: peer, mock: "http://127.0.0.1:1")
    #expect(gone.verdict == .setupError)
  }

  @Test("a target that declares faults cannot be tested without a mock")
  func declared() async throws {
    let text = Kit.file("- client: {method: ping}", more: "arm: {litellm: [{status: 500}]}")
    let peer = try Peer()
    let result = try await Kit.run(text, against: peer.url, capabilities: [.jsonrpc, .faults])
    #expect(result.results.first?.verdict == .notTestable)
    #expect(result.exitCode == 1)
  }
}
