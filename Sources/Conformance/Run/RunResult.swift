package import ProtocolSpec
package import YAML

package enum Verdict: String, Sendable, CaseIterable {
  case pass, fail
  case setupError = "setup-error"
  /// The target does not offer what the case needs.
  case notApplicable = "not-applicable"
  /// It could not be told; counts as a failure.
  case notTestable = "not-testable"
  /// Played several times, it held and did not hold; counts as a failure.
  case flaky
  /// It failed, as a list of known failures says.
  case expectedFailure = "expected-failure"
  /// It passed, though a list of known failures says that it fails; counts as a failure.
  case unexpectedPass = "unexpected-pass"

  package var isBad: Bool {
    switch self {
    case .fail, .setupError, .notTestable, .flaky, .unexpectedPass: true
    case .pass, .notApplicable, .expectedFailure: false
    }
  }
}

/// How one case ended.
package struct CaseResult: Sendable {
  package let transcript: TranscriptCase
  package let requirement: Requirement?
  package let verdict: Verdict
  package let duration: Duration
  /// Of every verdict but pass and fail.
  package let reason: String?
  package let failure: CaseFailure?
  package let remarks: [CaseFailure]
  package let trace: CaseTrace?
  /// How often it was played, where that is more than once.
  package var repeats: Repeats?
  /// What a list of known failures says of it.
  package var known: KnownFailure?

  package struct Repeats: Sendable, Equatable {
    package let passed: Int
    package let failed: Int
  }

  package init(
    transcript: TranscriptCase, requirement: Requirement?, verdict: Verdict, duration: Duration,
    reason: String?, failure: CaseFailure?, remarks: [CaseFailure], trace: CaseTrace? = nil,
    repeats: Repeats? = nil, known: KnownFailure? = nil
  ) {
    self.trace = trace
    self.repeats = repeats
    self.known = known
    self.transcript = transcript
    self.requirement = requirement
    self.verdict = verdict
    self.duration = duration
    self.reason = reason
    self.failure = failure
    self.remarks = remarks
  }
}

package struct RunCounts: Sendable, Equatable {
  package private(set) var byVerdict: [Verdict: Int] = [:]
  package private(set) var remarks = 0

  init(_ results: [CaseResult]) {
    for result in results {
      byVerdict[result.verdict, default: 0] += 1
      remarks += result.remarks.count
    }
  }

  package subscript(verdict: Verdict) -> Int { byVerdict[verdict] ?? 0 }

  /// All that make the run fail.
  package var bad: Int { byVerdict.reduce(0) { $0 + ($1.key.isBad ? $1.value : 0) } }
  /// All that were played.
  package var judged: Int { byVerdict.reduce(0) { $0 + ($1.key == .notApplicable ? 0 : $1.value) } }

  /// `62 passed, 1 failed, 0 set-up errors, 3 not applicable`
  package var text: String {
    var parts = [
      "\(self[.pass]) passed", "\(self[.fail]) failed",
      "\(self[.setupError]) set-up error\(self[.setupError] == 1 ? "" : "s")",
    ]
    if self[.notTestable] > 0 { parts.append("\(self[.notTestable]) not testable") }
    if self[.flaky] > 0 { parts.append("\(self[.flaky]) flaky") }
    let expected = self[.expectedFailure]
    if expected > 0 { parts.append("\(expected) expected failure\(expected == 1 ? "" : "s")") }
    if self[.unexpectedPass] > 0 { parts.append("\(self[.unexpectedPass]) passed against expectation") }
    parts.append("\(self[.notApplicable]) not applicable")
    if remarks > 0 { parts.append("\(remarks) remark\(remarks == 1 ? "" : "s")") }
    return parts.joined(separator: ", ")
  }
}

/// How a run ended, and why with which exit code.
package struct RunResult: Sendable {
  package let info: RunInfo
  package let results: [CaseResult]
  package let duration: Duration
  /// Why the run stopped early: the target is gone.
  package let unreachable: TargetProblem?
  /// Entries of the lists of known failures that no case is like.
  package let unmatched: [SourceError]
  /// What the cases of the profile ask for, played or not.
  package var asked = AskedRequirements()

  package init(
    info: RunInfo, results: [CaseResult], duration: Duration, unreachable: TargetProblem?,
    unmatched: [SourceError] = []
  ) {
    self.unmatched = unmatched
    self.info = info
    self.results = results
    self.duration = duration
    self.unreachable = unreachable
  }

  package var counts: RunCounts { RunCounts(results) }

  package var isConformant: Bool { exitCode == 0 }

  /// 0 all as expected, 1 failures, 3 the target could not be reached, 4 nothing was judged.
  package var exitCode: Int32 {
    if unreachable != nil { return 3 }
    let counts = counts
    if counts.bad > 0 || !unmatched.isEmpty { return 1 }
    return counts.judged > 0 ? 0 : 4
  }
}

/// What a run was asked to do.
package struct RunInfo: Sendable {
  package let version: String
  package let revision: String
  package let profile: String
  package let target: String
  package let seed: UInt64
  package let slack: Double
  package let capabilities: [Capability]
  /// The beginning of a command that plays one case again.
  package let rerun: String
  /// RFC 3339; nil where it does not matter.
  package var startedAt: String?

  package init(
    version: String, revision: String, profile: String, target: String, seed: UInt64, slack: Double,
    capabilities: [Capability], rerun: String
  ) {
    self.version = version
    self.revision = revision
    self.profile = profile
    self.target = target
    self.seed = seed
    self.slack = slack
    self.capabilities = capabilities
    self.rerun = rerun
  }
}
