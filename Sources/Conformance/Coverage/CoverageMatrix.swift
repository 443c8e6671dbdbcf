package import JSON
package import ProtocolSpec
internal import YAML

/// What of the specification the cases of some fixtures show, and what of it nobody asks for.
package struct CoverageMatrix: Sendable {
  /// Whether anything stands for a cell.
  package enum Mark: String, Sendable, CaseIterable { case covered, excluded, missing }

  /// One thing that a case can show.
  package struct Cell: Sendable {
    /// As an exclusion names it: `method:ping`, `method:cancel_task/error:task_not_found`.
    package let id: String
    package let row: String
    package let column: String
    package let level: RequirementLevel?
    /// In the order of the fixtures.
    package let cases: [String]
    /// Why no case is needed.
    package let reason: String?
    /// What would close the gap.
    package let remedy: String

    package var mark: Mark { !cases.isEmpty ? .covered : reason == nil ? .missing : .excluded }
  }

  /// One table: rows and columns in the order of the specification.
  package struct Section: Sendable {
    package let name: String
    package let title: String
    package let cells: [Cell]

    package var rows: [String] { Self.distinct(cells.map(\.row)) }
    package var columns: [String] { Self.distinct(cells.map(\.column)) }

    package func count(_ mark: Mark) -> Int { cells.count { $0.mark == mark } }

    package func cell(_ row: String, _ column: String) -> Cell? {
      cells.first { $0.row == row && $0.column == column }
    }

    private static func distinct(_ names: [String]) -> [String] {
      var seen: Set<String> = []
      return names.filter { seen.insert($0).inserted }
    }
  }

  package let revision: String
  package let caseCount: Int
  package let sections: [Section]
  /// Exclusions that exclude nothing: what they name is covered, or there is no such thing.
  package let stale: [CoverageExclusion]

  package init(spec: Specification, cases: [TranscriptCase], excluded: [CoverageExclusion]) {
    let evidence = CoverageEvidence(cases, spec: spec)
    var draft = CoverageDraft(evidence: evidence, excluded: excluded)
    sections = draft.sections(spec)
    revision = spec.overview.revision
    caseCount = cases.count
    let used = draft.used
    stale = excluded.filter { !used.contains($0.pattern) }
  }

  package var missing: [Cell] { sections.flatMap { $0.cells.filter { $0.mark == .missing } } }
  package var isComplete: Bool { missing.isEmpty && stale.isEmpty }

  package func count(_ mark: Mark) -> Int { sections.reduce(0) { $0 + $1.count(mark) } }
}

/// Builds the cells, and remembers which exclusions were of use.
private struct CoverageDraft {
  let evidence: CoverageEvidence
  let excluded: [CoverageExclusion]
  private(set) var used: Set<String> = []

  init(evidence: CoverageEvidence, excluded: [CoverageExclusion]) {
    self.evidence = evidence
    self.excluded = excluded
  }

  private mutating func cell(
    _ id: String, row: String, column: String, level: RequirementLevel? = nil, remedy: String
  ) -> CoverageMatrix.Cell {
    let cases = evidence.cases[id] ?? []
    let exclusion = cases.isEmpty ? excluded.first { Selection.matches(id, $0.pattern) } : nil
    if let exclusion { used.insert(exclusion.pattern) }
    return CoverageMatrix.Cell(
      id: id, row: row, column: column, level: level, cases: cases, reason: exclusion?.reason, remedy: remedy)
  }

  mutating func sections(_ spec: Specification) -> [CoverageMatrix.Section] {
    [
      requirements(spec), methods(spec), errors(spec),
      states(spec.taskStates, "state", "task-states", "tasks"),
      states(spec.systemStates, "system", "system-states", "the system"), faults(spec),
    ]
  }

  private mutating func requirements(_ spec: Specification) -> CoverageMatrix.Section {
    let sorted = spec.requirements.values.sorted {
      ($0.place.file, $0.place.line) < ($1.place.file, $1.place.line)
    }
    let cells = sorted.map { requirement in
      cell(
        "req:\(requirement.id)", row: requirement.id, column: "cases", level: requirement.level,
        remedy: "a case with covers: [req:\(requirement.id)]: \(requirement.text)")
    }
    return CoverageMatrix.Section(name: "requirements", title: "Requirements", cells: cells)
  }

