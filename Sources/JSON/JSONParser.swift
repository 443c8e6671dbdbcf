/// What a reader of JSON accepts beyond the grammar of RFC 8259.
package struct JSONLimits: Sendable {
  /// How deep values may be nested; a top value has depth 1.
  package var depth: Int
  /// Whether a key may stand twice in one object; if so the last one counts (RFC 8259 §4).
  package var allowsDuplicateKeys: Bool

  package init(depth: Int = 512, allowsDuplicateKeys: Bool = false) {
    self.depth = depth
    self.allowsDuplicateKeys = allowsDuplicateKeys
  }
}

/// Where and why a text is not JSON.
package struct JSONError: Error, Equatable, CustomStringConvertible {
  package let reason: String
  /// Bytes before the fault.
  package let offset: Int
  /// Line and column of the fault, both from 1, columns in Unicode scalars.
  package let line: Int
  package let column: Int

  package var description: String { "\(reason): line \(line) column \(column)" }
}

/// A strict reader of JSON texts (RFC 8259): UTF-8 is checked, lone surrogates, duplicate keys and
/// nesting past the limit are refused.
package struct JSONParser {
  private struct Fault: Error {
    let reason: String
    let offset: Int
  }

  private let bytes: UnsafeBufferPointer<UInt8>
  private let limits: JSONLimits
  private var position = 0

  package static func parse(
    _ text: String, limits: JSONLimits = JSONLimits()
  ) throws(JSONError) -> JSONValue {
    try parse(Array(text.utf8), limits: limits)
  }

  package static func parse(
    _ bytes: [UInt8], limits: JSONLimits = JSONLimits()
  ) throws(JSONError) -> JSONValue {
    let result = bytes.withUnsafeBufferPointer { buffer -> Result<JSONValue, JSONError> in
      var parser = JSONParser(bytes: buffer, limits: limits)
      do throws(Fault) {
        return .success(try parser.document())
      } catch {
        return .failure(parser.located(error))
      }
    }
    return try result.get()
  }

  private init(bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits) {
    self.bytes = bytes
    self.limits = limits
  }

  private func located(_ fault: Fault) -> JSONError {
    let before = bytes[..<min(fault.offset, bytes.count)]
    let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    return JSONError(
      reason: fault.reason, offset: fault.offset,
      line: before.count { $0 == UInt8(ascii: "\n") } + 1,
      column: before[lineStart...].count { $0 & 0xC0 != 0x80 } + 1)
  }

  // MARK: - Structure

  private mutating func document() throws(Fault) -> JSONValue {
    skipSpace()
    let value = try value(depth: 1)
    skipSpace()
    guard position == bytes.count else { throw fault("extra text after the value") }
    return value
  }

  private mutating func value(depth: Int) throws(Fault) -> JSONValue {
    guard position < bytes.count else { throw fault("a value is expected") }
    switch bytes[position] {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: throw fault("a value is expected")
    }
  }

  private mutating func object(depth: Int) throws(Fault) -> JSONValue {
    try enter(depth)
    var object = JSONObject()
    if skipSpaceThen(UInt8(ascii: "}")) { return .object(object) }
    while true {
      skipSpace()
      let start = position
      guard peek == UInt8(ascii: "\"") else { throw fault("a key in double quotes is expected") }
      let key = try string()
      guard skipSpaceThen(UInt8(ascii: ":")) else { throw fault("':' is expected after a key") }
      skipSpace()
      let value = try value(depth: depth + 1)
      if limits.allowsDuplicateKeys {
        object[key] = value
      } else if !object.insert(key, value) {
        throw Fault(reason: "the key \(JSONWriter.text(.string(key))) stands twice", offset: start)
      }
      if skipSpaceThen(UInt8(ascii: "}")) { return .object(object) }
      guard skipSpaceThen(UInt8(ascii: ",")) else { throw fault("',' or '}' is expected") }
    }
  }

  private mutating func array(depth: Int) throws(Fault) -> JSONValue {
    try enter(depth)
    var elements: [JSONValue] = []
    if skipSpaceThen(UInt8(ascii: "]")) { return .array(elements) }
    while true {
      skipSpace()
      elements.append(try value(depth: depth + 1))
      if skipSpaceThen(UInt8(ascii: "]")) { return .array(elements) }
      guard skipSpaceThen(UInt8(ascii: ",")) else { throw fault("',' or ']' is expected") }
    }
  }

  private mutating func enter(_ depth: Int) throws(Fault) {
    guard depth <= limits.depth else { throw fault("nested deeper than \(limits.depth)") }
    position += 1
  }

  private mutating func word(_ text: StaticString, _ value: JSONValue) throws(Fault) -> JSONValue {
    let length = text.utf8CodeUnitCount
    guard bytes.count - position >= length else { throw fault("a value is expected") }
    for offset in 0..<length where bytes[position + offset] != text.utf8Start[offset] {
      throw fault("a value is expected")
    }
    position += length
    return value
  }

  // MARK: - Numbers

  private mutating func number() throws(Fault) -> JSONNumber {
    let start = position
    if peek == UInt8(ascii: "-") { position += 1 }
    if peek == UInt8(ascii: "0") {
      position += 1
    } else {
      try digits()
    }
    if peek == UInt8(ascii: ".") {
      position += 1
      try digits()
    }
    if let byte = peek, byte | 0x20 == UInt8(ascii: "e") {
      position += 1
      if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { position += 1 }
      try digits()
    }
    return JSONNumber(checked: String(decoding: bytes[start..<position], as: UTF8.self))
  }

  private mutating func digits() throws(Fault) {
    let start = position
    while let byte = peek, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
    guard position > start else { throw fault("a digit is expected") }
  }

  // MARK: - Strings

  private mutating func string() throws(Fault) -> String {
    position += 1
    let start = position
    while position < bytes.count {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") {
        let text = try checkedText(start..<position)
        position += 1
        return text
      }
      if byte == UInt8(ascii: "\\") { return try stringWithEscapes(from: start) }
      guard byte >= 0x20 else { throw fault("a control character must be escaped") }
      position += 1
    }
    throw fault("the string does not end")
  }

  private mutating func stringWithEscapes(from start: Int) throws(Fault) -> String {
    var text = ""
    var run = start
    while position < bytes.count {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        if run < position { text += try checkedText(run..<position) }
        position += 1
        if byte == UInt8(ascii: "\"") { return text }
        text.unicodeScalars.append(try escape())
        run = position
      } else {
        guard byte >= 0x20 else { throw fault("a control character must be escaped") }
        position += 1
      }
    }
    throw fault("the string does not end")
  }

  private func checkedText(_ range: Range<Int>) throws(Fault) -> String {
    do {
      return String(copying: try UTF8Span(validating: UnsafeBufferPointer(rebasing: bytes[range]).span))
    } catch {
      throw Fault(reason: "not UTF-8", offset: range.lowerBound + error.byteOffsets.lowerBound)
    }
  }

  private mutating func escape() throws(Fault) -> Unicode.Scalar {
    guard let byte = peek else { throw fault("the string does not end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return try unicodeEscape()
    default: throw Fault(reason: "no such escape in JSON", offset: position - 1)
    }
  }

  private mutating func unicodeEscape() throws(Fault) -> Unicode.Scalar {
    let start = position - 2
    let first = try fourHexDigits()
    if let scalar = Unicode.Scalar(first) { return scalar }
    let isPair =
      first < 0xDC00 && position + 1 < bytes.count && bytes[position] == UInt8(ascii: "\\")
      && bytes[position + 1] == UInt8(ascii: "u")
    if isPair {
      position += 2
      let second = try fourHexDigits()
      if (0xDC00...0xDFFF).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
      {
        return scalar
      }
    }
    throw Fault(reason: "a lone surrogate is no character", offset: start)
  }

  private mutating func fourHexDigits() throws(Fault) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw fault("four hexadecimal digits are expected after \\u")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  // MARK: - Steps

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  private mutating func skipSpaceThen(_ byte: UInt8) -> Bool {
    skipSpace()
    guard peek == byte else { return false }
    position += 1
    return true
  }

  private func fault(_ reason: String) -> Fault { Fault(reason: reason, offset: position) }
}
