import Foundation

/// How a child of the fuzzer ended.
enum Ending: Equatable, Sendable {
  case good
  /// An invariant does not hold.
  case finding(String)
  /// The process died; the end of what it wrote.
  case crash(String)
  /// The input took too long and the process was ended.
  case hang

  var description: String {
    switch self {
    case .good: "good"
    case .finding(let text): text
    case .crash(let text): "the process died: \(text)"
    case .hang: "it does not end"
    }
  }

  /// Whether both are signs of the same fault.
  func isLike(_ other: Ending) -> Bool {
    switch (self, other) {
    case (.finding(let left), .finding(let right)): Shape(left.firstWords) == Shape(right.firstWords)
    case (.crash, .crash), (.hang, .hang), (.good, .good): true
    default: false
    }
  }
}

extension String {
  fileprivate var firstWords: String { split(separator: " ").prefix(3).joined(separator: " ") }
}

/// The fuzzer's own program, run on one target in a process that may die.
struct Child {
  static let findingStatus: Int32 = 10

  let program: URL
  let folder: URL
  /// Wall-clock seconds without a new input, after which the process is ended.
  let patience: Double

  private var lastPath: String { folder.appending(path: "last.bin").path }
  private var reportPath: String { folder.appending(path: "report.json").path }

  /// Fuzzes for a time; also gives the last input.
  func fuzz(_ target: String, seed: UInt64, seconds: Double, limit: Double) throws -> (
    Ending, Session.Report, [UInt8]
  ) {
    try? FileManager.default.removeItem(atPath: reportPath)
    let start = Date()
    let (ending, last, count) = try run([
      "session", target, "\(seed)", "\(seconds)", "\(limit)", lastPath, reportPath,
    ])
    let data = try? Data(contentsOf: URL(filePath: reportPath))
    var report = (try? data.map { try JSONDecoder().decode(Session.Report.self, from: $0) }) ?? nil
    if report == nil {
      report = Session.Report(inputs: Int(count), seconds: Date().timeIntervalSince(start))
    }
    return (ending, report ?? Session.Report(), last)
  }

  /// Runs one input.
  func attempt(_ target: String, _ input: [UInt8], limit: Double) throws -> Ending {
    let file = folder.appending(path: "attempt.bin")
    try Data(input).write(to: file)
    return try run(["attempt", target, file.path, "\(limit)", lastPath]).0
  }

  private func run(_ arguments: [String]) throws -> (Ending, [UInt8], UInt64) {
    try? FileManager.default.removeItem(atPath: lastPath)
    let last = try LastInput(path: lastPath)
    let errors = folder.appending(path: "stderr.txt")
    try Data().write(to: errors)
    let output = try FileHandle(forWritingTo: errors)
    defer { try? output.close() }
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    // A backtrace of every crash takes seconds, and hundreds are met while a case is made smaller.
    process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    process.standardOutput = output
    process.standardError = output
    try process.run()
    var seen: (count: UInt64, since: Date) = (0, Date())
    while process.isRunning {
      usleep(2000)
      if last.count != seen.count { seen = (last.count, Date()) }
      guard Date().timeIntervalSince(seen.since) > patience else { continue }
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      return (.hang, last.bytes, last.count)
    }
    process.waitUntilExit()
    let said = String(decoding: (try? Data(contentsOf: errors)) ?? Data(), as: UTF8.self)
    let text = said.trimmingCharacters(in: .whitespacesAndNewlines)
    let ending: Ending =
      switch (process.terminationReason, process.terminationStatus) {
      case (.exit, 0): .good
      case (.exit, Self.findingStatus): .finding(text)
      default: .crash("status \(process.terminationStatus): \(text.suffix(600))")
      }
    return (ending, last.bytes, last.count)
  }
}
