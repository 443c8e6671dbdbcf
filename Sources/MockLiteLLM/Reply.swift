import JSON
import ProtocolSpec
import Wire

/// What a face answers when nothing is wrong, and what a fault then spoils.
struct Reply: Sendable {
  enum Content: Sendable {
    case whole([UInt8])
    /// Server-sent events, each sent as a chunk of its own.
    case events([StreamEvent])
  }

  var status: Int
  var headers: [HeaderField]
  var content: Content
  /// The tokens of a completion, for the time it takes.
  var tokens = 0
  /// What LiteLLM writes on the account of the key.
  var charge: (tokens: Int, cost: Double)?
  /// The key whose limits count the answer as running.
  var key: String?
  /// How long LiteLLM's router took before.
  var wait = Duration.zero
  /// What LiteLLM passes on of a deployment that goes wrong in the middle of its stream.
  var fault: FaultAction?
  /// How fast the deployment speaks; nil for as usual.
  var pace: AnswerPace?

  init(_ status: Int, json: JSONValue, headers: [HeaderField] = []) {
    self.init(status, body: JSONWriter.bytes(json), type: "application/json", headers: headers)
  }

  init(_ status: Int, body: [UInt8], type: String, headers: [HeaderField] = []) {
    self.status = status
    self.headers = headers + [("content-type", type)]
    content = .whole(body)
  }

  init(events: [StreamEvent], headers: [HeaderField]) {
    status = 200
    self.headers = headers
    content = .events(events)
  }

  /// Replaces the header `name`, or adds it.
  mutating func set(_ name: String, _ value: String) {
    headers.removeAll { HTTPHeaders.isSame($0.name, name) }
    headers.append((name, value))
  }

  /// Adds white space that means nothing: behind a body, or as a comment before the events.
  mutating func pad(_ count: Int) {
    guard count > 0 else { return }
    let space = [UInt8](repeating: UInt8(ascii: " "), count: count)
    switch content {
    case .whole(let body): content = .whole(body + space)
    case .events(let events):
      content = .events([StreamEvent(.frame, [UInt8(ascii: ":")] + space + Array("\n\n".utf8))] + events)
    }
  }
}
