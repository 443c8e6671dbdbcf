import ProtocolSpec

extension MCPRevision {
  var isStateless: Bool { name >= "2026" }
}
