package import ProtocolSpec
internal import YAML

/// What the cases of a profile ask for: requirements with their cases, and the frozen sets that can
/// be judged by them.
package struct AskedRequirements: Sendable {
  package struct Entry: Sendable {
    package let requirement: Requirement
    /// The frozen sets that have it.
    package let sets: [String]
    /// All that cover it, played or not.
    package let cases: [String]
  }

  /// In the order in which they are written.
  package private(set) var entries: [Entry] = []
  package private(set) var sets: [RequirementSet] = []

  package init() {}

  /// - Parameter cases: all of the profile that can be played over the transport, selected or not.
  package init(_ spec: Specification, cases: [TranscriptCase]) {
    var covering: [String: [String]] = [:]
    for transcript in cases {
      for case .requirement(let id) in transcript.covers { covering[id, default: []].append(transcript.id) }
    }
    // A profile that asks for a few of a set says nothing about the set.
    sets = spec.requirementSets.filter { set in
      2 * set.ids.count { covering[$0] != nil } > set.ids.count
    }
    let sets = sets
    entries = spec.requirements.values.compactMap { requirement in
      let names = sets.filter { $0.ids.contains(requirement.id) }.map(\.name)
      let cases = covering[requirement.id] ?? []
      guard !cases.isEmpty || !names.isEmpty else { return nil }
      return Entry(requirement: requirement, sets: names, cases: cases)
    }
    .sorted {
      ($0.requirement.place.file, $0.requirement.place.line)
        < ($1.requirement.place.file, $1.requirement.place.line)
    }
  }
}

/// What a run says about one requirement.
package enum RequirementStatus: String, Sendable, CaseIterable {
  /// Every case that covers it passes.
  case held
  case broken
  /// Not all of its cases were judged, and those that were pass.
  case open
}

/// How much of one level of a frozen set holds.
package struct SetScore: Sendable, Equatable {
  package let set: String
  package let level: RequirementLevel
  package var held = 0
  package var broken = 0
  package var total = 0
}

extension RunResult {
  /// In the order of `asked.entries`.
  package var statuses: [RequirementStatus] {
    var byCase: [String: CaseResult] = [:]
    for result in results { byCase[result.transcript.id] = result }
    return asked.entries.map { entry in
      let results = entry.cases.map { byCase[$0] }
      if results.contains(where: { $0?.breaks(entry.requirement) == true }) { return .broken }
      let isHeld = !results.isEmpty && results.allSatisfy { $0?.verdict == .pass }
      return isHeld ? .held : .open
    }
  }

  /// A line for each level of each set, the strongest first.
  package var scores: [SetScore] {
    let judged = Array(zip(asked.entries, statuses))
    return asked.sets.flatMap { set in
      RequirementLevel.allCases.compactMap { level in
        var score = SetScore(set: set.name, level: level)
        for (entry, status) in judged
        where entry.requirement.level == level && entry.sets.contains(set.name) {
          score.total += 1
          if status == .held { score.held += 1 }
          if status == .broken { score.broken += 1 }
        }
        return score.total > 0 ? score : nil
      }
    }
  }
}

extension CaseResult {
  /// Whether it shows that a requirement does not hold. A remark is a failure of a level that the
  /// run did not count, so it speaks against what has that level.
  fileprivate func breaks(_ requirement: Requirement) -> Bool {
    switch verdict {
    case .fail, .flaky, .expectedFailure: true
    case .pass, .unexpectedPass: remarks.contains { $0.level == requirement.level }
    case .setupError, .notApplicable, .notTestable: false
    }
  }
}

/// Scores as they are printed: a line for each set, `set 1.0: MUST 98/100, SHOULD 8/8, MAY 2/2`.
package enum SetScoreText {
  package static func lines(_ scores: [SetScore]) -> [String] {
    var names: [String] = []
    for score in scores where !names.contains(score.set) { names.append(score.set) }
    return names.map { name in
      let parts = scores.filter { $0.set == name }.map { score in
        "\(score.level.rawValue.uppercased()) \(score.held)/\(score.total)"
      }
      return "requirements of set \(name) that hold: \(parts.joined(separator: ", "))"
    }
  }
}
