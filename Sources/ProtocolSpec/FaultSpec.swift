package import JSON
package import YAML

/// One fault of a backend (`Spec/faults/`): what it does, and what an orchestrator does about it.
package struct FaultSpec: Sendable {
  package let name: String
  package let summary: String
  /// The row of `failures.yaml`; nil for what is no failure.
  package let failure: FailureClass?
  /// The members of the rule that makes the mock do it.
  package let arm: JSONObject
  package let must: [String]
  package let place: SourcePlace

  static func list(_ node: YAMLNode, _ failures: FailureTable) throws(SourceError) -> [FaultSpec] {
    try node.checkKeys(["format", "faults"])
    var faults: [FaultSpec] = []
    for entry in try node.required("faults").sequence() {
      let fault = try FaultSpec(entry)
      if faults.contains(where: { $0.name == fault.name }) {
        throw entry.error("the fault \(fault.name) stands twice")
      }
      faults.append(fault)
    }
    return faults
  }

  private init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["name", "class", "summary", "arm", "must", "should"])
    place = node.place
    name = try node.required("name").string()
    summary = try node.required("summary").string()
    let group = try node.required("class")
    if try group.string() == "none" { failure = nil } else { failure = try group.choice() }
    let armNode = try node.required("arm")
    guard let members = armNode.json.object else { throw armNode.error("a rule is expected") }
    arm = members
    must = try node["must"]?.strings() ?? []
  }
}
