/// What has changed since an older run.
struct PageComparison {
  let page: Page
  let comparison: RunComparison
  /// Longer lists are folded.
  private static let shownItems = 20

  var markup: Markup {
    let old = comparison.old
    let when: Markup? = old.startedAt.map { " of \(page.time($0))" }
    return """
      <section id="changes" aria-labelledby="changes-title">
      <h2 id="changes-title">Since the run before</h2>
      <p class="lead">Compared with the run\(when) against <code>\(old.target)</code>, seed \
      <code>\(old.seed)</code>: \(comparison.text).</p>
      <div class="changes">
      \(group("Newly failing", "bad", comparison.newlyFailing.map(failing)))
      \(group("Fixed", "good", comparison.fixed.map { "<li>\(page.link($0.new.id, $0.new.verdict))</li>" }))
      \(group("Still failing", "bad", comparison.stillFailing.map(failing)))
      \(group("Verdict changed", "warn", comparison.changed.map(changed)))
      \(group("Slower", "warn", comparison.slower.map(slower)))
      \(group("New cases", "none", comparison.added.map { "<li>\(page.link($0.id, $0.verdict))</li>" }))
      \(group("Gone cases", "none", comparison.gone.map { "<li>\(page.link($0.id, $0.verdict))</li>" }))
      </div>
      </section>
      """
  }

  private func group(_ title: String, _ tone: String, _ items: [Markup]) -> Markup {
    guard !items.isEmpty else { return "" }
    let list: Markup = "<ul class=\"links\">\(items)</ul>"
    let isLong = items.count > Self.shownItems
    let content: Markup = isLong ? "<details><summary>Show them</summary>\(list)</details>" : list
    return "<div class=\"change \(tone)\"><h3>\(title) <b>\(items.count)</b></h3>\(content)</div>"
  }

  private func failing(_ change: RunComparison.Change) -> Markup {
    let isPlain = change.old.verdict == .pass || change.old.verdict == change.new.verdict
    let was = isPlain ? "" : "was: \(change.old.verdict.words). "
    return """
      <li>\(page.link(change.new.id, change.new.verdict))<span class="note">\(was)\(change.new.cause ?? "")\
      </span></li>
      """
  }

  private func changed(_ change: RunComparison.Change) -> Markup {
    """
    <li>\(page.link(change.new.id, change.new.verdict))<span class="note">\(change.old.verdict.words) → \
    \(change.new.verdict.words)</span></li>
    """
  }

  private func slower(_ change: RunComparison.Change) -> Markup {
    let (old, new) = (change.old.milliseconds, change.new.milliseconds)
    return """
      <li>\(page.link(change.new.id, change.new.verdict))<span class="note">\
      \(Duration.milliseconds(old).short) → \(Duration.milliseconds(new).short), \
      +\(Duration.milliseconds(change.slowdown).short)</span></li>
      """
  }
}
