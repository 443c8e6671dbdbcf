internal import YAML

/// How hard a task is and who runs it (`Spec/routing.yaml`).
package struct RoutingSpec: Sendable {
  private struct Step {
    let moreThan: Int
    let add: Int
  }

  private struct Keywords {
    let add: Int
    let phrases: [Words]
  }

  private struct Executor {
    let type: String
    let phrases: [Words]
    let name: String
  }

  private let base: Int
  private let bounds: ClosedRange<Int>
  private let length: [Step]
  private let history: [Step]
  private let keywords: [Keywords]
  private let executors: [Executor]
  package let fallbackExecutor: String

  init(_ node: YAMLNode, _ requirements: inout RequirementReader) throws(SourceError) {
    try node.checkKeys(["format", "complexity", "executors", "fallback_executor", "requirements"])
    let complexity = try node.required("complexity")
    try complexity.checkKeys(["base", "minimum", "maximum", "length", "history", "keywords"])
    base = try complexity.required("base").int()
    let minimum = try complexity.required("minimum").int()
    let maximum = try complexity.required("maximum")
    guard try maximum.int() >= minimum else { throw maximum.error("the maximum is below the minimum") }
    bounds = minimum...(try maximum.int())
    length = try Self.steps(complexity.required("length"))
    history = try Self.steps(complexity.required("history"))
    var keywords: [Keywords] = []
    for entry in try complexity.required("keywords").sequence() {
      try entry.checkKeys(["add", "words"])
      keywords.append(
        Keywords(add: try entry.required("add").int(), phrases: try Self.phrases(entry.required("words"))))
    }
    self.keywords = keywords
    var executors: [Executor] = []
    for entry in try node.required("executors").sequence() {
      try entry.checkKeys(["type", "words", "executor"])
      var phrases: [Words] = []
      if let words = entry["words"] { phrases = try Self.phrases(words) }
      executors.append(
        Executor(
          type: try entry.required("type").string(), phrases: phrases,
          name: try entry.required("executor").string()))
    }
    self.executors = executors
    fallbackExecutor = try node.required("fallback_executor").string()
    try requirements.read(node)
  }

  private static func steps(_ node: YAMLNode) throws(SourceError) -> [Step] {
    var steps: [Step] = []
    for entry in try node.sequence() {
      try entry.checkKeys(["more_than", "add"])
      steps.append(
        Step(moreThan: try entry.required("more_than").int(), add: try entry.required("add").int()))
    }
    return steps
  }

  private static func phrases(_ node: YAMLNode) throws(SourceError) -> [Words] {
    try node.strings().map { Words($0) }
  }

  /// 0 for the simplest task, 100 for the hardest.
  ///
  /// - Parameter historyCount: messages before the description.
  package func complexity(of description: String, historyCount: Int) -> Int {
    let scalars = description.unicodeScalars.count
    let words = Words(description)
    var sum = base
    sum += length.first { scalars > $0.moreThan }?.add ?? 0
    sum += history.first { historyCount > $0.moreThan }?.add ?? 0
    for group in keywords {
      sum += group.add * group.phrases.count { words.contains($0) }
    }
    return min(max(sum, bounds.lowerBound), bounds.upperBound)
  }

  /// The executor the task is meant for; whether it is there is for others to know.
  package func executor(type: String, description: String) -> String {
    let words = Words(description)
    let named = executors.first { $0.type == type && type != executors.last?.type }
    let byWord = executors.first { $0.phrases.contains { words.contains($0) } }
    return (named ?? byWord ?? executors.last)?.name ?? fallbackExecutor
  }
}

/// The words of a text in lower case, each with a space before and behind it.
private struct Words: Sendable {
  private let bytes: [UInt8]

  private static let space = UInt8(ascii: " ")

  init(_ text: String) {
    var bytes = [Self.space]
    bytes.reserveCapacity(text.utf8.count + 2)
    // Most texts are ASCII, and what Unicode knows of each character takes long to look up.
    let isASCII = text.utf8.allSatisfy { byte in
      if let small = Self.inLowerCase(byte) {
        bytes.append(small)
      } else if bytes.last != Self.space {
        bytes.append(Self.space)
      }
      return byte < 0x80
    }
    if !isASCII {
      bytes = [Self.space]
      for word in text.lowercased().split(whereSeparator: { !$0.isLetter && !$0.isNumber }) {
        bytes += word.utf8
        bytes.append(Self.space)
      }
    }
    if bytes.last != Self.space { bytes.append(Self.space) }
    self.bytes = bytes
  }

  /// The letter in lower case, or the digit; nil for any other byte.
  private static func inLowerCase(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
    default: nil
    }
  }

  /// Whether the words of `phrase` stand here one behind the other.
  func contains(_ phrase: Words) -> Bool {
    // A phrase without words stands nowhere.
    guard phrase.bytes.count > 2, phrase.bytes.count <= bytes.count else { return false }
    let first = phrase.bytes[1]
    for start in 0...(bytes.count - phrase.bytes.count)
    where bytes[start] == Self.space && bytes[start + 1] == first {
      if bytes[start...].starts(with: phrase.bytes) { return true }
    }
    return false
  }
}
