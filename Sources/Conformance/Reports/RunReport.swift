internal import JSON
package import ProtocolSpec

/// A run as its file of results tells it; every report is made of this, so that a report of a kept
/// run is that of the run itself. Members are those of `Spec/schema/results.schema.json`.
package struct RunReport: Sendable {
  package let run: Run
  package let sets: [Score]
  package let requirements: [Asked]
  package let cases: [Case]

  package struct Run: Sendable {
    package let version: String
    package let revision: String
    package let profile: String
    package let target: String
    package let seed: String
    package let capabilities: [String]
    package let milliseconds: Double
    package let exitCode: Int
    package let rerun: String
    package let startedAt: String?
    /// Why the run stopped early, and what the target wrote last.
    package let unreachable: [String]?
    package let unmatched: [String]
  }

  package struct Score: Sendable {
    package let name: String
    package let level: RequirementLevel
    package let held: Int
    package let broken: Int
    package let total: Int
  }

  package struct Asked: Sendable {
    package let id: String
    package let level: RequirementLevel
    package let text: String
    package let file: String
    package let line: Int
    package let sets: [String]
    package let status: RequirementStatus
    package let cases: [String]
  }

  package struct Case: Sendable {
    package let id: String
    package let suite: String
    package let title: String
    package let file: String
    package let line: Int
    package let level: RequirementLevel
    package let covers: [String]
    package let verdict: Verdict
    package let milliseconds: Double
    package let requirement: String?
    package let reason: String?
    package let failure: Failure?
    package let remarks: [Failure]
    package let steps: [Step]
    package let wire: [Wire]
    package let repeats: CaseResult.Repeats?
    package let known: String?
  }

  package struct Failure: Sendable {
    package let file: String
    package let line: Int
    package let title: String
    package let level: RequirementLevel
    package let message: String
    package let diff: [Diff]
    package let wire: [Wire]
    package let targetOutput: [String]
  }

  package struct Diff: Sendable, Equatable {
    package let path: String
    package let expected: String
    package let got: String
  }

  package struct Wire: Sendable {
    package let milliseconds: Double
    package let direction: Direction
    package let connection: String
    package let text: String
  }

  package enum Direction: String, Sendable { case client, server, aside }

  package struct Step: Sendable {
    package let line: Int
    package let what: String
    package let began: Double
    package let took: Double
    package let within: Double?
  }
}

extension RunReport {
  package func count(_ verdict: Verdict) -> Int { cases.count { $0.verdict == verdict } }

  /// Those that make the run fail.
  package var bad: [Case] { cases.filter(\.verdict.isBad) }

  package func requirement(_ id: String) -> Asked? { requirements.first { $0.id == id } }

  /// The command that plays a case again.
  package func rerun(_ entry: Case) -> String {
    let repeats = entry.repeats.map { " --repeat \($0.passed + $0.failed)" } ?? ""
    return "\(run.rerun) --run \(entry.id) --seed \(run.seed)\(repeats)"
  }

  /// `conformant`, `not conformant`, `not judged`
  package var outcome: String {
    switch run.exitCode {
    case 0: "conformant"
    case 1: "not conformant"
    default: "not judged"
    }
  }
}

extension RunReport.Case {
  /// Why it is not a pass, in one line.
  package var cause: String? {
    guard let failure else { return reason?.firstLine }
    guard let first = failure.diff.first else { return failure.message }
    return "expected \(first.expected), got \(first.got)"
  }

  /// The frames of a failure, else those that were kept.
  package var frames: [RunReport.Wire] { failure.map(\.wire).flatMap { $0.isEmpty ? nil : $0 } ?? wire }
}

extension Verdict {
  /// As people read it.
  package var words: String {
    switch self {
    case .pass: "passed"
    case .fail: "failed"
    case .setupError: "set-up error"
    case .notApplicable: "not applicable"
    case .notTestable: "not testable"
    case .flaky: "flaky"
    case .expectedFailure: "expected failure"
    case .unexpectedPass: "unexpected pass"
    }
  }
}

extension String {
  var firstLine: String { String(prefix { !$0.isNewline }) }
}

/// `1 case`, `3 cases`
func counted(_ count: Int, _ word: String) -> String { "\(count) \(word)\(count == 1 ? "" : "s")" }
