import JSON
import ProtocolSpec
import Transport
import Wire

/// The short way for what is asked most and needs neither params nor waiting: from the bytes of the
/// request to the bytes of the answer, without a value in between.
extension Session {
  /// Answers the message if it is a plain ping whose turn it is; otherwise nothing has happened.
  func answersPlain(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let envelope = EnvelopeScanner.scan(bytes),
      service.plain.isPing(UnsafeRawBufferPointer(rebasing: bytes[envelope.method])),
      mayAnswerAtOnce(isBare: !envelope.isJSONRPC)
    else { return false }
    reader.note(envelope.isJSONRPC ? .jsonrpc : .bare)
    var id: UnsafeRawBufferPointer?
    if let place = envelope.id {
      id = UnsafeRawBufferPointer(rebasing: bytes[place])
    } else if envelope.isJSONRPC {
      return true
    }
    let pong = envelope.isJSONRPC ? service.plain.jsonrpcPong : service.plain.barePong
    connection.sendHere(count: pong.count(id: id)) { pong.write(id: id, to: $0) }
    return true
  }
}

/// What the short way needs to know, without anything to count references of.
struct PlainAnswers: Sendable {
  let barePong: PlainAnswer
  let jsonrpcPong: PlainAnswer
  private let ping: StaticString

  init(ping: StaticString, result: (Dialect) -> JSONValue) {
    self.ping = ping
    barePong = PlainAnswer(.bare, result: result(.bare))
    jsonrpcPong = PlainAnswer(.jsonrpc, result: result(.jsonrpc))
  }

  @inline(__always)
  func isPing(_ method: UnsafeRawBufferPointer) -> Bool {
    guard method.count == ping.utf8CodeUnitCount else { return false }
    for offset in 0..<method.count where method[offset] != ping.utf8Start[offset] { return false }
    return true
  }
}
