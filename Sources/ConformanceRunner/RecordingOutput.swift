import Conformance
import Foundation
import ProtocolSpec

/// The flags of what writes transcripts.
enum RecordingFlags {
  static let all = [
    Flag(
      name: "--output", value: "FILE", summary: "where the transcript goes; the default is standard output"),
    Flag(name: "--suite", value: "NAME", summary: "the name of its suite; the default is recorded"),
    Flag(name: "--exact", value: nil, summary: "keep the texts of models as they were"),
    Flag(name: "--timing", value: nil, summary: "slow answers must be slow again, by a quarter"),
    Flag(
      name: "--secret", value: "NAME",
      summary:
        "a variable of the environment that holds a secret; those called …KEY, …TOKEN, …SECRET are known",
      isRepeatable: true),
    Flag(name: "--spec", value: "DIR", summary: "specification of this folder, not that inside the program"),
  ]
}

/// Where a transcript goes, and how it is made.
struct RecordingOutput {
  private let arguments: Arguments
  private let recorder: Recorder
  private let path: String?
  private let quiet: Bool

  /// - Parameter quiet: whether standard output belongs to somebody else.
  init(_ arguments: Arguments, quiet: Bool = false) throws {
    self.quiet = quiet
    self.arguments = arguments
    path = arguments["--output"]
    let suite = arguments["--suite"] ?? "recorded"
    let isName = suite.utf8.allSatisfy {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        || $0 == UInt8(ascii: "-")
    }
    guard isName else {
      throw UsageError(description: "--suite needs lower case letters, digits and hyphens, not \"\(suite)\"")
    }
    let environment = ProcessInfo.processInfo.environment
    let secrets = arguments.all("--secret")
    for name in secrets where (environment[name] ?? "").utf8.count < NamedSecrets.shortest {
      throw UsageError(
        description:
          "--secret \(name): the environment has no such variable of \(NamedSecrets.shortest) characters or more"
      )
    }
    var options = RecordingOptions(suite: suite)
    options.isExact = arguments.has("--exact")
    options.keepsTiming = arguments.has("--timing")
    options.isOneCase = arguments.has("--exec") || arguments.has("--one-case")
    recorder = Recorder(
      spec: try Specification.load(directory: arguments["--spec"]), options: options,
      secrets: NamedSecrets(secrets, environment: environment))
    if let path, !FileManager.default.createFile(atPath: path, contents: nil) {
      throw UsageError(description: "--output \(path) cannot be written")
    }
  }

  /// A line for people, out of the way of the transcript.
  func tell(_ text: String) {
    if path == nil || quiet { Output.complain(text) } else { Output.line(text) }
  }

  /// Nothing will be written.
  func discard() {
    if let path { try? FileManager.default.removeItem(atPath: path) }
  }

  func write(_ log: RecordingLog, otherwise code: Int32) throws -> Int32 {
    if let problem = log.unreachable.first, log.result.entries.isEmpty {
      discard()
      Output.complain("the target was there and is no more: \(problem)")
      return 3
    }
    if log.isFull { Output.complain("the recording became too long: its end is left out") }
    return try write(log.result, otherwise: code)
  }

  /// Gives `code`, or 1 where nothing could be written.
  func write(_ recording: Recording, otherwise code: Int32) throws -> Int32 {
    let written: RecordedTranscript
    do throws(RecordingProblem) {
      written = try recorder.transcript(recording)
    } catch {
      discard()
      Output.complain("nothing was written: \(error)")
      return 1
    }
    for remark in written.remarks { Output.complain(remark) }
    guard let path else {
      Output.write(written.text)
      return code
    }
    try Data(written.text.utf8).write(to: URL(filePath: path))
    tell("wrote \(written.cases) case\(written.cases == 1 ? "" : "s") to \(path)")
    return code
  }
}
