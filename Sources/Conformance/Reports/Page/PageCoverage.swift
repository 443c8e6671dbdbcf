internal import JSON

/// The heat map of what the cases cover, coloured by how they went. The document is what
/// `omni-conformance coverage --format json` writes.
struct PageCoverage {
  let page: Page
  let document: JSONValue
  private let verdicts: [String: Verdict]

  init(page: Page, document: JSONValue) {
    self.page = page
    self.document = document
    verdicts = Dictionary(page.report.cases.map { ($0.id, $0.verdict) }) { first, _ in first }
  }

  var markup: Markup {
    // One column is a list, and requirements have theirs above.
    let sections = (document["sections"]?.array ?? []).filter { $0["name"]?.string != "requirements" }
    return """
      <section id="coverage" aria-labelledby="coverage-title">
      <h2 id="coverage-title">Coverage</h2>
      <p class="lead">A cell counts the cases that show it. Green: all passed; red: some did not; grey: none \
      was played; striped: excluded with a reason; empty: nobody asks.</p>
      \(sections.map(section))
      </section>
      """
  }

  private func section(_ section: JSONValue) -> Markup {
    let title = section["title"]?.string ?? ""
    let columns = section["columns"]?.array?.compactMap(\.string) ?? []
    let rows = section["rows"]?.array?.compactMap(\.string) ?? []
    var cells: [String: JSONValue] = [:]
    for cell in section["cells"]?.array ?? [] {
      cells["\(cell["row"]?.string ?? "")\n\(cell["column"]?.string ?? "")"] = cell
    }
    let heads: [Markup] = columns.map { "<th scope=\"col\"><span>\($0)</span></th>" }
    let lines: [Markup] = rows.map { row in
      let line: [Markup] = columns.map { column in self.cell(cells["\(row)\n\(column)"]) }
      return "<tr><th scope=\"row\">\(row)</th>\(line)</tr>\n"
    }
    return """
      <h3>\(title)</h3>
      <div class="scroll" role="region" aria-label="\(title)" tabindex="0"><table class="heat">
      <thead><tr><td></td>\(heads)</tr></thead><tbody>\(lines)</tbody></table></div>
      """
  }

  private func cell(_ cell: JSONValue?) -> Markup {
    guard let cell else { return "<td class=\"off\"></td>" }
    let cases = cell["cases"]?.array?.compactMap(\.string) ?? []
    let told = cases.compactMap { verdicts[$0] }
    let tone: String
    let text: String
    switch cell["mark"]?.string {
    case "excluded": (tone, text) = ("excluded", "excluded: \(cell["reason"]?.string ?? "")")
    case "missing": (tone, text) = ("missing", "no case: \(cell["remedy"]?.string ?? "")")
    default:
      let isBad = told.contains { $0.isBad || $0 == .expectedFailure }
      tone = isBad ? "bad" : told.contains(.pass) ? "good" : "none"
      text = cases.joined(separator: "\n")
    }
    let shown: Markup = cases.isEmpty ? "" : "\(cases.count)"
    return "<td class=\"\(tone)\" title=\"\(text)\">\(shown)<span class=\"hidden\"> \(tone)</span></td>"
  }
}
