import Foundation

/// Fuzzes targets one after the other in children, makes what is found small and keeps it.
struct Supervisor {
  private static let findLimit = 5

  private let child: Child
  private let seed: UInt64
  private let limit: Double
  private let cases: URL

  /// - Parameters:
  ///   - limit: processor time in seconds that an input may take.
  ///   - cases: the folder where finds are kept, one folder a target.
  init(program: URL, seed: UInt64, limit: Double, cases: URL) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "omni-fuzz-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    child = Child(program: program, folder: folder, patience: limit * 3 + 10)
    self.seed = seed
    self.limit = limit
    self.cases = cases
  }

  /// Removes what the children wrote.
  func clean() { try? FileManager.default.removeItem(at: child.folder) }

  /// Fuzzes one target for a time and says what came of it.
  func fuzz(_ target: FuzzTarget, seconds: Double) throws -> (inputs: Int, finds: [URL]) {
    var inputs = 0
    var shapes = 0
    var spent = 0.0
    var slowest = 0.0
    var finds: [URL] = []
    var known: [Ending] = []
    var round: UInt64 = 0
    while spent < seconds, known.count < Self.findLimit, round < 20 {
      let (ending, report, last) = try child.fuzz(
        target.name, seed: seed &+ round, seconds: seconds - spent, limit: limit)
      round += 1
      inputs += report.inputs
      shapes = max(shapes, report.shapes)
      slowest = max(slowest, report.slowest)
      spent += max(report.seconds, 0.01)
      guard ending != .good, !known.contains(where: ending.isLike) else { continue }
      known.append(ending)
      finds.append(try keep(ending, last, of: target))
    }
    let rate = Int(Double(inputs) / max(spent, 0.001))
    Program.say(
      "fuzz \(target.name): \(inputs) inputs, \(rate)/s, \(shapes) outcomes, slowest \(Int(slowest * 1000)) ms, "
        + "\(finds.count) finds")
    return (inputs, finds)
  }

  private func keep(_ ending: Ending, _ input: [UInt8], of target: FuzzTarget) throws -> URL {
    let small = try minimised(input, ending, of: target)
    let name = String(hash(of: small), radix: 16)
    let folder = cases.appending(path: target.name)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let file = folder.appending(path: "\(name).bin")
    try Data(small).write(to: file)
    let note = """
      \(ending.description.prefix(2000))

      seed \(seed), \(small.count) bytes, found as \(input.count)
      swift run omni-fuzz try \(target.name) Fixtures/fail-cases/\(target.name)/\(name).bin

      """
    try Data(note.utf8).write(to: folder.appending(path: "\(name).txt"))
    Program.say("fuzz \(target.name): FOUND \(file.path)\n  \(ending.description.prefix(600))")
    return file
  }

  /// Takes pieces out, large ones first, as long as the fault stays (delta debugging).
  private func minimised(_ input: [UInt8], _ ending: Ending, of target: FuzzTarget) throws -> [UInt8] {
    // What does not end costs its whole time at each attempt.
    guard ending != .hang, try child.attempt(target.name, input, limit: limit).isLike(ending) else {
      return input
    }
    let deadline = Date().addingTimeInterval(60)
    var best = input
    var size = max(best.count / 2, 1)
    while true {
      var place = 0
      var isSmaller = false
      while place < best.count, Date() < deadline {
        var candidate = best
        candidate.removeSubrange(place..<min(place + size, best.count))
        if try child.attempt(target.name, candidate, limit: limit).isLike(ending) {
          best = candidate
          isSmaller = true
        } else {
          place += size
        }
      }
      if Date() >= deadline || (size == 1 && !isSmaller) { return best }
      size = max(size / 2, 1)
    }
  }
}

/// The finds of the past, which must stay repaired.
enum StoredCases {
  static let folder = Files.root.appending(path: "Fixtures/fail-cases")

  static func of(_ target: FuzzTarget) -> [(file: String, bytes: [UInt8])] {
    let folder = folder.appending(path: target.name)
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
    return names.filter { $0.hasSuffix(".bin") }.compactMap { name in
      (try? Data(contentsOf: folder.appending(path: name))).map { ("\(target.name)/\(name)", Array($0)) }
    }
  }
}
