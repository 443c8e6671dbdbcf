internal import JSON
internal import ProtocolSpec

/// The run as one page that needs nothing else: it reads without a script, and with it filters,
/// searches and copies.
struct Page {
  let report: RunReport
  let comparison: RunComparison?
  let coverage: JSONValue?
  let sources: String?
  let links: Set<String>

  init(_ report: RunReport, comparison: RunComparison?, coverage: JSONValue?, sources: String?) {
    self.report = report
    self.comparison = comparison
    self.coverage = coverage
    self.sources = sources
    links = Set(report.cases.map(\.id))
  }

  var text: String {
    let markup: Markup = """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
      script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta name="referrer" content="no-referrer">
      <title>\(ReportWords(report).heading): \(report.run.target)</title>
      <link rel="icon" href="data:,">
      <style>\(PageStyle.text)</style>
      <script>\(PageScript.early)</script>
      </head>
      <body>
      <a class="skip" href="#cases">Skip to the cases</a>
      \(top)
      <main>
      \(PageSummary(page: self).markup)
      \(comparison.map { PageComparison(page: self, comparison: $0).markup })
      \(PageCases(page: self).markup)
      \(PageRequirements(page: self).markup)
      \(coverage.map { PageCoverage(page: self, document: $0).markup })
      </main>
      \(foot)
      <script>\(PageScript.text)</script>
      </body>
      </html>

      """
    return markup.text
  }

  private var top: Markup {
    let compare: Markup = comparison == nil ? "" : "<a href=\"#changes\">Changes</a>"
    let requirements: Markup = report.requirements.isEmpty ? "" : "<a href=\"#requirements\">Requirements</a>"
    let heat: Markup = coverage == nil ? "" : "<a href=\"#coverage\">Coverage</a>"
    return """
      <header class="top">
      <span class="brand">Omni conformance</span>
      <nav aria-label="Sections"><a href="#summary">Summary</a>\(compare)<a href="#cases">Cases</a>\
      \(requirements)\(heat)</nav>
      <button type="button" class="needs-script" id="theme" aria-label="Switch between dark and light">\
      <span aria-hidden="true">◐</span></button>
      </header>
      """
  }

  private var foot: Markup {
    """
    <footer>
    <p>Written by omni-conformance \(report.run.version) for revision \(report.run.revision) of the protocol.
    <span class="needs-script">Keys: <kbd>/</kbd> search, <kbd>j</kbd> and <kbd>k</kbd> next and previous case, \
    <kbd>Enter</kbd> open or close.</span></p>
    </footer>
    """
  }

  // MARK: Pieces of several sections

  /// A link to a case that is on the page, else its name.
  func link(_ id: String, _ verdict: Verdict? = nil) -> Markup {
    let mark: Markup? = verdict.map { self.mark($0) }
    guard links.contains(id) else { return "<span class=\"case-name\">\(mark)\(id)</span>" }
    return "<a class=\"case-name\" href=\"#\(id)\">\(mark)\(id)</a>"
  }

  /// A sign for a verdict, for those who see no colours.
  func mark(_ verdict: Verdict) -> Markup {
    "<span class=\"mark \(verdict.tone)\" title=\"\(verdict.words)\" aria-hidden=\"true\">\(verdict.sign)</span>"
  }

  /// `2026-01-31 12:00:00 UTC`, of a time as RFC 3339 writes it.
  func time(_ text: String) -> Markup {
    let seconds = text.prefix(19)
    guard seconds.utf8.count == 19, text.hasSuffix("Z") else { return "<time>\(text)</time>" }
    return "<time datetime=\"\(text)\">\(String(seconds).replacing("T", with: " ")) UTC</time>"
  }

  func level(_ level: RequirementLevel) -> Markup {
    "<span class=\"level \(level.rawValue)\">\(level.rawValue.uppercased())</span>"
  }

  /// `file:line`, a link where it is known to where.
  func place(_ file: String, _ line: Int) -> Markup {
    guard let sources else { return "<code>\(file):\(line)</code>" }
    return "<a href=\"\(sources)\(file)#L\(line)\" rel=\"noreferrer\"><code>\(file):\(line)</code></a>"
  }
}

extension Verdict {
  /// One of four colours.
  var tone: String {
    switch self {
    case .pass: "good"
    case .fail, .setupError, .notTestable, .unexpectedPass: "bad"
    case .flaky, .expectedFailure: "warn"
    case .notApplicable: "none"
    }
  }

  var sign: String {
    switch tone {
    case "good": "✓"
    case "bad": "✗"
    case "warn": "!"
    default: "–"
    }
  }
}
