import Conformance
import Foundation
import JSON
import ProtocolSpec
import Transport
import YAML

struct ProveCommand: Command {
  static let name = "prove"
  static let summary = "show that the cases fail when an answer is wrong"
  static let usage = "[flags]"
  static let flags =
    [
      Flag(
        name: "--target-file", value: "FILE",
        summary: "an endpoint that passes; default: omni-server beside this program"),
      DemoCommand.transportFlag,
      Flag(name: "--mock", value: "PROGRAM", summary: "the mock; default: mock-litellm beside this program"),
      Flag(
        name: "--mutation", value: "PATTERN", summary: "only mutations like this, * and ? allowed",
        isRepeatable: true),
      Flag(name: "--sample", value: "N", summary: "about N mutations of all, chosen by the seed"),
      Flag(name: "--threshold", value: "PERCENT", summary: "how many must be noticed; default: 98"),
      Flag(
        name: "--survivors", value: "FILE",
        summary: "what need not be noticed, with reasons; default: survivors.yaml of the fixtures"),
      Flag(name: "--seed", value: "N", summary: "seed of generated values and of the sample; default: 1"),
      Flag(
        name: "--jobs", value: "N", summary: "cases at one time; default: 8 for each core"),
      Flag(name: "--slack", value: "X", summary: "multiply every time limit by X on a slow machine"),
      Flag(name: "--output", value: "FILE", summary: "write the results as JSON"),
      Flag(name: "--verbose", value: nil, summary: "a line for every mutation"),
    ] + CommonFlags.selection
  static let about = """
    Put a proxy before an endpoint that passes, and play every case once for each thing in it that
    could be wrong: a member left out, another code or id, an answer that comes twice, late or not at
    all, a connection that ends instead, a call to the backend too many. The case must fail each time.
    What it does not notice is listed with its line. Ends with 1 where less than --threshold is noticed.
    """
  static let examples = """
      omni-conformance prove
      omni-conformance prove --sample 200
      omni-conformance prove --run 'list/*' --verbose
      omni-conformance prove --run ping/jsonrpc --mutation '2.id-changed*'
    """

  private let arguments: Arguments

  init(_ arguments: Arguments) { self.arguments = arguments }

  func run() async throws -> Int32 {
    let source = try CaseSource(arguments)
    let flags = try PlayingFlags(arguments, defaultSeed: 1)
    let session = try Session(arguments, source: source, flags: flags, output: "--output")
    let threshold = try threshold()
    let plan = try plan(source)
    let survivors = try survivors()
    let demo = DemoCommand(arguments)
    let description: TargetDescription
    let mock: MockSource
    var environment = ProcessInfo.processInfo.environment
    if arguments.has("--target-file") {
      description = try RunCommand(arguments).target(Self.name).0
      mock = arguments["--mock"].map(MockSource.program) ?? .none
    } else {
      description = DemoCommand.target(
        try demo.program("--server", "omni-server"), over: try DemoCommand.transport(arguments),
        fixtures: session.speaksMCP)
      mock = .program(try demo.program("--mock", "mock-litellm"))
      environment = DemoCommand.environment
    }
    if let code = session.nothingSelected() { return code }
    try session.openOutput()
    session.loop.start()
    let signals = session.watchSignals()
    defer { signals.cancel() }
    let proofs: [CaseProof]
    do throws(TargetProblem) {
      proofs = try await prove(session, plan, description, mock, environment)
    } catch {
      Output.complain(([error.description] + error.lines).joined(separator: "\n  "))
      return 3
    }
    let stale = survivors.stale(
      proofs, known: try known(source), isWhole: plan.sample == nil && plan.patterns.isEmpty)
    let rerun = ["--target-file", "--transport", "--mock", "--seed"].compactMap { name in
      arguments[name].map { " \(name) \(shellQuoted($0))" }
    }
    let report = ProofReport(
      proofs, survivors: survivors, stale: stale, threshold: threshold,
      rerun: "omni-conformance prove\(rerun.joined())\(source.flags)")
    return try conclude(report)
  }

