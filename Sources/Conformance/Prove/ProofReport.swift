internal import Foundation
package import JSON
internal import ProtocolSpec
package import YAML

/// What came of proving cases: which mutations were noticed, and which were not.
package struct ProofReport: Sendable {
  package let proofs: [CaseProof]
  package let survivors: Survivors
  package let stale: [SourceError]
  package let threshold: Double
  /// The beginning of a command that plays one mutation again.
  private let rerun: String

  package init(
    _ proofs: [CaseProof], survivors: Survivors, stale: [SourceError], threshold: Double, rerun: String
  ) {
    self.proofs = proofs
    self.survivors = survivors
    self.stale = stale
    self.threshold = threshold
    self.rerun = rerun
  }

  /// Cases that do not pass as they are.
  package var failing: [CaseProof] { proofs.filter { $0.failure != nil } }

  private func isExcused(_ result: MutationResult, _ proof: CaseProof) -> Bool {
    result.verdict != .noticed && survivors.entry(for: result.mutation, of: proof.transcript) != nil
  }

  /// All that counts: what may survive with a reason is left out.
  private var counted: [(proof: CaseProof, result: MutationResult)] {
    proofs.flatMap { proof in
      proof.results.filter { !isExcused($0, proof) }.map { (proof, $0) }
    }
  }

  package var total: Int { counted.count }
  package var noticed: Int { counted.count { $0.result.verdict == .noticed } }
  package var excused: Int { proofs.reduce(0) { $0 + $1.results.count } - total }
  /// In percent.
  package var rate: Double { total == 0 ? 100 : Double(noticed) / Double(total) * 100 }

  /// What was not noticed, though it should have been.
  package var open: [(proof: CaseProof, result: MutationResult)] {
    counted.filter { $0.result.verdict != .noticed }
  }

  /// 0 as it should be, 1 not, 4 nothing was played.
  package var exitCode: Int32 {
    if !failing.isEmpty || !stale.isEmpty || rate < threshold { return 1 }
    return proofs.contains { $0.reason == nil } ? 0 : 4
  }

  package var verdict: String {
    let cases = proofs.count { $0.reason == nil && $0.failure == nil }
    let beside = excused > 0 ? ", \(excused) survive with a reason" : ""
    return
      "\(rate < threshold ? "not proven" : "proven"): \(cases) cases notice \(noticed) of \(total) mutations, "
      + "\(percent(rate)) %\(beside)"
  }

  /// Rounded down: 97.99 is not 98.
  private func percent(_ value: Double) -> String {
    String(format: "%.2f", (value * 100).rounded(.down) / 100)
  }

  /// The kinds of mutations, and how many of each were noticed.
  package var table: String {
    var lines = ["mutation".padded(24) + "played  noticed  survived  with reason"]
    for kind in MutationKind.allCases {
      let all = proofs.flatMap { proof in
        proof.results.filter { $0.mutation.kind == kind }.map { (proof, $0) }
      }
      guard !all.isEmpty else { continue }
      let noticed = all.count { $0.1.verdict == .noticed }
      let excused = all.count { isExcused($0.1, $0.0) }
      let numbers = [(all.count, 6), (noticed, 9), (all.count - noticed - excused, 10), (excused, 13)]
      lines.append(
        kind.rawValue.padded(24)
          + numbers.map { number, width in
            String(repeating: " ", count: max(1, width - "\(number)".count)) + "\(number)"
          }.joined())
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A survivor: where it stands, what was done, and how to see it again.
  package func block(_ proof: CaseProof, _ result: MutationResult) -> String {
    let place = result.mutation.place
    let word = result.verdict == .survived ? "SURVIVED" : "NOT REACHED"
    var lines = [
      "\(word)  \(proof.transcript.id)        \(place.file):\(place.line)        \(result.mutation.id)"
    ]
    if let message = result.message { lines.append("      \(message)") }
    let name = result.mutation.id.replacing("'", with: "'\\''")
    lines.append("      rerun: \(rerun) --run \(proof.transcript.id) --mutation '\(name)'")
    return lines.joined(separator: "\n")
  }

  package var document: JSONValue {
    let cases = proofs.map { proof -> JSONValue in
      var members = JSONObject([
        ("case", .string(proof.transcript.id)), ("file", .string(proof.transcript.place.file)),
        ("line", .int(proof.transcript.place.line)),
      ])
      if let reason = proof.reason { members["left_out"] = .string(reason) }
      if let failure = proof.failure { members["fails"] = .string(failure.message) }
      members["mutations"] = .array(proof.results.map { document($0, of: proof) })
      return .object(members)
    }
    return [
      "format": 1, "total": .int(total), "noticed": .int(noticed), "excused": .int(excused),
      "rate": .number(JSONNumber(rate)), "threshold": .number(JSONNumber(threshold)), "cases": .array(cases),
      "stale": .array(stale.map { .string($0.description) }),
    ]
  }

  private func document(_ result: MutationResult, of proof: CaseProof) -> JSONValue {
    var members = JSONObject([
      ("mutation", .string(result.mutation.id)), ("kind", .string(result.mutation.kind.rawValue)),
      ("line", .int(result.mutation.place.line)), ("verdict", .string(result.verdict.rawValue)),
    ])
    if let message = result.message { members["message"] = .string(message) }
    if result.verdict != .noticed, let entry = survivors.entry(for: result.mutation, of: proof.transcript) {
      members["reason"] = .string(entry.reason)
    }
    return .object(members)
  }
}

extension String {
  fileprivate func padded(_ width: Int) -> String {
    self + String(repeating: " ", count: Swift.max(1, width - count))
  }
}
