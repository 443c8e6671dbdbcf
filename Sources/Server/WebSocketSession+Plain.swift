import JSON
import ProtocolSpec
import Transport
import Wire

/// The short way for what is asked most and needs no waiting: from the bytes of the request to the
/// bytes of the answer, without a value in between.
extension WebSocketSession {
  /// Answers the message if it is a plain ping or get_task_status whose turn it is; otherwise nothing
  /// has happened.
  func answersPlain(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let envelope = EnvelopeScanner.scan(bytes), mayAnswerAtOnce(isBare: !envelope.isJSONRPC) else {
      return false
    }
    if let param = envelope.param { return answersStatus(bytes, envelope, param) }
    guard service.plain.isPing(UnsafeRawBufferPointer(rebasing: bytes[envelope.method])) else { return false }
    reader.note(envelope.isJSONRPC ? .jsonrpc : .bare)
    var id: UnsafeRawBufferPointer?
    if let place = envelope.id {
      id = UnsafeRawBufferPointer(rebasing: bytes[place])
    } else if envelope.isJSONRPC {
      return true
    }
    tally.add(envelope.isJSONRPC ? tally.jsonrpcPing : tally.barePing)
    let pong = envelope.isJSONRPC ? service.plain.jsonrpcPong : service.plain.barePong
    connection.sendHere(count: pong.count(id: id)) { pong.write(id: id, to: $0) }
    return true
  }

  private func answersStatus(
    _ bytes: UnsafeRawBufferPointer, _ envelope: EnvelopeScanner.Envelope,
    _ param: (name: Range<Int>, text: Range<Int>)
  ) -> Bool {
    guard
      service.plain.isStatus(
        UnsafeRawBufferPointer(rebasing: bytes[envelope.method]),
        of: UnsafeRawBufferPointer(rebasing: bytes[param.name])),
      // A notification is not answered.
      envelope.id != nil || !envelope.isJSONRPC
    else { return false }
    let task = UnsafeRawBufferPointer(rebasing: bytes[param.text])
    // What went wrong is told the long way.
    guard let result = service.status(of: task, on: connection.loop) else { return false }
    let dialect: Dialect = envelope.isJSONRPC ? .jsonrpc : .bare
    reader.note(dialect)
    tally.add(envelope.isJSONRPC ? tally.jsonrpcStatus : tally.bareStatus)
    let id = envelope.id.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) }
    let answer = PlainSuccess(dialect: dialect, id: id, result: result)
    connection.sendHere(count: answer.count) { answer.write(to: $0) }
    return true
  }
}

/// What the short way needs to know, without anything to count references of.
struct PlainAnswers: Sendable {
  let barePong: PlainAnswer
  let jsonrpcPong: PlainAnswer
  private let ping: StaticString
  private let status: StaticString = "get_task_status"
  private let statusParam: StaticString = "task_id"

  init(ping: StaticString, result: (Dialect) -> JSONValue) {
    self.ping = ping
    barePong = PlainAnswer(.bare, result: result(.bare))
    jsonrpcPong = PlainAnswer(.jsonrpc, result: result(.jsonrpc))
  }

  func deallocate() {
    barePong.deallocate()
    jsonrpcPong.deallocate()
  }

  @inline(__always)
  func isPing(_ method: UnsafeRawBufferPointer) -> Bool { Self.isSame(method, ping) }

  @inline(__always)
  func isStatus(_ method: UnsafeRawBufferPointer, of param: UnsafeRawBufferPointer) -> Bool {
    Self.isSame(method, status) && Self.isSame(param, statusParam)
  }

  @inline(__always)
  private static func isSame(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
    guard bytes.count == text.utf8CodeUnitCount else { return false }
    for offset in 0..<bytes.count where bytes[offset] != text.utf8Start[offset] { return false }
    return true
  }
}
