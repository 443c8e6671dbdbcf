internal import JSON
internal import ProtocolSpec

/// A step of a case that plays the server, as a sentence.
enum HostWords {
  static func text(_ action: HostAction) -> String {
    switch action {
    case .await(let request): return awaited(request)
    case .answer(let answer): return answered(answer)
    case .connect(let connect): return connected(connect)
    case .connects(let most, let time):
      return "every handshake is refused for \(time.words), and the client tries at most \(most) times"
    case .quiet(let silence): return quiet(silence)
    case .closed(let codes, let needsFrame):
      let list = codes.map { codes in
        ", " + codes.map { $0.map(String.init) ?? "without a code" }.joined(separator: " or ")
      }
      return "the client closes the connection\(needsFrame ? " with a Close frame" : "")\(list ?? "")"
    case .delay(let time): return "the server takes \(time.words), and serves everything else meanwhile"
    case .holds(let time): return "nothing is answered for \(time.words), and then all of it"
    case .rests(let time): return "the client asks nothing for \(time.words), as it waits for its answers"
    case .drop(let isReset):
      return "the connection ends \(isReset ? "by a reset" : "without a Close frame")"
    case .goesOn(let mayFail):
      let more = mayFail ? ", or with an error of its own" : ""
      return "the client asks something more, or ends in order\(more)"
    }
  }

  private static func flow(_ value: JSONValue) -> String { FlowText.text(value, limit: 400) }

  private static func awaited(_ request: AwaitedRequest) -> String {
    var words = "at some time the client asks \(request.method ?? "anything")"
    if let params = request.params { words += " with \(flow(params.source))" }
    if let dialect = request.dialect { words += " in \(dialect.rawValue)" }
    return words + "; what it asks before is answered as the specification says"
  }

  private static func answered(_ answer: HostAnswer) -> String {
    var words = "the server answers \(answer.to)"
    switch answer.content {
    case .valid: words += " as the specification says"
    case .result(let matcher): words += " with the result \(flow(matcher.source))"
    case .error(let name): words += " with the error \(name)\(answer.hasData ? "" : ", without data")"
    }
    if let more = answer.with { words += ", with \(flow(more.source)) beside" }
    switch answer.identity {
    case .asked: break
    case .otherType: words += ", the id as text for a number or the other way round"
    case .foreign: words += ", under an id that no request has"
    }
    switch answer.shape {
    case .text: break
    case .binary: words += ", as a binary message"
    case .malformed: words += ", without the last byte of the text"
    case .cut: words += ", cut in the middle of the frame"
    case .fragments(let size): words += ", in fragments of \(size) bytes"
    }
    if let bytes = answer.bytes { words += ", \(bytes) bytes long" }
    if answer.times != 1 { words += ", \(answer.times) times" }
    return words
  }

  private static func connected(_ connect: HostConnect) -> String {
    var words = "the client asks for a WebSocket"
    if let path = connect.path { words += " on \(flow(path.source))" }
    for header in connect.headers { words += " with \(header.key): \(flow(header.matcher.source))" }
    switch connect.outcome {
    case .accepted(let subprotocol, _):
      return words + " and is let in\(subprotocol.map { " with subprotocol \($0)" } ?? "")"
    case .refused(let refusal): return words + " and is refused with \(refusal.status)"
    }
  }

  private static func quiet(_ silence: HostSilence) -> String {
    var words = "for \(silence.time.words) the client does not ask "
    if let again = silence.again {
      words += "\(again) again as it was"
    } else {
      words += silence.methods.isEmpty ? "anything" : silence.methods.joined(separator: " or ")
    }
    return words + (silence.mayEnd ? ", but may end" : "")
  }
}
