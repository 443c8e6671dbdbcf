package import ProtocolSpec

/// One thing that a client does in a random sequence. It means something whatever stands before it, so
/// that any other step can be left out.
package struct SequenceStep: Sendable, Equatable {
  package enum Action: Sendable, Equatable {
    case ping
    case create(Creation)
    case get(Pick)
    case cancel(Pick)
    case list(state: TaskState?, limit: Int)
    /// The page behind the last one.
    case page(limit: Int)
    case status
    /// A request that is refused and changes nothing.
    case refused(Int)
    /// A notification in JSON-RPC, which nobody answers.
    case notify(Int)
    /// Several requests in one message, or one behind the other without waiting.
    case burst(Pick)
    case settle(Pick)
    case reconnect
    case restart
  }

  package var action: Action
  package var connection: Int
}

/// Which task a step is about; counted modulo the tasks that there are.
package enum Pick: Sendable, Equatable {
  case task(Int)
  case unknown(Int)
}

/// How a task is made.
package struct Creation: Sendable, Equatable {
  package enum Mode: Int, Sendable, CaseIterable {
    /// The answer comes when it has ended.
    case wait
    case noWait
    /// Its model refuses the request.
    case failing
    /// Its model answers at the second try.
    case flaky
    /// Its model never answers, and nobody waits for it.
    case held
    /// The same, and this connection waits for it.
    case blocked
  }

  package var mode: Mode
  package var text: Int
  package var type: Int
  package var key: Int?
}

/// A random walk over what clients may do, the same for the same seed and number.
package struct SequencePlan: Sendable, Equatable {
  package var isBare: Bool
  package var steps: [SequenceStep]

  package init(isBare: Bool, steps: [SequenceStep]) {
    self.isBare = isBare
    self.steps = steps
  }

  static let connections = 3

  /// Whether the mock has to fail on command for it.
  var hasFaults: Bool {
    steps.contains { step in
      guard case .create(let creation) = step.action else { return false }
      return creation.mode != .wait && creation.mode != .noWait
    }
  }

  private static let pageSizes = [1, 2, 3, 5, 50, 500]

  /// - Parameter restarts: whether the server may be killed on the way.
  package init(seed: UInt64, number: Int, length: Int, restarts: Bool) {
    var random = SeededGenerator(seed: seed, stream: "sequence \(number)")
    isBare = Bool.random(using: &random)
    let hasFaults = Int.random(in: 0..<4, using: &random) == 0
    steps = (0..<length).map { _ in
      SequenceStep(
        action: Self.action(hasFaults, restarts, &random),
        connection: Int.random(in: 0..<Self.connections, using: &random))
    }
  }

  private static func action(
    _ hasFaults: Bool, _ restarts: Bool, _ random: inout SeededGenerator
  ) -> SequenceStep.Action {
    func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }
    func pick() -> Pick { below(8) == 0 ? .unknown(below(4)) : .task(below(16)) }
    switch below(restarts ? 104 : 100) {
    case 0..<4: return .ping
    case 4..<34: return .create(creation(hasFaults, &random))
    case 34..<50: return .get(pick())
    case 50..<66: return .cancel(pick())
    case 66..<76:
      let state = below(3) == 0 ? TaskState.allCases.randomElement(using: &random) : nil
      return .list(state: state, limit: pageSizes.randomElement(using: &random) ?? 1)
    case 76..<82: return .page(limit: pageSizes.randomElement(using: &random) ?? 1)
    case 82..<84: return .status
    case 84..<88: return .refused(below(16))
    case 88..<90: return .notify(below(16))
    case 90..<94: return .burst(pick())
    case 94..<98: return .settle(pick())
    case 98..<100: return .reconnect
    default: return .restart
    }
  }

  private static func creation(_ hasFaults: Bool, _ random: inout SeededGenerator) -> Creation {
    let plain: [Creation.Mode] = [.wait, .noWait]
    func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }
    // Plain sequences need nothing of the mock and are many times faster.
    let faulty: [Creation.Mode] = [.held, .held, .blocked, .blocked, .failing, .wait, .noWait]
    let mode = !hasFaults ? plain[below(2)] : below(30) == 0 ? .flaky : faulty[below(faulty.count)]
    return Creation(
      mode: mode, text: below(3), type: below(3),
      key: below(2) == 0 ? below(3) : nil)
  }
}

extension SequencePlan: CustomStringConvertible {
  package var description: String {
    "\(isBare ? "bare" : "jsonrpc"): " + steps.map { "\($0.action)@\($0.connection)" }.joined(separator: ", ")
  }
}
