internal import YAML

/// What the load generator asks for.
package enum BenchMethod: Int, Sendable, CaseIterable {
  case ping, createTask, getTaskStatus

  package var name: String {
    switch self {
    case .ping: "ping"
    case .createTask: "create_task"
    case .getTaskStatus: "get_task_status"
    }
  }
}

/// Which methods are asked for, and how often in relation to each other.
package struct RequestMix: Sendable, Equatable, CustomStringConvertible {
  package struct Problem: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
  }

  package static let maxWeight = 1000

  package let weights: [(method: BenchMethod, weight: Int)]

  /// Reads `ping=8,create_task=1`; a weight left out is 1.
  package init(_ text: String) throws(Problem) {
    var weights: [(method: BenchMethod, weight: Int)] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let pieces = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let name = pieces[0]
      guard let method = BenchMethod.allCases.first(where: { $0.name == name }) else {
        throw Problem(description: unknown("method", name, known: BenchMethod.allCases.map(\.name)))
      }
      guard !weights.contains(where: { $0.method == method }) else {
        throw Problem(description: "\(name) stands twice")
      }
      guard pieces.count == 1 || Int(pieces[1]).map((1...Self.maxWeight).contains) == true else {
        throw Problem(
          description:
            "the weight of \(name) is a whole number from 1 to \(Self.maxWeight), not \"\(pieces[1])\"")
      }
      weights.append((method, pieces.count == 1 ? 1 : Int(pieces[1]) ?? 1))
    }
    let methods = weights.map(\.method)
    if methods.contains(.getTaskStatus) && !methods.contains(.createTask) {
      throw Problem(description: "get_task_status asks for tasks of this run, so create_task is needed too")
    }
    self.weights = weights
  }

  package var description: String {
    weights.map { "\($0.method.name)=\($0.weight)" }.joined(separator: ",")
  }

  package static func == (left: RequestMix, right: RequestMix) -> Bool {
    left.description == right.description
  }

  var asksForStatus: Bool { weights.contains { $0.method == .getTaskStatus } }

  /// One round of the mix, each method spread evenly over it.
  var round: [BenchMethod] {
    let total = weights.reduce(0) { $0 + $1.weight }
    var credits = weights.map { _ in 0 }
    return (0..<total).map { _ in
      for place in credits.indices { credits[place] += weights[place].weight }
      let chosen = credits.indices.reduce(0) { credits[$1] > credits[$0] ? $1 : $0 }
      credits[chosen] -= total
      return weights[chosen].method
    }
  }
}
