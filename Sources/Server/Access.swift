import Orchestration
import Wire

/// Who may come in: the token first, then where a browser says it comes from.
struct Access: Sendable {
  struct Refusal {
    let status: Int
    var headers: HTTPHeaders = []
    let text: String
  }

  private let token: String?
  private let origins: [String]
  private let tokenPrefix: String

  init(_ settings: Settings, tokenPrefix: String) {
    token = settings.token
    origins = settings.origins
    self.tokenPrefix = tokenPrefix
  }

  /// Nil if the request may be served.
  func refusal(of head: HTTPRequestHead) -> Refusal? {
    if let token, !offers(token, head) {
      return Refusal(
        status: 401, headers: ["WWW-Authenticate": "Bearer"],
        text: "a token is needed: Authorization: Bearer …, or subprotocol \(tokenPrefix)…")
    }
    let isAllowed = head.headers.values("Origin").allSatisfy { origin in
      origins.contains(origin) || isSame(origin, host: head.authority) && isFixed(host: head.authority)
    }
    if isAllowed { return nil }
    return Refusal(status: 403, text: "this origin is not allowed; OMNI_ORIGINS lists those that are")
  }

  /// Like `refusal(of:)`, for what is no upgrade and no question of health. A page in a browser says no Origin
  /// where it reads from the server it was loaded from, and a name in DNS that belongs to its author may mean
  /// this machine since then (DNS rebinding): without a token, only Host tells.
  func refusalOfRequest(_ head: HTTPRequestHead) -> Refusal? {
    if let refusal = refusal(of: head) { return refusal }
    guard token == nil, head.headers["Origin"] == nil, !isOurs(host: head.authority) else { return nil }
    return Refusal(
      status: 403,
      text: "without a token, the server is not served by this name: use an address or localhost, list an"
        + " origin with the name in OMNI_ORIGINS, or set OMNI_TOKEN")
  }

  /// Whether `host` is a name that nobody can have put into DNS for a page of theirs: one without a dot,
  /// an address, one below the reserved `localhost` or `internal`, or one of a listed origin.
  private func isOurs(host: String) -> Bool {
    if isFixed(host: host) { return true }
    var name = authority(host[...], defaultPort: "")[0]
    if name.hasSuffix(".") { name.removeLast() }
    if name == "localhost" || name.hasSuffix(".localhost") || name.hasSuffix(".internal") { return true }
    // A dot may be written as %2E.
    if !name.contains(".") && !name.contains("%") { return true }
    return origins.contains { origin in
      guard let separator = origin.firstRange(of: "://") else { return false }
      return authority(origin[separator.upperBound...], defaultPort: "")[0] == name
    }
  }

  /// A token among the subprotocols is no subprotocol: something must be left to agree on.
  func refusalOfSubprotocols(_ head: HTTPRequestHead) -> Refusal? {
    let offered = WebSocketHandshake.offeredSubprotocols(head)
    guard offered.contains(where: { $0.hasPrefix(tokenPrefix) }),
      offered.allSatisfy({ $0.hasPrefix(tokenPrefix) })
    else { return nil }
    return Refusal(status: 400, text: "offer a subprotocol beside \(tokenPrefix)…: a token alone is none")
  }

  private func offers(_ token: String, _ head: HTTPRequestHead) -> Bool {
    var offered = WebSocketHandshake.offeredSubprotocols(head)
      .filter { $0.hasPrefix(tokenPrefix) }.map { String($0.dropFirst(tokenPrefix.count)) }
    for value in head.headers.values("Authorization") {
      let parts = value.split(separator: " ", maxSplits: 1)
      if parts.count == 2, parts[0].lowercased() == "bearer" { offered.append(String(parts[1])) }
    }
    return offered.contains { isEqual($0, token) }
  }

  /// Takes as long for a near miss as for a wild guess.
  private func isEqual(_ given: String, _ expected: String) -> Bool {
    let given = Array(given.utf8)
    let expected = Array(expected.utf8)
    var difference = given.count ^ expected.count
    for position in expected.indices {
      difference |= Int(expected[position] ^ (position < given.count ? given[position] : 0))
    }
    return difference == 0
  }

  /// Whether host and port agree; the scheme does not count, for TLS ends in front of the server.
  private func isSame(_ origin: String, host: String) -> Bool {
    guard let separator = origin.firstRange(of: "://") else { return false }
    let scheme = origin[..<separator.lowerBound].lowercased()
    let defaultPort = scheme == "https" || scheme == "wss" ? "443" : "80"
    let theirs = authority(origin[separator.upperBound...], defaultPort: defaultPort)
    return theirs == authority(host[...], defaultPort: defaultPort)
  }

  /// Whether nobody else can make the name of the host mean this machine: one that is in DNS may belong to
  /// whoever wrote the page, and mean the server only since then (DNS rebinding).
  private func isFixed(host: String) -> Bool {
    let name = authority(host[...], defaultPort: "")[0]
    if name == "localhost" || name.hasSuffix(".localhost") || name.hasPrefix("[") { return true }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
  }

  private func authority(_ text: Substring, defaultPort: String) -> [String] {
    let afterAddress = text.lastIndex(of: "]") ?? text.startIndex
    guard let colon = text[afterAddress...].lastIndex(of: ":") else {
      return [text.lowercased(), defaultPort]
    }
    return [text[..<colon].lowercased(), String(text[text.index(after: colon)...])]
  }
}
