import Conformance
import JSON
import ProtocolSpec
import Testing
import Transport
import Wire

/// Each kind of step, against a peer that does right and peers with one wrong behaviour each.
@Suite("Playback")
struct PlaybackTests {
  struct Example: Sendable, CustomTestStringConvertible {
    let name: String
    let steps: String
    let dialect: String
    let behaviour: Peer.Behaviour
    /// Of the failure; nil: the case passes.
    let message: String?
    var testDescription: String { name }

    init(
      _ name: String, _ steps: String, dialect: String = "jsonrpc", _ message: String? = nil,
      peer: @escaping Peer.Behaviour = Peer.wellBehaved
    ) {
      self.name = name
      self.steps = steps
      self.dialect = dialect
      self.behaviour = peer
      self.message = message
    }
  }

  private static let ping = """
    - client: {id: 1, method: ping}
    - server: {id: 1, result: {}}
    """
  private static let pong = #"{"jsonrpc":"2.0","id":1,"result":{}}"#
  private static let other = #"{"jsonrpc":"2.0","id":2,"result":{}}"#
  private static func state(_ state: String) -> [Peer.Reply] {
    [.text(#"{"jsonrpc":"2.0","id":1,"result":{"state":"\#(state)"}}"#)]
  }
  private static let poll = """
    - poll: {every: 1ms, for: 10s, at: /result/state, allow: [idle, executing], until: [completed, failed]}
      client: {id: 1, method: get_task_status}
      server: {id: 1, result: {state: completed}}
    """
  private static let unordered = """
    - client: [{id: 1, method: ping}, {id: 2, method: ping}]
    - unordered: [{server: {id: 1, result: {}}}, {server: {id: 2, result: {}}}]
    """

  static let examples: [Example] = [
    Example("an answer", ping),
    Example("a wrong id", ping, "the frame differs", peer: Peer.answers([.text(other)])),
    Example(
      "no answer", ping.replacing("{id: 1, result: {}}", with: "{id: 1, result: {}}\n  within: 50ms"),
      "no frame within 500ms", peer: Peer.answers()),
    Example(
      "no JSON", ping, "the frame is no JSON: a value is expected: line 1 column 1: oh",
      peer: Peer.answers([.text("oh")])),
    Example(
      "a binary answer", ping, "a binary message came instead of a text", peer: Peer.answers([.binary([1])])),
    Example(
      "a close instead", ping, "the connection ended instead: close 1000", peer: Peer.answers([.close(1000)])),
    Example(
      "answered twice", ping, "a frame that no step declares, on connection a",
      peer: Peer.answers([.text(pong), .text(pong)])),
    Example(
      "closed behind the answer", ping, "connection a ended and no step declares it: close 1001",
      peer: Peer.answers([.text(pong), .close(1001)])),
    Example("any order, as declared", unordered, peer: Peer.answers([.text(pong), .text(other)])),
    Example("any order, the other way", unordered, peer: Peer.answers([.text(other), .text(pong)])),
    Example(
      "one twice instead of both", unordered,
      "the frame is none of the 1 expected in any order; the closest differs",
      peer: Peer.answers([.text(pong), .text(pong)])),
    Example("bare", "- client: {method: ping}\n- server: {result: pong}", dialect: "bare"),
    Example(
      "raw text", "- raw: {text: [no, {repeat: x, times: 3}]}\n- server: {error: {$contains: JSON}}",
      dialect: "bare"),
    Example("a ping frame", "- raw: {ping: hello}\n- pong: hello"),
    Example("another pong", "- raw: {ping: hello}\n- pong: world", "the pong differs"),
    Example(
      "fragments",
      """
      - raw: {frame: {fin: false, opcode: 1, text: '{"jsonrpc":"2.0","id":1,'}}
      - raw: {frame: {opcode: 0, text: '"method":"ping"}'}}
      - server: {id: 1, result: {}}
      """),
    Example("an unmasked frame", "- raw: {hex: 81 02 7b 7d}\n- closed: {by: server, code: [1002, none]}"),
    Example(
      "another close code", "- raw: {hex: 81 02 7b 7d}\n- closed: {by: server, code: 1003}",
      "the connection ended with another code"),
    Example(
      "still open", "- client: {id: 1}\n- closed: {by: server, code: 1002}\n  within: 50ms",
      "the connection is still open after 500ms", peer: Peer.answers()),
    Example(
      "a frame instead of the end", "- client: {id: 1}\n- closed: {by: server, code: 1002}",
      "a frame came instead of the end of the connection"),
    Example(
      "a reset is no close", "- client: {id: 1}\n- closed: {by: server, code: 1000}",
      "the connection ended with another code", peer: Peer.answers([.reset])),
    Example(
      "a reset is none", "- client: {id: 1}\n- closed: {by: server, code: none}", peer: Peer.answers([.reset])
    ),
    Example(
      "a close by the client",
      ping + "\n- close: {code: 1000, reason: bye}\n- closed: {by: client, code: 1000}"),
    Example("a poll", poll, peer: Peer.answers(state("idle"), state("executing"), state("completed"))),
    Example(
      "a poll sees a state that is not allowed", poll,
      "the answer has a value that is not allowed on the way",
      peer: Peer.answers(state("idle"), state("waiting"))),
    Example(
      "the last answer of a poll differs", poll, "the last answer differs",
      peer: Peer.answers(state("failed"))),
    Example(
      "an answer to a poll that is another request's", poll, "the answer to a poll differs",
      peer: Peer.answers(state("idle"), [.text(other)])),
    Example(
      "a result and an error in an answer to a poll", poll, "the answer to a poll differs",
      peer: Peer.answers([
        .text(#"{"jsonrpc":"2.0","id":1,"result":{"state":"idle"},"error":{"code":1,"message":"x"}}"#)
      ])),
    Example(
      "a poll that never ends", poll.replacing("10s", with: "30ms"), "not reached within 300ms",
      peer: { _, _ in state("idle") }),
    Example("quiet", "- client: {method: ping}\n- quiet: {from: server, for: 50ms}"),
    Example(
      "not quiet", "- client: {id: 1, method: ping}\n- quiet: {from: server, for: 10s}",
      "a frame came within 10s, nobody expects one"),
    Example(
      "too early", "- client: {id: 1, method: ping}\n- server: {id: 1, result: {}}\n  notBefore: 1h", nil),
    Example(
      "connections by name",
      ping + "\n- client: {id: 2, method: ping}\n  conn: b\n- server: {id: 2, result: {}}\n  conn: b"),
    Example("a connection of its own", "- connect: {path: /x}\n" + ping),
    Example(
      "the server says nothing of a subprotocol",
      "- connect: {path: /, subprotocols: [mcp]}\n  accepted: {subprotocol: mcp}",
      "the answer to the upgrade differs"),
    Example(
      "accepted though wrong", "- connect: {path: /}\n  refused: {status: 426}",
      "the upgrade was accepted, a refusal is expected"),
    Example(
      "refused rightly",
      "- connect: {path: /, version: 8}\n  refused: {status: 426, headers: {sec-websocket-version: 13}, body: {$type: string}}"
    ),
    Example(
      "another refusal", "- connect: {path: /, version: 8}\n  refused: {status: 400}", "the refusal differs"),
    Example("a page", "- http: {get: /page}\n  answer: {status: 200, headers: {x-a: b}, body: {state: ok}}"),
    Example(
      "another page", "- http: {request: POST /page, body: {a: 1}}\n  answer: {status: 404}",
      "the answer differs"),
    Example(
      "an id that is captured",
      "- client: {id: {$next: int, $as: rid}, method: ping}\n- server: {id: {$ref: rid}, result: {}}"),
  ]

  static let pages: Peer.Pages = { request in
    guard request.head.path == "/page" else { return nil }
    return (200, ["X-A": "b"], #"{"state":"ok","more":1}"#)
  }

  @Test("turns green and red", .timeLimit(.minutes(2)), arguments: examples)
  func step(_ example: Example) async throws {
    let peer = try Peer(pages: Self.pages, behaviour: example.behaviour)
    let result = try await Kit.play(example.steps, dialect: example.dialect, on: peer)
    guard example.name != "too early" else {
      let message = try #require(result.failure?.message)
      #expect(message.hasPrefix("the frame came after ") && message.hasSuffix("not before 3600s was allowed"))
      return
    }
    #expect(result.failure?.message == example.message)
    #expect(result.verdict == (example.message == nil ? .pass : .fail))
    #expect(result.reason == nil)
  }

  @Test("a weak step that fails is a remark and the case goes on")
  func remark() async throws {
    let peer = try Peer(behaviour: Peer.answers([.close(1000)], [.text(Self.pong)]))
    let steps = """
      - client: {id: 1}
      - closed: {by: server, code: 1002}
        level: may
      """
    let result = try await Kit.play(steps, on: peer)
    #expect(result.verdict == .pass)
    #expect(result.remarks.map(\.message) == ["the connection ended with another code"])
    let strict = try await Kit.play(steps, on: peer, threshold: .may)
    #expect(strict.verdict == .fail)
  }

  @Test("a secret is sent and never shown")
  func secret() async throws {
    let peer = try Peer(behaviour: { text, _ in [.text(text)] })
    let result = try await Kit.play(
      """
      - client: {id: 1, method: ping, params: {token: {$secret: TOKEN}, key: sk-abcdef1234}}
      - server: {id: 1, result: {}}
      """, on: peer, secrets: ["TOKEN": "correct horse battery"])
    let failure = try #require(result.failure)
    let shown = failure.wire.map(\.text).joined() + failure.differences.map { $0.expected + $0.got }.joined()
    #expect(shown.contains("***"))
    #expect(!shown.contains("correct horse"))
    #expect(!shown.contains("abcdef1234"))
    let without = try await Kit.play("- client: {id: {$secret: NOPE}}", on: peer)
    #expect(without.verdict == .notTestable)
    #expect(without.reason == "the environment variable NOPE is not set")
  }

  @Test("what the target does not offer is not applicable, with the reason")
  func notApplicable() async throws {
    let peer = try Peer()
    let result = try await Kit.run(Kit.file(Self.ping, more: "fresh: true"), against: peer.url)
    #expect(result.results.first?.verdict == .notApplicable)
    #expect(result.results.first?.reason == "needs restart, which the target does not offer")
    #expect(result.exitCode == 4)
    let anew = try await Kit.run(
      Kit.file(Self.ping, more: "fresh: true"), against: peer.url, capabilities: [.jsonrpc, .restart])
    #expect(anew.results.first?.reason == "needs to start anew, and the runner does not start the target")
    let bare = try await Kit.run(Kit.file(Self.ping), against: peer.url, capabilities: [.bare])
    #expect(bare.results.first?.reason == "needs jsonrpc, which the target does not offer")
  }

  @Test("a target that cannot be reached ends the run")
  func unreachable() async throws {
    let result = try await Kit.run(Kit.file(Self.ping), against: "ws://127.0.0.1:1")
    #expect(result.exitCode == 3)
    #expect(result.results.isEmpty)
    #expect(result.unreachable?.description.contains("cannot be reached") == true)
  }
}
