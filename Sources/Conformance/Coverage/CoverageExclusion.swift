package import ProtocolSpec
package import YAML

/// One entry of `Spec/coverage.yaml`: what no case needs to show, and why.
package struct CoverageExclusion: Sendable {
  /// The id of a cell; `*` and `?` stand for any characters and for one.
  package let pattern: String
  package let reason: String
  package let place: SourcePlace

  package init(pattern: String, reason: String, place: SourcePlace) {
    self.pattern = pattern
    self.reason = reason
    self.place = place
  }

  /// Reads the list of a specification.
  package static func list(_ files: SpecFiles) throws(SourceError) -> [CoverageExclusion] {
    let node = try files.node("coverage.yaml")
    try node.checkKeys(["format", "excluded"])
    var list: [CoverageExclusion] = []
    for entry in try node.required("excluded").sequence() {
      try entry.checkKeys(["id", "reason"])
      let pattern = try entry.required("id").string()
      if list.contains(where: { $0.pattern == pattern }) { throw entry.error("\(pattern) stands twice") }
      let reason = try entry.required("reason").string()
      guard !reason.isEmpty else { throw entry.error("\(pattern) needs a reason") }
      list.append(CoverageExclusion(pattern: pattern, reason: reason, place: entry.place))
    }
    return list
  }
}
