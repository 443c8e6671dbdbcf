/// Header fields in the order they came, found by name whatever its case (RFC 9110 §5).
package struct HTTPHeaders: Sendable {
  private var fields: [(name: String, value: String)]

  package init(_ fields: [(String, String)] = []) {
    self.fields = fields.map { (name: $0.0, value: $0.1) }
  }

  /// Whether two names are those of one field, whatever their case.
  package static func isSame(_ name: String, _ other: String) -> Bool { ASCII.equal(name, other) }

  package var count: Int { fields.count }
  package var isEmpty: Bool { fields.isEmpty }

  /// The first value of `name`; setting replaces every field of that name, nil removes them.
  package subscript(name: String) -> String? {
    get {
      for field in fields where ASCII.equal(field.name, name) { return field.value }
      return nil
    }
    set {
      if let newValue { set(name, newValue) } else { remove(name) }
    }
  }

  /// All values of `name`, in order.
  package func values(_ name: String) -> [String] {
    fields.filter { ASCII.equal($0.name, name) }.map(\.value)
  }

  package mutating func append(_ name: String, _ value: String) {
    fields.append((name: name, value: value))
  }

  /// Replaces every field called `name` by one; it keeps the place of the first.
  package mutating func set(_ name: String, _ value: String) {
    guard let place = fields.firstIndex(where: { ASCII.equal($0.name, name) }) else {
      append(name, value)
      return
    }
    var rest = Array(fields[(place + 1)...])
    rest.removeAll { ASCII.equal($0.name, name) }
    fields[place...] = [(name: fields[place].name, value: value)]
    fields += rest
  }

  package mutating func remove(_ name: String) {
    fields.removeAll { ASCII.equal($0.name, name) }
  }

  package mutating func append(contentsOf other: HTTPHeaders) { fields += other.fields }

  /// Joins a folded line to the last value (RFC 9112 §5.2, responses only).
  mutating func continueLast(_ text: String) {
    guard let last = fields.indices.last else { return }
    fields[last].value += fields[last].value.isEmpty || text.isEmpty ? text : " " + text
  }

  /// The members of the comma-separated list `name`, without surrounding space (RFC 9110 §5.6.1).
  package func list(_ name: String) -> [String] {
    var members: [String] = []
    for field in fields where ASCII.equal(field.name, name) {
      for part in field.value.utf8.split(separator: ASCII.comma) {
        let trimmed = ASCII.trim(part)
        if !trimmed.isEmpty { members.append(String(trimmed) ?? "") }
      }
    }
    return members
  }

  /// Whether the list `name` has the member `token`, whatever its case.
  package func contains(token: String, in name: String) -> Bool {
    list(name).contains { ASCII.equal($0, token) }
  }
}

extension HTTPHeaders: Sequence {
  package func makeIterator() -> IndexingIterator<[(name: String, value: String)]> {
    fields.makeIterator()
  }
}

extension HTTPHeaders: Equatable {
  package static func == (a: HTTPHeaders, b: HTTPHeaders) -> Bool {
    a.fields.elementsEqual(b.fields) { $0.name == $1.name && $0.value == $1.value }
  }
}

extension HTTPHeaders: ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
  package init(arrayLiteral elements: (String, String)...) { self.init(elements) }
  package init(dictionaryLiteral elements: (String, String)...) { self.init(elements) }
}

/// The bytes HTTP is made of.
enum ASCII {
  static let tab: UInt8 = 0x09
  static let lineFeed: UInt8 = 0x0A
  static let carriageReturn: UInt8 = 0x0D
  static let space: UInt8 = 0x20
  static let quote: UInt8 = 0x22
  static let comma: UInt8 = 0x2C
  static let slash: UInt8 = 0x2F
  static let colon: UInt8 = 0x3A
  static let semicolon: UInt8 = 0x3B
  static let equals: UInt8 = 0x3D
  static let backslash: UInt8 = 0x5C

  @inline(__always)
  static func lower(_ byte: UInt8) -> UInt8 {
    byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte
  }

  static func equal(_ a: String, _ b: String) -> Bool {
    let x = a.utf8
    let y = b.utf8
    return x.count == y.count && x.elementsEqual(y) { $0 == $1 || lower($0) == lower($1) }
  }

  /// tchar (RFC 9110 §5.6.2).
  @inline(__always)
  static func isToken(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x5E...0x7A, 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x7C, 0x7E: true
    default: false
    }
  }

  static func isToken(_ text: some Collection<UInt8>) -> Bool {
    !text.isEmpty && text.allSatisfy { isToken($0) }
  }

  static func trim(_ text: Substring.UTF8View) -> Substring.UTF8View {
    var text = text
    while let first = text.first, first == space || first == tab { text.removeFirst() }
    while let last = text.last, last == space || last == tab { text.removeLast() }
    return text
  }

  /// The text with anything unprintable escaped and long text cut, for error messages.
  static func quote(_ bytes: some Collection<UInt8>) -> String {
    var text = "\""
    for byte in bytes.prefix(60) {
      if byte >= 0x20 && byte < 0x7F && byte != 0x22 && byte != 0x5C {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        let hex = String(byte, radix: 16)
        text += "\\x" + (hex.utf8.count == 1 ? "0" : "") + hex
      }
    }
    return text + (bytes.count > 60 ? "…\"" : "\"")
  }
}
