internal import YAML

/// `Spec/mcp-transports.yaml`: how messages of MCP go over HTTP.
package struct MCPTransports: Sendable {
  package let http: MCPHTTPSpec

  init(
    _ node: YAMLNode, _ mcp: MCPSpec, _ requirements: inout RequirementReader
  ) throws(SourceError) {
    try node.checkKeys(["format", "streamable_http", "requirements"])
    http = try MCPHTTPSpec(node.required("streamable_http"), mcp)
    try requirements.read(node)
  }
}

/// Streamable HTTP.
package struct MCPHTTPSpec: Sendable {
  /// The names of header fields.
  package struct Headers: Sendable {
    package let session: String
    package let version: String
    package let method: String
    package let name: String
    package let resume: String

    init(_ node: YAMLNode) throws(SourceError) {
      try node.checkKeys(["session", "version", "method", "name", "resume"])
      session = try node.required("session").string()
      version = try node.required("version").string()
      method = try node.required("method").string()
      name = try node.required("name").string()
      resume = try node.required("resume").string()
    }
  }

  package let path: String
  package let headers: Headers
  /// By whose rules a client is served that names no revision and has agreed on none.
  package let assumed: MCPRevision
  private let primedSince: String
  private let names: [String: String]
  package let messages: MCPHTTPMessages

  init(_ node: YAMLNode, _ mcp: MCPSpec) throws(SourceError) {
    try node.checkKeys(["path", "headers", "assumed_revision", "primed_since", "names", "messages"])
    path = try node.required("path").string()
    headers = try Headers(node.required("headers"))
    assumed = try Self.revision(node.required("assumed_revision"), mcp)
    primedSince = try Self.revision(node.required("primed_since"), mcp).name
    var names: [String: String] = [:]
    for entry in try node.required("names").mapping() { names[entry.key] = try entry.value.string() }
    self.names = names
    messages = try MCPHTTPMessages(node.required("messages"))
  }

  private static func revision(_ node: YAMLNode, _ mcp: MCPSpec) throws(SourceError) -> MCPRevision {
    let name = try node.string(among: mcp.revisions.map(\.name), what: "revision")
    guard let revision = mcp.revision(named: name) else { throw node.error("there is no revision \(name)") }
    return revision
  }

  /// Whether a stream begins with an event that has an id and no data.
  package func primes(_ revision: MCPRevision) -> Bool {
    !revision.isStateless && revision.name >= primedSince
  }

  /// The member of params that the header of the name repeats; nil where there is none.
  package func nameMember(of method: String) -> String? { names[method] }
}

/// Texts of refusals that only HTTP has.
package struct MCPHTTPMessages: Sendable {
  package let method: String
  package let accept: String
  package let contentType: String
  package let noSession: String
  package let oneSession: String
  package let unknownSession: String
  package let tooManySessions: String
  package let eventID: String
  package let noResponses: String
  package let ended: String
  package let missing: String
  package let twice: String
  package let mismatch: String
  package let base64: String

  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys([
      "method", "accept", "content_type", "no_session", "one_session", "unknown_session",
      "too_many_sessions", "event_id", "no_responses", "ended", "missing", "twice", "mismatch", "base64",
    ])
    method = try node.required("method").string()
    accept = try node.required("accept").string()
    contentType = try node.required("content_type").string()
    noSession = try node.required("no_session").string()
    oneSession = try node.required("one_session").string()
    unknownSession = try node.required("unknown_session").string()
    tooManySessions = try node.required("too_many_sessions").string()
    eventID = try node.required("event_id").string()
    noResponses = try node.required("no_responses").string()
    ended = try node.required("ended").string()
    missing = try node.required("missing").string()
    twice = try node.required("twice").string()
    mismatch = try node.required("mismatch").string()
    base64 = try node.required("base64").string()
  }
}
