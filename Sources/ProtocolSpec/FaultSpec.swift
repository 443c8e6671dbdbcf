package import JSON
package import YAML

/// One fault of a backend (`Spec/faults/`): what it does, and what an orchestrator does about it.
package struct FaultSpec: Sendable {
  package let name: String
  package let summary: String
  /// What is seen on the wire, in one sentence.
  package let wire: String
  /// The row of `failures.yaml`; nil for what is no failure.
  package let failure: FailureClass?
  /// The members of the rule that makes the mock do it.
  package let arm: JSONObject
  package let must: [String]
  package let should: [String]
  package let place: SourcePlace

  /// Reads the faults of one file behind those of the files before it.
  static func read(_ node: YAMLNode, _ failures: FailureTable, into faults: inout [FaultSpec])
    throws(SourceError)
  {
    try node.checkKeys(["format", "faults"])
    for entry in try node.required("faults").sequence() {
      let fault = try FaultSpec(entry)
      if faults.contains(where: { $0.name == fault.name }) {
        throw entry.error("the fault \(fault.name) stands twice")
      }
      do throws(FaultRuleError) {
        _ = try FaultRule(.object(fault.arm), faults: [])
      } catch {
        throw try entry.required("arm").nearest(at: error.pointer).error(error.message)
      }
      faults.append(fault)
    }
  }

  private init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["name", "class", "summary", "wire", "arm", "must", "should"])
    place = node.place
    name = try node.required("name").string()
    summary = try node.required("summary").string()
    wire = try node.required("wire").string()
    let group = try node.required("class")
    if try group.string() == "none" { failure = nil } else { failure = try group.choice() }
    let armNode = try node.required("arm")
    guard let members = armNode.json.object else { throw armNode.error("a rule is expected") }
    arm = members
    must = try node["must"]?.strings() ?? []
    should = try node["should"]?.strings() ?? []
  }
}
