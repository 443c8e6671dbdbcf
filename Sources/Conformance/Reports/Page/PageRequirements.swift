internal import ProtocolSpec

/// Every requirement with the verdicts of its cases.
struct PageRequirements {
  let page: Page
  private let verdicts: [String: Verdict]

  init(page: Page) {
    self.page = page
    verdicts = Dictionary(page.report.cases.map { ($0.id, $0.verdict) }) { first, _ in first }
  }

  var markup: Markup {
    let all = page.report.requirements
    guard !all.isEmpty else { return "" }
    let statuses: [Markup] = RequirementStatus.allCases.map { status in
      let count = all.count { $0.status == status }
      return """
        <button type="button" class="filter" data-status="\(status.rawValue)" aria-pressed="false">\
        \(mark(status))\(status.words) <b>\(count)</b></button>
        """
    }
    // What does not hold is what one looks for.
    let sorted = RequirementStatus.inOrder.flatMap { status in all.filter { $0.status == status } }
    return """
      <section id="requirements" aria-labelledby="requirements-title">
      <h2 id="requirements-title">Requirements</h2>
      <p class="lead">A requirement holds when every case that covers it passes; it is not judged while some \
      of them were not played.</p>
      <div class="toolbar needs-script" id="statuses"><div class="filters" role="group" aria-label="Status">\
      \(statuses)</div></div>
      <table class="matrix"><thead><tr><th scope="col">Status</th><th scope="col">Level</th>\
      <th scope="col">Requirement</th><th scope="col">Set</th><th scope="col">Cases</th></tr></thead>
      <tbody>\(sorted.map(row))</tbody></table>
      </section>
      """
  }

  private func row(_ asked: RunReport.Asked) -> Markup {
    """
    <tr id="req:\(asked.id)" data-status="\(asked.status.rawValue)">\
    <td class="status">\(mark(asked.status))\(asked.status.words)</td><td>\(page.level(asked.level))</td>\
    <td class="text">\(asked.text)<br><code>\(asked.id)</code> \
    <span class="note">\(page.place(asked.file, asked.line))</span></td>\
    <td>\(asked.sets.isEmpty ? "–" : asked.sets.joined(separator: ", "))</td>\
    <td class="covering">\(cases(asked))</td></tr>

    """
  }

  private func cases(_ asked: RunReport.Asked) -> Markup {
    guard !asked.cases.isEmpty else { return "<span class=\"note\">none</span>" }
    let links: [Markup] = asked.cases.map { "<li>\(page.link($0, verdicts[$0] ?? .notApplicable))</li>" }
    let bad = asked.cases.count { verdicts[$0]?.isBad == true }
    let summary = counted(asked.cases.count, "case") + (bad > 0 ? ", \(bad) bad" : "")
    return "<details><summary>\(summary)</summary><ul class=\"links\">\(links)</ul></details>"
  }

  private func mark(_ status: RequirementStatus) -> Markup {
    "<span class=\"mark \(status.tone)\" aria-hidden=\"true\">\(status.sign)</span>"
  }
}

extension RequirementStatus {
  fileprivate static let inOrder: [RequirementStatus] = [.broken, .open, .held]

  fileprivate var words: String {
    switch self {
    case .held: "holds"
    case .broken: "broken"
    case .open: "not judged"
    }
  }

  fileprivate var tone: String {
    switch self {
    case .held: "good"
    case .broken: "bad"
    case .open: "none"
    }
  }

  fileprivate var sign: String {
    switch self {
    case .held: "✓"
    case .broken: "✗"
    case .open: "–"
    }
  }
}
