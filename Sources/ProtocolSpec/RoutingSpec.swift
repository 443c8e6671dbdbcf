internal import YAML

/// How hard a task is and who runs it (`Spec/routing.yaml`).
package struct RoutingSpec: Sendable {
  private struct Step {
    let moreThan: Int
    let add: Int
  }

  private struct Keywords {
    let add: Int
    let phrases: [[String]]
  }

  private struct Executor {
    let type: String
    let phrases: [[String]]
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
      var phrases: [[String]] = []
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

  private static func phrases(_ node: YAMLNode) throws(SourceError) -> [[String]] {
    try node.strings().map { words(in: $0) }
  }

  /// The words of a text, in lower case.
  private static func words(in text: String) -> [String] {
    text.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
  }

  private static func contains(_ phrase: [String], in words: [String]) -> Bool {
    words.indices.contains { words[$0...].starts(with: phrase) }
  }

  /// 0 for the simplest task, 100 for the hardest.
  ///
  /// - Parameter historyCount: messages before the description.
  package func complexity(of description: String, historyCount: Int) -> Int {
    let scalars = description.unicodeScalars.count
    let words = Self.words(in: description)
    var sum = base
    sum += length.first { scalars > $0.moreThan }?.add ?? 0
    sum += history.first { historyCount > $0.moreThan }?.add ?? 0
    for group in keywords {
      sum += group.add * group.phrases.count { Self.contains($0, in: words) }
    }
    return min(max(sum, bounds.lowerBound), bounds.upperBound)
  }

  /// The executor the task is meant for; whether it is there is for others to know.
  package func executor(type: String, description: String) -> String {
    let words = Self.words(in: description)
    let named = executors.first { $0.type == type && type != executors.last?.type }
    let byWord = executors.first { $0.phrases.contains { Self.contains($0, in: words) } }
    return (named ?? byWord ?? executors.last)?.name ?? fallbackExecutor
  }
}
