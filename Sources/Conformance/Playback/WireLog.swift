/// One thing that went over the wire of a case.
package struct WireEntry: Sendable, Equatable {
  package enum Direction: String, Sendable {
    case toServer = "c→s"
    case toClient = "s→c"
    /// What the runner did beside the wire: a restart, a rule armed.
    case aside = " · "
  }

  /// Since the case began.
  package let at: Duration
  package let direction: Direction
  package let connection: String
  package let text: String

  package init(at: Duration, direction: Direction, connection: String, text: String) {
    self.at = at
    self.direction = direction
    self.connection = connection
    self.text = text
  }
}

/// What one case said and heard, with secrets masked before they are stored.
struct WireLog {
  private(set) var entries: [WireEntry] = []
  let start: ContinuousClock.Instant
  private let masking: Masking
  /// Entries past the limit drop the oldest: the end of a long case tells more.
  private static let limit = 200
  private static let textLimit = 2_000

  init(start: ContinuousClock.Instant, masking: Masking) {
    self.start = start
    self.masking = masking
  }

  mutating func add(
    _ direction: WireEntry.Direction, _ text: String, on connection: String,
    at instant: ContinuousClock.Instant = .now
  ) {
    if entries.count == Self.limit { entries.removeFirst() }
    let cut = text.utf8.count > Self.textLimit
    // Masked whole: a cut could leave the front of a secret.
    let masked = masking.masked(cut ? String(text.prefix(Self.textLimit + Masking.longestSecret)) : text)
    let shown = cut ? masked.prefix(Self.textLimit) + "… (\(text.utf8.count) bytes)" : masked
    entries.append(
      WireEntry(at: instant - start, direction: direction, connection: connection, text: String(shown)))
  }
}

/// Hides what must never be in logs, results or messages: named secrets, and what looks like a key.
package struct Masking: Sendable {
  private let secrets: [String]
  static let longestSecret = 512
  /// What begins a key or a credential, whatever its name.
  private static let openings = ["sk-", "Bearer ", "bearer ", "mcp.auth."]

  /// - Parameter secrets: the values themselves; short ones would mask half the text.
  package init(secrets: [String]) {
    self.secrets = secrets.filter { $0.utf8.count >= 6 && $0.utf8.count <= Self.longestSecret }
      .sorted { $0.utf8.count > $1.utf8.count }
  }

  package func masked(_ text: String) -> String {
    var text = text
    // By bytes: an accent behind a secret makes one Character of it and the last of the secret.
    for secret in secrets where text.utf8.contains(secret.utf8) {
      text = text.utf8.split(separator: secret.utf8, omittingEmptySubsequences: false)
        .map { String(Substring($0)) }.joined(separator: "***")
    }
    for opening in Self.openings where text.contains(opening) { text = Self.mask(behind: opening, in: text) }
    return text
  }

  private static func mask(behind opening: String, in text: String) -> String {
    var output = ""
    var rest = text[...]
    while let range = rest.firstRange(of: opening) {
      let isInsideWord = output.last.map(isKeyCharacter) ?? false && range.lowerBound == rest.startIndex
      let before = rest[..<range.lowerBound].last
      output += rest[..<range.upperBound]
      rest = rest[range.upperBound...]
      let key = rest.prefix(while: isKeyCharacter)
      // `task-1` is no key, nor is `sk-` by itself.
      guard key.count >= 4, !isInsideWord, !(before.map(isKeyCharacter) ?? false) else { continue }
      output += "***"
      rest = rest[key.endIndex...]
    }
    return output + rest
  }

  private static func isKeyCharacter(_ character: Character) -> Bool {
    character.isASCII && (character.isLetter || character.isNumber || "-_.~+/=*".contains(character))
  }
}
