internal import JSON
package import YAML

/// The mutations that a case need not notice, with the reason of each; the list lives with the
/// fixtures. An entry that fits nothing, or what is noticed after all, has to leave it.
///
/// ```yaml
/// format: 1
/// survivors:
/// - {case: wire/close-is-answered, mutation: "4.close-*", reason: "the code is the endpoint's choice"}
/// ```
package struct Survivors: Sendable {
  package struct Entry: Sendable {
    let transcript: String
    /// `*` and `?` as in names of cases.
    let mutation: String
    package let reason: String
    /// The entry in a message.
    let error: @Sendable (String) -> SourceError
  }

  package static let fileName = "survivors.yaml"
  let entries: [Entry]

  package init() { entries = [] }

  package init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["format", "survivors"])
    let format = try node.required("format")
    guard try format.int() == 1 else {
      throw format.error("format \(format.json) is not known, this is for 1")
    }
    var entries: [Entry] = []
    for entry in try node.required("survivors").sequence() {
      try entry.checkKeys(["case", "mutation", "reason"])
      let reason = try entry.required("reason")
      guard try reason.string().contains(where: { !$0.isWhitespace }) else {
        throw reason.error("a reason is expected")
      }
      entries.append(
        Entry(
          transcript: try entry.required("case").string(), mutation: try entry.required("mutation").string(),
          reason: try reason.string(), error: { entry.error($0) }))
    }
    self.entries = entries
  }

  package func entry(for mutation: Mutation, of transcript: TranscriptCase) -> Entry? {
    entries.first {
      $0.transcript == transcript.id && Selection.matches(mutation.id, $0.mutation)
    }
  }

  /// Entries that excuse nothing.
  ///
  /// - Parameters:
  ///   - known: all cases of the fixtures.
  ///   - isWhole: whether all mutations of the cases in `proofs` were played.
  package func stale(_ proofs: [CaseProof], known: [String], isWhole: Bool) -> [SourceError] {
    entries.compactMap { entry in
      guard known.contains(entry.transcript) else {
        return entry.error("there is no case \(entry.transcript)")
      }
      guard let proof = proofs.first(where: { $0.transcript.id == entry.transcript }), proof.failure == nil,
        proof.reason == nil
      else { return nil }
      let meant = proof.results.filter { Selection.matches($0.mutation.id, entry.mutation) }
      if meant.isEmpty {
        return isWhole ? entry.error("\(entry.transcript) has no mutation \(entry.mutation)") : nil
      }
      guard !meant.contains(where: { $0.verdict != .noticed }) else { return nil }
      return entry.error("\(entry.transcript) notices \(entry.mutation)")
    }
  }
}