  private mutating func methods(_ spec: Specification) -> CoverageMatrix.Section {
    var cells: [CoverageMatrix.Cell] = []
    for method in spec.methods {
      cells.append(
        cell(
          "method:\(method.name)", row: method.name, column: "answered",
          remedy: "a case with covers: [method:\(method.name)]"))
      for error in method.errors {
        cells.append(
          cell(
            "method:\(method.name)/error:\(error.rawValue)", row: method.name, column: error.rawValue,
            remedy: "a case in which \(method.name) is answered with \(error.rawValue)"))
      }
    }
    return CoverageMatrix.Section(name: "methods", title: "Methods and their errors", cells: cells)
  }

  private mutating func errors(_ spec: Specification) -> CoverageMatrix.Section {
    let cells = spec.errors.all.map { error in
      cell(
        "error:\(error.name.rawValue)", row: error.name.rawValue, column: "cases",
        remedy: "a case with covers: [error:\(error.name.rawValue)]")
    }
    return CoverageMatrix.Section(name: "errors", title: "Errors", cells: cells)
  }

  private mutating func states<State: RawRepresentable & CaseIterable & Hashable & Sendable>(
    _ machine: StateMachine<State>, _ tag: String, _ name: String, _ whose: String
  ) -> CoverageMatrix.Section where State.RawValue == String {
    var cells: [CoverageMatrix.Cell] = []
    for state in State.allCases {
      cells.append(
        cell(
          "\(tag):\(state.rawValue)", row: state.rawValue, column: "seen",
          remedy: "a case with covers: [\(tag):\(state.rawValue)]"))
      for next in State.allCases where machine.allows(state, next) {
        let id = "transition:\(state.rawValue)-\(next.rawValue)"
        cells.append(
          cell(
            id, row: state.rawValue, column: "to \(next.rawValue)",
            remedy: "a case with covers: [\(id)]"))
      }
    }
    return CoverageMatrix.Section(name: name, title: "States and transitions of \(whose)", cells: cells)
  }

  private mutating func faults(_ spec: Specification) -> CoverageMatrix.Section {
    var cells: [CoverageMatrix.Cell] = []
    for fault in spec.faults {
      for state in SystemState.allCases {
        cells.append(
          cell(
            "fault:\(fault.name)/system:\(state.rawValue)", row: fault.name, column: state.rawValue,
            remedy: "a case that arms \(fault.name) where \(state.rawValue) calls"))
      }
    }
    return CoverageMatrix.Section(name: "faults", title: "Faults in each state of the system", cells: cells)
  }
}

// MARK: As data

extension CoverageMatrix {
  /// For programs and for the heat map of the report.
  package var document: JSONValue {
    [
      "format": 1, "revision": .string(revision), "cases": .int(caseCount),
      "counts": .object(JSONObject(Mark.allCases.map { ($0.rawValue, .int(count($0))) })),
      "sections": .array(sections.map(\.document)),
      "stale": .array(stale.map { ["id": .string($0.pattern), "reason": .string($0.reason)] }),
    ]
  }
}

extension CoverageMatrix.Section {
  fileprivate var document: JSONValue {
    [
      "name": .string(name), "title": .string(title), "rows": .array(rows.map(JSONValue.string)),
      "columns": .array(columns.map(JSONValue.string)), "cells": .array(cells.map(\.document)),
    ]
  }
}

extension CoverageMatrix.Cell {
  fileprivate var document: JSONValue {
    var members = JSONObject([
      ("id", .string(id)), ("row", .string(row)), ("column", .string(column)),
      ("mark", .string(mark.rawValue)),
      ("cases", .array(cases.map(JSONValue.string))),
    ])
    members["level"] = level.map { .string($0.rawValue) }
    if mark == .excluded { members["reason"] = reason.map(JSONValue.string) }
    if mark == .missing { members["remedy"] = .string(remedy) }
    return .object(members)
  }
}
