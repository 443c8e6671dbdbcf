package import JSON
internal import ProtocolSpec
internal import YAML

// The file of `--output`; its members are only ever added to within one format.
extension RunResult {
  package var document: JSONValue {
    let counts = counts
    var numbers = JSONObject(Verdict.allCases.map { ($0.rawValue, .int(counts[$0])) })
    numbers["remarks"] = .int(counts.remarks)
    var run = JSONObject([
      ("version", .string(info.version)), ("revision", .string(info.revision)),
      ("profile", .string(info.profile)), ("target", .string(info.target)),
      ("seed", .number(JSONNumber(checked: String(info.seed)))), ("slack", .number(JSONNumber(info.slack))),
      ("capabilities", .array(info.capabilities.map { .string($0.rawValue) })),
      ("rerun", .string(info.rerun)),
      ("duration_ms", Self.milliseconds(duration)), ("exit_code", .int(Int(exitCode))),
    ])
    run["started_at"] = info.startedAt.map(JSONValue.string)
    if let unreachable {
      run["unreachable"] = [
        "reason": .string(unreachable.description), "lines": .array(unreachable.lines.map(JSONValue.string)),
      ]
    }
    if !unmatched.isEmpty { run["unmatched"] = .array(unmatched.map { .string($0.message) }) }
    return [
      "format": 1, "run": .object(run), "counts": .object(numbers),
      "sets": .array(
        scores.map {
          [
            "name": .string($0.set), "level": .string($0.level.rawValue), "held": .int($0.held),
            "broken": .int($0.broken), "total": .int($0.total),
          ]
        }),
      "requirements": .array(zip(asked.entries, statuses).map { $0.document($1) }),
      "cases": .array(results.map(\.document)),
    ]
  }

  fileprivate static func milliseconds(_ duration: Duration) -> JSONValue {
    .number(JSONNumber((duration.milliseconds * 1000).rounded() / 1000))
  }
}

extension AskedRequirements.Entry {
  fileprivate func document(_ status: RequirementStatus) -> JSONValue {
    [
      "id": .string(requirement.id), "level": .string(requirement.level.rawValue),
      "text": .string(requirement.text), "file": .string(requirement.place.file),
      "line": .int(requirement.place.line), "sets": .array(sets.map(JSONValue.string)),
      "status": .string(status.rawValue), "cases": .array(cases.map(JSONValue.string)),
    ]
  }
}

extension CaseResult {
  fileprivate var document: JSONValue {
    var members = JSONObject([
      ("id", .string(transcript.id)), ("suite", .string(transcript.suite)),
      ("title", .string(transcript.title)), ("file", .string(transcript.place.file)),
      ("line", .int(transcript.place.line)), ("level", .string(transcript.level.rawValue)),
      ("covers", .array(transcript.covers.map { .string($0.description) })),
      ("verdict", .string(verdict.rawValue)), ("duration_ms", RunResult.milliseconds(duration)),
    ])
    if let requirement {
      members["requirement"] = [
        "id": .string(requirement.id), "level": .string(requirement.level.rawValue),
        "file": .string(requirement.place.file),
      ]
    }
    members["reason"] = reason.map(JSONValue.string)
    members["failure"] = failure?.document
    members["trace"] = trace?.document
    if let repeats { members["repeats"] = ["passed": .int(repeats.passed), "failed": .int(repeats.failed)] }
    if let known {
      members["known"] = [
        "list": .string(known.list.rawValue), "reason": .string(known.reason),
      ]
    }
    if !remarks.isEmpty { members["remarks"] = .array(remarks.map(\.document)) }
    return .object(members)
  }
}

extension CaseFailure {
  fileprivate var document: JSONValue {
    var members = JSONObject([
      ("file", .string(place.file)), ("line", .int(place.line)), ("title", .string(title)),
      ("level", .string(level.rawValue)), ("message", .string(message)),
      (
        "diff",
        .array(
          differences.map {
            ["path": .string($0.path.description), "expected": .string($0.expected), "got": .string($0.got)]
          })
      ),
      ("wire", .array(wire.map(\.document))),
    ])
    if !targetLines.isEmpty { members["target_output"] = .array(targetLines.map(JSONValue.string)) }
    return .object(members)
  }
}

extension CaseTrace {
  fileprivate var document: JSONValue {
    var members: JSONObject = [
      "steps": .array(
        steps.map { step in
          var members = JSONObject([
            ("line", .int(step.place.line)), ("what", .string(step.what)),
            ("began_ms", RunResult.milliseconds(step.began)), ("took_ms", RunResult.milliseconds(step.took)),
          ])
          members["within_ms"] = step.within.map(RunResult.milliseconds)
          return .object(members)
        })
    ]
    if !wire.isEmpty { members["wire"] = .array(wire.map(\.document)) }
    return .object(members)
  }
}

extension WireEntry {
  fileprivate var document: JSONValue {
    [
      "at_ms": RunResult.milliseconds(at), "direction": .string(direction.name),
      "connection": .string(connection), "text": .string(text),
    ]
  }
}

extension WireEntry.Direction {
  fileprivate var name: String {
    switch self {
    case .toServer: "client"
    case .toClient: "server"
    case .aside: "aside"
    }
  }
}
