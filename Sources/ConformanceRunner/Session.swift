import Conformance
import Diagnostics
import Dispatch
import Foundation
import JSON
import ProtocolSpec
import Transport
import YAML

/// One run from the flags to the exit code; `run` and `demo` differ in where the target comes from.
struct Session {
  let arguments: Arguments
  let source: CaseSource
  let children = Children()
  let loop: EventLoop
  private let seed: UInt64
  private let slack: Double
  private let threshold: RequirementLevel
  private let output: String?

  init(_ arguments: Arguments) throws {
    self.arguments = arguments
    source = try CaseSource(arguments)
    seed = try Self.number(arguments, "--seed", UInt64.init, "a whole number") ?? .random(in: 1...999_999)
    slack = try Self.number(arguments, "--slack", Double.init, "a number above 0") ?? 1
    guard slack > 0, slack.isFinite else { throw UsageError(description: "--slack needs a number above 0") }
    let level = arguments["--level"] ?? "should"
    guard let threshold = RequirementLevel(rawValue: level) else {
      throw UsageError(description: unknown("level", level, known: RequirementLevel.allCases.map(\.rawValue)))
    }
    self.threshold = threshold
    output = arguments["--output"]
    loop = try EventLoop(name: "conformance")
  }

  private static func number<Number>(
    _ arguments: Arguments, _ name: String, _ read: (String) -> Number?, _ expected: String
  ) throws(UsageError) -> Number? {
    guard let text = arguments[name] else { return nil }
    guard let number = read(text) else {
      throw UsageError(description: "\(name) needs \(expected), not \"\(text)\"")
    }
    return number
  }

  /// The cases in which the runner plays the client.
  var cases: [TranscriptCase] { source.cases.filter { $0.play != .server } }

  /// Exit code 4 with its reason, where nothing is selected.
  func nothingSelected() -> Int32? {
    guard
      let reason = source.nothingSelected ?? (cases.isEmpty ? "every selected case plays the server" : nil)
    else { return nil }
    Output.complain(reason)
    return 4
  }

  /// Whatever ends this program ends the processes that it has started.
  func watchSignals() -> Task<Void, Never> {
    let children = children
    let signals = StopSignals([SIGINT, SIGTERM, SIGHUP])
    return Task {
      guard let number = await signals.wait() else { return }
      children.killAll()
      // At once: the run sees its target die and would end the program with a code of its own.
      _exit(128 + number)
    }
  }

  /// Opens the file of `--output` before anything is played.
  func openOutput() throws(UsageError) {
    guard let output else { return }
    guard FileManager.default.createFile(atPath: output, contents: nil) else {
      throw UsageError(description: "--output \(output) cannot be written")
    }
  }

  /// - Parameter rerun: the command line so far, without the selection.
  func play(
    _ description: TargetDescription, mock: MockBackend?, faces: MockBackend.Faces?, rerun: String,
    inherited: [String: String]
  ) async -> RunResult {
    let capabilities = Runner.capabilities(of: description, hasMock: mock != nil)
    let info = RunInfo(
      version: kitVersion, revision: source.spec.overview.revision, profile: source.profile.name,
      target: description.name, seed: seed, slack: slack, capabilities: capabilities,
      rerun: "omni-conformance \(rerun)\(source.flags)")
    let target = Target(description, faces: faces, loop: loop, children: children, inherited: inherited)
    let environment = ProcessInfo.processInfo.environment
    let secretNames = ["LITELLM_API_KEY", "GITHUB_LITELLM_KEY", "OMNI_TOKEN"] + cases.flatMap(\.secrets)
    let settings = PlaySettings(
      seed: seed, slack: slack, threshold: threshold, secrets: environment,
      masking: Masking(secrets: secretNames.compactMap { environment[$0] }))
    let progress = ProgressLine(info: info, isVerbose: arguments.has("--verbose"))
    Output.line(
      "playing \(cases.count) case\(cases.count == 1 ? "" : "s") of profile \(info.profile) against \(info.target), seed \(seed)"
    )
    let runner = Runner(
      spec: source.spec, info: info, target: target, mock: mock, loop: loop, settings: settings,
      progress: progress.show)
    let result = await runner.run(cases)
    progress.finish()
    await target.end()
    return result
  }

  /// The last lines and the file of `--output`; gives the exit code.
  func conclude(_ result: RunResult) throws -> Int32 {
    explainNotApplicable(result)
    if let problem = result.unreachable {
      Output.complain(([problem.description] + problem.lines.map { "  \($0)" }).joined(separator: "\n"))
      let left = cases.count - result.results.count
      if left > 0 { Output.complain("\(left) case\(left == 1 ? " was" : "s were") not played") }
    }
    let seconds = String(format: "%.1f", result.duration.milliseconds / 1000)
    Output.line("\(result.counts.text) in \(seconds) s")
    if result.exitCode == 4 {
      Output.complain("nothing was judged: no selected case is applicable to this target")
    }
    if let output {
      try Data((JSONWriter.indented(result.document) + "\n").utf8).write(to: URL(filePath: output))
    }
    return result.exitCode
  }

  private func explainNotApplicable(_ result: RunResult) {
    var counts: [(reason: String, count: Int)] = []
    for case let reason? in result.results.lazy.filter({ $0.verdict == .notApplicable }).map(\.reason) {
      if let place = counts.firstIndex(where: { $0.reason == reason }) {
        counts[place].count += 1
      } else {
        counts.append((reason, 1))
      }
    }
    for (reason, count) in counts {
      Output.line("not applicable: \(count) \(count == 1 ? "case" : "cases") \(reason)")
    }
  }
}
