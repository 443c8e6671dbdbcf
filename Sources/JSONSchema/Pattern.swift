internal import Foundation

/// A regular expression of ECMA-262 (2020-12 Core §6.4), found anywhere in a text.
struct Pattern: Sendable {
  enum Outcome {
    case found, absent
    /// The text is too long, or the search took too many steps, to be sure.
    case undecided
  }

  /// As the schema has it.
  let source: String
  private let expression: NSRegularExpression

  /// Texts of more bytes are not searched: the matcher's stack is bounded, and past it it would
  /// silently find nothing. A pattern of one class escape, such as `\S`, needs no stack
  /// and as many steps as the text has characters.
  static let textLimit = 65_536
  private static let classEscapes: Set<String> = [#"\d"#, #"\D"#, #"\s"#, #"\S"#, #"\w"#, #"\W"#]
  static let sourceLimit = 4096

  /// The matcher reports every 10 000 steps or so; nested quantifiers may need exponentially many.
  private static let reportLimit = 200

  init(_ source: String) throws(PatternError) {
    guard source.utf8.count <= Self.sourceLimit else {
      throw PatternError(reason: "has \(source.utf8.count) bytes, limit \(Self.sourceLimit)")
    }
    var translator = PatternTranslator(source)
    let translated = try translator.translate()
    do {
      expression = try NSRegularExpression(pattern: translated)
    } catch {
      throw PatternError(reason: "is no regular expression")
    }
    self.source = source
  }

  func search(_ text: String) -> Outcome {
    let range = NSRange(location: 0, length: text.utf16.count)
    if Self.classEscapes.contains(source) {
      return expression.firstMatch(in: text, range: range) == nil ? .absent : .found
    }
    guard text.utf8.count <= Self.textLimit else { return .undecided }
    var outcome = Outcome.absent
    var reports = 0
    expression.enumerateMatches(in: text, options: .reportProgress, range: range) { match, _, stop in
      if match != nil {
        outcome = .found
        stop.pointee = true
        return
      }
      reports += 1
      guard reports > Self.reportLimit else { return }
      outcome = .undecided
      stop.pointee = true
    }
    return outcome
  }
}

struct PatternError: Error {
  let reason: String
}
