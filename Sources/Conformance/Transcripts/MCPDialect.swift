package import JSON
internal import ProtocolSpec
internal import YAML

// What a dialect of MCP adds to JSON-RPC.
extension TranscriptDialect {
  /// The revision of MCP, by its date; nil for what is not MCP.
  package var revision: String? {
    switch self {
    case .bare, .jsonrpc, .raw: nil
    case .mcp20241105: "2024-11-05"
    case .mcp20250326: "2025-03-26"
    case .mcp20250618: "2025-06-18"
    case .mcp20251125: "2025-11-25"
    case .mcp20260728: "2026-07-28"
    }
  }

  /// Whether every message has the envelope of JSON-RPC 2.0.
  package var isJSONRPC: Bool { self != .bare && self != .raw }

  /// Of MCP without `initialize`: every request says of itself what the others agree on.
  package var isStateless: Bool { self == .mcp20260728 }

  /// Of MCP with `initialize`.
  package var hasHandshake: Bool { revision != nil && !isStateless }

  /// Over what its cases are played that do not say so.
  var usualTransports: [PlayTransport] { revision == nil ? [.ws] : PlayTransport.allCases }

  /// A request that every server answers at once, and that changes nothing.
  func signOfLife(_ id: String) -> JSONValue {
    guard isStateless, let revision else {
      return ["jsonrpc": "2.0", "id": .string(id), "method": "ping"]
    }
    let meta = MCPClientOffer().meta(revision)
    return [
      "jsonrpc": "2.0", "id": .string(id), "method": "server/discover",
      "params": ["_meta": .object(JSONObject(meta.map { ($0.key, $0.value) }))],
    ]
  }
}

/// What the client of a transcript tells a server of MCP about itself.
package struct MCPClientOffer: Sendable {
  /// `ClientCapabilities`.
  package var capabilities: JSONValue = .object(JSONObject())

  package init() {}

  /// Reads `client: {capabilities: {…}}`.
  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["capabilities"])
    let given = try node.required("capabilities")
    _ = try given.mapping()
    capabilities = given.json
  }

  private static let name = "omni-conformance"
  private var information: JSONValue { ["name": .string(Self.name), "version": .string(kitVersion)] }

  /// `initialize`.
  func initialize(_ revision: String, id: String) -> JSONValue {
    [
      "jsonrpc": "2.0", "id": .string(id), "method": "initialize",
      "params": [
        "protocolVersion": .string(revision), "capabilities": capabilities, "clientInfo": information,
      ],
    ]
  }

  static let initialized: JSONValue = ["jsonrpc": "2.0", "method": "notifications/initialized"]

  /// `_meta` of every request of a stateless revision.
  func meta(_ revision: String) -> [(key: String, value: JSONValue)] {
    let prefix = "io.modelcontextprotocol/"
    return [
      (prefix + "protocolVersion", .string(revision)), (prefix + "clientInfo", information),
      (prefix + "clientCapabilities", capabilities),
    ]
  }
}

extension Matcher {
  /// A line of the client with the members of `_meta` that it says nothing about.
  func withMeta(_ meta: [(key: String, value: JSONValue)]) -> Matcher {
    if case .array(let elements) = rule { return with(.array(elements.map { $0.withMeta(meta) })) }
    guard let members, members.contains(where: { $0.key == "method" }),
      members.contains(where: { $0.key == "id" })
    else { return self }
    guard let params = members.first(where: { $0.key == "params" }) else {
      let filled = with(.object([])).filled("_meta", meta)
      return with(.object(members + [Member(key: "params", matcher: filled)]))
    }
    return with(
      .object(
        members.map { member in
          guard member.key == "params" else { return member }
          return Member(key: member.key, matcher: params.matcher.filled("_meta", meta))
        }))
  }

  /// An object with such members in its member `name`, where they are not spoken of.
  private func filled(_ name: String, _ values: [(key: String, value: JSONValue)]) -> Matcher {
    guard let members else { return self }
    let new = values.map {
      Member(key: $0.key, matcher: Matcher(place: place, source: $0.value, rule: .exactly))
    }
    guard let old = members.first(where: { $0.key == name }) else {
      return with(.object(members + [Member(key: name, matcher: with(.object(new)))]))
    }
    guard let inner = old.matcher.members else { return self }
    let missing = new.filter { member in !inner.contains { $0.key == member.key } }
    return with(
      .object(
        members.map { member in
          guard member.key == name else { return member }
          return Member(key: name, matcher: old.matcher.with(.object(inner + missing)))
        }))
  }

  private func with(_ rule: Rule) -> Matcher { Matcher(place: place, source: source, rule: rule) }
}

/// What a server of MCP must declare for a case to make sense.
package enum MCPNeed: Sendable, Equatable, CustomStringConvertible {
  /// `mcp.resources.subscribe`: by its path in the capabilities of the server.
  case declared([String])
  /// `mcp.fixtures`: the tools, resources and prompts of the official server scenarios.
  case fixtures
  /// `omni.tools`: the tools of this protocol.
  case tools

  private static let roots = [
    "completions", "experimental", "extensions", "logging", "prompts", "resources", "tasks", "tools",
  ]

  /// The tool by which each kind of server is known.
  package static let fixtureTool = "test_simple_text"
  package static let ownTool = "create_task"

  /// Nil for an entry of another kind.
  init?(_ node: YAMLNode) throws(SourceError) {
    let text = try node.string()
    switch text {
    case "mcp.fixtures": self = .fixtures
    case "omni.tools": self = .tools
    case _ where text.hasPrefix("mcp."):
      let path = text.split(separator: ".", omittingEmptySubsequences: false).dropFirst().map(String.init)
      guard let root = path.first, Self.roots.contains(root), !path.contains("") else {
        let known = (Self.roots + ["fixtures"]).map { "mcp.\($0)" }
        throw node.error(unknown("capability", text, known: known))
      }
      // Names of extensions have dots of their own.
      self = .declared(root == "extensions" ? [root, path.dropFirst().joined(separator: ".")] : path)
    default: return nil
    }
  }

  package var description: String {
    switch self {
    case .declared(let path): "mcp.\(path.joined(separator: "."))"
    case .fixtures: "mcp.fixtures"
    case .tools: "omni.tools"
    }
  }
}
