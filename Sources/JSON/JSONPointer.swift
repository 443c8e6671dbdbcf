/// A place in a JSON value (RFC 6901): `/result/tasks/0`.
package struct JSONPointer: Sendable, CustomStringConvertible {
  package var tokens: [String]

  package init(tokens: [String] = []) { self.tokens = tokens }

  /// Nil if `text` neither is empty nor starts with `/`, or has a `~` that escapes nothing.
  // Over scalars: a combining mark after `~` or `/` makes one Character of both.
  package init?(_ text: String) {
    guard let first = text.unicodeScalars.first else {
      self.init()
      return
    }
    guard first == "/" else { return nil }
    var tokens: [String] = []
    var token = String.UnicodeScalarView()
    var isEscaped = false
    for scalar in text.unicodeScalars.dropFirst() {
      switch (isEscaped, scalar) {
      case (false, "~"): isEscaped = true
      case (false, "/"):
        tokens.append(String(token))
        token = String.UnicodeScalarView()
      case (false, _): token.append(scalar)
      case (true, "0"), (true, "1"):
        token.append(scalar == "0" ? "~" : "/")
        isEscaped = false
      default: return nil
      }
    }
    guard !isEscaped else { return nil }
    self.init(tokens: tokens + [String(token)])
  }

  package var description: String {
    var text = String.UnicodeScalarView()
    for token in tokens {
      text.append("/")
      for scalar in token.unicodeScalars {
        switch scalar {
        case "~": text.append(contentsOf: "~0".unicodeScalars)
        case "/": text.append(contentsOf: "~1".unicodeScalars)
        default: text.append(scalar)
        }
      }
    }
    return String(text)
  }

  package func appending(_ token: String) -> JSONPointer { JSONPointer(tokens: tokens + [token]) }
  package func appending(_ index: Int) -> JSONPointer { appending(String(index)) }

  /// The index a token names in an array: digits without a leading zero (RFC 6901 §4).
  package static func arrayIndex(_ token: String) -> Int? {
    guard let index = Int(token), index >= 0, String(index) == token else { return nil }
    return index
  }
}

extension JSONPointer: Hashable {
  package static func == (left: JSONPointer, right: JSONPointer) -> Bool {
    left.tokens.elementsEqual(right.tokens) { $0.isExactly($1) }
  }

  package func hash(into hasher: inout Hasher) {
    for token in tokens { hasher.combine(ExactText(token)) }
  }
}

extension JSONValue {
  /// The value at `pointer`; nil if there is none.
  package subscript(pointer: JSONPointer) -> JSONValue? {
    var value = self
    for token in pointer.tokens {
      let next: JSONValue? =
        switch value {
        case .object(let object): object[token]
        case .array: JSONPointer.arrayIndex(token).flatMap { value[$0] }
        default: nil
        }
      guard let next else { return nil }
      value = next
    }
    return value
  }
}
