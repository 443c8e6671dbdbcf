internal import JSON
package import ProtocolSpec
internal import YAML

/// What a case checks, for people.
package struct CaseExplanation {
  package private(set) var text = ""
  private let transcript: TranscriptCase
  private let spec: Specification

  /// - Parameter flags: those that lead to the same case again, but for `--run`.
  package init(_ transcript: TranscriptCase, spec: Specification, flags: String) {
    self.transcript = transcript
    self.spec = spec
    line("\(transcript.id)  (\(transcript.place.file):\(transcript.place.line))")
    line("  \(transcript.title)")
    line()
    why()
    setting()
    line("What happens:")
    for (index, step) in transcript.steps.enumerated() { line("  \(index + 1). \(StepWords(step).text)") }
    for words in transcript.observe.flatMap(StepWords.calls) { line("  At the end \(words).") }
    line()
    failing()
    line("Play it:")
    if transcript.play == .server {
      line("  omni-conformance client --exec 'COMMAND {url}'\(flags) --run \(transcript.id)")
    } else if needsTargetFile {
      line(
        "  omni-conformance run --target-file target.yaml --mock mock-litellm\(flags) --run \(transcript.id)")
    } else {
      line("  omni-conformance run \(way)\(flags) --run \(transcript.id)")
    }
  }

  /// The flag that names the target, by the first transport that the case is played over.
  private var way: String {
    let transports = transcript.transports
    if transports.contains(.ws) { return "--target \(spec.defaultURL)" }
    guard transports.contains(.http) else { return "--exec 'omni-server --stdio'" }
    let address = spec.defaultURL.replacing("ws://", with: "http://")
    return "--target \(address)\(spec.transports.http.path)"
  }

  private var needsTargetFile: Bool {
    transcript.needs.contains { [.faults, .restart, .environment].contains($0) }
  }

  private mutating func line(_ words: String = "") { text += words + "\n" }

  private mutating func why() {
    var others: [String] = []
    line("Why (\(transcript.level.rawValue.uppercased())):")
    for tag in transcript.covers {
      guard case .requirement(let id) = tag, let requirement = spec.requirements[id] else {
        others.append(tag.description)
        continue
      }
      line("  \(requirement.level.rawValue.uppercased())  \(requirement.text)")
      line("        \(id), \(requirement.place.file):\(requirement.place.line)")
    }
    if !others.isEmpty { line("  It also shows \(others.joined(separator: ", ")).") }
    line()
  }

  private mutating func setting() {
    var words: [String] = []
    let side = transcript.play == .server ? "server" : "client"
    words.append("the runner plays the \(side) and speaks \(transcript.dialect.rawValue)")
    if transcript.transports != [.ws] {
      words.append("it is played over \(transcript.transports.map(\.words).joined(separator: ", "))")
    }
    if transcript.dialect.hasHandshake && transcript.begins {
      words.append("each connection is initialized")
    }
    if transcript.isFresh { words.append("the target starts anew, with empty data") }
    for variable in transcript.environment {
      words.append("the target has \(variable.name)=\(variable.value)")
    }
    for face in transcript.arm {
      words += face.rules.map { "\(face.face.rawValue) will do \(FlowText.text($0))" }
    }
    if transcript.isAlone { words.append("no other case is played meanwhile") }
    line("Before:")
    for word in words { line("  - \(word)") }
    let needs =
      transcript.needs.filter { ![.bare, .jsonrpc].contains($0) }.map(\.rawValue)
      + transcript.mcpNeeds.map(\.description)
    if !needs.isEmpty {
      line(
        "  - a target without \(needs.joined(separator: ", ")) cannot be asked: the case is not applicable")
    }
    line()
  }

  private mutating func failing() {
    line("It fails where")
    var words: [String] = []
    let actions = transcript.steps.map(\.action)
    let expects = actions.contains { if case .expect = $0 { true } else { false } }
    if expects || actions.contains(where: { if case .unordered = $0 { true } else { false } }) {
      words.append("an answer is missing, late, or differs in what is written above")
      if transcript.dialect != .raw {
        words.append("an answer has members beside id, result and error, or another id")
      }
      words.append("anything else comes that no step expects")
    }
    for case .closed in actions { words.append("the connection is not closed, or with another code") }
    for case .quiet in actions { words.append("anything comes in the time of silence") }
    for case .poll in actions {
      words.append("a value comes that is not allowed, or the awaited one does not")
    }
    for case .http in actions { words.append("the status, a header or the body is another") }
    for case .restart in actions { words.append("the target does not come back") }
    if !transcript.observe.isEmpty {
      words.append("the mock was asked something else, or more or less often")
    }
    hostFailing(actions, &words)
    if transcript.play != .server {
      words.append("the target ends, or does not answer a ping afterwards")
    }
    var seen: Set<String> = []
    for word in words where seen.insert(word).inserted { line("  - \(word)") }
    line()
  }

  /// Of a case that plays the server.
  private func hostFailing(_ actions: [StepAction], _ words: inout [String]) {
    for case .host(let action) in actions {
      switch action {
      case .quiet, .rests: words.append("the client asks what it should not in the time of silence")
      case .goesOn: words.append("the client hangs")
      case .connects: words.append("the client tries to connect more often than that")
      case .closed: words.append("the client does not close the connection")
      default: break
      }
    }
    if transcript.play == .server {
      words.append("the client breaks the protocol: frames, JSON, ids or params that are wrong")
    }
  }
}

/// One step as a sentence.
struct StepWords {
  private(set) var text: String

