/// Cases that fail for what looks like the same reason.
struct Cause: Sendable {
  /// Of the first case.
  let text: String
  let requirements: [RunReport.Asked]
  let cases: [RunReport.Case]

  private static let shownText = 160

  var shown: String { text.count > Self.shownText ? text.prefix(Self.shownText) + "…" : text }

  /// What it breaks, in words. Where many requirements break alike, none of them is the cause.
  var sentence: String {
    if requirements.count > 2 { return shown }
    return requirements.first?.text ?? cases.first?.title ?? text
  }

  /// The causes of a run, those of most cases first.
  static func list(_ report: RunReport) -> [Cause] {
    var groups: [(key: String, cases: [RunReport.Case])] = []
    for entry in report.bad {
      let key = generalised(entry.cause ?? entry.verdict.rawValue)
      if let place = groups.firstIndex(where: { $0.key == key }) {
        groups[place].cases.append(entry)
      } else {
        groups.append((key, [entry]))
      }
    }
    // The order of the run among equals: sorting keeps none by itself.
    let sorted = groups.enumerated().sorted {
      ($1.element.cases.count, $0.offset) < ($0.element.cases.count, $1.offset)
    }
    return sorted.map { Cause($0.element.cases, report) }
  }

  private init(_ cases: [RunReport.Case], _ report: RunReport) {
    self.cases = cases
    text = cases.first?.cause ?? cases.first?.verdict.words ?? ""
    var found: [RunReport.Asked] = []
    for case let id? in cases.map(\.requirement) where !found.contains(where: { $0.id == id }) {
      if let asked = report.requirement(id) { found.append(asked) }
    }
    requirements = found
  }

  /// Without numbers, which differ between cases that fail alike; a code counts as one.
  private static func generalised(_ text: String) -> String {
    var output = ""
    for character in text {
      guard character.isASCII, character.isHexDigit, !character.isLetter else {
        output.append(character)
        continue
      }
      if output.last != "#" { output.append("#") }
    }
    return output
  }
}
