internal import ProtocolSpec

/// A case in lines without markup, for formats that carry text.
enum PlainText {
  private static let shownText = 300

  /// What did not hold, the difference, the frames and the command.
  static func details(_ entry: RunReport.Case, _ report: RunReport) -> String {
    var lines: [String] = []
    if let failure = entry.failure {
      lines += ["\(failure.file):\(failure.line)", failure.title, failure.message]
      for diff in failure.diff { lines += ["- \(diff.expected)", "+ \(diff.got)"] }
    } else {
      lines += ["\(entry.file):\(entry.line)", entry.title]
      if let reason = entry.reason { lines.append(reason) }
    }
    if let asked = entry.requirement.flatMap(report.requirement) {
      lines.append("\(asked.level.rawValue.uppercased()) \(asked.id): \(asked.text)")
    }
    lines += entry.frames.map { frame in
      let text = frame.text.count > shownText ? frame.text.prefix(shownText) + "…" : frame.text
      return "\(Duration.milliseconds(frame.milliseconds).clockText) \(frame.direction.arrow) \(text)"
    }
    lines.append("rerun: \(report.rerun(entry))")
    return lines.joined(separator: "\n")
  }
}

extension String {
  /// By scalars, for a line end of two is one character, of which neither half would be found.
  func replacingScalars(_ replacement: (Unicode.Scalar) -> String?) -> String {
    var output = ""
    output.reserveCapacity(utf8.count)
    for scalar in unicodeScalars {
      if let text = replacement(scalar) { output += text } else { output.unicodeScalars.append(scalar) }
    }
    return output
  }
}

extension RunReport.Direction {
  var arrow: String {
    switch self {
    case .client: WireEntry.Direction.toServer.rawValue
    case .server: WireEntry.Direction.toClient.rawValue
    case .aside: WireEntry.Direction.aside.rawValue
    }
  }
}
