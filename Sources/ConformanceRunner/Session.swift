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
  let flags: PlayingFlags
  private let reports: ReportFlags
  private let output: String?
  private let newBaseline: String?
  private let roots: String?

  init(_ arguments: Arguments) throws {
    try self.init(
      arguments, source: CaseSource(arguments), flags: PlayingFlags(arguments), output: "--output")
  }

  /// - Parameter output: the flag that names the file of the results.
  init(_ arguments: Arguments, source: CaseSource, flags: PlayingFlags, output: String) throws {
    self.arguments = arguments
    self.source = source
    self.flags = flags
    reports = try ReportFlags(arguments)
    self.output = arguments[output]
    newBaseline = arguments["--write-baseline"]
    roots = try CommonFlags.roots(arguments)
    loop = try EventLoop(name: "conformance")
  }

  /// The cases in which the runner plays the client.
  var cases: [TranscriptCase] {
    source.cases.filter { $0.play != .server && flags.shard?.includes($0.id) != false }
  }

  /// Whether there are cases in a dialect of MCP: they ask a server of this kit for the fixtures too.
  var speaksMCP: Bool { cases.contains { $0.dialect.revision != nil } }

  /// Exit code 4 with its reason, where nothing is selected.
  func nothingSelected() -> Int32? {
    let noneLeft =
      flags.shard.map { "no selected case is in part \($0.part) of \($0.of)" }
      ?? "every selected case plays the server"
    guard let reason = source.nothingSelected ?? (cases.isEmpty ? noneLeft : nil) else { return nil }
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

  /// Opens the files that are written before anything is played.
  func openOutput() throws(UsageError) {
    if let output, !FileManager.default.createFile(atPath: output, contents: nil) {
      throw UsageError(description: "--output \(output) cannot be written")
    }
    try reports.open()
    // Not emptied: it may be the list that this run is judged by.
    if let newBaseline, !FileManager.default.fileExists(atPath: newBaseline),
      !FileManager.default.createFile(atPath: newBaseline, contents: nil)
    {
      throw UsageError(description: "--write-baseline \(newBaseline) cannot be written")
    }
  }

  /// - Parameter rerun: the command line so far, without the selection.
  func play(
    _ description: TargetDescription, mock: MockSource, rerun: String, inherited: [String: String]
  ) async throws(TargetProblem) -> RunResult {
    let cases = cases
    let count = min(cases.count, Stands.count(description, mock, wanted: flags.wantedJobs))
    let stands = try await stands(count, description, mock, inherited)
    var info = RunInfo(
      version: kitVersion, revision: source.spec.overview.revision, profile: source.profile.name,
      target: description.name, seed: flags.seed, slack: flags.slack,
      capabilities: Runner.capabilities(of: description, hasMock: mock.exists),
      rerun: "omni-conformance \(rerun)\(source.flags)")
    info.startedAt = Timestamp.now().text
    let progress = ProgressLine(info: info, isVerbose: arguments.has("--verbose"))
    let part = flags.shard.map { ", part \($0.part) of \($0.of)" } ?? ""
    let times = flags.times > 1 ? " \(flags.times) times" : ""
    Output.line(
      "playing \(cases.count) case\(cases.count == 1 ? "" : "s") of profile \(info.profile)\(part)\(times) against \(info.target), seed \(info.seed)"
    )
    let runner = Runner(
      spec: source.spec, info: info, stands: stands.all,
      plan: flags.plan(lanes: flags.wantedJobs, known: source.all), loop: loop, settings: settings(cases),
      progress: progress.show)
    var result = await runner.run(cases)
    result.asked = AskedRequirements(
      source.spec, cases: source.all.filter { $0.transports.contains(description.transport) })
    progress.finish()
    await stands.end()
    children.killAll()
    return result
  }

  /// - Parameter count: how many are wanted; `Stands.count` says how many can be.
  func stands(
    _ count: Int, _ description: TargetDescription, _ mock: MockSource, _ inherited: [String: String]
  ) async throws(TargetProblem) -> Stands {
    let tunnel = try await tunnel(to: description.url, inherited)
    var stands = Stands()
    for _ in 0..<count {
      try await stands.add(
        description, mock, specification: arguments["--spec"], loop: loop, children: children,
        environment: inherited, tunnel: tunnel)
    }
    return stands
  }

  /// The way to an endpoint that speaks TLS; nil where none is needed.
  private func tunnel(to text: String, _ environment: [String: String]) async throws(TargetProblem)
    -> TLSTunnel?
  {
    guard let url = try? HTTPURL(text), TLSTunnel.isNeeded(for: url) else { return nil }
    return try await TLSTunnel.open(
      to: url, roots: roots, loop: loop, children: children, environment: environment)
  }

  /// - Parameter threshold: the weakest failures that count, where it is not the flag that says so.
  func settings(_ cases: [TranscriptCase], threshold: RequirementLevel? = nil) -> PlaySettings {
    let environment = ProcessInfo.processInfo.environment
    let secretNames = ["LITELLM_API_KEY", "GITHUB_LITELLM_KEY", "OMNI_TOKEN"] + cases.flatMap(\.secrets)
    return PlaySettings(
      seed: flags.seed, slack: flags.slack, threshold: threshold ?? flags.threshold, secrets: environment,
      masking: Masking(secrets: secretNames.compactMap { environment[$0] }), traces: flags.traces)
  }

  /// The last lines and the file of `--output`; gives the exit code.
  func conclude(_ result: RunResult) throws -> Int32 {
    explainNotApplicable(result)
    if let problem = result.unreachable {
      Output.complain(([problem.description] + problem.lines.map { "  \($0)" }).joined(separator: "\n"))
    }
    let left = cases.count - result.results.count
    if left > 0 { Output.complain("\(left) case\(left == 1 ? " was" : "s were") not played") }
    for entry in result.unmatched { Output.complain("a known failure that is none: \(entry)") }
    let seconds = String(format: "%.1f", result.duration.milliseconds / 1000)
    Output.line("\(result.counts.text) in \(seconds) s")
    // Of a few cases the sets say nothing.
    if source.cases.count == source.all.count && flags.shard == nil {
      for score in SetScoreText.lines(result.scores) { Output.line(score) }
    }
    if result.exitCode == 4 {
      Output.complain("nothing was judged: no selected case is applicable to this target")
    }
    if let output {
      try Data((JSONWriter.indented(result.document) + "\n").utf8).write(to: URL(filePath: output))
    }
    try reports.write(result)
    if let newBaseline {
      try Data(BaselineText(result).text.utf8).write(to: URL(filePath: newBaseline))
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
