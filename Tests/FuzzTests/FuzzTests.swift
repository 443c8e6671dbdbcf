import Foundation
import Testing

@testable import omni_fuzz

@Suite("Fuzzing")
struct FuzzTests {
  @Test("what was found once stays repaired", arguments: FuzzTarget.all.map(\.name))
  func stored(name: String) throws {
    let target = try #require(FuzzTarget.named(name))
    for stored in StoredCases.of(target) {
      #expect(throws: Never.self, "\(stored.file)") { _ = try target.check(stored.bytes) }
    }
  }

  @Test("the seeds hold, and so do inputs made of them", arguments: FuzzTarget.all.map(\.name))
  func seeds(name: String) throws {
    let target = try #require(FuzzTarget.named(name))
    var session = try Session(target, seed: 1, limit: .infinity, stored: [])
    let report = session.run(for: .seconds(60), inputs: try target.seeds().count + 200)
    #expect(report.finding == nil)
    #expect(report.shapes > 2)
  }

  @Test("the same seed makes the same inputs")
  func repeatable() throws {
    func inputs(seed: UInt64) throws -> [[UInt8]] {
      var inputs: [[UInt8]] = []
      var session = try Session(.schema, seed: seed, limit: .infinity, stored: [])
      _ = session.run(for: .seconds(60), inputs: 100) { inputs.append($0) }
      return inputs
    }
    #expect(try inputs(seed: 3) == inputs(seed: 3))
    #expect(try inputs(seed: 3) != inputs(seed: 4))
  }

  @Test(
    "planted faults are found, made small and kept",
    arguments: ["planted-lie", "planted-trap", "planted-hang"])
  func planted(name: String) throws {
    let program: URL = try #require(Self.program, "omni-fuzz was not built beside the tests")
    let target = try #require(FuzzTarget.named(name))
    let folder = FileManager.default.temporaryDirectory.appending(path: "omni-fuzz-\(UUID())")
    defer { try? FileManager.default.removeItem(at: folder) }
    let supervisor = try Supervisor(program: program, seed: 1, limit: 0.5, cases: folder)
    defer { supervisor.clean() }
    let result = try supervisor.fuzz(target, seconds: 1)
    let find = try #require(result.finds.first)
    let input = String(decoding: try Data(contentsOf: find), as: UTF8.self)
    switch name {
    case "planted-lie": #expect(input == "lie")
    case "planted-trap": #expect(input == "trap")
    // What does not end is kept as it was found.
    default: #expect(input.contains("hang"))
    }
    let note = try String(
      contentsOf: find.deletingPathExtension().appendingPathExtension("txt"), encoding: .utf8)
    #expect(note.contains("omni-fuzz try \(name) Fixtures/fail-cases/\(name)/\(find.lastPathComponent)"))
  }

  /// The executable beside the test bundle.
  static var program: URL? {
    let places =
      [Bundle.main.bundleURL, URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()]
      + Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() }
    return places.flatMap { [$0, $0.deletingLastPathComponent()] }.map { $0.appending(path: "omni-fuzz") }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
  }
}
