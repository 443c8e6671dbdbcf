import Conformance
import Foundation
import ProtocolSpec
import Transport

// Random sequences: the campaign, and what is told of one that failed.
extension GenerateCommand {
  func playSequences(_ flags: PlayingFlags) async throws -> Int32 {
    let count = try number("--sequences") ?? 1
    let length = try number("--length") ?? 14
    let first = try number("--first") ?? 1
    let restarts = arguments.has("--restarts")
    let command = RunCommand(arguments)
    let (description, rerun) = try command.target(Self.name)
    guard arguments.has("--mock") else {
      throw UsageError(
        description: "sequences make many tasks, so --mock is needed: mock-litellm as the target's LiteLLM")
    }
    if restarts && description.start == nil {
      throw UsageError(description: "--restarts needs --target-file with a process to start")
    }
    let spec = try Specification.load(directory: arguments["--spec"])
    let source = try CaseSource(arguments, spec: spec, cases: [])
    let session = try Session(arguments, source: source, flags: flags, output: "--results")
    session.loop.start()
    let signals = session.watchSignals()
    defer { signals.cancel() }
    let result: SequenceCampaign.Result
    do throws(TargetProblem) {
      let mock = try await command.mock(session, description)
      let stands = try await session.stands(
        Stands.count(description, mock, wanted: flags.wantedJobs), description, mock,
        ProcessInfo.processInfo.environment)
      let settings = session.settings([])
      Output.line(
        "playing \(count) sequence\(count == 1 ? "" : "s") of \(length) steps against \(description.name), seed \(settings.seed)"
      )
      let campaign = SequenceCampaign(
        spec: spec, stands: stands.all, loop: session.loop, settings: settings)
      result = try await campaign.run(first..<(first + count), length: length, restarts: restarts)
      await stands.end()
      session.children.killAll()
    } catch {
      session.children.killAll()
      Output.complain(([error.description] + error.lines.map { "  \($0)" }).joined(separator: "\n"))
      return 3
    }
    return try report(result, rerun)
  }

  private func number(_ flag: String) throws(UsageError) -> Int? {
    guard let text = arguments[flag] else { return nil }
    guard let number = Int(text), (1...10_000_000).contains(number) else {
      throw UsageError(description: "\(flag) needs a whole number from 1 to 10000000, not \"\(text)\"")
    }
    return number
  }

  private func report(_ result: SequenceCampaign.Result, _ rerun: String) throws -> Int32 {
    let seconds = result.duration.milliseconds / 1000
    guard let found = result.found else {
      let rate = Int(Double(result.played) / max(seconds, 0.001))
      Output.line(
        "sequences: \(result.played) of \(result.steps) steps hold, in \(String(format: "%.1f", seconds)) s, \(rate) a second"
      )
      return 0
    }
    let folder = arguments["--output"] ?? "sequences-found"
    let suite = found.suite
    try write([suite], to: folder)
    let failure = found.failure.failure
    Output.line("FAIL  sequence \(found.number): \(failure.message)")
    for difference in failure.differences {
      Output.line("    - \(difference.expected)\n    + \(difference.got)")
    }
    for entry in failure.wire {
      Output.line("      \(entry.direction.rawValue)  \(entry.connection)  \(entry.text)")
    }
    if found.reproduced < 3 { Output.line("      it failed in \(found.reproduced) of 3 plays more: a race") }
    Output.line(
      "      \(found.plan.steps.count) steps made \(found.smallest.steps.count) in \(found.trials) plays; written to \(folder)/\(suite.name).yaml"
    )
    let again = rerun.replacing(Self.name, with: RunCommand.name, maxReplacements: 1)
    Output.line("      rerun: omni-conformance \(again) --fixtures \(shellQuoted(folder))")
    Output.line("sequences: 1 of \(result.played) does not hold")
    return 1
  }
}
