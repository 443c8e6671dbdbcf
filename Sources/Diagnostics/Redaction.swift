package import JSON

/// Keeps secrets out of what people and programs read later.
package struct Redaction: Sendable {
  package static let mask = "***"

  /// Names of headers and members whose values are never shown.
  private static let names: Set<String> = [
    "authorization", "proxy-authorization", "x-api-key", "api-key", "api_key", "cookie", "set-cookie",
  ]

  /// Shorter texts than this are no secrets worth the name, and masking them would eat ordinary words.
  private static let minimumLength = 4

  private var secrets: [String]

  package init(secrets: [String] = []) {
    self.secrets = []
    for secret in secrets { add(secret) }
  }

  package mutating func add(_ secret: String) {
    guard secret.utf8.count >= Self.minimumLength, !secrets.contains(secret) else { return }
    secrets.append(secret)
    // The longest first, so that a secret that holds another is not left in part.
    secrets.sort { $0.utf8.count > $1.utf8.count }
  }

  /// Whether the value of a header or member of this name is never shown.
  package static func hides(_ name: String) -> Bool { names.contains(name.lowercased()) }

  package func text(_ text: String) -> String {
    // By bytes: an accent behind a secret makes one Character of it and the last of the secret.
    var text = text
    for secret in secrets where text.utf8.contains(secret.utf8) {
      text = text.utf8.split(separator: secret.utf8, omittingEmptySubsequences: false)
        .map { String(Substring($0)) }.joined(separator: Self.mask)
    }
    return text
  }

  /// The value of the header `name` as it may be shown; a scheme such as `Bearer` stays.
  package func header(_ name: String, _ value: String) -> String {
    guard Self.hides(name) else { return text(value) }
    let parts = value.split(separator: " ", maxSplits: 1)
    return parts.count == 2 ? "\(text(String(parts[0]))) \(Self.mask)" : Self.mask
  }

  package func value(_ value: JSONValue) -> JSONValue {
    switch value {
    case .string(let string): .string(text(string))
    case .array(let elements): .array(elements.map(self.value))
    case .object(let object): .object(members(object))
    case .null, .bool, .number: value
    }
  }

  package func members(_ object: JSONObject) -> JSONObject {
    JSONObject(
      object.lazy.map { key, value in
        guard Self.hides(key) else { return (text(key), self.value(value)) }
        return (key, value.string.map { .string(header(key, $0)) } ?? .string(Self.mask))
      })
  }
}
