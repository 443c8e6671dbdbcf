import JSON
import ProtocolSpec

/// Makes new inputs out of old ones; the same seed and pool give the same inputs.
struct Mutator {
  private var random: SeededGenerator
  private let form: FuzzTarget.Form
  private let words: [[UInt8]]
  private let values: [JSONValue]
  private let maxBytes: Int

  init(seed: UInt64, form: FuzzTarget.Form, dictionary: [String]) {
    random = SeededGenerator(seed: seed)
    self.form = form
    // Bytes are fed one by one, and the limits of their readers are set small.
    maxBytes = form == .bytes ? 3 * 1024 : 16 * 1024
    words = dictionary.map { Array($0.utf8) }
    values = dictionary.compactMap { try? JSONParser.parse($0) }
  }

  /// One of `pool`, changed in a few places; what is late in the pool is newer, and tried more often.
  mutating func input(from pool: [[UInt8]]) -> [UInt8] {
    guard !pool.isEmpty else { return [] }
    let start = random.chance(2) ? 0 : pool.count - max(pool.count / 8, 1)
    var bytes = pool[Int.random(in: start..<pool.count, using: &random)]
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      switch form {
      case .json where !random.chance(5): bytes = changeJSON(bytes, pool)
      case .lines where !random.chance(3): changeLines(&bytes)
      default: changeBytes(&bytes, pool)
      }
    }
    return bytes.count > maxBytes ? Array(bytes.prefix(maxBytes)) : bytes
  }

  // MARK: - Bytes

  private mutating func changeBytes(_ bytes: inout [UInt8], _ pool: [[UInt8]]) {
    let place = Int.random(in: 0...bytes.count, using: &random)
    let length = min(bytes.count - place, Int.random(in: 1...(random.chance(4) ? 64 : 4), using: &random))
    let range = place..<(place + length)
    switch Int.random(in: 0..<10, using: &random) {
    case 0 where length > 0: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
    case 1 where length > 0: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
    case 2 where length > 0: bytes[place] = bytes[place] &+ (random.chance(2) ? 1 : 255)
    case 3: bytes.removeSubrange(range)
    case 4: bytes.insert(contentsOf: bytes[range], at: Int.random(in: 0...bytes.count, using: &random))
    case 5: bytes.removeSubrange((random.chance(8) ? place : range.upperBound)...)
    case 6:
      let other = pool[Int.random(in: pool.indices, using: &random)]
      let cut = Int.random(in: 0...other.count, using: &random)
      bytes.replaceSubrange(place..., with: other[cut...])
    case 7:
      guard let part = bytes[range].first else { return }
      bytes.insert(contentsOf: repeatElement(part, count: Int.random(in: 1...300, using: &random)), at: place)
    case 8: changeNumber(&bytes, behind: place)
    default:
      guard let word = words.randomElement(using: &random) else { return }
      let end = random.chance(2) ? place : range.upperBound
      bytes.replaceSubrange(place..<end, with: word)
    }
  }

  private static let numbers = [
    "-1", "0", "1", "125", "126", "65535", "65536", "1048577", "2147483648", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "18446744073709551616", "0.5", "1e19", "1e400", "1e-400",
  ]

  /// Puts a number at the edge of something in the place of the next one.
  private mutating func changeNumber(_ bytes: inout [UInt8], behind place: Int) {
    func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    guard let start = bytes[place...].firstIndex(where: isDigit) else { return }
    let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
    let number = Self.numbers.randomElement(using: &random) ?? "0"
    bytes.replaceSubrange(start..<end, with: number.utf8)
  }

  // MARK: - Lines

  private mutating func changeLines(_ bytes: inout [UInt8]) {
    var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map(Array.init)
    let place = Int.random(in: lines.indices, using: &random)
    let other = Int.random(in: lines.indices, using: &random)
    switch Int.random(in: 0..<7, using: &random) {
    case 0: lines.remove(at: place)
    case 1: lines.insert(lines[place], at: other)
    case 2: lines.swapAt(place, other)
    case 3: lines[place].insert(contentsOf: [0x20, 0x20], at: 0)
    case 4: lines[place] = Array(lines[place].drop { $0 == 0x20 })
    case 5:
      // A word behind the line's key.
      guard let word = words.randomElement(using: &random) else { return }
      let key = lines[place].firstIndex(of: 0x3A).map { $0 + 1 } ?? lines[place].count
      lines[place].replaceSubrange(key..., with: [0x20] + word)
    default:
      guard let word = words.randomElement(using: &random) else { return }
      let indent = lines[place].prefix { $0 == 0x20 || $0 == 0x2D }
      lines.insert(indent + word, at: place)
    }
    bytes = Array(lines.joined(separator: [0x0A]))
  }

  // MARK: - JSON

  /// Changes a value inside, and leaves the text well formed.
  private mutating func changeJSON(_ bytes: [UInt8], _ pool: [[UInt8]]) -> [UInt8] {
    guard let value = try? JSONParser.parse(bytes) else {
      var bytes = bytes
      changeBytes(&bytes, pool)
      return bytes
    }
    let other = try? JSONParser.parse(pool[Int.random(in: pool.indices, using: &random)])
    return JSONWriter.bytes(changed(value, donor: other ?? value))
  }

  private mutating func changed(_ value: JSONValue, donor: JSONValue) -> JSONValue {
    switch value {
    case .object(let object) where !object.isEmpty && !random.chance(6):
      return .object(changedMembers(object, donor: donor))
    case .array(var elements) where !elements.isEmpty && !random.chance(6):
      let place = Int.random(in: elements.indices, using: &random)
      switch Int.random(in: 0..<8, using: &random) {
      case 0: elements.remove(at: place)
      case 1: elements.insert(elements[place], at: 0)
      case 2: elements.append(part(of: donor))
      default: elements[place] = changed(elements[place], donor: donor)
      }
      return .array(elements)
    default:
      switch Int.random(in: 0..<6, using: &random) {
      case 0: return .array([value])
      case 1: return .object(JSONObject([(key(), value)]))
      case 2: return part(of: donor)
      case 3: return .object(JSONObject([(key(), part(of: donor))]))
      default: return values.randomElement(using: &random) ?? .null
      }
    }
  }

  private mutating func changedMembers(_ object: JSONObject, donor: JSONValue) -> JSONObject {
    var object = object
    let keys = object.keys
    let key = keys[Int.random(in: keys.indices, using: &random)]
    switch Int.random(in: 0..<8, using: &random) {
    case 0: object[key] = nil
    case 1:
      let value = object[key]
      object[key] = nil
      object[self.key()] = value
    case 2: object[self.key()] = part(of: donor)
    default: object[key] = object[key].map { changed($0, donor: donor) }
    }
    return object
  }

  private mutating func key() -> String {
    for _ in 0..<4 { if let text = values.randomElement(using: &random)?.string { return text } }
    return "a"
  }

  private mutating func part(of value: JSONValue) -> JSONValue {
    guard !random.chance(3) else { return value }
    switch value {
    case .object(let object): return object.randomElement(using: &random).map { part(of: $0.value) } ?? value
    case .array(let elements): return elements.randomElement(using: &random).map { part(of: $0) } ?? value
    default: return value
    }
  }
}

extension JSONObject {
  fileprivate func randomElement(using random: inout SeededGenerator) -> Member? {
    Array(self).randomElement(using: &random)
  }
}