  init(_ step: Step) {
    text = Self.words(step.action)
    if step.connection != "a" { text = "On connection \(step.connection): \(text)" }
    var more: [String] = []
    if Self.waits(step.action) { more.append("within \(step.within.words)") }
    if let status = step.status { more.append("over HTTP with the status \(Self.flow(status.source))") }
    for (name, value) in step.headers { more.append("with the header \(name): \(Self.flow(value.source))") }
    if let notBefore = step.notBefore { more.append("not before \(notBefore.words)") }
    if !more.isEmpty { text += ", \(more.joined(separator: ", "))" }
    if let why = step.why { text += " (\(why))" }
  }

  private static func waits(_ action: StepAction) -> Bool {
    switch action {
    case .expect, .unordered, .closed, .pong, .await: true
    default: false
    }
  }

  private static func flow(_ value: JSONValue) -> String { FlowText.text(value, limit: 400) }

  private static func words(_ action: StepAction) -> String {
    switch action {
    case .say(let matcher): return "the client sends \(flow(matcher.source))"
    case .expect(let frame): return "the server answers \(flow(frame.matcher.source))"
    case .unordered(let frames):
      return "in any order the server answers "
        + frames.map { flow($0.frame.matcher.source) }.joined(separator: " and ")
    case .raw(let message): return "the client sends \(raw(message))"
    case .pong(let bytes): return "the server answers with a pong of \(bytes.shown)"
    case .close(let code, _): return "the client closes\(code.map { " with code \($0)" } ?? "")"
    case .closed(let codes):
      let list = codes.map { $0.map(String.init) ?? "without a code" }.joined(separator: " or ")
      return "the server closes the connection, \(list)"
    case .poll(let poll):
      let allowed = poll.allow.map { ", and until then \(flow($0.source))" } ?? ""
      return
        "the client sends \(flow(poll.request.source)) every \(poll.every.words) until \(poll.pointer) is"
        + " \(flow(poll.until.source))\(allowed), at most for \(poll.limit.words)"
    case .quiet(let time): return "nothing comes for \(time.words)"
    case .connect(let connect): return self.connect(connect)
    case .http(let exchange):
      return "\(exchange.method) \(exchange.path) is answered \(answer(exchange.answer))"
    case .restart(let signal, let exit):
      return "the target gets \(signal.rawValue)\(exit.map { ", ends with \($0)" } ?? "") and starts again"
    case .arm(let faces):
      return faces.flatMap { face in face.rules.map { "\(face.face.rawValue) will do \(flow($0))" } }
        .joined(separator: ", ")
    case .await(let faces): return "wait until " + faces.flatMap(calls).joined(separator: " and ")
    case .host(let action): return HostWords.text(action)
    }
  }

  /// What a face of the mock was asked.
  static func calls(_ face: ObservedFace) -> [String] {
    face.expectations.map { call in
      let count = call.count.map { "\(flow($0.source)) times" } ?? "at least once"
      var words = "\(face.face.rawValue) was asked \(call.path) \(count)"
      if let body = call.body { words += " with \(flow(body.source))" }
      for header in call.headers { words += " with \(header.key): \(flow(header.matcher.source))" }
      if let spacing = call.spacing { words += ", at least \(spacing.words) apart" }
      return words
    }
  }

  /// The text on one line, whatever ends lines in it.
  private static func visible(_ text: String) -> String {
    var visible = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": visible += "\\n"
      case "\r": visible += "\\r"
      case "\t": visible += "\\t"
      default: visible.unicodeScalars.append(scalar)
      }
    }
    return visible
  }

  private static func raw(_ message: RawMessage) -> String {
    switch message {
    case .text(let parts): return "the text \(visible(TextPart.shown(parts)))"
    case .bytes(let bytes): return "the bytes \(bytes.hexadecimal)"
    case .binary(let bytes): return "a binary message of \(bytes.count) bytes"
    case .ping(let bytes): return "a ping of \(bytes.shown)"
    case .frame(let fin, let rsv, let opcode, let isMasked, let payload):
      var words = "a frame of opcode \(opcode)"
      if !fin { words += " without FIN" }
      if rsv != 0 { words += " with reserved bits \(rsv)" }
      if !isMasked { words += " without a mask" }
      return words + " with \(TextPart.shown(payload))"
    }
  }

  private static func connect(_ connect: Connect) -> String {
    var words = "the client asks for a WebSocket on \(connect.path)"
    if !connect.subprotocols.isEmpty { words += " offering \(connect.subprotocols.joined(separator: ", "))" }
    for header in connect.headers { words += " with \(header.name): \(flow(header.value.source))" }
    switch connect.outcome {
    case .accepted(let subprotocol, _):
      return words + " and is let in\(subprotocol.map { " with subprotocol \(flow($0.source))" } ?? "")"
    case .refused(let answered): return words + " and is refused \(answer(answered))"
    }
  }

  private static func answer(_ answered: Answered) -> String {
    var words = answered.status.map { "with \(flow($0.source))" } ?? "with any status"
    for header in answered.headers { words += ", \(header.key): \(flow(header.matcher.source))" }
    if let body = answered.body { words += ", body \(flow(body.source))" }
    return words
  }
}

extension TextPart {
  /// A long text is told by its length.
  fileprivate static func shown(_ parts: [TextPart]) -> String {
    parts.map { part in
      switch part {
      case .bytes(let bytes): bytes.count > 200 ? "(\(bytes.count) bytes)" : bytes.shown
      case .repeated(let bytes, let times): "\(bytes.shown) \(times) times"
      }
    }.joined(separator: " ")
  }
}

extension Duration {
  /// `250ms` or `2s`, as transcripts have it.
  var words: String {
    let milliseconds = Int((self / .milliseconds(1)).rounded())
    return milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
  }
}
