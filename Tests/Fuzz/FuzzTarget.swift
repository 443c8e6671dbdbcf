import ProtocolSpec

/// An invariant that an input breaks.
struct Finding: Error, Equatable, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// One reader of bytes under test: `check` may throw a `Finding`, and must neither trap nor hang.
struct FuzzTarget: Sendable {
  /// What most inputs look like, which says how they are best changed.
  enum Form: Sendable { case bytes, json, lines }

  let name: String
  let form: Form
  /// Words that mean something to the reader.
  let dictionary: [String]
  let seeds: @Sendable () throws -> [[UInt8]]
  /// Gives the outcome's shape: inputs with a new one are kept and changed further.
  let check: @Sendable ([UInt8]) throws -> Shape

  static let all: [FuzzTarget] = [
    .frames, .webSocket, .httpRequest, .httpResponse, .events, .json, .yaml, .schema, .transcripts, .layout,
    .messages, .lineSplitter,
    .tap, .recordings, .har,
  ]

  static func named(_ name: String) -> FuzzTarget? { (all + planted).first { $0.name == name } }
}

/// A hash of what a reader said, without the numbers and quotations that differ from input to input.
struct Shape: Sendable, Hashable {
  private var hash: UInt64 = 0xcbf2_9ce4_8422_2325

  init(_ text: String = "") { add(text) }

  mutating func add(_ text: String) {
    var isQuoted = false
    for byte in text.utf8.prefix(400) {
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      if isQuoted || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { continue }
      add(UInt64(byte))
    }
  }

  /// Counts matter by their order of magnitude.
  mutating func add(count: Int) { add(UInt64(Int.bitWidth - count.leadingZeroBitCount)) }

  mutating func add(_ value: UInt64) { hash = (hash ^ value) &* 0x100_0000_01b3 }
}

func expect(_ holds: Bool, _ complaint: @autoclosure () -> String) throws {
  guard holds else { throw Finding(complaint()) }
}

extension FuzzTarget {
  /// Readers that are wrong on purpose, to prove that the fuzzer notices.
  static let planted: [FuzzTarget] = [
    FuzzTarget(
      name: "planted-lie", form: .bytes, dictionary: ["lie"], seeds: { [Array("a truth".utf8)] },
      check: { bytes in
        try expect(!String(decoding: bytes, as: UTF8.self).contains("lie"), "a lie was told")
        return Shape()
      }),
    FuzzTarget(
      name: "planted-trap", form: .bytes, dictionary: ["trap"], seeds: { [Array("a path".utf8)] },
      check: { bytes in
        precondition(!String(decoding: bytes, as: UTF8.self).contains("trap"), "planted")
        return Shape()
      }),
    FuzzTarget(
      name: "planted-hang", form: .bytes, dictionary: ["hang"], seeds: { [Array("a bang".utf8)] },
      check: { bytes in
        while String(decoding: bytes, as: UTF8.self).contains("hang") {}
        return Shape()
      }),
  ]
}

/// How bytes arrive: whole, one at a time, and cut at places that depend on nothing but them.
func pieces(of bytes: [UInt8]) -> [[ArraySlice<UInt8>]] {
  var random = SeededGenerator(seed: hash(of: bytes))
  var cut: [ArraySlice<UInt8>] = []
  var rest = bytes[...]
  while !rest.isEmpty {
    let count = min(rest.count, Int.random(in: 1...9, using: &random) * Int.random(in: 1...9, using: &random))
    cut.append(rest.prefix(count))
    rest = rest.dropFirst(count)
  }
  return [[bytes[...]], bytes.indices.map { bytes[$0...$0] }, cut]
}

/// Also the name of a stored case.
func hash(of bytes: [UInt8]) -> UInt64 { StableHash.of(bytes) }

extension SeededGenerator {
  mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &self) == 0 }
}
