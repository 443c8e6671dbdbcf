internal import ProtocolSpec
internal import YAML

// The matrix for people: lines of a terminal, Markdown, and one page of HTML.
extension CoverageMatrix {
  /// - Parameter verbose: the cases of every cell, not the gaps alone.
  package func table(verbose: Bool) -> String {
    var lines: [String] = []
    let width = (sections.map(\.title.count).max() ?? 0) + 2
    for section in sections {
      let gap = String(repeating: " ", count: width - section.title.count)
      lines.append("\(section.title)\(gap)\(Self.counts(section))")
      for cell in section.cells where verbose || cell.mark == .missing {
        switch cell.mark {
        case .covered:
          lines.append("  \(cell.id): \(cell.cases.count) (\(cell.cases.joined(separator: ", ")))")
        case .excluded: lines.append("  \(cell.id): excluded, \(cell.reason ?? "")")
        case .missing: lines.append("  MISSING \(cell.id): needs \(cell.remedy)")
        }
      }
    }
    for entry in stale {
      lines.append(
        "  STALE \(entry.place.file):\(entry.place.line): \(entry.pattern) excludes nothing that is open")
    }
    return lines.joined(separator: "\n") + "\n" + verdict + "\n"
  }

  /// `covered: 148 of 160, 12 excluded with a reason, by 240 cases`
  package var verdict: String {
    let total = Mark.allCases.reduce(0) { $0 + count($1) }
    let counted =
      "\(count(.covered)) of \(total), \(count(.excluded)) excluded with a reason, by \(caseCount) cases"
    guard !isComplete else { return "covered: \(counted)" }
    return "not covered: \(missing.count) missing, \(stale.count) stale; covered \(counted)"
  }

  private static func counts(_ section: Section) -> String {
    let open = section.count(.missing)
    return
      "\(section.count(.covered)) of \(section.cells.count) covered, \(section.count(.excluded)) excluded"
      + (open > 0 ? ", \(open) missing" : "")
  }

  package var markdown: String {
    var text = "# Coverage of revision \(revision)\n\n\(verdict)\n"
    for section in sections {
      let columns = section.columns
      text += "\n## \(section.title)\n\n| | \(columns.joined(separator: " | ")) |\n"
      text += "|---|\(String(repeating: "---|", count: columns.count))\n"
      for row in section.rows {
        let cells = columns.map { section.cell(row, $0).map(Self.short) ?? "" }
        text += "| \(row) | \(cells.joined(separator: " | ")) |\n"
      }
    }
    let notes = sections.flatMap { $0.cells.filter { $0.mark != .covered } }
    guard !notes.isEmpty else { return text }
    text += "\n## Not covered\n\n"
    for cell in notes {
      let why = cell.mark == .excluded ? "excluded: \(cell.reason ?? "")" : "needs \(cell.remedy)"
      text += "- `\(cell.id)` \(why)\n"
    }
    return text
  }

  private static func short(_ cell: Cell) -> String {
    switch cell.mark {
    case .covered: String(cell.cases.count)
    case .excluded: "–"
    case .missing: "**0**"
    }
  }

  /// One page that needs nothing else.
  package var html: String {
    var body = "<h1>Coverage of revision \(Self.escaped(revision))</h1><p>\(Self.escaped(verdict))</p>\n"
    for section in sections {
      let columns = section.columns
      body += "<h2>\(Self.escaped(section.title))</h2>\n<table><tr><th></th>"
      body += columns.map { "<th scope=\"col\">\(Self.escaped($0))</th>" }.joined() + "</tr>\n"
      for row in section.rows {
        body += "<tr><th scope=\"row\">\(Self.escaped(row))</th>"
        body += columns.map { Self.htmlCell(section.cell(row, $0)) }.joined() + "</tr>\n"
      }
      body += "</table>\n"
    }
    return """
      <!doctype html><html lang="en"><meta charset="utf-8"><title>Coverage</title>
      <style>
      body{font:15px/1.4 system-ui,sans-serif;margin:2rem;color:#222;background:#fff}
      table{border-collapse:collapse}th,td{border:1px solid #bbb;padding:.2rem .5rem;font-weight:400;text-align:left}
      td{text-align:center}.missing{background:#f6b8b0}.excluded{background:#ddd}.c1{background:#e3f4e1}
      .c2{background:#bfe5ba}.c3{background:#8fd088}
      </style>
      <body>
      \(body)</body></html>

      """
  }

  private static func htmlCell(_ cell: Cell?) -> String {
    guard let cell else { return "<td></td>" }
    switch cell.mark {
    case .covered:
      let heat = cell.cases.count < 2 ? 1 : cell.cases.count < 6 ? 2 : 3
      let title = escaped(cell.cases.joined(separator: ", "))
      return "<td class=\"c\(heat)\" title=\"\(title)\">\(cell.cases.count)</td>"
    case .excluded: return "<td class=\"excluded\" title=\"\(escaped(cell.reason ?? ""))\">–</td>"
    case .missing: return "<td class=\"missing\" title=\"needs \(escaped(cell.remedy))\">0</td>"
    }
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("\"", with: "&quot;")
  }
}
