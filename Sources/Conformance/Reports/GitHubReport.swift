/// Workflow commands of GitHub Actions: an annotation on the line of the transcript for each case
/// that fails, and a notice for each remark.
/// (https://docs.github.com/actions/reference/workflow-commands-for-github-actions)
enum GitHubReport {
  static func text(_ report: RunReport) -> String {
    var lines: [String] = []
    for entry in report.cases {
      if entry.verdict.isBad {
        lines.append(
          command(
            "error", entry.failure?.file ?? entry.file, entry.failure?.line ?? entry.line, entry.id,
            PlainText.details(entry, report)))
      } else if entry.verdict == .expectedFailure {
        lines.append(
          command(
            "warning", entry.failure?.file ?? entry.file, entry.failure?.line ?? entry.line, entry.id,
            entry.known ?? entry.verdict.words))
      }
      for remark in entry.remarks {
        lines.append(
          command("notice", remark.file, remark.line, entry.id, "\(remark.title)\n\(remark.message)"))
      }
    }
    if let unreachable = report.run.unreachable {
      lines.append("::error::" + message(unreachable.joined(separator: "\n")))
    }
    return lines.map { $0 + "\n" }.joined()
  }

  private static func command(
    _ kind: String, _ file: String, _ line: Int, _ title: String, _ text: String
  ) -> String {
    "::\(kind) file=\(property(file)),line=\(line),title=\(property(title))::\(message(text))"
  }

  private static func message(_ text: String) -> String {
    text.replacingScalars { scalar in
      switch scalar {
      case "%": "%25"
      case "\r": "%0D"
      case "\n": "%0A"
      default: nil
      }
    }
  }

  private static func property(_ text: String) -> String {
    message(text).replacing(":", with: "%3A").replacing(",", with: "%2C")
  }
}
