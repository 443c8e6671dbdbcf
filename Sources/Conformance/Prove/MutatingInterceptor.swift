internal import JSON
package import Wire

/// Stands before a target and does one thing to what it says on one connection.
final class MutatingInterceptor: ProxyInterceptor {
  private let number: Int
  private let stage: MutationStage
  /// A message that changes its place with the next one.
  private var kept: ProxyMessage?

  init(_ number: Int, _ stage: MutationStage) {
    self.number = number
    self.stage = stage
  }

  func holds(_ direction: ProxyDirection) -> Bool { direction == .toClient }
  var holdsAnswers: Bool { true }

  func opened(_ request: HTTPRequestHead, _ response: HTTPResponseHead) {
    stage.answered(.upgraded(response), on: number)
  }

  func answered(_ exchange: ProxiedExchange) { stage.answered(.answered(exchange), on: number) }

  func rewritten(_ answer: [UInt8], to request: HTTPRequestHead) -> [UInt8] {
    guard let change = stage.answerChange(on: number) else { return answer }
    return change.changed(answer, to: request)
  }

  func intercept(_ message: ProxyMessage, _ direction: ProxyDirection) -> [ProxyAction] {
    guard direction == .toClient else {
      stage.said(message, on: number)
      return [.forward]
    }
    if let kept {
      self.kept = nil
      _ = stage.change(of: message, on: number)
      return [.forward, .raw(kept.wire)]
    }
    guard let change = stage.change(of: message, on: number) else { return [.forward] }
    if case .swapWithNext = change { kept = message }
    return change.actions(message)
  }
}

extension FrameChange {
  /// What goes to the client in the stead of `message`.
  func actions(_ message: ProxyMessage) -> [ProxyAction] {
    switch self {
    case .edit(let edit):
      guard let text = message.text, let value = try? JSONParser.parse(text) else { return [.forward] }
      return [.send(.text(JSONWriter.bytes(edit.edited(value))))]
    case .cutText:
      // At a byte that no character goes across.
      let text = message.text ?? []
      var end = text.count / 2
      while end > 0, text[end] & 0xC0 == 0x80 { end -= 1 }
      return [.send(.text(Array(text[..<end])))]
    case .drop, .swapWithNext: return []
    case .twice: return [.forward, .forward]
    case .wait(let time): return [.wait(time), .forward]
    case .binary: return [.send(.binary(message.text ?? []))]
    case .cutFrame: return [.raw(Array(message.wire.dropLast(max(1, message.wire.count / 2)))), .end]
    case .close(let code): return [.close(code: code, reason: "")]
    case .end: return [.end]
    case .addBehind(let value): return [.forward, .send(.text(JSONWriter.bytes(value)))]
    case .addBefore(let value): return [.send(.text(JSONWriter.bytes(value))), .forward]
    case .bytes(let bytes): return [.send(.pong(bytes))]
    case .status: return [.forward]
    }
  }
}

extension AnswerChange {
  /// What goes to the client in the stead of `answer`.
  package func changed(_ answer: [UInt8], to request: HTTPRequestHead) -> [UInt8] {
    let text = String(decoding: answer, as: UTF8.self)
    guard let end = text.firstRange(of: "\r\n\r\n") else { return answer }
    var lines = text[..<end.lowerBound].split(separator: "\r\n", omittingEmptySubsequences: false).map(
      String.init)
    var body = String(text[end.upperBound...])
    switch self {
    case .refuse: return Array("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno".utf8)
    case .accept:
      let key = WebSocketHandshake.accept(for: request.headers["Sec-WebSocket-Key"] ?? "")
      let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      return Array("\(head)Sec-WebSocket-Accept: \(key)\r\n\r\n".utf8)
    case .cut: return Array(answer.prefix(12))
    case .status(let status): lines[0] = "HTTP/1.1 \(status) Changed"
    case .header(let name, let value):
      lines.removeAll { $0.lowercased().hasPrefix(name.lowercased() + ":") }
      if let value { lines.append("\(name): \(value)") }
    case .edit(let edit):
      guard let value = try? JSONParser.parse(Array(body.utf8)) else { return answer }
      body = JSONWriter.text(edit.edited(value))
    case .body(let text): body = text
    }
    switch self {
    case .edit, .body:
      lines.removeAll { $0.lowercased().hasPrefix("content-length:") }
      lines.append("Content-Length: \(body.utf8.count)")
    default: break
    }
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8)
  }
}
