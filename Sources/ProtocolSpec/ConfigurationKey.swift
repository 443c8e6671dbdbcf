internal import JSON
internal import YAML

/// One key of config.yaml (`Spec/configuration.yaml`).
package struct ConfigurationKey: Sendable {
  package enum Kind: String, Sendable, CaseIterable {
    case string, int, bool, duration, url, path, list, secret
    /// The place of an executor.
    case link
    /// The arguments of a program.
    case words
  }

  /// `section.key`; a `*` stands for any name.
  package let key: String
  package let kind: Kind
  /// The text of the default; nil if the key is simply absent.
  package let fallback: String?
  package let minimum: Int?
  package let maximum: Int?
  package let oneOf: [String]
  package let summary: String
  package let aliases: [String]
  private let environment: [String]

  static func list(_ node: YAMLNode) throws(SourceError) -> [ConfigurationKey] {
    try node.checkKeys(["format", "keys"])
    var keys: [ConfigurationKey] = []
    for entry in try node.required("keys").sequence() { keys.append(try ConfigurationKey(entry)) }
    return keys
  }

  private init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys([
      "key", "type", "default", "minimum", "maximum", "one_of", "env", "aliases", "summary",
    ])
    key = try node.required("key").string()
    kind = try node.required("type").choice()
    fallback = node["default"].map { $0.json.string ?? $0.json.description }
    minimum = try node["minimum"]?.int()
    maximum = try node["maximum"]?.int()
    oneOf = try node["one_of"]?.strings() ?? []
    aliases = try node["aliases"]?.strings() ?? []
    environment = try node["env"]?.strings() ?? []
    summary = try node.required("summary").string()
  }

  /// The variables that win over the file, the first that is set counts.
  package var variables: [String] {
    let general = "OMNI_" + key.uppercased().replacing(".", with: "_")
    return environment.contains(general) ? environment : environment + [general]
  }
}
