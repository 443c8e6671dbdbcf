/// What has changed between two runs.
package struct RunComparison: Sendable {
  package struct Change: Sendable {
    package let old: RunReport.Case
    package let new: RunReport.Case

    /// Milliseconds by which it takes longer.
    package var slowdown: Double { new.milliseconds - old.milliseconds }
  }

  package let old: RunReport.Run
  package let newlyFailing: [Change]
  package let fixed: [Change]
  package let stillFailing: [Change]
  /// Other verdicts that have changed, such as from passed to not applicable.
  package let changed: [Change]
  package let added: [RunReport.Case]
  package let gone: [RunReport.Case]
  /// Those that passed both times, the worst first.
  package let slower: [Change]

  /// Below these a case is not slower: two runs of one target differ as much.
  private static let leastRatio = 1.5
  private static let leastMilliseconds = 50.0

  package init(old: RunReport, new: RunReport) {
    self.old = old.run
    var before: [String: RunReport.Case] = [:]
    for entry in old.cases { before[entry.id] = entry }
    let ids = Set(new.cases.map(\.id))
    let pairs = new.cases.compactMap { entry in before[entry.id].map { Change(old: $0, new: entry) } }
    newlyFailing = pairs.filter { !$0.old.verdict.isBad && $0.new.verdict.isBad }
    stillFailing = pairs.filter { $0.old.verdict.isBad && $0.new.verdict.isBad }
    fixed = pairs.filter { $0.old.verdict.isBad && $0.new.verdict == .pass }
    changed = pairs.filter { pair in
      let isFixed = pair.old.verdict.isBad && pair.new.verdict == .pass
      return pair.old.verdict != pair.new.verdict && !pair.new.verdict.isBad && !isFixed
    }
    added = new.cases.filter { before[$0.id] == nil }
    gone = old.cases.filter { !ids.contains($0.id) }
    slower = pairs.filter { pair in
      pair.old.verdict == .pass && pair.new.verdict == .pass && pair.slowdown >= Self.leastMilliseconds
        && pair.new.milliseconds >= pair.old.milliseconds * Self.leastRatio
    }
    .sorted { $0.slowdown > $1.slowdown }
  }

  /// `1 newly failing, 2 fixed, 1 still failing`; `nothing has changed`
  package var text: String {
    let parts = [
      (newlyFailing.count, "newly failing"), (fixed.count, "fixed"), (stillFailing.count, "still failing"),
      (changed.count, "otherwise changed"), (added.count, "new"), (gone.count, "gone"),
      (slower.count, "slower"),
    ]
    let said = parts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
    return said.isEmpty ? "nothing has changed" : said.joined(separator: ", ")
  }
}
