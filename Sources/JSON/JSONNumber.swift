/// A JSON number (RFC 8259 §6) that keeps its text, so `1.50` and 20-digit ids come back as sent.
///
/// Two numbers are equal if they are the same mathematically: `1`, `1.0` and `10e-1`.
package struct JSONNumber: Sendable {
  package let text: String

  package init(_ value: Int) { text = String(value) }

  /// `value` must be finite; JSON has no text for what is not, and null would lie.
  package init(_ value: Double) {
    precondition(value.isFinite, "JSON has no number for \(value)")
    text = value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : "\(value)"
  }

  /// `text` must follow the grammar of RFC 8259 §6; nothing here checks it again.
  package init(checked text: String) { self.text = text }

  /// The value if it has no fraction and fits `Int`: `3`, `3.0` and `3e2`, not `3.5`.
  package var int: Int? {
    if let plain = Int(text) { return plain }
    let decimal = decimal
    guard decimal.isInteger, decimal.digits.count + decimal.zeros <= 19 else { return nil }
    if decimal.digits.isEmpty { return 0 }
    let digits = decimal.digits + String(repeating: "0", count: decimal.zeros)
    return Int((decimal.isNegative ? "-" : "") + digits)
  }

  /// The nearest double; infinite where the number is beyond its range.
  package var double: Double { Double(text) ?? .nan }

  package var isInteger: Bool { Int(text) != nil || decimal.isInteger }
}

extension JSONNumber: Hashable, Comparable {
  package static func == (left: JSONNumber, right: JSONNumber) -> Bool {
    left.text == right.text || left.decimal == right.decimal
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(decimal) }

  package static func < (left: JSONNumber, right: JSONNumber) -> Bool {
    if let left = Int(left.text), let right = Int(right.text) { return left < right }
    return left.decimal < right.decimal
  }
}

extension JSONNumber {
  /// The normal form of the number: ± 0.d₁d₂d₃… × 10^magnitude without outer zeros.
  package var decimal: JSONDecimal { JSONDecimal(text) }
}

/// A decimal in normal form: no leading or trailing zero digits; zero has no digits at all.
package struct JSONDecimal: Hashable, Sendable, Comparable {
  package private(set) var isNegative = false
  /// The significant digits, first and last not zero.
  package private(set) var digits = ""
  /// The decimal point stands this many places right of the start of `digits`.
  package private(set) var magnitude = 0

  /// Exponents past this are cut off, so that arithmetic on them cannot overflow.
  private static let exponentLimit = 1 << 60

  package init(_ text: String) {
    var exponent = 0
    var point: Int?
    var all: [UInt8] = []
    var rest = text.utf8[...]
    if rest.first == UInt8(ascii: "-") {
      isNegative = true
      rest = rest.dropFirst()
    }
    while let byte = rest.first {
      rest = rest.dropFirst()
      if byte == UInt8(ascii: ".") {
        point = all.count
      } else if byte | 0x20 == UInt8(ascii: "e") {
        exponent = Self.exponent(rest)
        break
      } else {
        all.append(byte)
      }
    }
    let zero = UInt8(ascii: "0")
    let leading = all.prefix { $0 == zero }.count
    let trailing = all.dropFirst(leading).reversed().prefix { $0 == zero }.count
    digits = String(decoding: all[leading..<(all.count - trailing)], as: UTF8.self)
    magnitude = (point ?? all.count) - leading + exponent
    if digits.isEmpty { (isNegative, magnitude) = (false, 0) }
  }

  private static func exponent(_ text: Substring.UTF8View) -> Int {
    let isNegative = text.first == UInt8(ascii: "-")
    let value = Int(String(decoding: text, as: UTF8.self)) ?? (isNegative ? -exponentLimit : exponentLimit)
    return min(max(value, -exponentLimit), exponentLimit)
  }

  package var isInteger: Bool { magnitude >= digits.utf8.count }

  /// How many zeros follow `digits` before the decimal point, for an integer.
  package var zeros: Int { max(magnitude - digits.utf8.count, 0) }

  package static func < (left: JSONDecimal, right: JSONDecimal) -> Bool {
    if left.isNegative != right.isNegative { return left.isNegative }
    return left.isNegative ? right.isCloserToZero(than: left) : left.isCloserToZero(than: right)
  }

  private func isCloserToZero(than other: JSONDecimal) -> Bool {
    if digits.isEmpty || other.digits.isEmpty { return digits.isEmpty && !other.digits.isEmpty }
    if magnitude != other.magnitude { return magnitude < other.magnitude }
    return digits.utf8.lexicographicallyPrecedes(other.digits.utf8)
  }
}
