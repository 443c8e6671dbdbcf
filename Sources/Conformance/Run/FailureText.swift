internal import ProtocolSpec
internal import YAML

/// A result as it is printed.
package struct FailureText {
  private let info: RunInfo
  private let paint: Paint
  /// How a case began and how it ended; a poll may have filled the middle.
  private static let firstEntries = 4
  private static let lastEntries = 12
  private static let shownText = 160

  package init(_ info: RunInfo, paint: Paint = Paint(isOn: false)) {
    self.info = info
    self.paint = paint
  }

  /// Several lines without an end of line at the last.
  package func block(_ result: CaseResult) -> String {
    var lines = [headline(result)]
    if let repeats = result.repeats {
      lines.append("      passed \(repeats.passed) of \(repeats.passed + repeats.failed) times")
    }
    if let known = result.known {
      lines.append("      known to be \(known.list.rawValue): \(known.reason)")
    }
    if result.verdict == .expectedFailure, let failure = result.failure {
      lines.append("      line \(failure.place.line): \(failure.message.harmless)")
    } else if let failure = result.failure {
      lines += body(failure)
      lines.append("      rerun: \(rerun(result))")
    } else if let reason = result.reason {
      lines.append("      \(result.transcript.title)")
      lines.append("      \(reason.harmless)")
      if result.verdict == .setupError || result.verdict == .notTestable {
        lines.append("      rerun: \(rerun(result))")
      }
    }
    return lines.joined(separator: "\n")
  }

  /// A failure too weak to count.
  package func remark(_ failure: CaseFailure, of result: CaseResult) -> String {
    ([headline(result, word: "NOTE", level: failure.level)] + body(failure)).joined(separator: "\n")
  }

  private func headline(_ result: CaseResult, word: String? = nil, level: RequirementLevel? = nil) -> String {
    let words: [Verdict: String] = [
      .pass: "PASS", .fail: "FAIL", .setupError: "SETUP", .notApplicable: "N/A", .notTestable: "UNTESTABLE",
      .flaky: "FLAKY", .expectedFailure: "EXPECTED FAILURE", .unexpectedPass: "UNEXPECTED PASS",
    ]
    let place = result.transcript.place
    let level = level ?? result.failure?.level ?? result.requirement?.level ?? result.transcript.level
    let source = result.requirement.map { "  \($0.place.file)#\($0.id)" } ?? ""
    let gap = "        "
    return paint.strong(word ?? words[result.verdict] ?? "", result.verdict)
      + "  \(result.transcript.id)\(gap)\(place.file):\(place.line)\(gap)\(level.rawValue.uppercased())\(source)"
  }

  private func body(_ failure: CaseFailure) -> [String] {
    var lines = ["      \(failure.title)", "      line \(failure.place.line): \(failure.message.harmless)"]
    for difference in failure.differences.prefix(20) {
      lines.append(paint.red("    - \(difference.expected.harmless)"))
      lines.append(paint.green("    + \(difference.got.harmless)"))
    }
    if failure.differences.count > 20 { lines.append("      … \(failure.differences.count - 20) more") }
    lines += wire(failure.wire)
    if !failure.targetLines.isEmpty {
      lines.append("      the target wrote last:")
      lines += failure.targetLines.map { "        \($0.harmless)" }
    }
    return lines
  }

  private func wire(_ entries: [WireEntry]) -> [String] {
    let names = Set(entries.map(\.connection).filter { !$0.isEmpty })
    let hidden = entries.count - Self.firstEntries - Self.lastEntries
    guard hidden > 1 else { return entries.map { line($0, namesConnection: names.count > 1) } }
    let first = entries.prefix(Self.firstEntries).map { line($0, namesConnection: names.count > 1) }
    let last = entries.suffix(Self.lastEntries).map { line($0, namesConnection: names.count > 1) }
    return first + ["      … \(hidden) more, all of them in the results of --output"] + last
  }

  private func line(_ entry: WireEntry, namesConnection: Bool) -> String {
    let connection = namesConnection ? "\(entry.connection)  " : ""
    let text = entry.text.count > Self.shownText ? entry.text.prefix(Self.shownText) + "…" : entry.text
    let oneLine = String(text).replacingScalars { $0 == "\r" ? "\\r" : $0 == "\n" ? "\\n" : nil }
    return "      \(entry.at.clockText) \(entry.direction.rawValue)  \(connection)\(oneLine.harmless)"
  }

  private func rerun(_ result: CaseResult) -> String {
    let repeats = result.repeats.map { " --repeat \($0.passed + $0.failed)" } ?? ""
    return "\(info.rerun) --run \(result.transcript.id) --seed \(info.seed)\(repeats)"
  }
}

extension String {
  /// The text without what a terminal or a build service would obey, for a target may write anything:
  /// control characters and those that turn the direction of writing are escaped, and no line begins as a
  /// workflow command of GitHub.
  var harmless: String {
    let plain = replacingScalars { scalar in
      switch scalar.value {
      case 0x09, 0x0A: nil
      case 0..<0x20, 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069:
        "\\u{\(String(scalar.value, radix: 16))}"
      default: nil
      }
    }
    guard plain.contains("::") || plain.contains("##[") else { return plain }
    return plain.replacing("##[", with: "#\\#[").split(separator: "\n", omittingEmptySubsequences: false)
      .map { line in
        line.drop { $0 == " " || $0 == "\t" }.hasPrefix("::") ? "\\" + line : String(line)
      }.joined(separator: "\n")
  }
}

/// Colours of a terminal, or none.
package struct Paint: Sendable {
  package let isOn: Bool

  package init(isOn: Bool) { self.isOn = isOn }

  private func escape(_ code: String, _ text: String) -> String {
    isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }

  package func red(_ text: String) -> String { escape("31", text) }
  package func green(_ text: String) -> String { escape("32", text) }
  package func yellow(_ text: String) -> String { escape("33", text) }
  package func dim(_ text: String) -> String { escape("2", text) }

  func strong(_ text: String, _ verdict: Verdict) -> String {
    switch verdict {
    case .pass: escape("1;32", text)
    case .fail: escape("1;31", text)
    default: escape("1;33", text)
    }
  }
}
