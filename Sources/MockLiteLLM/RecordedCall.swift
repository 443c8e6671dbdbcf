import Foundation
import JSON
import Wire
import YAML

/// A request and the answer that a real service gave to it, as `mock-litellm record` writes it and `--replay` reads
/// it.
///
/// ```yaml
/// format: 1
/// upstream: http://127.0.0.1:4000
/// calls:
/// - request: {"method":"POST","target":"/v1/chat/completions","headers":{…},"body":{…}}
///   answer: {"status":200,"headers":{…}}
///   pieces:
///   - {"after_ms":12.3,"text":"data: …\n\n"}
/// ```
struct RecordedCall: Sendable {
  /// A part of the body and when it came after the request.
  struct Piece: Sendable, Equatable {
    let after: Duration
    let bytes: [UInt8]
  }

  let method: String
  /// The path, and the query behind a `?`.
  let target: String
  let requestHeaders: [HeaderField]
  /// JSON, a text, or null for none.
  let requestBody: JSONValue
  /// Nil: the connection ended before an answer.
  let status: Int?
  let headers: [HeaderField]
  let pieces: [Piece]
  /// Whether the connection broke before the body was complete.
  let isCut: Bool

  var body: [UInt8] { pieces.flatMap(\.bytes) }

  /// Whether the body came bit by bit, with no length told before.
  var isStream: Bool {
    let type = headers.first { HTTPHeaders.isSame($0.name, "content-type") }?.value ?? ""
    return type.hasPrefix("text/event-stream")
  }

  /// A body as it is compared: JSON by its value, else the text.
  static func comparable(_ body: [UInt8]) -> JSONValue {
    guard !body.isEmpty else { return .null }
    let parsed = try? JSONParser.parse(body, limits: JSONLimits(allowsDuplicateKeys: true))
    return parsed ?? .string(String(decoding: body, as: UTF8.self))
  }
}

// MARK: - As YAML

extension RecordedCall {
  static let format = 1
  /// Recordings are larger than what people write.
  private static let limits = YAMLLimits(bytes: 256 << 20, nodes: 10_000_000)

  /// The lines of a file before its calls.
  static func head(upstream: String) -> String {
    "format: \(format)\nupstream: \(YAMLText.flow(.string(upstream)))\ncalls:\n"
  }

  /// The lines of this call, an element of `calls`.
  var yaml: String {
    var request: JSONValue = ["method": .string(method), "target": .string(target)]
    request["headers"] = Self.object(requestHeaders)
    request["body"] = requestBody
    var answer: JSONValue = ["status": status.map { .int($0) } ?? .null]
    if status != nil { answer["headers"] = Self.object(headers) }
    if isCut { answer["cut"] = true }
    var lines = ["- request: \(YAMLText.flow(request))", "  answer: \(YAMLText.flow(answer))"]
    if !pieces.isEmpty { lines.append("  pieces:") }
    for piece in pieces {
      var line: JSONValue = ["after_ms": .number(JSONNumber(piece.after.roundedMilliseconds))]
      if let text = String(validating: piece.bytes, as: UTF8.self) {
        line["text"] = .string(text)
      } else {
        line["base64"] = .string(Data(piece.bytes).base64EncodedString())
      }
      lines.append("  - \(YAMLText.flow(line))")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func object(_ headers: [HeaderField]) -> JSONValue {
    var object = JSONObject()
    for (name, value) in headers {
      let key = name.lowercased()
      object[key] = .string((object[key]?.string).map { "\($0), \(value)" } ?? value)
    }
    return .object(object)
  }

  static func all(contentsOf path: String) throws(SourceError) -> [RecordedCall] {
    try all(YAMLParser.parse(contentsOf: path, limits: limits))
  }

  static func all(_ node: YAMLNode) throws(SourceError) -> [RecordedCall] {
    try node.checkKeys(["format", "upstream", "calls"])
    let format = try node.required("format")
    guard try format.int() == Self.format else {
      throw format.error("format \(format.json) is not known, this is for \(Self.format)")
    }
    let calls = try node.required("calls")
    var all: [RecordedCall] = []
    // A recording of nothing ends behind `calls:`.
    for element in calls.json.isNull ? [] : try calls.sequence() { all.append(try RecordedCall(element)) }
    return all
  }

  private init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["request", "answer", "pieces"])
    let request = try node.required("request")
    try request.checkKeys(["method", "target", "headers", "body"])
    method = try request.required("method").string()
    target = try request.required("target").string()
    requestHeaders = try Self.headers(request["headers"])
    requestBody = request["body"]?.json ?? .null
    let answer = try node.required("answer")
    try answer.checkKeys(["status", "headers", "cut"])
    let status = try answer.required("status")
    self.status = status.json.isNull ? nil : try status.int()
    headers = try Self.headers(answer["headers"])
    isCut = try answer["cut"]?.bool() ?? false
    var pieces: [Piece] = []
    for piece in try node["pieces"]?.sequence() ?? [] { pieces.append(try Self.piece(piece)) }
    self.pieces = pieces
  }

  private static func headers(_ node: YAMLNode?) throws(SourceError) -> [HeaderField] {
    var headers: [HeaderField] = []
    for entry in try node?.mapping() ?? [] { headers.append((entry.key, try entry.value.string())) }
    return headers
  }

  private static func piece(_ node: YAMLNode) throws(SourceError) -> Piece {
    try node.checkKeys(["after_ms", "text", "base64"])
    let after = Duration.milliseconds(try node["after_ms"]?.double() ?? 0)
    guard let encoded = node["base64"] else {
      return Piece(after: after, bytes: Array(try node.required("text").string().utf8))
    }
    guard let data = Data(base64Encoded: try encoded.string()) else { throw encoded.error("no base64") }
    return Piece(after: after, bytes: Array(data))
  }
}

extension Duration {
  /// Milliseconds with three digits behind the point.
  var roundedMilliseconds: Double { ((self / .microseconds(1)).rounded()) / 1000 }
}
