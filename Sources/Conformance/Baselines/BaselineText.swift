internal import JSON

/// A list of known failures as it is written: `--write-baseline`.
package struct BaselineText {
  private let result: RunResult

  package init(_ result: RunResult) { self.result = result }

  /// The cases that do not hold, each with a reason to be replaced by a better one; reasons that
  /// were given before stay. A flaky case is no known failure and is left out.
  package var text: String {
    let failed = result.results.filter { result in
      switch result.verdict {
      case .fail, .notTestable: true
      case .expectedFailure: result.known?.list == .failing
      default: false
      }
    }
    var lines = ["# What \(result.info.target) is known to fail: read by --known-failing.", "format: 1"]
    guard !failed.isEmpty else { return (lines + ["cases: []", ""]).joined(separator: "\n") }
    lines.append("cases:")
    for result in failed {
      let name = [result.transcript.id, result.check].compactMap(\.self).joined(separator: "#")
      lines.append("- case: \(quoted(name))")
      lines.append("  reason: \(quoted(reason(result)))")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func reason(_ result: CaseResult) -> String {
    if let known = result.known { return known.reason }
    guard let failure = result.failure else { return result.reason ?? result.transcript.title }
    let title = failure.title.hasSuffix(".") ? String(failure.title.dropLast()) : failure.title
    return "\(title): \(failure.message)"
  }

  /// Double quotes of YAML take the escapes of JSON.
  private func quoted(_ text: String) -> String { JSONWriter.text(.string(text)) }
}
