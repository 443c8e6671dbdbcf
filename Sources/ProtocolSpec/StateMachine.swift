internal import YAML

/// Where a task is in its life (`Spec/states/task.yaml`).
package enum TaskState: String, Sendable, CaseIterable {
  case idle, dispatching, executing, waiting, completed, failed, cancelled
}

/// Where tasks go, and what is lost (`Spec/states/system.yaml`).
package enum SystemState: String, Sendable, CaseIterable {
  case normal, degraded, brainstem
}

/// States and the transitions between them, as the specification gives them.
package struct StateMachine<State: RawRepresentable & CaseIterable & Hashable & Sendable>: Sendable
where State.RawValue == String {
  package let initial: State
  package let final: Set<State>
  package let summaries: [State: String]
  /// How many good probes in a row bring an upstream back; only the system has them.
  package let recoveryProbes: Int
  private let allowed: [State: Set<State>]

  init(_ node: YAMLNode, _ requirements: inout RequirementReader) throws(SourceError) {
    try node.checkKeys([
      "format", "machine", "initial", "states", "transitions", "recovery_probes", "requirements",
    ])
    initial = try node.required("initial").choice()
    var final: Set<State> = []
    var summaries: [State: String] = [:]
    let states = try node.required("states")
    for entry in try states.sequence() {
      try entry.checkKeys(["name", "final", "summary"])
      let state: State = try entry.required("name").choice()
      summaries[state] = try entry.required("summary").string()
      if try entry["final"]?.bool() == true { final.insert(state) }
    }
    for state in State.allCases where summaries[state] == nil {
      throw states.error("the state \(state.rawValue) is missing")
    }
    var allowed: [State: Set<State>] = [:]
    for entry in try node.required("transitions").sequence() {
      try entry.checkKeys(["from", "to", "on"])
      let from: State = try entry.required("from").choice()
      guard !final.contains(from) else {
        throw entry.error("\(from.rawValue) is final, so nothing leads out of it")
      }
      allowed[from, default: []].insert(try entry.required("to").choice())
    }
    self.final = final
    self.summaries = summaries
    self.allowed = allowed
    recoveryProbes = try node["recovery_probes"]?.int() ?? 2
    try requirements.read(node)
  }

  /// Whether the specification knows this transition.
  package func allows(_ from: State, _ to: State) -> Bool { allowed[from]?.contains(to) ?? false }

  /// Every transition: `idle-dispatching`.
  package var transitions: [String] {
    State.allCases.flatMap { from in
      State.allCases.filter { allows(from, $0) }.map { "\(from.rawValue)-\($0.rawValue)" }
    }
  }

  /// The states from which `state` can be reached in one step.
  package func sources(of state: State) -> [State] {
    State.allCases.filter { allows($0, state) }
  }
}
