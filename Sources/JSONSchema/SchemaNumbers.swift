internal import JSON

extension SchemaProgram {
  /// `minimum`, `maximum` and their exclusive forms.
  struct Bound: Sendable {
    enum Kind: String, Sendable {
      case minimum, maximum, exclusiveMinimum, exclusiveMaximum
    }

    let kind: Kind
    let limit: JSONNumber

    func allows(_ value: JSONNumber) -> Bool {
      switch kind {
      case .minimum: !(value < limit)
      case .maximum: !(limit < value)
      case .exclusiveMinimum: limit < value
      case .exclusiveMaximum: value < limit
      }
    }

    func message(_ value: JSONNumber) -> String {
      let rule =
        switch kind {
        case .minimum: "at least"
        case .maximum: "at most"
        case .exclusiveMinimum: "greater than"
        case .exclusiveMaximum: "less than"
        }
      return "is \(shortened(value.text)), must be \(rule) \(limit.text)"
    }
  }

  /// `multipleOf`, exact for decimals of any size: no binary fraction is involved.
  struct Multiple: Sendable {
    let text: String
    /// The divisor is `digits` × 10^`exponent`.
    private let digits: UInt64
    private let exponent: Int

    /// Nil unless the number is positive and has at most 18 significant digits.
    init?(_ number: JSONNumber) {
      let decimal = number.decimal
      guard !decimal.isNegative, decimal.digits.utf8.count <= 18, let digits = UInt64(decimal.digits) else {
        return nil
      }
      text = number.text
      self.digits = digits
      exponent = decimal.magnitude - decimal.digits.utf8.count
    }

    func divides(_ number: JSONNumber) -> Bool {
      if exponent == 0, let value = Int(number.text) { return value.magnitude.isMultiple(of: UInt(digits)) }
      let decimal = number.decimal
      if decimal.digits.isEmpty { return true }
      let shift = decimal.magnitude - decimal.digits.utf8.count - exponent
      // The last digit is not 0, so no multiple of ten divides what is left.
      guard shift >= 0 else { return false }
      let remainder = decimal.digits.utf8.reduce(UInt64(0)) { rest, digit in
        (multiply(rest, 10) + UInt64(digit - UInt8(ascii: "0"))) % digits
      }
      return multiply(remainder, powerOfTen(shift)) == 0
    }

    // `digits` is below 10^18, so a sum of two remainders fits 64 bits.
    private func multiply(_ left: UInt64, _ right: UInt64) -> UInt64 {
      digits.dividingFullWidth((left % digits).multipliedFullWidth(by: right % digits)).remainder
    }

    /// 10^n modulo `digits`.
    private func powerOfTen(_ exponent: Int) -> UInt64 {
      var (result, base, rest) = (1 % digits, 10 % digits, exponent)
      while rest > 0 {
        if rest & 1 == 1 { result = multiply(result, base) }
        base = multiply(base, base)
        rest >>= 1
      }
      return result
    }
  }

  /// A limit on a number of characters, elements or properties.
  struct Size: Sendable {
    enum Kind: String, CaseIterable, Sendable {
      case minLength, maxLength, minItems, maxItems, minProperties, maxProperties
    }

    let kind: Kind
    let limit: Int

    /// The message if the value breaks the limit; nil if it does not or is of another kind.
    func isBroken(by value: JSONValue) -> Bool {
      switch (kind, value) {
      // A scalar has one to four bytes, so most texts need no counting.
      case (.minLength, .string(let text)):
        text.utf8.count < limit || (text.utf8.count / 4 < limit && text.unicodeScalars.count < limit)
      case (.maxLength, .string(let text)): text.utf8.count > limit && text.unicodeScalars.count > limit
      case (.minItems, .array(let elements)): elements.count < limit
      case (.maxItems, .array(let elements)): elements.count > limit
      case (.minProperties, .object(let members)): members.count < limit
      case (.maxProperties, .object(let members)): members.count > limit
      default: false
      }
    }

    func message(_ value: JSONValue) -> String {
      let (count, one, many) =
        switch value {
        case .string(let text): (text.unicodeScalars.count, "character", "characters")
        case .array(let elements): (elements.count, "item", "items")
        case .object(let members): (members.count, "property", "properties")
        default: (0, "", "")
        }
      let found = "has \(count) \(count == 1 ? one : many)"
      return switch kind {
      case .minLength, .minItems, .minProperties:
        "\(found), at least \(limit) \(limit == 1 ? "is" : "are") needed"
      case .maxLength, .maxItems, .maxProperties:
        "\(found), at most \(limit) \(limit == 1 ? "is" : "are") allowed"
      }
    }
  }
}

/// The text, cut after 60 characters.
func shortened(_ text: String) -> String {
  let limit = 60
  guard text.unicodeScalars.count > limit else { return text }
  return String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit))) + "…"
}
