import Conformance
import Foundation
import JSON
import ProtocolSpec
import Testing
import Transport
import Wire
import YAML

/// A small server with a behaviour of one's choice.
final class Peer: Sendable {
  enum Reply: Sendable {
    case text(String)
    case binary([UInt8])
    case pong
    case close(UInt16?)
    case reset
    indirect case later(Duration, [Reply])
    /// Once so many connections have come to such a reply.
    indirect case together(Int, [Reply])
  }

  typealias Behaviour = @Sendable (_ text: String, _ number: Int) -> [Reply]
  typealias Pages = @Sendable (HTTPRequest) -> (status: Int, headers: HTTPHeaders, body: String)?

  private let server: HTTPServer
  let loop: EventLoop

  var url: String { "ws://127.0.0.1:\(server.port)" }
  var httpURL: String { "http://127.0.0.1:\(server.port)" }

  /// - Parameter subprotocol: answered to whoever offers something.
  init(
    subprotocol: String? = nil, pages: @escaping Pages = { _ in nil },
    behaviour: @escaping Behaviour = Peer.wellBehaved
  ) throws {
    loop = try EventLoop(name: "peer")
    loop.start()
    let gate = LoopBound(Gate(), on: loop)
    let listener = try Listener(loop: loop, host: "127.0.0.1", port: 0)
    server = HTTPServer(listener: listener) { exchange in
      if let page = pages(exchange.request) {
        return exchange.respond(status: page.status, headers: page.headers, text: page.body)
      }
      guard exchange.isWebSocketUpgrade else { return exchange.respond(status: 404, text: "no such page") }
      exchange.upgradeToWebSocket(subprotocol: subprotocol) { _ in Handler(behaviour, gate.value) }
    }
    server.start()
  }

  /// Answers as the contract says, some messages only after a time.
  convenience init(delay: @escaping @Sendable (_ number: Int) -> Duration?) throws {
    try self.init(behaviour: { text, number in
      let replies = Peer.wellBehaved(text, number)
      return delay(number).map { [.later($0, replies)] } ?? replies
    })
  }

  deinit { loop.stop() }

  /// What waits for others; touched on the loop only.
  private final class Gate {
    var waiting: [() -> Void] = []
  }

  private final class Handler: WebSocketHandler {
    private let behaviour: Behaviour
    private let gate: Gate
    private var number = 0

    init(_ behaviour: @escaping Behaviour, _ gate: Gate) {
      self.behaviour = behaviour
      self.gate = gate
    }

    func onMessage(
      _ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer, on connection: WebSocketConnection
    ) {
      number += 1
      give(behaviour(String(decoding: bytes, as: UTF8.self), number), on: connection)
    }

    private func give(_ replies: [Reply], on connection: WebSocketConnection) {
      for reply in replies {
        switch reply {
        case .text(let text): connection.send(text: Array(text.utf8))
        case .binary(let bytes): connection.send(binary: bytes)
        case .pong: break
        case .close(let code): connection.close(code: code)
        case .reset: connection.reset()
        case .together(let count, let replies):
          gate.waiting.append { self.give(replies, on: connection) }
          guard gate.waiting.count >= count else { continue }
          let open = gate.waiting
          gate.waiting = []
          for go in open { go() }
        case .later(let delay, let replies):
          let here = LoopBound(self, on: connection.loop)
          connection.loop.schedule(after: delay) { here.value.give(replies, on: connection) }
        }
      }
    }

    func onClose(code: UInt16?, reason: String, clean: Bool, on connection: WebSocketConnection) {}
  }

  /// Answers ping as the contract says, in both dialects, and refuses the rest.
  static let wellBehaved: Behaviour = { text, _ in
    guard let value = try? JSONParser.parse(text), let object = value.object else {
      return [.text(#"{"error":"Invalid JSON: no"}"#)]
    }
    guard object.contains("jsonrpc") else { return [.text(#"{"result":"pong"}"#)] }
    guard let id = object["id"] else { return [] }
    if object["method"] == "ping" { return [.text(#"{"jsonrpc":"2.0","id":\#(id),"result":{}}"#)] }
    return [
      .text(#"{"jsonrpc":"2.0","id":\#(id),"error":{"code":-32601,"message":"Unknown method: x","data":{}}}"#)
    ]
  }

  /// Answers each message of a connection with the next of these, then nothing.
  static func answers(_ replies: [Reply]...) -> Behaviour {
    { _, number in number <= replies.count ? replies[number - 1] : [] }
  }
}

/// What is the same in every test.
enum Kit {
  static let spec: Specification = {
    // swift-format-ignore: NeverUseForceTry
    try! Specification.load()
  }()

  /// One case `t/case` with these steps; `more` are lines of the case before them.
  static func file(_ steps: String, dialect: String = "jsonrpc", more: String = "level: must") -> String {
    """
    format: 1
    suite: t
    dialect: \(dialect)
    cases:
    - id: case
      title: it holds
      covers: [method:ping]
    \(indented(more, by: 2))
      steps:
    \(indented(steps, by: 2))
    """
  }

  static func indented(_ text: String, by width: Int) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false)
      .map { String(repeating: " ", count: width) + $0 }.joined(separator: "\n")
  }

  static func cases(_ text: String) throws -> [TranscriptCase] {
    let files = FixtureFiles(files: [("server/t.yaml", text)], prefix: "Fixtures/")
    return try FixtureSet(files, folders: ["server"], spec: spec).cases
  }

  static func info(_ target: String, capabilities: [Capability] = Capability.allCases) -> RunInfo {
    RunInfo(
      version: "1.0.0", revision: "1.0", profile: "reference", target: target, seed: 4021, slack: 1,
      capabilities: capabilities, rerun: "omni-conformance run --target \(target)")
  }

  /// Plays a file against a peer.
  static func run(
    _ text: String, against url: String, capabilities: [Capability]? = nil, mock: String? = nil,
    description: TargetDescription? = nil, threshold: RequirementLevel = .should,
    secrets: [String: String] = [:], plan: RunPlan = RunPlan(), traces: TracePolicy = .failures,
    progress: @escaping @Sendable (Runner.Progress) -> Void = { _ in }
  ) async throws -> RunResult {
    let loop = try EventLoop(name: "runner")
    loop.start()
    defer { loop.stop() }
    let description = description ?? TargetDescription(url: url)
    let children = Children()
    defer { children.killAll() }
    let target = Target(
      description, faces: nil, loop: loop, children: children,
      inherited: ProcessInfo.processInfo.environment)
    let offered = capabilities ?? Runner.capabilities(of: description, hasMock: mock != nil)
    let runner = Runner(
      spec: spec, info: info(url, capabilities: offered),
      stands: [Stand(target: target, mock: mock.map { MockBackend(admin: $0, loop: loop) })], plan: plan,
      loop: loop,
      settings: PlaySettings(
        seed: 4021, slack: 10, threshold: threshold, secrets: secrets,
        masking: Masking(secrets: Array(secrets.values)), traces: traces), progress: progress)
    let result = await runner.run(try cases(text))
    await target.end()
    return result
  }

  /// Plays one case and gives its result.
  static func play(
    _ steps: String, dialect: String = "jsonrpc", more: String = "level: must", on peer: Peer,
    mock: String? = nil,
    threshold: RequirementLevel = .should, secrets: [String: String] = [:]
  ) async throws -> CaseResult {
    let result = try await run(
      file(steps, dialect: dialect, more: more), against: peer.url, mock: mock, threshold: threshold,
      secrets: secrets)
    return try #require(result.results.first)
  }
}
