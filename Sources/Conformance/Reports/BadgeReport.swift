internal import ProtocolSpec

/// A badge: how much of a frozen set holds, `omni 1.0 | MUST 100/100`.
enum BadgeReport {
  static func text(_ report: RunReport) -> String {
    // The levels that hold are not worth a word each; the strongest that does not is.
    let name = report.sets.first?.name
    let scores = report.sets.filter { $0.name == name }
    let shown = scores.first { $0.held < $0.total } ?? scores.first
    let label = name.map { "omni \($0)" } ?? "omni \(report.run.profile)"
    let held = report.count(.pass)
    let judged = report.cases.count { $0.verdict != .notApplicable }
    let text =
      shown.map { "\($0.level.rawValue.uppercased()) \($0.held)/\($0.total)" } ?? "\(held)/\(judged) cases"
    let isWhole = shown.map { $0.held == $0.total } ?? (held == judged)
    let isNear = shown.map { $0.broken == 0 || $0.level > .must } ?? false
    return svg(label, text, colour: isWhole ? "#1a7f37" : isNear ? "#9a6700" : "#b3261e").text
  }

  /// About what a sans-serif font of 11 px takes; `textLength` makes it exact.
  private static func width(_ text: String) -> Int {
    text.unicodeScalars.reduce(0) { sum, scalar in
      switch scalar {
      case "i", "l", "j", ".", "/", " ", "1", "f", "t": sum + 5
      case "m", "w", "M", "W", "U", "S", "H", "O": sum + 9
      default: sum + 7
      }
    }
  }

  private static func svg(_ label: String, _ text: String, colour: String) -> Markup {
    let (left, right) = (width(label), width(text))
    let (split, whole) = (left + 12, left + right + 24)
    return """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(whole)" height="20" role="img" \
      aria-label="\(label): \(text)">
      <title>\(label): \(text)</title>
      <clipPath id="r"><rect width="\(whole)" height="20" rx="3"/></clipPath>
      <g clip-path="url(#r)">
      <rect width="\(split)" height="20" fill="#3d4550"/>
      <rect x="\(split)" width="\(whole - split)" height="20" fill="\(colour)"/>
      </g>
      <g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">
      <text x="6" y="14" textLength="\(left)">\(label)</text>
      <text x="\(split + 6)" y="14" textLength="\(right)">\(text)</text>
      </g>
      </svg>

      """
  }
}
