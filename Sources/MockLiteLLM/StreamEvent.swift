import JSON
import Wire

/// One event of a stream as it stands on the wire, and what it is for.
struct StreamEvent: Sendable {
  enum Kind: Sendable {
    /// What frames the tokens: begin, usage, pings.
    case frame
    /// A piece of the answer.
    case token
    /// Says why the model stopped.
    case finish
    /// Says that the stream is over.
    case done
  }

  let kind: Kind
  var bytes: [UInt8]

  init(_ kind: Kind, _ bytes: [UInt8]) {
    self.kind = kind
    self.bytes = bytes
  }

  /// An event with a JSON value for data, and with a name as Anthropic has it.
  init(_ kind: Kind, _ value: JSONValue, named name: String? = nil) {
    self.init(kind, data: JSONWriter.bytes(value), named: name)
  }

  private init(_ kind: Kind, data: [UInt8], named name: String?) {
    self.kind = kind
    bytes = []
    ServerSentEventEncoder.append(data: data, event: name, to: &bytes)
  }

  static let done = StreamEvent(.done, data: Array("[DONE]".utf8), named: nil)

  /// What a stream sends that a fault makes unreadable.
  static let broken = StreamEvent(
    .frame, data: Array(#"{"id":"chatcmpl-","choices":[{"delta":{"cont"#.utf8), named: nil)

  var isNamed: Bool { bytes.starts(with: "event:".utf8) }
}

/// Events that differ only in one text. Streams of a thousand tokens are made from it.
struct EventTemplate {
  private let kind: StreamEvent.Kind
  private let front: [UInt8]
  private let back: [UInt8]

  /// Stands for the text; no model has such a name.
  private static let mark = "\u{1}"

  /// - Parameter make: gives the event with a text, which stands in it once, as a JSON string.
  init(_ make: (String) -> StreamEvent) {
    let event = make(Self.mark)
    kind = event.kind
    let text = JSONWriter.bytes(.string(Self.mark))
    let place = event.bytes.firstRange(of: text) ?? event.bytes.endIndex..<event.bytes.endIndex
    front = Array(event.bytes[..<place.lowerBound])
    back = Array(event.bytes[place.upperBound...])
  }

  func event(_ text: String) -> StreamEvent {
    StreamEvent(kind, front + JSONWriter.bytes(.string(text)) + back)
  }
}
