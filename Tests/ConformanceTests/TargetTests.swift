import Conformance
import Foundation
import JSON
import ProtocolSpec
import Testing
import Transport
import Wire
import YAML

/// The process is a shell that writes what it gets to a file; what is said goes to a peer.
@Suite("Targets that the runner starts")
struct TargetTests {
  private static func folder() throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appending(path: "target-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }

  private static func description(
    _ script: String, url: String, ready: String? = nil, log: URL, extra: String = ""
  ) throws -> TargetDescription {
    let text = """
      url: \(url)
      start:
        argv: [sh, -c, \(JSONWriter.text(.string(script)))]
        within: 5s
        \(ready.map { "ready: \"\($0)\"" } ?? "")
      environment: {LOG: "\(log.path)", DATA: "${data}", PORT: "${port}"}
      \(extra)
      """
    return try TargetDescription(YAMLParser.parse(text, file: "target.yaml"))
  }

  private static func lines(_ log: URL) -> [String] {
    ((try? String(contentsOf: log, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
  }

  private static let ping = "- client: {id: 1, method: ping}\n- server: {id: 1, result: {}}"
  private static let notes =
    #"trap 'exit 7' TERM; echo "$DATA $PORT $EXTRA" >> "$LOG"; touch "$DATA/up"; while :; do sleep 0.01; done"#

  /// Ready is a process of `notes` whose mark is there; each mark counts once.
  private static func noted() throws -> (Peer, ready: String) {
    let peer = try Peer(pages: { request in
      guard request.head.path == "/readyz", let data = request.head.query else { return nil }
      let isUp = (try? FileManager.default.removeItem(atPath: data + "/up")) != nil
      return (isUp ? 200 : 503, [], "")
    })
    return (peer, peer.httpURL + "/readyz?${data}")
  }

  @Test("one process serves all cases but those that are fresh or set variables")
  func processes() async throws {
    let folder = try Self.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let log = folder.appending(path: "log")
    let (peer, ready) = try Self.noted()
    let head = Kit.file(Self.ping)
    func more(_ id: String, _ member: String) -> String {
      "\n- {id: \(id), covers: [method:ping], \(member) steps: [{client: {id: 1, method: ping}}, {server: {id: 1, result: {}}}]}"
    }
    let text =
      head + more("second", "") + more("anew", "fresh: true,") + more("extra", "environment: {EXTRA: much},")
      + more("last", "")
    let description = try Self.description(Self.notes, url: peer.url, ready: ready, log: log)
    let result = try await Kit.run(text, against: peer.url, description: description)
    #expect(result.counts[.pass] == 5)
    let starts = Self.lines(log).map { $0.split(separator: " ").map(String.init) }
    #expect(starts.count == 4)
    #expect(Set(starts.map { $0[0] }).count == 4, "each has data of its own")
    #expect(starts.map { $0.count > 2 ? $0[2] : "" } == ["", "", "much", ""])
    #expect(!FileManager.default.fileExists(atPath: starts[0][0]), "data is removed")
  }

  @Test("a restart keeps the data and tells the exit code")
  func restart() async throws {
    let folder = try Self.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let log = folder.appending(path: "log")
    let (peer, ready) = try Self.noted()
    let description = try Self.description(Self.notes, url: peer.url, ready: ready, log: log)
    let steps = Self.ping + "\n- restart: {signal: TERM, exit: 7}\n- restart: {signal: KILL}\n" + Self.ping
    let result = try await Kit.run(Kit.file(steps), against: peer.url, description: description)
    #expect(result.counts[.pass] == 1)
    #expect(Self.lines(log).count == 3)
    #expect(Set(Self.lines(log)).count == 1, "same port, same data")
    let other = try await Kit.run(
      Kit.file("- restart: {signal: TERM, exit: 0}"), against: peer.url, description: description)
    let failure = try #require(other.results.first?.failure)
    #expect(failure.message == "the target ended with another exit code")
    #expect(failure.differences.map { "\($0.expected) | \($0.got)" } == ["exit: 0 | exit: 7"])
  }

  @Test("a target that ends before it is ready, or never gets there, cannot be reached")
  func notReady() async throws {
    let folder = try Self.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let log = folder.appending(path: "log")
    let peer = try Peer(pages: { $0.head.path == "/readyz" ? (503, [], "starting") : nil })
    let dead = try Self.description(
      "echo no config >&2; exit 3", url: peer.url, ready: peer.httpURL + "/readyz", log: log)
    let result = try await Kit.run(Kit.file(Self.ping), against: peer.url, description: dead)
    #expect(result.exitCode == 3)
    #expect(result.unreachable?.description == "sh ended with exit code 3 before it was ready")
    #expect(result.unreachable?.lines == ["no config"])
    let slow = try Self.description(
      "exec sleep 600", url: peer.url, ready: peer.httpURL + "/readyz", log: log)
    let late = try await Kit.run(
      Kit.file(Self.ping), against: peer.url,
      description: TargetDescription(
        url: slow.url,
        start: .init(argv: ["sleep", "600"], ready: slow.start?.ready, within: .milliseconds(100)),
        environment: [], capabilities: [.jsonrpc]))
    #expect(late.unreachable?.description == "sleep is not ready within 100ms")
    let none = try await Kit.run(
      Kit.file(Self.ping), against: peer.url,
      description: TargetDescription(
        url: peer.url, start: .init(argv: ["no-such-program"], ready: nil, within: .seconds(1)),
        environment: [],
        capabilities: [.jsonrpc]))
    #expect(none.unreachable?.description == "cannot start no-such-program: no such program")
  }

  @Test("a target that ends in the middle turns the case red and shows what it wrote")
  func ends() async throws {
    let folder = try Self.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let flag = folder.appending(path: "go")
    let peer = try Peer(behaviour: { _, _ in
      _ = FileManager.default.createFile(atPath: flag.path, contents: nil)
      return []
    })
    let script =
      "while [ ! -e '\(flag.path)' ]; do sleep 0.01; done; echo panic: out of luck, key sk-abcdef123456 >&2; exit 134"
    let description = try Self.description(script, url: peer.url, log: folder.appending(path: "log"))
    let result = try await Kit.run(
      Kit.file(Self.ping + "\n  within: 100ms"), against: peer.url, description: description)
    #expect(result.exitCode == 1)
    #expect(
      result.results.first?.failure?.targetLines == [
        "sh ended with exit code 134", "panic: out of luck, key sk-***",
      ])
  }

  @Test("what a stopped process has started ends with it")
  func group() async throws {
    let children = Children()
    let process = try ChildProcess(
      ["sh", "-c", "sleep 600 & echo $!; wait"], environment: ["PATH": "/usr/bin:/bin"], children: children)
    let line = try #require(await process.firstLine(within: .seconds(20)))
    let grandchild = try #require(Int32(line))
    #expect(kill(grandchild, 0) == 0)
    children.killAll()
    #expect(await process.wait(within: .seconds(20)) == .signalled(SIGKILL))
    let deadline = ContinuousClock.now + .seconds(20)
    func isGone() -> Bool {
      // An orphan that nobody reaps yet is a zombie, and gone for our purpose.
      let state = (try? String(contentsOfFile: "/proc/\(grandchild)/stat", encoding: .utf8)) ?? ""
      return kill(grandchild, 0) != 0 || state.contains(") Z ")
    }
    while !isGone() && ContinuousClock.now < deadline { await Task.yield() }
    #expect(isGone())
  }

  @Test(
    "mistakes in a target file are told with place and caret",
    arguments: [
      (
        "url: ftp://x",
        "target.yaml:1:6: an address such as ws://127.0.0.1:18765 or http://127.0.0.1:18765/mcp is expected,"
          + " or stdio"
      ),
      ("url: ws://x\nstrat: {}", "target.yaml:2:1: unknown key \"strat\", did you mean \"start\"?"),
      (
        "url: ws://x\nenvironment: {A: \"${mock.lite}\"}",
        "target.yaml:2:18: unknown placeholder \"mock.lite\", did you mean \"mock.litellm\"?"
      ),
      (
        "url: ws://x\ncapabilities: [restrat]",
        "target.yaml:2:16: unknown capability \"restrat\", did you mean \"restart\"?"
      ),
      ("url: ws://x\nrestart: {signal: HUP}", "target.yaml:2:19: unknown signal \"HUP\", known: KILL, TERM"),
      (
        "url: wss://x\nstart: {argv: [a]}",
        "target.yaml:1:6: over TLS only an endpoint that runs already can be checked"
      ),
      ("url: ws://x\nstart: {argv: []}", "target.yaml:2:15: a program is expected"),
    ])
  func mistakes(_ text: String, _ message: String) throws {
    let error = try #require(throws: SourceError.self) {
      try TargetDescription(YAMLParser.parse(text, file: "target.yaml"))
    }
    #expect("\(error.place): \(error.message)" == message)
  }
}
