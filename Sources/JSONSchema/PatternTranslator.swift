/// Rewrites a regular expression of ECMA-262 (with flag `u`, plus literal braces and brackets) for
/// ICU, which reads `\d`, `\w`, `\s`, `\b`, `.`, `$` and classes otherwise, and has syntax of its own.
struct PatternTranslator {
  private let source: [Unicode.Scalar]
  private var position = 0
  private var output = String.UnicodeScalarView()
  private var openGroups = 0
  private var names: [String: Int] = [:]
  private var groupCount = 0
  /// Whether what was last written can be repeated.
  private var canRepeat = false

  private static let space =
    #"\t\n\u000B\f\r \u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF"#
  private static let lineEnds = #"\n\r\u2028\u2029"#
  private static let word = "A-Za-z0-9_"

  /// Most repetitions that `{n}` may ask for.
  private static let repetitionLimit = 100_000

  init(_ source: String) { self.source = Array(source.unicodeScalars) }

  mutating func translate() throws(PatternError) -> String {
    try countGroups()
    while let scalar = peek {
      switch scalar {
      case "(": try openGroup()
      case ")":
        guard openGroups > 0 else { throw fault("has a ')' that closes nothing") }
        openGroups -= 1
        write(")", repeatable: true)
        position += 1
      case "[": try characterClass()
      case "\\": try escape()
      case "*", "+", "?": try quantifier(String(scalar), length: 1)
      case "{": try braces()
      case "}", "]":
        write("\\\(scalar)", repeatable: true)
        position += 1
      case ".":
        write("[^\(Self.lineEnds)]", repeatable: true)
        position += 1
      case "^", "|":
        write(String(scalar), repeatable: false)
        position += 1
      case "$":
        write(#"\z"#, repeatable: false)
        position += 1
      default:
        write(literal(scalar), repeatable: true)
        position += 1
      }
    }
    guard openGroups == 0 else { throw fault("has a '(' that is not closed") }
    return String(output)
  }

  // MARK: - Groups

  private mutating func countGroups() throws(PatternError) {
    var inClass = false
    var index = 0
    while index < source.count {
      switch source[index] {
      case "\\": index += 1
      case "[": inClass = true
      case "]": inClass = false
      case "(" where !inClass:
        if source[(index + 1)...].first != "?" {
          groupCount += 1
        } else if let name = groupName(at: index + 1) {
          groupCount += 1
          guard names.updateValue(groupCount, forKey: name) == nil else {
            throw fault("names the group \(quoted(name)) twice")
          }
        }
      default: break
      }
      index += 1
    }
  }

  /// The name in `?<name>`; nil for look-behind and all else.
  private func groupName(at index: Int) -> String? {
    let rest = source[min(index, source.count)...]
    guard rest.starts(with: "?<".unicodeScalars), let end = rest.firstIndex(of: ">") else { return nil }
    let name = rest[(index + 2)..<end]
    guard let first = name.first, first != "=", first != "!" else { return nil }
    return String(String.UnicodeScalarView(name))
  }

  private mutating func openGroup() throws(PatternError) {
    position += 1
    openGroups += 1
    let rest = source[position...]
    if rest.first != "?" {
      write("(", repeatable: false)
      return
    }
    for mark in ["?:", "?=", "?!", "?<=", "?<!"] where rest.starts(with: mark.unicodeScalars) {
      write("(" + mark, repeatable: false)
      position += mark.unicodeScalars.count
      return
    }
    guard let name = groupName(at: position) else { throw fault("has a group of unknown kind") }
    write("(", repeatable: false)
    position += name.unicodeScalars.count + 3
  }

  // MARK: - Quantifiers

  private mutating func braces() throws(PatternError) {
    let rest = source[position...]
    guard let end = rest.firstIndex(of: "}") else { return writeBrace() }
    let text = String(String.UnicodeScalarView(rest[position...end]))
    let parts = text.dropFirst().dropLast().split(separator: ",", omittingEmptySubsequences: false)
    let isQuantifier =
      (1...2).contains(parts.count) && !parts[0].isEmpty
      && parts.allSatisfy { $0.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } }
    guard isQuantifier else { return writeBrace() }
    let bounds = parts.map { Int($0) ?? ($0.isEmpty ? 0 : .max) }
    guard bounds.allSatisfy({ $0 <= Self.repetitionLimit }) else {
      throw fault("repeats \(text), limit \(Self.repetitionLimit)")
    }
    if parts.count == 2, !parts[1].isEmpty, bounds[1] < bounds[0] { throw fault("repeats \(text)") }
    try quantifier(text, length: text.unicodeScalars.count)
  }

