import JSON
import ProtocolSpec

/// The events of a stream, and what a fault makes of them.
struct StreamShape {
  private let events: [StreamEvent]
  private let isLiteLLM: Bool

  /// How many bytes a chunk has that ends where it wants.
  private static let splitSize = 7

  init(_ events: [StreamEvent], isLiteLLM: Bool) {
    self.events = events
    self.isLiteLLM = isLiteLLM
  }

  /// - Parameter count: the events before what is wrong; nil for half of them.
  func under(_ fault: StreamFault, after count: Int?) -> [StreamEvent] {
    let begin = Array(events.prefix(count ?? max(events.count / 2, 1)))
    switch fault {
    case .error: return begin + [error]
    case .malformed: return begin + [.broken]
    case .noFinish: return events.filter { $0.kind != .finish }
    case .noDone: return events.filter { $0.kind != .done }
    case .onlyDone: return events.filter { $0.kind == .done }
    case .empty: return []
    case .afterDone: return events + events.filter { $0.kind == .token }.suffix(1)
    case .split: return chunks(of: Self.splitSize)
    case .bytes: return chunks(of: 1)
    case .comments:
      return events.map { StreamEvent($0.kind, Array(": keep-alive\n\n".utf8) + $0.bytes) }
    case .crlf: return events.map { StreamEvent($0.kind, Self.crlf($0.bytes)) }
    case .lines: return events.map { StreamEvent($0.kind, Self.lines($0.bytes)) }
    }
  }

  /// The error that LiteLLM sends where its provider breaks off, or the one of the API itself.
  private var error: StreamEvent {
    let message =
      isLiteLLM
      ? "litellm.APIConnectionError: APIConnectionError: OpenAIException - the mock was told to break off"
      : "the mock was told to break off"
    if events.first?.isNamed == true {
      return StreamEvent(
        .frame, AnthropicBodies.error(isLiteLLM ? "api_error" : "overloaded_error", message), named: "error")
    }
    return StreamEvent(
      .frame,
      OpenAIBodies.error(
        message, type: isLiteLLM ? .null : "server_error", code: isLiteLLM ? "500" : .null))
  }

  /// All bytes in chunks of one size; each has the kind of the event in which it begins, so that
  /// their pace is that of the tokens.
  private func chunks(of size: Int) -> [StreamEvent] {
    var chunks: [StreamEvent] = []
    var rest: [UInt8] = []
    for event in events {
      rest += event.bytes
      var isFirst = true
      while rest.count >= size {
        chunks.append(StreamEvent(isFirst ? event.kind : .frame, Array(rest.prefix(size))))
        rest.removeFirst(size)
        isFirst = false
      }
    }
    return rest.isEmpty ? chunks : chunks + [StreamEvent(.frame, rest)]
  }

  private static func crlf(_ bytes: [UInt8]) -> [UInt8] {
    bytes.flatMap { $0 == UInt8(ascii: "\n") ? [UInt8(ascii: "\r"), $0] : [$0] }
  }

  /// The data on two lines: the line break behind the brace that opens it is white space in JSON.
  private static func lines(_ bytes: [UInt8]) -> [UInt8] {
    guard let brace = bytes.firstIndex(of: UInt8(ascii: "{")) else { return bytes }
    return bytes[...brace] + Array("\ndata: ".utf8) + bytes[(brace + 1)...]
  }
}
