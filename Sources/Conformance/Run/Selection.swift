/// Which cases of the fixtures are played.
package struct Selection: Sendable {
  package let run: [String]
  package let skip: [String]

  package init(run: [String] = [], skip: [String] = []) {
    self.run = run
    self.skip = skip
  }

  package func includes(_ transcript: TranscriptCase) -> Bool {
    let isWanted = run.isEmpty || run.contains { Self.matches(transcript.id, $0) }
    return isWanted && !skip.contains { Self.matches(transcript.id, $0) }
  }

  /// `*` stands for any text, `?` for one character.
  package static func matches(_ text: String, _ pattern: String) -> Bool {
    let text = Array(text.unicodeScalars)
    let pattern = Array(pattern.unicodeScalars)
    var (place, wanted) = (0, 0)
    // Where the last star stands, and how far it has reached.
    var star: (pattern: Int, text: Int)?
    while place < text.count {
      if wanted < pattern.count, pattern[wanted] == "*" {
        star = (wanted, place)
        wanted += 1
      } else if wanted < pattern.count, pattern[wanted] == "?" || pattern[wanted] == text[place] {
        (place, wanted) = (place + 1, wanted + 1)
      } else if let last = star {
        star = (last.pattern, last.text + 1)
        (place, wanted) = (last.text + 1, last.pattern + 1)
      } else {
        return false
      }
    }
    return pattern[wanted...].allSatisfy { $0 == "*" }
  }
}
