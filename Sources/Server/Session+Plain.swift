import ProtocolSpec
import Transport
import Wire

/// The short way for what is asked most and needs neither params nor waiting: from the bytes of the
/// request to the bytes of the answer, without a value in between.
extension Session {
  /// Answers the message if it is a plain ping whose turn it is; otherwise nothing has happened.
  func answersPlain(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let envelope = EnvelopeScanner.scan(bytes),
      let pong = service.plainPong(for: UnsafeRawBufferPointer(rebasing: bytes[envelope.method]))
    else { return false }
    let dialect: Dialect = envelope.isJSONRPC ? .jsonrpc : .bare
    guard mayAnswerAtOnce(dialect) else { return false }
    reader.note(dialect)
    if dialect == .jsonrpc && envelope.id == nil { return true }
    let id = envelope.id.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) }
    let result = pong[dialect]
    let size = Answer.plainSize(id: id?.count ?? 0, result: result.count)
    withUnsafeTemporaryAllocation(byteCount: size, alignment: 1) { output in
      let count = Answer.writePlain(dialect, id: id, result: result, to: output)
      connection.sendHere(.text, UnsafeRawBufferPointer(rebasing: output[..<count]))
    }
    return true
  }
}

/// The result of ping as text, in each dialect.
struct PlainPong: Sendable {
  let bare: [UInt8]
  let jsonrpc: [UInt8]

  subscript(dialect: Dialect) -> [UInt8] { dialect == .bare ? bare : jsonrpc }
}
