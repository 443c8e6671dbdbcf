internal import ProtocolSpec

/// The top of the page: the verdict in words, the figures, and the causes of what fails.
struct PageSummary {
  let page: Page
  private static let shownCases = 8

  private var report: RunReport { page.report }

  var markup: Markup {
    let tone = report.run.exitCode == 0 ? "good" : report.run.exitCode == 1 ? "bad" : "warn"
    let words = ReportWords(report)
    return """
      <section id="summary" class="verdict \(tone)" aria-labelledby="verdict">
      <p class="outcome">\(report.outcome)</p>
      <h1 id="verdict">\(words.heading.capitalisedFirst)</h1>
      <p class="sentence">\(words.sentence)</p>
      \(bar)
      \(facts)
      </section>
      \(causes)
      \(scores)
      """
  }

  private var bar: Markup {
    let counts = Verdict.allCases.map { ($0, report.count($0)) }.filter { $0.1 > 0 }
    guard !counts.isEmpty else { return "" }
    let parts: [Markup] = counts.map { verdict, count in
      "<span class=\"\(verdict.tone)\" style=\"flex-grow:\(count)\"></span>"
    }
    let names: [Markup] = counts.map { verdict, count in
      "<li>\(page.mark(verdict))<b>\(count)</b> \(verdict.words)</li>"
    }
    return "<div class=\"bar\" aria-hidden=\"true\">\(parts)</div>\n<ul class=\"counts\">\(names)</ul>"
  }

  private var facts: Markup {
    let run = report.run
    var facts: [(String, Markup)] = [("Target", "<code>\(run.target)</code>"), ("Profile", "\(run.profile)")]
    if let startedAt = run.startedAt { facts.append(("Started", page.time(startedAt))) }
    facts.append(("Took", "\(Duration.milliseconds(run.milliseconds).short)"))
    facts.append(("Seed", "<code>\(run.seed)</code>"))
    facts.append(("Target offers", "\(run.capabilities.joined(separator: ", "))"))
    let rows: [Markup] = facts.map { "<div><dt>\($0.0)</dt><dd>\($0.1)</dd></div>" }
    let output: Markup? = run.unreachable.flatMap { lines in
      lines.count < 2
        ? nil : "<h2>The target wrote last</h2><pre>\(lines.dropFirst().joined(separator: "\n"))</pre>"
    }
    return "<dl class=\"facts\">\(rows)</dl>\(output)"
  }

  private var scores: Markup {
    guard !report.sets.isEmpty else { return "" }
    let tiles: [Markup] = report.sets.map { score in
      let open = score.total - score.held - score.broken
      let tone = score.broken > 0 ? "bad" : open > 0 ? "none" : "good"
      return """
        <li class="\(tone)"><span class="set">Set \(score.name) \(page.level(score.level))</span>
        <b>\(score.held)<small>/\(score.total)</small></b>
        <span class="note">\(score.broken) broken, \(open) not judged</span></li>
        """
    }
    return """
      <section aria-labelledby="sets"><h2 id="sets">Requirements that hold</h2>
      <ul class="scores">\(tiles)</ul></section>
      """
  }

  private var causes: Markup {
    let causes = Cause.list(report)
    guard !causes.isEmpty else { return "" }
    return """
      <section id="causes" aria-labelledby="why"><h2 id="why">What does not hold, and why</h2>
      <ol class="causes">\(causes.map(item))</ol></section>
      """
  }

  private func item(_ cause: Cause) -> Markup {
    let diff = cause.cases.first?.failure?.diff.first
    let why: Markup
    if let diff {
      why = PageCase.diff([diff])
    } else {
      why = "<p class=\"why\">\(cause.text)</p>"
    }
    let asked: [Markup] = cause.requirements.prefix(3).map { asked in
      "<p class=\"asked\">\(page.level(asked.level)) \(asked.text)</p>"
    }
    let titles: Markup? =
      cause.requirements.isEmpty ? cause.cases.first.map { "<p class=\"asked\">\($0.title)</p>" } : nil
    let links: [Markup] = cause.cases.prefix(Self.shownCases).map { entry in
      "<li>\(page.link(entry.id, entry.verdict))</li>"
    }
    let rest = cause.cases.count - Self.shownCases
    let more: Markup? = rest > 0 ? "<li class=\"note\">and \(rest) more below</li>" : nil
    return """
      <li><p class="count">\(counted(cause.cases.count, "case"))</p>\(asked)\(titles)\(why)
      <ul class="links">\(links)\(more)</ul></li>
      """
  }
}

extension String {
  fileprivate var capitalisedFirst: String { prefix(1).uppercased() + dropFirst() }
}
