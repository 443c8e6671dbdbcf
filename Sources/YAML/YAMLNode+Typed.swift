internal import JSON

// What a reader of a specification asks of a node; the errors name what was expected and what is there.
extension YAMLNode {
  package func string() throws(SourceError) -> String {
    guard case .scalar(.string(let value)) = content else { throw mismatch("a string") }
    return value
  }

  package func int() throws(SourceError) -> Int {
    guard case .scalar(.number(let number)) = content, let value = number.int else {
      throw mismatch("an integer")
    }
    return value
  }

  package func double() throws(SourceError) -> Double {
    guard case .scalar(.number(let number)) = content, number.double.isFinite else {
      throw mismatch("a number")
    }
    return number.double
  }

  package func bool() throws(SourceError) -> Bool {
    guard case .scalar(.bool(let value)) = content else { throw mismatch("true or false") }
    return value
  }

  /// A time such as `250ms`.
  package func duration() throws(SourceError) -> Duration {
    guard case .scalar(.string(let text)) = content, let value = parseDuration(text) else {
      throw mismatch("a duration such as 250ms, 1.5s, 5m or 1h")
    }
    return value
  }

  package func sequence() throws(SourceError) -> [YAMLNode] {
    guard let elements else { throw mismatch("a sequence") }
    return elements
  }

  package func mapping() throws(SourceError) -> [Entry] {
    guard let entries else { throw mismatch("a mapping") }
    return entries
  }

  package func strings() throws(SourceError) -> [String] {
    try sequence().map { element throws(SourceError) in try element.string() }
  }

  /// The value of `key`, which must be there.
  package func required(_ key: String) throws(SourceError) -> YAMLNode {
    guard let value = try mapping().first(where: { $0.key.isExactly(key) })?.value else {
      throw error("the key \(quoted(key)) is missing")
    }
    return value
  }

  /// Refuses keys that are not among `known`.
  package func checkKeys(_ known: [String]) throws(SourceError) {
    for entry in try mapping() where !known.contains(where: { $0.isExactly(entry.key) }) {
      throw error(unknown("key", entry.key, known: known), at: entry.keyPlace)
    }
  }

  /// The string, which must be one of `known`; `what` says what it names: `state`, `level`.
  package func string(among known: [String], what: String) throws(SourceError) -> String {
    let value = try string()
    guard known.contains(where: { $0.isExactly(value) }) else {
      throw error(unknown(what, value, known: known))
    }
    return value
  }

  private func mismatch(_ expected: String) -> SourceError { error("expected \(expected), found \(found)") }

  private var found: String {
    switch content {
    case .sequence: "a sequence"
    case .mapping: "a mapping"
    case .scalar(.null): "null"
    case .scalar(.string(let text)): "the string \(quoted(text))"
    case .scalar(.number(let number)): "the number \(number.text)"
    case .scalar(let value): value.description
    }
  }
}

/// `unknown key "parms", did you mean "params"?`, or the known ones where none is like it.
package func unknown(_ what: String, _ name: String, known: [String]) -> String {
  let start = "unknown \(what) \(quoted(name))"
  if let guess = nearest(to: name, among: known) { return "\(start), did you mean \(quoted(guess))?" }
  return known.isEmpty ? start : "\(start), known: \(known.joined(separator: ", "))"
}

/// The text in double quotes with JSON's escapes, cut after 60 characters.
private func quoted(_ text: String) -> String {
  let limit = 60
  let isLong = text.unicodeScalars.count > limit
  let shown = isLong ? String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit))) + "…" : text
  return JSONWriter.text(.string(shown))
}

/// The name that fewest edits turn into `name`; nil if that takes more than a third of its letters.
private func nearest(to name: String, among known: [String]) -> String? {
  let letters = Array(name.unicodeScalars.prefix(64))
  let limit = max(letters.count / 3, 1)
  var best: (name: String, distance: Int)?
  for candidate in known {
    let distance = editDistance(letters, Array(candidate.unicodeScalars.prefix(64)))
    if distance <= limit, distance < (best?.distance ?? .max) { best = (candidate, distance) }
  }
  return best?.name
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one into the other.
private func editDistance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
  var beforeLast: [Int] = []
  var last = Array(0...right.count)
  for (row, letter) in left.enumerated() {
    var current = [row + 1]
    for (column, other) in right.enumerated() {
      var cost = min(last[column] + (letter == other ? 0 : 1), last[column + 1] + 1, current[column] + 1)
      if row > 0, column > 0, letter == right[column - 1], left[row - 1] == other {
        cost = min(cost, beforeLast[column - 1] + 1)
      }
      current.append(cost)
    }
    (beforeLast, last) = (last, current)
  }
  return last[right.count]
}
