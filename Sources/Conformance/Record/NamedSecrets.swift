internal import JSON

/// The secrets that may stand in a recording, by the environment variables that hold them.
package struct NamedSecrets: Sendable {
  /// The longest value first, so that a secret that holds another is not left in part.
  private let all: [(name: String, value: String)]
  private let masking = Masking(secrets: [])

  package static let shortest = 6
  private static let words = ["KEY", "TOKEN", "SECRET", "PASSWORD"]

  /// - Parameters:
  ///   - names: variables that hold secrets whatever they are called.
  ///   - environment: others are taken from it by their names, such as `LITELLM_API_KEY`.
  package init(_ names: [String] = [], environment: [String: String]) {
    let found = environment.filter { name, value in
      let parts = name.split(separator: "_")
      let isNamed = Self.words.contains { word in parts.contains { $0 == word } }
      return value.utf8.count >= Self.shortest && (names.contains(name) || isNamed)
    }
    all = found.map { ($0.key, $0.value) }.sorted {
      ($0.value.utf8.count, $1.name) > ($1.value.utf8.count, $0.name)
    }
  }

  /// The name of a secret, or text between secrets.
  enum Piece: Equatable {
    case text(String)
    case secret(String)
  }

  /// `text` cut where secrets stand in it.
  func pieces(_ text: String) -> [Piece] {
    var pieces = [Piece.text(text)]
    for (name, value) in all where text.utf8.count >= value.utf8.count {
      pieces = pieces.flatMap { piece -> [Piece] in
        guard case .text(let text) = piece else { return [piece] }
        let parts = text.utf8.split(separator: value.utf8, omittingEmptySubsequences: false)
        return parts.enumerated().flatMap { place, part -> [Piece] in
          let text = Piece.text(String(Substring(part)))
          return place == 0 ? [text] : [.secret(name), text]
        }
      }
    }
    return pieces.filter { $0 != .text("") }
  }

  /// Whether text without its named secrets still holds what looks like one.
  func looksSecret(_ text: String) -> Bool { masking.masked(text) != text }

  /// Whether the value of a secret stands in what is about to be written.
  func isLeaked(in text: String) -> String? { all.first { text.utf8.contains($0.value.utf8) }?.name }
}
