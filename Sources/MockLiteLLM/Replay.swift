import Diagnostics
import JSON
import Transport
import Wire
import YAML

/// The recorded calls that a face answers from.
///
/// A request gets the answer of the first call of the same method, path, query and body that was not given yet; when
/// all of them were, the last one again.
struct Replay: Sendable {
  private let calls: [RecordedCall]
  private var given: Set<Int> = []

  init(_ calls: [RecordedCall]) { self.calls = calls }

  /// - Throws: the place of what is no recording.
  init(contentsOf path: String) throws(SourceError) { self.init(try RecordedCall.all(contentsOf: path)) }

  /// Begins again with the first answers.
  mutating func reset() { given = [] }

  /// The call to answer with; nil if nothing of the kind was recorded.
  mutating func call(for request: FaceRequest) -> RecordedCall? {
    let body = RecordedCall.comparable(request.body)
    let places = calls.indices.filter {
      isSame(calls[$0], request) && Self.matches(body, recorded: calls[$0].requestBody)
    }
    guard let place = places.first(where: { !given.contains($0) }) ?? places.last else { return nil }
    given.insert(place)
    return calls[place]
  }

  private func isSame(_ call: RecordedCall, _ request: FaceRequest) -> Bool {
    call.method == request.method
      && call.target == request.path + (request.query.map { "?\($0)" } ?? "")
  }

  /// Whether a body is the recorded one, in which secrets may be masked.
  static func matches(_ body: JSONValue, recorded: JSONValue) -> Bool {
    switch (body, recorded) {
    case (.string(let text), .string(let pattern)): return isMasked(text, pattern)
    case (.array(let left), .array(let right)):
      return left.count == right.count && zip(left, right).allSatisfy { matches($0, recorded: $1) }
    case (.object(let left), .object(let right)):
      return left.count == right.count
        && right.allSatisfy { key, value in left[key].map { matches($0, recorded: value) } ?? false }
    default: return body == recorded
    }
  }

  /// Whether `text` is `pattern` with anything in place of each mask.
  private static func isMasked(_ text: String, _ pattern: String) -> Bool {
    let parts = pattern.utf8.split(separator: Redaction.mask.utf8, omittingEmptySubsequences: false)
    guard let first = parts.first, let last = parts.last, parts.count > 1 else { return text == pattern }
    var rest = text.utf8[...]
    guard rest.starts(with: first) else { return false }
    rest = rest.dropFirst(first.count)
    for part in parts.dropFirst().dropLast() where !part.isEmpty {
      guard let range = rest.firstRange(of: part) else { return false }
      rest = rest[range.upperBound...]
    }
    return rest.count >= last.count && rest.suffix(last.count).elementsEqual(last)
  }

  /// The answer to a request that was not recorded.
  func missing(_ request: FaceRequest) -> Reply {
    let same = calls.filter { isSame($0, request) }.count
    let text =
      "no answer is recorded for \(request.method) \(request.path)"
      + (same == 0 ? "" : " with this body; \(same) with other bodies are")
    return Reply(
      404, json: OpenAIBodies.error(text, type: "not_recorded", param: .null, code: "404"),
      headers: [("x-mock-replay", "missing")])
  }
}

extension RecordedCall {
  /// The answer at once and whole, for a fault to spoil.
  var reply: Reply {
    var reply = Reply(status ?? 502, body: body, type: "")
    reply.headers = sentHeaders
    if isStream { reply.content = .events(pieces.map { StreamEvent(.token, $0.bytes) }) }
    return reply
  }

  /// Without the length, which the connection knows; the one of a body that was cut is kept.
  private var sentHeaders: [HeaderField] {
    isCut ? headers : headers.filter { $0.name.lowercased() != "content-length" }
  }

  /// The answer with the times it had, and its end.
  var script: AnswerScript {
    guard let status else { return AnswerScript([], end: .reset) }
    var headers = HTTPHeaders(sentHeaders.map { ($0.name, $0.value) })
    let head = pieces.first?.after ?? .zero
    if !isCut && !isStream { headers["content-length"] = String(body.count) }
    let parts = pieces.map { (time: $0.after, part: AnswerScript.Part.body($0.bytes)) }
    return AnswerScript([(head, .head(status: status, headers))] + parts, end: isCut ? .close : .finish)
  }
}