  private func prove(
    _ session: Session, _ plan: ProofPlan, _ description: TargetDescription, _ mock: MockSource,
    _ environment: [String: String]
  ) async throws(TargetProblem) -> [CaseProof] {
    let cases = session.cases
    // Most of them wait for a time limit or a disk.
    let wanted = session.flags.jobs ?? min(32, 8 * ProcessInfo.processInfo.activeProcessorCount)
    let count = min(cases.count, Stands.count(description, mock, wanted: wanted))
    let stands = try await session.stands(count, description, mock, environment)
    let info = RunInfo(
      version: kitVersion, revision: session.source.spec.overview.revision,
      profile: session.source.profile.name, target: description.name, seed: session.flags.seed,
      slack: session.flags.slack,
      capabilities: Runner.capabilities(of: description, hasMock: mock.exists), rerun: "")
    Output.line(
      "proving \(cases.count) case\(cases.count == 1 ? "" : "s") of profile \(info.profile) at \(info.target), seed \(info.seed)"
    )
    let progress = ProofProgress(cases.count, isVerbose: arguments.has("--verbose"))
    let prover = Prover(
      spec: session.source.spec, info: info, stands: stands.all, plan: plan, loop: session.loop,
      settings: session.settings(cases, threshold: .may), progress: progress.show)
    let proofs = try await prover.prove(cases)
    progress.finish()
    await stands.end()
    session.children.killAll()
    return proofs
  }

  private func conclude(_ report: ProofReport) throws -> Int32 {
    for proof in report.failing {
      let place = proof.transcript.place
      Output.line("FAILS AS IT IS  \(proof.transcript.id)        \(place.file):\(place.line)")
      if let failure = proof.failure { Output.line("      line \(failure.place.line): \(failure.message)") }
    }
    for (proof, result) in report.open { Output.line(report.block(proof, result) + "\n") }
    Output.line(report.table)
    for entry in report.stale { Output.complain("a survivor that is none: \(entry)") }
    Output.line(report.verdict)
    if let output = arguments["--output"] {
      try Data((JSONWriter.indented(report.document) + "\n").utf8).write(to: URL(filePath: output))
    }
    return report.exitCode
  }

  private func plan(_ source: CaseSource) throws(UsageError) -> ProofPlan {
    var plan = ProofPlan()
    plan.patterns = arguments.all("--mutation")
    // What the deployed endpoint answers was observed, and does not fit the schemas.
    plan.knowsResults = source.profile.name == "reference"
    if let text = arguments["--sample"] {
      guard let count = Int(text), count > 0 else {
        throw UsageError(description: "--sample needs a number above 0, not \"\(text)\"")
      }
      plan.sample = count
    }
    return plan
  }

  private func threshold() throws(UsageError) -> Double {
    guard let text = arguments["--threshold"] else { return 98 }
    guard let value = Double(text), (0...100).contains(value) else {
      throw UsageError(description: "--threshold needs a number from 0 to 100, not \"\(text)\"")
    }
    return value
  }

  private func survivors() throws -> Survivors {
    if let file = arguments["--survivors"] { return try Survivors(YAMLParser.parse(contentsOf: file)) }
    let files = try files()
    guard let file = files.files.first(where: { $0.path == Survivors.fileName }) else { return Survivors() }
    return try Survivors(YAMLParser.parse(file.text, file: files.prefix + file.path))
  }

  private func files() throws -> FixtureFiles {
    try arguments["--fixtures"].map(FixtureFiles.init(directory:)) ?? .embedded
  }

  /// The cases of all profiles, for the list of survivors is of all.
  private func known(_ source: CaseSource) throws -> [String] {
    let folders = Set(source.spec.profiles.flatMap(\.fixtures)).sorted()
    return source.all.map(\.id)
      + (try FixtureSet(files(), folders: folders, spec: source.spec).cases.map(\.id))
  }
}

/// What is printed while cases are proven.
private final class ProofProgress: @unchecked Sendable {
  // Invariant: the counts are touched under `lock`.
  private let lock = Lock()
  private var ended = 0
  private var played = 0
  private var noticed = 0
  private let count: Int
  private let isVerbose: Bool
  private let isLive = Output.isTerminal

  init(_ count: Int, isVerbose: Bool) {
    self.count = count
    self.isVerbose = isVerbose
  }

  func show(_ progress: Prover.Progress) {
    lock.withLock {
      switch progress {
      case .ended: ended += 1
      case .played(let proof, let result):
        played += 1
        if result.verdict == .noticed { noticed += 1 }
        guard isVerbose else { break }
        clear()
        let message = result.message.map { ": \($0)" } ?? ""
        Output.line("\(result.verdict.rawValue)  \(proof.transcript.id)  \(result.mutation.id)\(message)")
      }
      guard isLive else { return }
      Output.write("\r\u{1B}[K\(ended)/\(count) cases, \(noticed) of \(played) mutations noticed")
    }
  }

  func finish() { lock.withLock { clear() } }

  private func clear() { if isLive { Output.write("\r\u{1B}[K") } }
}