  private mutating func writeBrace() {
    write(#"\{"#, repeatable: true)
    position += 1
  }

  private mutating func quantifier(_ text: String, length: Int) throws(PatternError) {
    // In ICU a second `+` would mean possessive; in ECMA-262 it is an error.
    guard canRepeat else { throw fault("has a '\(text)' that repeats nothing") }
    position += length
    let isLazy = peek == "?"
    if isLazy { position += 1 }
    write(text + (isLazy ? "?" : ""), repeatable: false)
  }

  // MARK: - Escapes

  private mutating func escape() throws(PatternError) {
    position += 1
    guard let scalar = next() else { throw fault("ends in a backslash") }
    switch scalar {
    case "b", "B": write(Self.boundary(scalar == "b"), repeatable: false)
    case "k": try namedBackreference()
    case "1"..."9": try backreference(scalar)
    default:
      if let set = try setEscape(scalar) {
        write("[\(set)]", repeatable: true)
      } else {
        write(literal(try characterEscape(scalar)), repeatable: true)
      }
    }
  }

  private static func boundary(_ isAt: Bool) -> String {
    let (before, notBefore) = ("(?<=[\(word)])", "(?<![\(word)])")
    let (after, notAfter) = ("(?=[\(word)])", "(?![\(word)])")
    return isAt
      ? "(?:\(before)\(notAfter)|\(notBefore)\(after))" : "(?:\(before)\(after)|\(notBefore)\(notAfter))"
  }

  private mutating func backreference(_ first: Unicode.Scalar) throws(PatternError) {
    var digits = String(first)
    while let digit = peek, ("0"..."9").contains(digit) {
      digits.unicodeScalars.append(digit)
      position += 1
    }
    guard let number = Int(digits), number <= groupCount else {
      throw fault("refers to the missing group \(digits)")
    }
    write("(?:\\\(number))", repeatable: true)
  }

  private mutating func namedBackreference() throws(PatternError) {
    guard peek == "<", let end = source[position...].firstIndex(of: ">") else {
      throw fault("has a bare \\k")
    }
    let name = String(String.UnicodeScalarView(source[(position + 1)..<end]))
    guard let number = names[name] else { throw fault("refers to the missing group \(quoted(name))") }
    position = end + 1
    write("(?:\\\(number))", repeatable: true)
  }

  /// The inside of a class for `\d`, `\p{…}` and their like; nil for escapes of one character.
  private mutating func setEscape(_ scalar: Unicode.Scalar) throws(PatternError) -> String? {
    switch scalar {
    case "d": return "0-9"
    case "D": return "[^0-9]"
    case "w": return Self.word
    case "W": return "[^\(Self.word)]"
    case "s": return Self.space
    case "S": return "[^\(Self.space)]"
    case "p", "P":
      guard peek == "{", let end = source[position...].firstIndex(of: "}") else {
        throw fault("has a \\\(scalar) without a property")
      }
      let name = source[(position + 1)..<end]
      let isName = name.allSatisfy {
        $0.isASCII && ($0.properties.isAlphabetic || "_=0123456789".unicodeScalars.contains($0))
      }
      guard isName, !name.isEmpty else { throw fault("names no property of Unicode") }
      position = end + 1
      return "\\\(scalar){\(String(String.UnicodeScalarView(name)))}"
    default: return nil
    }
  }

  private mutating func characterEscape(_ scalar: Unicode.Scalar) throws(PatternError) -> Unicode.Scalar {
    switch scalar {
    case "t": return "\t"
    case "n": return "\n"
    case "v": return "\u{B}"
    case "f": return "\u{C}"
    case "r": return "\r"
    case "0":
      if let digit = peek, ("0"..."9").contains(digit) { throw fault("has an octal escape") }
      return "\0"
    case "c":
      guard let letter = next(), letter.isASCII, letter.properties.isAlphabetic else {
        throw fault("has a bare \\c")
      }
      return Unicode.Scalar(UInt8(letter.value & 0x1F))
    case "x": return try scalarOf(hexadecimal(2))
    case "u": return try unicodeEscape()
    default:
      let isWord =
        scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "_")
      guard !isWord else { throw fault("has the unknown escape \\\(scalar)") }
      return scalar
    }
  }

