import Foundation

@main
struct Program {
  static let usage = """
    usage: omni-fuzz run [--seconds N] [--seed N] [--limit SECONDS] [--target NAME]… [--cases DIR]
           omni-fuzz try TARGET FILE…
           omni-fuzz seeds TARGET DIR
           omni-fuzz list

    run    fuzzes all targets, N seconds in all; a find is made small and kept below Fixtures/fail-cases
    try    runs inputs and says which are finds
    seeds  writes the inputs that fuzzing starts from, for another fuzzer

    """

  static func main() {
    do {
      exit(try run(Array(CommandLine.arguments.dropFirst())))
    } catch {
      complain("\(error)")
      exit(2)
    }
  }

  /// At once, also into a pipe.
  static func say(_ text: String) { FileHandle.standardOutput.write(Data("\(text)\n".utf8)) }
  static func complain(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

  struct UsageError: Error, CustomStringConvertible { let description: String }

  private static func run(_ words: [String]) throws -> Int32 {
    switch words.first {
    case "run": return try fuzz(Array(words.dropFirst()))
    case "try" where words.count > 2: return try attempt(target(words[1]), files: words[2...])
    case "seeds" where words.count == 3: return try writeSeeds(target(words[1]), to: words[2])
    case "list":
      say(FuzzTarget.all.map(\.name).joined(separator: "\n"))
      return 0
    // The two that `run` starts.
    case "session" where words.count == 7: return try session(words)
    case "attempt" where words.count == 5:
      try LastInput(path: words[4]).begin([])
      return try attempt(target(words[1]), files: [words[2]], limit: number(words[3]))
    #if LIBFUZZER
      case "libfuzzer" where words.count > 1:
        return LibFuzzer.run(try target(words[1]), Array(words.dropFirst(2)))
    #endif
    default:
      complain(usage)
      return 2
    }
  }

  private static func target(_ name: String) throws -> FuzzTarget {
    guard let target = FuzzTarget.named(name) else {
      let known = FuzzTarget.all.map(\.name).joined(separator: ", ")
      throw UsageError(description: "unknown target \(name), known: \(known)")
    }
    return target
  }

  private static func number<Number: LosslessStringConvertible>(_ text: String) throws -> Number {
    guard let number = Number(text) else {
      throw UsageError(description: "a number is expected, not \(text)")
    }
    return number
  }

  private static func fuzz(_ words: [String]) throws -> Int32 {
    var seconds = 600.0
    var seed = UInt64.random(in: 0...999_999_999)
    var limit = 5.0
    var targets: [FuzzTarget] = []
    var cases = StoredCases.folder
    var rest = words[...]
    while let option = rest.popFirst() {
      guard let value = rest.popFirst() else { throw UsageError(description: "\(option) needs a value") }
      switch option {
      case "--seconds": seconds = try number(value)
      case "--seed": seed = try number(value)
      case "--limit": limit = try number(value)
      case "--target": targets.append(try target(value))
      case "--cases": cases = URL(filePath: value)
      default: throw UsageError(description: "unknown option \(option)")
      }
    }
    if targets.isEmpty { targets = FuzzTarget.all }
    guard let program = Bundle.main.executableURL else { throw UsageError(description: "where am I?") }
    let supervisor = try Supervisor(program: program, seed: seed, limit: limit, cases: cases)
    defer { supervisor.clean() }
    var inputs = 0
    var finds = 0
    for target in targets {
      let result = try supervisor.fuzz(target, seconds: seconds / Double(targets.count))
      inputs += result.inputs
      finds += result.finds.count
    }
    say("fuzz: \(inputs) inputs, \(finds) finds (seed \(seed))")
    return finds == 0 ? 0 : 1
  }

  /// `session TARGET SEED SECONDS LIMIT LAST REPORT`
  private static func session(_ words: [String]) throws -> Int32 {
    let target = try target(words[1])
    let last = try LastInput(path: words[5])
    let stored = StoredCases.of(target).map(\.bytes)
    var session = try Session(target, seed: number(words[2]), limit: number(words[4]), stored: stored)
    let report = session.run(for: .seconds(try number(words[3]) as Double)) { last.begin($0) }
    try JSONEncoder().encode(report).write(to: URL(filePath: words[6]))
    guard let finding = report.finding else { return 0 }
    complain(finding)
    return Child.findingStatus
  }

  private static func attempt(
    _ target: FuzzTarget, files: ArraySlice<String>, limit: Double = .infinity
  ) throws -> Int32 {
    var status: Int32 = 0
    for file in files {
      let input = Array(try Data(contentsOf: URL(filePath: file)))
      let one = FuzzTarget(
        name: target.name, form: target.form, dictionary: [], seeds: { [input] }, check: target.check)
      var session = try Session(one, seed: 0, limit: limit, stored: [])
      if let finding = session.run(for: .zero).finding {
        complain(finding)
        status = Child.findingStatus
      } else if limit == .infinity {
        say("\(file): good")
      }
    }
    return status
  }

  private static func writeSeeds(_ target: FuzzTarget, to folder: String) throws -> Int32 {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for seed in try target.seeds() + StoredCases.of(target).map(\.bytes) {
      try Data(seed).write(to: URL(filePath: folder).appending(path: String(hash(of: seed), radix: 16)))
    }
    return 0
  }
}
