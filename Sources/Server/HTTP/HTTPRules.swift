import Foundation
import JSON
import ProtocolSpec
import Wire

/// What the header of a request for `/mcp` has to say, and what it says about the message behind it.
struct HTTPRules: Sendable {
  private let spec: Specification

  init(_ spec: Specification) { self.spec = spec }

  private var http: MCPHTTPSpec { spec.transports.http }

  static let json = "application/json"
  static let eventStream = "text/event-stream"

  /// Whether an answer of each of these types is taken (RFC 9110 §12.5.1). MCP wants the header there.
  func accepts(_ types: [String], _ head: HTTPRequestHead) -> Bool {
    let ranges = head.headers.list("Accept").compactMap(Self.range)
    return types.allSatisfy { type in
      let group = type.prefix { $0 != "/" } + "/*"
      return ranges.contains { $0 == type || $0 == group || $0 == "*/*" }
    }
  }

  /// A media range in lower case, without parameters; nil if its weight is 0.
  private static func range(_ member: String) -> String? {
    let parts = member.lowercased().split(separator: ";").map { trimmed($0) }
    for parameter in parts.dropFirst() {
      let sides = parameter.split(separator: "=", maxSplits: 1)
      if sides.count == 2, sides[0] == "q", sides[1].allSatisfy({ $0 == "0" || $0 == "." }) { return nil }
    }
    return parts.first
  }

  private static func trimmed(_ text: Substring) -> String {
    String(text.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
  }

  func isJSON(_ head: HTTPRequestHead) -> Bool {
    let values = head.headers.values("Content-Type")
    guard values.count == 1 else { return false }
    let type = values[0].split(separator: ";", omittingEmptySubsequences: false).first ?? ""
    return Self.trimmed(type).lowercased() == Self.json
  }

  // MARK: - Revisions

  /// The revision that the header names; nil if it names none that is known, or several.
  func revision(_ head: HTTPRequestHead) -> MCPRevision? {
    let values = head.headers.values(http.headers.version)
    return values.count == 1 ? spec.mcp.revision(named: values[0]) : nil
  }

  /// By whose rules a client is refused that has no session.
  func revisionOfRefusals(_ head: HTTPRequestHead) -> MCPRevision {
    if let revision = revision(head) { return revision }
    return head.headers[http.headers.version] == nil ? http.assumed : spec.mcp.newest
  }

  /// Whether the header or the message says that it is one of a stateless revision.
  func isStateless(_ head: HTTPRequestHead, _ message: JSONValue) -> Bool {
    if revision(head)?.isStateless == true { return true }
    if version(of: message) != nil { return true }
    return message["method"]?.string.map(spec.mcp.isOnlyStateless) ?? false
  }

  /// What the message itself says of its revision.
  func version(of message: JSONValue) -> JSONValue? {
    message["params"]?[MCPMeta.member]?[MCPMeta.protocolVersion]
  }

  /// Why a message with a session is refused for its header of the revision, if it is.
  func refusalOfVersion(_ head: HTTPRequestHead) -> ProtocolFault? {
    let values = head.headers.values(http.headers.version)
    guard let first = values.first else { return nil }
    guard values.count == 1 else { return invalid(http.messages.twice, ["header": http.headers.version]) }
    if let revision = spec.mcp.revision(named: first), !revision.isStateless { return nil }
    return spec.mcp.unsupportedVersion(first, spec.errors)
  }

  // MARK: - Stateless revisions

  /// Where the header says something else than the message, if it does (2026-07-28, streamable HTTP,
  /// server validation).
  func mismatch(_ head: HTTPRequestHead, _ message: JSONValue) -> ProtocolFault? {
    let names = http.headers
    for name in [names.version, names.method, names.name] where head.headers.values(name).count > 1 {
      return mismatch(http.messages.twice, ["header": name])
    }
    if let version = version(of: message)?.string {
      guard let given = head.headers[names.version] else {
        return mismatch(http.messages.missing, ["header": names.version])
      }
      if let fault = compare(names.version, given, version) { return fault }
    }
    guard let method = message["method"]?.string else { return nil }
    if let given = head.headers[names.method], let fault = compare(names.method, given, method) {
      return fault
    }
    guard let given = head.headers[names.name], let member = http.nameMember(of: method),
      let expected = message["params"]?[member]?.string
    else { return nil }
    guard let decoded = Self.decoded(given) else {
      return mismatch(http.messages.base64, ["header": names.name])
    }
    return compare(names.name, decoded, expected)
  }

  private func compare(_ header: String, _ given: String, _ expected: String) -> ProtocolFault? {
    guard !given.utf8.elementsEqual(expected.utf8) else { return nil }
    return mismatch(
      http.messages.mismatch,
      ["header": header, "given": String(given.prefix(100)), "expected": String(expected.prefix(100))])
  }

  private func mismatch(_ template: String, _ values: [String: String]) -> ProtocolFault {
    spec.errors.fault(.headerMismatch, ["detail": fill(template, values)])
  }

  func invalid(_ template: String, _ values: [String: String] = [:]) -> ProtocolFault {
    spec.errors.fault(.invalidRequest, ["detail": fill(template, values)])
  }

  /// The text of a value that may be in Base64, between `=?base64?` and `?=`; nil if that is none.
  static func decoded(_ value: String) -> String? {
    let (start, end) = ("=?base64?", "?=")
    guard value.count >= start.count + end.count, value.hasPrefix(start), value.hasSuffix(end) else {
      return value
    }
    guard let data = Data(base64Encoded: String(value.dropFirst(start.count).dropLast(end.count))) else {
      return nil
    }
    return String(validating: data, as: UTF8.self)
  }

  /// The id of a request, where it is one that MCP knows.
  static func id(of message: JSONValue) -> JSONValue? {
    switch message["id"] {
    case .string(let text): .string(text)
    case .number(let number) where number.isInteger: .number(number)
    default: nil
    }
  }

  // MARK: - Answers

  /// The status of an answer that is the whole body.
  func status(of answer: Answer, isStateless: Bool) -> Int {
    guard case .failure(let fault) = answer.outcome else { return 200 }
    switch fault.name {
    case .parseError, .invalidRequest, .headerMismatch, .missingCapability, .unsupportedVersion: return 400
    case .methodNotFound: return isStateless ? 404 : 200
    case .invalidParams:
      let path = fault.data["path"]?.string ?? ""
      let isMeta = path == "/" + MCPMeta.member || path.hasPrefix("/" + MCPMeta.member + "/")
      return isStateless && isMeta ? 400 : 200
    default: return 200
    }
  }
}
