internal import YAML

/// What kind of endpoint is judged (`Spec/profiles/`): which folders of `Fixtures/` count.
package struct Profile: Sendable {
  package let name: String
  package let summary: String
  package let fixtures: [String]

  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["format", "profile", "summary", "fixtures"])
    name = try node.required("profile").string()
    summary = try node.required("summary").string()
    fixtures = try node.required("fixtures").strings()
  }
}
