import Foundation
import JSON

extension FuzzTarget {
  /// `JSONParser` and `JSONWriter`: what is accepted comes back as it was, and Foundation agrees
  /// about what is JSON.
  static let json = FuzzTarget(
    name: "json", form: .json, dictionary: JSONSeeds.dictionary,
    seeds: { JSONSeeds.texts.map { Array($0.utf8) } },
    check: { bytes in
      let strict = Result { try JSONParser.parse(bytes) }
      let loose = Result { try JSONParser.parse(bytes, limits: JSONLimits(allowsDuplicateKeys: true)) }
      try checkAgreement(bytes, loose)
      switch (strict, loose) {
      case (.success(let value), .success(let same)):
        try expect(value == same, "duplicate keys are allowed, and the value is another")
        return try checkRoundTrip(value)
      case (.failure(let error as JSONError), _):
        try expect(
          (0...bytes.count).contains(error.offset) && error.line >= 1 && error.column >= 1
            && error.column <= error.offset + 1,
          "an error outside the text: \(error.offset) of \(bytes.count), \(error)")
        if case .success(let value) = loose {
          try expect(error.reason.hasSuffix("stands twice"), "refused only if strict: \(error)")
          _ = try checkRoundTrip(value)
        }
        return Shape(error.reason)
      default: throw Finding("accepted only if strict: \(loose)")
      }
    })

  /// A value that is written is read as the same, and read to the same text.
  static func checkRoundTrip(_ value: JSONValue) throws -> Shape {
    let text = JSONWriter.bytes(value)
    for written in [text, Array(JSONWriter.indented(value).utf8)] {
      let again: JSONValue
      do {
        again = try JSONParser.parse(written)
      } catch {
        throw Finding("written as \(String(decoding: written, as: UTF8.self)), refused: \(error)")
      }
      try expect(again == value && again.hashValue == value.hashValue, "read as another value")
      try expect(JSONWriter.bytes(again) == text, "written as \(again), before as \(value)")
    }
    try expect(JSONDiff.lines(expected: value, actual: value).isEmpty, "it differs from itself")
    var shape = Shape()
    walk(value, JSONPointer(), root: value, &shape, depth: 0)
    return shape
  }

  private static func walk(
    _ value: JSONValue, _ place: JSONPointer, root: JSONValue, _ shape: inout Shape, depth: Int
  ) {
    guard depth < 2 else { return }
    shape.add(value.typeName)
    switch value {
    case .array(let elements):
      for (index, element) in elements.enumerated().prefix(3) {
        walk(element, place.appending(index), root: root, &shape, depth: depth + 1)
      }
    case .object(let object):
      for (key, value) in object.prefix(3) {
        let inside = place.appending(key)
        precondition(JSONPointer(inside.description) == inside && root[inside] == value, "pointer \(inside)")
        walk(value, inside, root: root, &shape, depth: depth + 1)
      }
    case .number(let number):
      _ = (number.int, number.double, number.isInteger, number < JSONNumber(0))
    default: break
    }
  }

  /// Foundation's parser is asked where both follow RFC 8259: it also takes UTF-16 and UTF-32 (§8.1),
  /// has another limit of depth, and refuses numbers that no double holds (§6).
  private static func checkAgreement(_ bytes: [UInt8], _ ours: Result<JSONValue, any Error>) throws {
    guard !bytes.contains(0), ![0xEF, 0xFE, 0xFF].contains(bytes.first), !bytes.isEmpty else { return }
    // Foundation drops a byte order mark also at the start of a string.
    guard bytes.firstRange(of: [0xEF, 0xBB, 0xBF]) == nil else { return }
    let theirs = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
    switch (ours, theirs) {
    case (.success(let value), let other?):
      try expect(isSame(value, other), "read as \(value), by Foundation as \(other)")
    case (.success(let value), nil):
      try expect(hasHugeNumber(value), "accepted, but not by Foundation")
    case (.failure(let error as JSONError), _?):
      let isOwnLimit = error.reason.hasPrefix("nested deeper")
      // Foundation also takes a comma behind the last element or member.
      let isLastComma = error.offset < bytes.count && [0x5D, 0x7D].contains(bytes[error.offset])
      try expect(isOwnLimit || isLastComma, "refused, but not by Foundation: \(error)")
    default: return
    }
  }

  private static func hasHugeNumber(_ value: JSONValue) -> Bool {
    switch value {
    case .number(let number):
      !number.double.isFinite || number.text.utf8.count > 15
        || number.text.utf8.contains { $0 | 0x20 == 0x65 }
    case .array(let elements): elements.contains(where: hasHugeNumber)
    case .object(let object): object.contains { hasHugeNumber($0.value) }
    default: false
    }
  }

  private static func isSame(_ value: JSONValue, _ other: Any) -> Bool {
    switch value {
    case .null: return other is NSNull
    case .bool(let value): return (other as? NSNumber)?.boolValue == value
    case .number(let number):
      guard let other = (other as? NSNumber)?.doubleValue else { return false }
      return abs(number.double - other) <= abs(other) * 1e-12 || !number.double.isFinite
    case .string(let text):
      return (other as? String)?.unicodeScalars.elementsEqual(text.unicodeScalars) ?? false
    case .array(let elements):
      guard let others = other as? [Any], others.count == elements.count else { return false }
      return zip(elements, others).allSatisfy(isSame)
    case .object(let object):
      guard let others = other as? [String: Any] else { return false }
      // Foundation takes keys for the same that differ only in their normal form.
      guard others.count == object.count else { return Set(object.keys).count == others.count }
      return object.allSatisfy { key, value in others[key].map { isSame(value, $0) } ?? false }
    }
  }
}

enum JSONSeeds {
  static let dictionary = [
    "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u0000", "\\ud83d\\ude00", "\\ud800", "\\udc00", "\\/",
    "null", "true",
    "false", "-0", "0.", "1e", "1e+400", "1E-400", "-", "123456789012345678901234567890", "1.50", "\u{FEFF}",
    "é",
    "e\u{301}", "\u{2028}", "\u{7F}", "\u{1F600}", "\t", "\r\n", "{\"a\":1,\"a\":2}", "[[[[[[[[", "]]]]]]]]",
  ]

  static let texts =
    [
      #"{"id": 1, "method": "ping", "params": {"a": [1, 2.50, -3e2, true, false, null]}}"#,
      #"["\u0041\n\t\"\\\/\ud83d\ude00é€", "", {"": {}}, [], 0, -0, 1e-7, 12345678901234567890]"#,
      #" "text" "#, "0", "null", #"{"a":{"b":{"c":[[[{}]]]}},"é":1,"é":2}"#,
      "{" + (0..<20).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}",
      String(repeating: "[", count: 520) + String(repeating: "]", count: 520),
    ]
}
