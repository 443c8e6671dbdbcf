import Foundation
import JSON
import JSONSchema
import TestSupport
import Testing

@Suite("JSON Schema: the cases of the official suite")
struct SuiteTests {
  @Test(
    "every required case passes",
    arguments: [(SchemaDraft.draft2020_12, "draft2020-12"), (.draft7, "draft7")])
  func required(draft: SchemaDraft, folder: String) throws {
    guard let corpus = Corpora.folder("json-schema-test-suite") else { return }
    let remotes = corpus.appending(path: "remotes")
    let registry = SchemaRegistry { uri in
      let prefix = "http://localhost:1234/"
      guard uri.hasPrefix(prefix) else { return nil }
      return try? read(remotes.appending(path: String(uri.dropFirst(prefix.count))))
    }
    let tests = corpus.appending(path: "tests/\(folder)")
    let files = try FileManager.default.contentsOfDirectory(at: tests, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "json" }.sorted { $0.path < $1.path }
    var ran = 0
    var failed: [String] = []
    for file in files {
      for group in try read(file).array ?? [] {
        let name = "\(file.lastPathComponent): \(group["description"]?.string ?? "?")"
        let cases = group["tests"]?.array ?? []
        ran += cases.count
        do {
          let schema = try JSONSchema(group["schema"] ?? .null, defaultDraft: draft, registry: registry)
          for test in cases where !agrees(schema, test) {
            failed.append("\(name): \(test["description"]?.string ?? "?")")
          }
        } catch {
          failed.append("\(name): \(error)")
        }
      }
    }
    Corpora.report("json-schema \(folder)", ran: ran, failed: failed.count)
    #expect(failed == [])
    #expect(ran > 800)
  }

  /// All three questions give the verdict of the case.
  private func agrees(_ schema: JSONSchema, _ test: JSONValue) -> Bool {
    let data = test["data"] ?? .null
    let expected = test["valid"]?.bool
    return schema.isValid(data) == expected && schema.validate(data).isEmpty == expected
      && (schema.firstViolation(data) == nil) == expected
  }
}

private func read(_ file: URL) throws -> JSONValue {
  try JSONParser.parse(Array(Data(contentsOf: file)), limits: JSONLimits(depth: 512))
}