  private mutating func unicodeEscape() throws(PatternError) -> Unicode.Scalar {
    if peek == "{" {
      guard let end = source[position...].firstIndex(of: "}") else { throw fault("has an open \\u{") }
      let digits = String(String.UnicodeScalarView(source[(position + 1)..<end]))
      position = end + 1
      guard let value = UInt32(digits, radix: 16) else { throw fault("has a malformed \\u{") }
      return try scalarOf(value)
    }
    let first = try hexadecimal(4)
    guard (0xD800...0xDBFF).contains(first) else { return try scalarOf(first) }
    guard next() == "\\", next() == "u" else { throw fault("has half a surrogate pair") }
    let second = try hexadecimal(4)
    guard (0xDC00...0xDFFF).contains(second) else { throw fault("has half a surrogate pair") }
    return try scalarOf(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
  }

  private mutating func hexadecimal(_ count: Int) throws(PatternError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<count {
      guard let scalar = next(), scalar.isASCII, let digit = Character(scalar).hexDigitValue else {
        throw fault("has a malformed hexadecimal escape")
      }
      value = value << 4 | UInt32(digit)
    }
    return value
  }

  private func scalarOf(_ value: UInt32) throws(PatternError) -> Unicode.Scalar {
    guard let scalar = Unicode.Scalar(value) else { throw fault("has an escape that is no character") }
    return scalar
  }

  // MARK: - Classes

  private mutating func characterClass() throws(PatternError) {
    position += 1
    let isNegated = peek == "^"
    if isNegated { position += 1 }
    var body = ""
    while let scalar = next() {
      if scalar == "]" {
        write(Self.set(body, isNegated: isNegated), repeatable: true)
        return
      }
      let first = try classAtom(scalar)
      guard peek == "-", position + 1 < source.count, source[position + 1] != "]" else {
        body += first.text
        continue
      }
      position += 1
      guard let second = next() else { break }
      let last = try classAtom(second)
      guard let low = first.scalar, let high = last.scalar, low <= high else {
        throw fault("has a malformed range in a class")
      }
      body += "\(first.text)-\(last.text)"
    }
    throw fault("has a '[' that is not closed")
  }

  private static func set(_ body: String, isNegated: Bool) -> String {
    // ICU has no empty class: `[]` matches nothing, `[^]` everything.
    if body.isEmpty { return isNegated ? #"[\u0000-\U0010FFFF]"# : "(?!)" }
    return isNegated ? "[^\(body)]" : "[\(body)]"
  }

  /// One member of a class; `scalar` is nil where it is a whole set.
  private mutating func classAtom(
    _ scalar: Unicode.Scalar
  ) throws(PatternError) -> (text: String, scalar: Unicode.Scalar?) {
    guard scalar == "\\" else { return (literal(scalar), scalar) }
    guard let escaped = next() else { throw fault("ends in a backslash") }
    if escaped == "b" { return (literal("\u{8}"), "\u{8}") }
    if escaped == "-" { return (literal("-"), "-") }
    if let set = try setEscape(escaped) { return (set, nil) }
    let character = try characterEscape(escaped)
    return (literal(character), character)
  }

  // MARK: - Steps

  private var peek: Unicode.Scalar? { position < source.count ? source[position] : nil }

  private mutating func next() -> Unicode.Scalar? {
    guard let scalar = peek else { return nil }
    position += 1
    return scalar
  }

  private mutating func write(_ text: String, repeatable: Bool) {
    output.append(contentsOf: text.unicodeScalars)
    canRepeat = repeatable
  }

  /// A scalar that stands for itself inside and outside of classes.
  private func literal(_ scalar: Unicode.Scalar) -> String {
    switch scalar.value {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: return String(scalar)
    case 0x80...: return String(scalar)
    case 0x21...0x7E: return "\\\(scalar)"
    default:
      let digits = String(scalar.value, radix: 16)
      return "\\x" + (digits.utf8.count == 1 ? "0" : "") + digits
    }
  }

  private func fault(_ reason: String) -> PatternError { PatternError(reason: reason) }
}
