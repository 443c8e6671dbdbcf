internal import JSON

/// Texts that are put together of parts: `{$join: ["Task ", {$ref: task}, " is already completed"]}`.
enum JoinedText {
  static func spoken(_ parts: [Matcher], _ bindings: inout Bindings) throws(GenerationError) -> String {
    var text = ""
    for part in parts {
      guard let piece = try part.generate(&bindings)?.string else {
        throw GenerationError(description: "a part of a $join is no text: \(FlowText.text(part.source))")
      }
      text += piece
    }
    return text
  }

  /// Whether `text` can be cut into pieces that match the parts. Captures are kept only then.
  static func matches(_ text: String, _ parts: [Matcher], _ bindings: inout Bindings) -> Bool {
    matches(Array(text.utf8)[...], parts[...], &bindings)
  }

  private static func matches(
    _ text: ArraySlice<UInt8>, _ parts: ArraySlice<Matcher>, _ bindings: inout Bindings
  ) -> Bool {
    guard let part = parts.first else { return text.isEmpty }
    let rest = parts.dropFirst()
    if let fixed = part.fixedText(bindings) {
      return text.starts(with: fixed) && matches(text.dropFirst(fixed.count), rest, &bindings)
    }
    // A part of any length goes to where the next one, which is fixed, can begin.
    guard let next = rest.first else { return isPiece(text, of: part, &bindings) }
    guard let fixed = next.fixedText(bindings) else { return false }
    for end in text.startIndex...text.endIndex where text[end...].starts(with: fixed) {
      var tried = bindings
      guard isPiece(text[..<end], of: part, &tried),
        matches(text[end...].dropFirst(fixed.count), rest.dropFirst(), &tried)
      else { continue }
      bindings = tried
      return true
    }
    return false
  }

  private static func isPiece(_ text: ArraySlice<UInt8>, of part: Matcher, _ bindings: inout Bindings) -> Bool
  {
    guard let piece = String(validating: text, as: UTF8.self) else { return false }
    return part.match(.string(piece), &bindings).isEmpty
  }
}

extension Matcher {
  /// Whether it stands for one text that is known before anything is matched.
  var isFixedText: Bool {
    switch rule {
    case .exactly: true
    case .all(let checks, _):
      checks.contains {
        switch $0 {
        case .reference, .secret: true
        case .text(let template): template.literal != nil
        default: false
        }
      }
    case .object, .array: false
    }
  }

  /// That text; nil of a part of any length, or of a reference to nothing.
  fileprivate func fixedText(_ bindings: Bindings) -> [UInt8]? {
    guard isFixedText else { return nil }
    var copy = bindings
    guard let text = try? generate(&copy)?.string else { return nil }
    return Array(text.utf8)
  }
}
