import Conformance
import Foundation
import JSON
import Testing

/// `record` and `import` as they are called.
@Suite("omni-conformance record and import")
struct RecordProgramTests {
  private static func folder() throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appending(path: "record-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }

  private static let ping = Kit.file("- client: {id: 1, method: ping}\n- server: {id: 1, result: {}}")

  @Test("0: a client is run, and what it said passes when it is played")
  func recorded() async throws {
    let peer = try Peer()
    let (client, folder) = (try ProgramTests.fixtures(Self.ping), try Self.folder())
    defer { for place in [client, folder] { try? FileManager.default.removeItem(at: place) } }
    let program = try #require(ProgramTests.program)
    let file = folder.appending(path: "t.yaml").path
    let ended = try await ProgramTests.run([
      "record", "--target", peer.url, "--output", file, "--suite", "mine",
      "--exec", "'\(program)' run --target {url} --fixtures '\(client.path)'",
    ])
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(ended.output.hasSuffix("wrote 1 case to \(file)\n"))
    let played = try await ProgramTests.run([
      "run", "--target", peer.url, "--fixtures", folder.path, "--verbose",
    ])
    #expect(played.code == 0, "\(played.output)")
    #expect(played.output.contains("mine/session-1"))
  }

  @Test("1: the command failed, and what it said before is written; nothing was said; a secret has no name")
  func failed() async throws {
    let peer = try Peer()
    let client = try ProgramTests.fixtures(Self.ping)
    let secret = try ProgramTests.fixtures(
      Kit.file("- client: {id: 1, method: sk-12345678}\n- server: {id: 1, error: {code: -32601}}"))
    defer { for place in [client, secret] { try? FileManager.default.removeItem(at: place) } }
    let program = try #require(ProgramTests.program)
    let run = { (folder: URL) in "'\(program)' run --target {url} --fixtures '\(folder.path)'" }
    let broken = try await ProgramTests.run(
      ["record", "--target", peer.url, "--exec", run(client) + "; echo it broke; exit 7"])
    #expect(broken.code == 1)
    #expect(broken.output.hasPrefix("format: 1\nsuite: recorded\ndialect: jsonrpc\n"))
    #expect(broken.errors.contains("omni-conformance: the command ended with exit code 7\n"))
    #expect(broken.errors.contains("  it broke\n"))
    let silent = try await ProgramTests.run(["record", "--target", peer.url, "--exec", "true"])
    #expect(silent.code == 1)
    #expect(silent.errors.hasSuffix("nothing was written: nothing was said, so there is nothing to write\n"))
    let unnamed = try await ProgramTests.run(["record", "--target", peer.url, "--exec", run(secret)])
    #expect(unnamed.code == 1)
    #expect(unnamed.output.isEmpty && !unnamed.errors.contains("12345678"))
    #expect(unnamed.errors.contains("at /method holds what looks like a secret"))
    let named = try await ProgramTests.run(
      ["record", "--target", peer.url, "--exec", run(secret), "--secret", "HIDDEN"],
      environment: ["HIDDEN": "sk-12345678"])
    #expect(named.code == 0)
    #expect(named.output.contains("method: {$secret: HIDDEN}"))
  }

  @Test(
    "2: usage, and 3: nobody is there",
    arguments: [
      (["record"], 2, "--target is missing; see omni-conformance record --help"),
      (["record", "--target", "x"], 2, "--target \"x\" is no usable URL: it has no scheme"),
      (
        ["record", "--target", "ws://x", "--listen", "70000"], 2,
        "--listen needs a port from 0 to 65535, not \"70000\""
      ),
      (
        ["record", "--target", "ws://x", "--suite", "My suite"], 2,
        "--suite needs lower case letters, digits and hyphens, not \"My suite\""
      ),
      (
        ["record", "--target", "ws://x", "--secret", "NOT_THERE"], 2,
        "--secret NOT_THERE: the environment has no such variable of 6 characters or more"
      ),
      (
        ["record", "--target", "ws://x", "--output", "/none/x.yaml"], 2,
        "--output /none/x.yaml cannot be written"
      ),
      (["record", "--target", "ws://127.0.0.1:1"], 3, "connection to 127.0.0.1:1 refused"),
      (["import"], 2, "one file is expected; see omni-conformance import --help"),
      (["import", "/none.har"], 2, "/none.har cannot be read"),
    ] as [([String], Int, String)])
  func refused(_ arguments: [String], _ code: Int, _ message: String) async throws {
    let ended = try await ProgramTests.run(arguments)
    #expect(ended.code == code)
    #expect(ended.errors == "omni-conformance: \(message)\n")
  }

  @Test("import writes a transcript, or says where the file is wrong")
  func imported() async throws {
    let folder = try Self.folder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "x.har")
    func har(_ data: String) -> String {
      """
      {"log": {"entries": [{"request": {"url": "ws://h/", "headers": []}, "response": {"status": 101, "headers": []},
       "_webSocketMessages": [{"type": "send", "time": 1, "opcode": 1, "data": \(data)}]}]}}
      """
    }
    try Data(har(#""{\"method\":\"ping\"}""#).utf8).write(to: file)
    let right = try await ProgramTests.run(["import", file.path])
    #expect(right.code == 0)
    #expect(right.output.hasSuffix("  steps:\n  - client: {method: ping}\n"))
    try Data(har("1").utf8).write(to: file)
    let wrong = try await ProgramTests.run(["import", file.path])
    #expect(wrong.code == 2)
    #expect(
      wrong.errors.hasSuffix(
        "x.har: /log/entries/0/_webSocketMessages/0/data: a string is expected, not number\n"))
  }
}
