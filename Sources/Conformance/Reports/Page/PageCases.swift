internal import ProtocolSpec

/// All cases with what filters them.
struct PageCases {
  let page: Page
  /// Opened from the start; more would bury the list.
  private static let openCases = 5

  private var report: RunReport { page.report }

  var markup: Markup {
    var sorted = report.bad
    let open = Set(sorted.prefix(Self.openCases).map(\.id))
    sorted += report.cases.filter { !$0.verdict.isBad }
    let items: [Markup] = sorted.map { PageCase(page: page, entry: $0, isOpen: open.contains($0.id)).markup }
    return """
      <section id="cases" aria-labelledby="cases-title">
      <h2 id="cases-title">Cases</h2>
      \(toolbar)
      <div class="case-list">\(items)</div>
      <p class="needs-script empty" id="no-cases" hidden>No case is like that. \
      <button type="button" id="clear">Show all cases</button></p>
      </section>
      """
  }

  private var toolbar: Markup {
    let verdicts: [Markup] = Verdict.allCases.filter { report.count($0) > 0 }.map { verdict in
      """
      <button type="button" class="filter" data-verdict="\(verdict.rawValue)" aria-pressed="false">\
      \(page.mark(verdict))\(verdict.words) <b>\(report.count(verdict))</b></button>
      """
    }
    var suites: [String] = []
    for entry in report.cases where !suites.contains(entry.suite) { suites.append(entry.suite) }
    let suiteOptions: [Markup] = suites.sorted().map { "<option>\($0)</option>" }
    let levels: [Markup] = RequirementLevel.allCases.map {
      "<option value=\"\($0.rawValue)\">\($0.rawValue.uppercased())</option>"
    }
    return """
      <form class="toolbar needs-script" role="search" aria-label="Filter the cases">
      <div class="filters" role="group" aria-label="Verdict">\(verdicts)</div>
      <div class="fields">
      <input type="search" id="search" aria-label="Search in names, titles, requirements and causes" \
      placeholder="Search: name, title, requirement, cause" autocomplete="off" spellcheck="false">
      <select id="suite" aria-label="Suite"><option value="">Every suite</option>\(suiteOptions)</select>
      <select id="level" aria-label="Level"><option value="">Every level</option>\(levels)</select>
      </div>
      <p class="shown" id="shown" role="status">\(counted(report.cases.count, "case"))</p>
      </form>
      """
  }
}
