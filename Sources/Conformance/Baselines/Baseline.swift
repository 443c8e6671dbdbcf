internal import JSON
internal import ProtocolSpec
package import YAML

/// What is known of a case that does not hold.
package struct KnownFailure: Sendable, Equatable {
  package enum List: String, Sendable {
    /// It fails every time.
    case failing
    /// It fails now and then.
    case flaky
  }

  package let list: List
  package let reason: String
}

/// The cases of a target that are known not to hold, with the reason of each; the lists live with
/// the target. A listed case is played all the same, and one that holds again has to leave its list.
///
/// ```yaml
/// format: 1
/// cases:
/// - {case: tasks/create, reason: "answers before the row is on disk"}
/// - {case: "tasks/cancel#3", reason: "cancels twice"}    # only its third step
/// ```
package struct Baseline: Sendable {
  package struct Entry: Sendable {
    /// `suite/case`
    package let id: String
    /// The check of the case; nil: any.
    package let check: String?
    package let known: KnownFailure
    /// What the entry is called in a message: an error without its text.
    let place: @Sendable (String) -> SourceError
  }

  package private(set) var entries: [Entry] = []

  package init() {}

  /// Reads a list, beside those that were read before.
  package mutating func add(_ node: YAMLNode, as list: KnownFailure.List) throws(SourceError) {
    try node.checkKeys(["format", "cases"])
    let format = try node.required("format")
    guard try format.int() == 1 else {
      throw format.error("format \(format.json) is not known, this is for 1")
    }
    for entry in try node.required("cases").sequence() {
      try entry.checkKeys(["case", "reason"])
      let name = try entry.required("case")
      let parts = try name.string().split(separator: "#", maxSplits: 1).map(String.init)
      let reason = try entry.required("reason")
      guard try reason.string().contains(where: { !$0.isWhitespace }) else {
        throw reason.error("a reason is expected")
      }
      guard let id = parts.first else { throw name.error("a case is expected: suite/case") }
      let check = parts.count == 2 ? parts[1] : nil
      if entries.contains(where: { $0.id == id && ($0.check == check || $0.check == nil || check == nil) }) {
        throw name.error("\(try name.string()) is listed twice")
      }
      entries.append(
        Entry(
          id: id, check: check, known: KnownFailure(list: list, reason: try reason.string()),
          place: { name.error($0) }))
    }
  }

  /// Entries that no case, or no check of its case, is like.
  package func unmatched(among cases: [TranscriptCase]) -> [SourceError] {
    entries.compactMap { entry in
      guard let found = cases.first(where: { $0.id == entry.id }) else {
        // A list of all cases would hide the message.
        let near = unknown("case", entry.id, known: cases.map(\.id))
        return entry.place(near.contains("did you mean") ? near : "there is no case \(entry.id)")
      }
      guard let check = entry.check, !found.checks.contains(check) else { return nil }
      return entry.place(
        "\(entry.id) has no check \(check), only 1 to \(found.steps.count), observe and end")
    }
  }

  /// The verdict in the light of what is known. A set-up error is never expected.
  package func judged(_ result: CaseResult) -> CaseResult {
    let known = entries.filter { $0.id == result.transcript.id }
    guard !known.isEmpty else { return result }
    switch result.verdict {
    case .fail, .flaky, .notTestable:
      let check = result.check
      guard let entry = known.first(where: { $0.check == nil || $0.check == check }) else { return result }
      // What fails only now and then is no known failure: it has to move to the other list.
      if result.verdict == .flaky && entry.known.list == .failing {
        return result.with(.flaky, entry.known)
      }
      return result.with(.expectedFailure, entry.known)
    case .pass:
      guard let entry = known.first(where: { $0.known.list == .failing }) else {
        return result.with(.pass, known[0].known)
      }
      return result.with(.unexpectedPass, entry.known)
    case .setupError, .notApplicable, .expectedFailure, .unexpectedPass: return result
    }
  }
}

extension CaseResult {
  /// The check that failed.
  package var check: String? { failure.map { transcript.check(at: $0.place) } }

  fileprivate func with(_ verdict: Verdict, _ known: KnownFailure) -> CaseResult {
    CaseResult(
      transcript: transcript, requirement: requirement, verdict: verdict, duration: duration, reason: reason,
      failure: failure, remarks: remarks, trace: trace, repeats: repeats, known: known)
  }
}

extension TranscriptCase {
  /// The names of its checks: the numbers of its steps from 1, `observe` for the calls of the mock
  /// behind the last, `end` for what holds then of the target.
  package var checks: [String] { steps.indices.map { String($0 + 1) } + ["observe", "end"] }

  /// The check that a place in the transcript belongs to.
  package func check(at place: SourcePlace) -> String {
    let observed = observe.flatMap(\.expectations).map(\.place)
    if observed.contains(place) { return "observe" }
    guard place != self.place, let step = steps.lastIndex(where: { $0.place.line <= place.line }) else {
      return "end"
    }
    return String(step + 1)
  }
}
