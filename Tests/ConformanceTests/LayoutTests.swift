import Conformance
import Foundation
import JSON
import Testing
import YAML

@Suite("The layout of files")
struct LayoutTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// Every file that the kit has, fuzz finds included.
  private static let files: [String] = {
    let all = (try? FileManager.default.subpathsOfDirectory(atPath: root.path + "/Fixtures")) ?? []
    return all.filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".bin") }.sorted().map { "Fixtures/" + $0 }
  }()

  private static func laidOut(_ text: String) throws -> String { try FileLayout.text(text, file: "t.yaml") }

  @Test("the fixtures are laid out")
  func current() throws {
    for file in FixtureFiles.embedded.files {
      #expect(try Self.laidOut(file.text) == file.text, "omni-conformance fmt Fixtures/\(file.path)")
    }
  }

  @Test("a file says the same as before, and is laid out once", arguments: files)
  func same(_ file: String) throws {
    let data = try Data(contentsOf: Self.root.appending(path: file))
    guard let text = String(validating: data, as: UTF8.self),
      let before = try? YAMLParser.parse(text, file: file)
    else { return }
    // Badly laid out on purpose: everything on lines of its own that can be.
    for text in [text, text.replacing(": {", with: ":   {  ").replacing("}\n", with: "\n }\n")] {
      guard let once = try? FileLayout.text(text, file: file) else { continue }
      let after = try YAMLParser.parse(once, file: file).json
      #expect(after == before.json)
      // Order matters in what is sent.
      #expect(
        JSONWriter.text(after["cases"]?[0]?["steps"]?[0]?["client"] ?? .null)
          == JSONWriter.text(before.json["cases"]?[0]?["steps"]?[0]?["client"] ?? .null))
      #expect(try FileLayout.text(once, file: file) == once)
    }
  }

  @Test("keys have one order, frames a line, comments their place")
  func transcript() throws {
    let untidy = """
      # What this is.
      suite: t   # the name
      format: 1
      dialect: jsonrpc
      cases:


      # The first.
      - covers: [ req:ping.object,method:ping ]
        id: one
        steps:
        - why: it must
          client:
            id: 1
            # what is asked
            method: ping
        - server:
            id:   1
            result: { }
          conn: b
        # Behind the steps.
        title: It holds.
      - {id: two, steps: [{client: {id: 1, method: create_task, params: {description: one that is far too long for a single line, type: general, wait: true}}}], covers: [req:ping.object]}
      # The end.
      """
    let tidy = """
      # What this is.
      format: 1
      suite: t  # the name
      dialect: jsonrpc
      cases:
      # The first.
      - id: one
        # Behind the steps.
        title: It holds.
        covers: [req:ping.object, method:ping]
        steps:
        - client:
            id: 1
            # what is asked
            method: ping
          why: it must
        - server: {id: 1, result: {}}
          conn: b

      - id: two
        covers: [req:ping.object]
        steps:
        - client:
            id: 1
            method: create_task
            params: {description: one that is far too long for a single line, type: general, wait: true}
      # The end.

      """
    #expect(try Self.laidOut(untidy) == tidy)
    #expect(try Self.laidOut(tidy) == tidy)
  }

  @Test(
    "texts stay as they are written",
    arguments: [
      "url: 'ws://a'\nenvironment: {A: \"x\\ty\", B: 'it''s', C: ~, D: 0x1F}\n",
      "cases:\n- case: a/b\n  reason: >-\n    One line\n    and another.\n\n- case: c/d\n  reason: |\n    a\n      b\n",
      "url: ws://a\nstart:\n  argv:\n  - sh\n  - \"a \\\n    b\"\n  - plain\n    text\n",
      "url: ws://a\nstart:\n  argv: [a,  # why\n     b]\n",
    ])
  func texts(_ text: String) throws {
    #expect(try Self.laidOut(text) == text)
  }

  @Test("what cannot be laid out is said at its place, and left alone")
  func impossible() async throws {
    let text = "suite: t\ndialect: bare\ncases: []\nneeds: |2\n    odd\n"
    #expect(throws: SourceError.self) { try Self.laidOut(text) }
    #expect(throws: SourceError.self) { try Self.laidOut("suite: [") }
    let folder = try ProgramTests.fixtures(text)
    defer { try? FileManager.default.removeItem(at: folder) }
    let ended = try await ProgramTests.run(["fmt", folder.path])
    #expect(ended.code == 2)
    #expect(ended.errors.contains("server/t.yaml:1:1: this file cannot be laid out"))
    #expect(try String(contentsOf: folder.appending(path: "server/t.yaml"), encoding: .utf8) == text)
  }

  @Test("--check tells and changes nothing, without it the file is changed")
  func program() async throws {
    let text = Kit.file("- client: {id: 1,   method: ping}")
    let folder = try ProgramTests.fixtures(text)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "server/t.yaml")
    let checked = try await ProgramTests.run(["fmt", "--check", folder.path])
    #expect(checked.code == 1)
    #expect(checked.output == "would change \(file.path)\nfmt: 1 file, 1 to change\n")
    #expect(try String(contentsOf: file, encoding: .utf8) == text)
    #expect(try await ProgramTests.run(["fmt", file.path]).code == 0)
    #expect(try String(contentsOf: file, encoding: .utf8).contains("  - client: {id: 1, method: ping}\n"))
    #expect(
      try await ProgramTests.run(["fmt", "--check", folder.path]).output == "fmt: 1 file, 0 to change\n")
    #expect(try await ProgramTests.run(["fmt", "--check", "/none.yaml"]).code == 2)
  }
}
