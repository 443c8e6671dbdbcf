/// A service that mock-litellm plays, each on a port of its own.
package enum MockFace: String, Sendable, CaseIterable {
  /// LiteLLM itself.
  case litellm
  /// The direct API, which stands for the cloud.
  case direct
  /// The local model.
  case local
}

/// Which requests a rule is about: `POST /v1/chat/completions`, `GET /health/*`, `*`.
package struct RequestPattern: Sendable, Equatable, CustomStringConvertible {
  private let method: String?
  private let path: String
  package let description: String

  package static let any = RequestPattern(method: nil, path: "*", description: "*")

  /// Nil if `text` is neither `METHOD PATH`, nor a path, nor `*`.
  package init?(_ text: String) {
    let parts = text.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
    switch parts.count {
    case 1 where parts[0] == "*" || parts[0].hasPrefix("/"):
      self.init(method: nil, path: parts[0], description: text)
    case 2 where parts[1] == "*" || parts[1].hasPrefix("/"):
      self.init(method: parts[0].uppercased(), path: parts[1], description: text)
    default: return nil
    }
  }

  private init(method: String?, path: String, description: String) {
    self.method = method
    self.path = path
    self.description = description
  }

  package func matches(method: String, path: String) -> Bool {
    if let wanted = self.method, wanted != method { return false }
    if self.path.hasSuffix("*") { return path.hasPrefix(self.path.dropLast()) }
    return path == self.path
  }
}
