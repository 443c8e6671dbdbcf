import Conformance
import Foundation
import JSON
import ProtocolSpec
import Testing
import Transport
import Wire

/// The program itself, with its exit codes.
@Suite("omni-conformance")
struct ProgramTests {
  struct Ended {
    let code: Int
    let output: String
    let errors: String
  }

  /// The program is built into the folder of the test bundle.
  static let program: String? = {
    let places = [Bundle.main.bundleURL, URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()]
    let candidates = places + Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() }
    return candidates.map { $0.appending(path: "omni-conformance").path }
      .first(where: FileManager.default.isExecutableFile)
  }()

  /// Nothing else is inherited, but a sanitizer needs its options (`ASAN_OPTIONS` and its like) in
  /// every process.
  private static let base = ProcessInfo.processInfo.environment.filter { $0.key.hasSuffix("SAN_OPTIONS") }
    .merging(["PATH": "/usr/bin:/bin"]) { $1 }

  static func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> Ended {
    let program = try #require(program)
    let folder = FileManager.default.temporaryDirectory.appending(path: "program-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    // Files, not pipes: a full pipe would stop the program.
    let (output, errors) = (folder.appending(path: "out"), folder.appending(path: "err"))
    let script = #"out=$1 err=$2; shift 2; exec "$@" >"$out" 2>"$err""#
    let child = try ChildProcess(
      ["/bin/sh", "-c", script, "sh", output.path, errors.path, program] + arguments,
      environment: Self.base.merging(environment) { $1 }, children: Children())
    guard case .exited(let code) = await child.wait(within: .seconds(60)) else {
      await child.stop()
      throw TargetProblem("the program did not end")
    }
    return Ended(
      code: code, output: try String(contentsOf: output, encoding: .utf8),
      errors: try String(contentsOf: errors, encoding: .utf8))
  }

  /// A folder of fixtures with one file.
  static func fixtures(_ text: String) throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appending(path: "fixtures-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
      at: folder.appending(path: "server"), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: folder.appending(path: "server/t.yaml"))
    return folder
  }

  private static let ping = Kit.file("- client: {id: 1, method: ping}\n- server: {id: 1, result: {}}")

  @Test("0: all as expected, with the results written")
  func conformant() async throws {
    let peer = try Peer()
    let folder = try Self.fixtures(Self.ping)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "results.json")
    let ended = try await Self.run([
      "run", "--target", peer.url, "--fixtures", folder.path, "--seed", "7", "--output", file.path,
    ])
    #expect(ended.code == 0)
    #expect(ended.errors == "")
    #expect(
      ended.output.hasPrefix(
        "playing 1 case of profile reference against \(peer.url), seed 7\n1 passed, 0 failed, "))
    let results = try JSONParser.parse([UInt8](Data(contentsOf: file)))
    #expect(results["cases"]?[0]?["verdict"] == "pass")
    #expect(results["run"]?["seed"] == 7)
  }

  @Test("1: a failure is printed with the command that plays it again")
  func failure() async throws {
    let peer = try Peer(behaviour: Peer.answers([.text(#"{"jsonrpc":"2.0","id":1,"result":"pong"}"#)]))
    let folder = try Self.fixtures(Self.ping)
    defer { try? FileManager.default.removeItem(at: folder) }
    let ended = try await Self.run(["run", "--target", peer.url, "--fixtures", folder.path, "--seed", "7"])
    #expect(ended.code == 1)
    #expect(ended.output.contains("FAIL  t/case        \(folder.path)/server/t.yaml:5        MUST\n"))
    #expect(ended.output.contains("    - result: {}\n    + result: pong\n"))
    #expect(
      ended.output.contains(
        "rerun: omni-conformance run --target \(peer.url) --fixtures \(folder.path) --run t/case --seed 7\n"))
    #expect(ended.output.contains("0 passed, 1 failed, 0 set-up errors, 0 not applicable in "))
  }

  @Test("2: a broken fixture, and nothing is run")
  func brokenFixture() async throws {
    let folder = try Self.fixtures(Kit.file("- clint: 1"))
    defer { try? FileManager.default.removeItem(at: folder) }
    let ended = try await Self.run(["run", "--target", "ws://127.0.0.1:1", "--fixtures", folder.path])
    #expect(ended.code == 2)
    #expect(ended.output == "")
    #expect(
      ended.errors == """
        omni-conformance: \(folder.path)/server/t.yaml:10:5: unknown key "clint", did you mean "client"?
          10 |   - clint: 1
             |     ^

        """)
  }

  @Test(
    "2: a command line that cannot be followed",
    arguments: [
      (
        ["run", "--targt", "x"],
        "unknown flag \"--targt\", did you mean \"--target\"?; see omni-conformance run --help"
      ),
      (["rum"], "unknown command \"rum\", did you mean \"run\"?; see omni-conformance --help"),
      (
        ["run"],
        "what is to be checked? give --target URL, --exec COMMAND or --target-file FILE; see omni-conformance run --help"
      ),
      (["run", "--target"], "--target needs a value: --target URL"),
      (["run", "--target", "wss://x", "--ca-file", "/none"], "--ca-file /none cannot be read"),
      (["run", "--target", "ws://x", "--jobs", "0"], "--jobs needs a number from 1 to 1000, not \"0\""),
      (
        ["run", "--target", "ws://x", "--repeat", "no"], "--repeat needs a number from 1 to 1000, not \"no\""
      ),
      (
        ["run", "--target", "ws://x", "--shard", "3/2"],
        "--shard needs a part and how many there are, such as 1/4, not \"3/2\""
      ),
      (
        ["run", "--target", "ws://x", "--write-baseline", "/none/x.yaml"],
        "--write-baseline /none/x.yaml cannot be written"
      ),
      (["list", "--profile", "refrence"], "unknown profile \"refrence\", did you mean \"reference\"?"),
      (["run", "--target", "ws://x", "--seed", "-1"], "--seed needs a whole number, not \"-1\""),
      (["list", "--run", "a", "extra"], "unexpected argument \"extra\"; see omni-conformance list --help"),
      (["demo", "--server", "/none"], "--server /none is no program"),
      (["bench"], "what is to be measured? give --target URL; see omni-conformance bench --help"),
      (["bench", "--target", "wss://x", "--ca-file", "/none"], "--ca-file /none cannot be read"),
      (["bench", "--target", "x"], "--target \"x\" is no usable URL: it has no scheme"),
      (
        ["bench", "--target", "ws://x", "--connections", "0"],
        "--connections needs a whole number from 1 to 10000, not \"0\""
      ),
      (
        ["bench", "--target", "ws://x", "--pipeline", "4097"],
        "--pipeline needs a whole number from 1 to 4096, not \"4097\""
      ),
      (
        ["bench", "--target", "ws://x", "--rate", "fast"],
        "--rate needs a whole number from 1 to 10000000, not \"fast\""
      ),
      (
        ["bench", "--target", "ws://x", "--connections", "2", "--loops", "3"],
        "--loops 3 is more than --connections 2: a loop needs one"
      ),
      (
        ["bench", "--target", "ws://x", "--dialect", "jsonrcp"],
        "unknown dialect \"jsonrcp\", did you mean \"jsonrpc\"?"
      ),
      (
        ["bench", "--target", "ws://x", "--duration", "10"],
        "--duration needs a time such as 10s, from 100ms to 24h, not \"10\""
      ),
      (
        ["bench", "--target", "ws://x", "--warmup", "25h"],
        "--warmup needs a time such as 10s, up to 24h, not \"25h\""
      ),
      (
        ["bench", "--target", "ws://x", "--mix", "ping=1,pong=2"],
        "--mix ping=1,pong=2: unknown method \"pong\", did you mean \"ping\"?"
      ),
      (
        ["bench", "--target", "ws://x", "--output", "/none/x.json"],
        "--output /none/x.json cannot be written"
      ),
      (
        ["bench", "--target", "ws://x", "--conections", "1"],
        "unknown flag \"--conections\", did you mean \"--connections\"?; see omni-conformance bench --help"
      ),
    ] as [([String], String)])
  func usage(_ arguments: [String], _ message: String) async throws {
    let ended = try await Self.run(arguments)
    #expect(ended.code == 2)
    #expect(ended.errors == "omni-conformance: \(message)\n")
  }

  @Test("3: nobody is there")
  func unreachable() async throws {
    let folder = try Self.fixtures(Self.ping)
    defer { try? FileManager.default.removeItem(at: folder) }
    let ended = try await Self.run(["run", "--target", "ws://127.0.0.1:1", "--fixtures", folder.path])
    #expect(ended.code == 3)
    #expect(ended.errors.contains("ws://127.0.0.1:1 cannot be reached: "))
    #expect(ended.errors.contains("1 case was not played"))
  }

  @Test("3: TLS without openssl", arguments: ["run", "bench"])
  func noOpenSSL(command: String) async throws {
    let ended = try await Self.run(
      [command, "--target", "wss://127.0.0.1:1"], environment: ["PATH": "/none"])
    #expect(ended.code == 3)
    #expect(
      ended.errors == """
        omni-conformance: TLS needs the program openssl, version 3 or newer (Debian: apt-get install openssl): \
        cannot start openssl: no such program

        """)
  }

  @Test("1: lists of known failures are read, kept to, and written")
  func baselines() async throws {
    let peer = try Peer(behaviour: { _, _ in [.text(#"{"jsonrpc":"2.0","id":1,"result":5}"#)] })
    let good = try Peer()
    let folder = try Self.fixtures(Self.ping)
    defer { try? FileManager.default.removeItem(at: folder) }
    let list = folder.appending(path: "known.txt").path
    let judge = ["run", "--target", peer.url, "--fixtures", folder.path]
    #expect(try await Self.run(judge + ["--write-baseline", list]).code == 1)
    let known = try await Self.run(judge + ["--known-failing", list])
    #expect(known.code == 0)
    #expect(known.output.contains("EXPECTED FAILURE  t/case "))
    let stale = try await Self.run(
      ["run", "--target", good.url, "--fixtures", folder.path, "--known-failing", list])
    #expect(stale.code == 1)
    #expect(stale.output.contains("UNEXPECTED PASS  t/case "))
    try Data("format: 1\ncases: [{case: t/gone, reason: old}]\n".utf8).write(to: URL(filePath: list))
    let unmatched = try await Self.run(judge + ["--known-flaky", list])
    #expect(unmatched.code == 1)
    #expect(unmatched.errors.contains("\(list):2:16: there is no case t/gone"))
    try Data("format: 1\ncases: [{case: t/case}]\n".utf8).write(to: URL(filePath: list))
    #expect(try await Self.run(judge + ["--known-flaky", list]).code == 2)
  }

  @Test("4: nothing is selected, or nothing is applicable")
  func nothing() async throws {
    let peer = try Peer()
    let folder = try Self.fixtures(Kit.file("- client: {id: 1, method: ping}", more: "fresh: true"))
    defer { try? FileManager.default.removeItem(at: folder) }
    let none = try await Self.run(["run", "--target", peer.url, "--fixtures", folder.path, "--run", "x/*"])
    #expect(none.code == 4)
    #expect(
      none.errors == "omni-conformance: nothing selected: unknown case \"x/*\"; see omni-conformance list\n")
    let near = try await Self.run(["list", "--fixtures", folder.path, "--run", "t/cse"])
    #expect(near.code == 4)
    #expect(near.errors.contains("unknown case \"t/cse\", did you mean \"t/case\"?"))
    let inapplicable = try await Self.run(["run", "--target", peer.url, "--fixtures", folder.path])
    #expect(inapplicable.code == 4)
    #expect(
      inapplicable.output.contains("not applicable: 1 case needs restart, which the target does not offer\n"))
  }

  @Test("the demo starts both programs, plays, and stops both")
  func demo() async throws {
    let peer = try Peer(pages: { $0.head.path == "/readyz" ? (200, [], "ready") : nil })
    let mock = try MockBackendTests.FakeMock()
    let folder = try Self.fixtures(Self.ping)
    defer { try? FileManager.default.removeItem(at: folder) }
    func script(_ name: String, _ text: String) throws -> String {
      let file = folder.appending(path: name)
      try Data("#!/bin/sh\n\(text)\n".utf8).write(to: file)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
      return file.path
    }
    let announce =
      #"{"litellm":"http://127.0.0.1:1","direct":"http://127.0.0.1:2","local":"http://127.0.0.1:3","admin":"\#(mock.admin)"}"#
    let mockScript = try script(
      "mock", "echo '\(announce)'; echo $$ > '\(folder.path)/mock.pid'; exec sleep 600")
    // The stand-in listens nowhere: it says where it should, and its end before it is ready is told.
    let server = try script(
      "fake-server",
      "echo \"$OMNI_HOST $LITELLM_URL $GITHUB_LITELLM_KEY $OMNI_HEALTH_INTERVAL\" >&2; test -d \"$OMNI_DATA\" && exit 9"
    )
    let ended = try await Self.run(
      ["demo", "--server", server, "--mock", mockScript, "--fixtures", folder.path],
      environment: ["OMNI_TOKEN": "t"])
    #expect(ended.code == 3)
    #expect(ended.errors.contains("fake-server ended with exit code 9 before it was ready\n"))
    #expect(ended.errors.contains("127.0.0.1 http://127.0.0.1:1 sk-*** 0.2s\n"))
    #expect(ended.output.hasSuffix("not judged: 0 of 1 cases were played\n"))
    let pid = try #require(
      Int32(
        try String(contentsOfFile: folder.path + "/mock.pid", encoding: .utf8).trimmingCharacters(
          in: .newlines)))
    #expect(kill(pid, 0) != 0, "the mock has ended")
    _ = peer
  }

  @Test("a signal ends the program and what it has started")
  func interrupted() async throws {
    let peer = try Peer(behaviour: Peer.answers())
    let folder = try Self.fixtures(Self.ping.replacing("result: {}}", with: "result: {}}\n    within: 50s"))
    defer { try? FileManager.default.removeItem(at: folder) }
    let target = folder.appending(path: "target.yaml")
    let text = """
      url: \(peer.url)
      start: {argv: [sh, -c, "echo $$ > '\(folder.path)/pid'; exec sleep 600"]}
      """
    try Data(text.utf8).write(to: target)
    let program = try #require(Self.program)
    let child = try ChildProcess(
      [program, "run", "--target-file", target.path, "--fixtures", folder.path],
      environment: Self.base, children: Children())
    let deadline = ContinuousClock.now + .seconds(20)
    var pid: Int32?
    while pid == nil && ContinuousClock.now < deadline {
      let text = (try? String(contentsOfFile: folder.path + "/pid", encoding: .utf8)) ?? ""
      pid = Int32(text.trimmingCharacters(in: .newlines))
      await Task.yield()
    }
    child.signal(SIGINT)
    #expect(await child.wait(within: .seconds(20)) == .exited(130))
    let target0 = try #require(pid)
    while kill(target0, 0) == 0 && ContinuousClock.now < deadline { await Task.yield() }
    #expect(kill(target0, 0) != 0)
  }

  @Test("bench: the table in a pipe, the result as JSON, and an exit code for each end")
  func bench() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "bench.json")
    func flags(_ url: String) -> [String] {
      [
        "bench", "--target", url, "--connections", "2", "--duration", "100ms", "--warmup", "0s", "--output",
        file.path,
      ]
    }
    let peer = try Peer()
    let good = try await Self.run(flags(peer.url))
    #expect(good.code == 0)
    #expect(good.errors == "")
    #expect(
      good.output.hasPrefix(
        "ping=1 against \(peer.url) (jsonrpc): 2 connections, 1 request in flight on each, 0.1 s after 0.0 s of warm-up\n  requests    "
      ))
    #expect(good.output.hasSuffix("\n\n  no errors\n"))
    #expect(!good.output.contains("\r"))
    let document = try JSONParser.parse([UInt8](Data(contentsOf: file)))
    #expect(document["format"] == 1)
    #expect(document["run"]?["mode"] == "closed")
    #expect(document["requests"]?["answered"] == document["methods"]?["ping"]?["count"])
    #expect(document["errors"] == [])

    let wrong = try Peer(behaviour: Peer.answers([.text("no"), .close(1000)]))
    let bad = try await Self.run(flags(wrong.url))
    #expect(bad.code == 1)
    #expect(bad.output.contains("\n  errors\n    2  an answer that is no JSON object\n"))
    #expect(bad.output.contains("\n    2  lost connection: closed by the server with code 1000\n"))

    let nobody = try await Self.run(flags("ws://127.0.0.1:1"))
    #expect(nobody.code == 3)
    #expect(
      nobody.errors
        == "omni-conformance: ws://127.0.0.1:1 cannot be reached: connection to 127.0.0.1:1 refused\n")
  }

  @Test("help teaches, the version names the protocol, cases are listed")
  func help() async throws {
    for command in ["run", "demo", "list", "bench"] {
      let ended = try await Self.run([command, "--help"])
      #expect(ended.code == 0)
      #expect(ended.output.contains("usage: omni-conformance \(command)"))
      #expect(ended.output.contains("  omni-conformance \(command)"))
    }
    #expect(try await Self.run(["--version"]).output == "omni-conformance \(kitVersion), protocol 1.0\n")
    #expect(try await Self.run([]).code == 2)
    let folder = try Self.fixtures(Self.ping)
    defer { try? FileManager.default.removeItem(at: folder) }
    let list = try await Self.run(["list", "--fixtures", folder.path])
    #expect(list.output == "t/case  MUST    method:ping\n1 case of profile reference\n")
  }
}
