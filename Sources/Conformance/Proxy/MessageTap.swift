internal import Wire

/// Finds the messages in the bytes of one direction of a WebSocket, right or wrong.
package struct MessageTap: Sendable {
  private let direction: ProxyDirection
  private let maxBytes: Int
  private var decoder = FrameDecoder()
  /// The frame that has not come whole: its bytes, and where its payload begins.
  private var wire: [UInt8] = []
  private var open: (header: FrameHeader, payloadStart: Int)?
  /// The message whose last fragment has not come.
  private var fragments: (opcode: UInt8, wire: [UInt8], payload: [UInt8], frames: Int)?
  /// Why frames cannot be told apart any more.
  package private(set) var lost: String?

  /// - Parameter maxBytes: of a message; past it the tap gives up.
  package init(_ direction: ProxyDirection, maxBytes: Int = 64 << 20) {
    self.direction = direction
    self.maxBytes = maxBytes
  }

  /// Bytes that are part of no message yet; what a proxy that holds messages back still owes.
  package mutating func takeRest() -> [UInt8] {
    defer {
      wire = []
      open = nil
      fragments = nil
    }
    return (fragments?.wire ?? []) + wire
  }

  package mutating func feed(_ input: UnsafeRawBufferPointer) -> [ProxyMessage] {
    var messages: [ProxyMessage] = []
    var offset = 0
    while lost == nil, offset < input.count || open?.header.length == 0 {
      if open == nil {
        let start = offset
        let header: FrameHeader?
        do throws(WebSocketFailure) {
          header = try decoder.next(input, &offset)
        } catch {
          wire.append(contentsOf: input[start...])
          lost = error.message
          return messages
        }
        wire.append(contentsOf: input[start..<offset])
        guard let header else { return messages }
        guard header.length <= maxBytes - (fragments?.payload.count ?? 0) else {
          wire.append(contentsOf: input[offset...])
          lost = "a frame of \(header.length) bytes, more than is looked at"
          return messages
        }
        open = (header, wire.count)
      }
      guard let (header, start) = open else { return messages }
      let count = min(header.length - (wire.count - start), input.count - offset)
      wire.append(contentsOf: input[offset..<(offset + count)])
      offset += count
      guard wire.count - start == header.length else { return messages }
      var payload = Array(wire[start...])
      if let mask = header.mask { payload.withUnsafeMutableBytes { _ = FrameMask.apply(mask, to: $0) } }
      let bytes = wire
      wire = []
      open = nil
      if let message = take(header, payload, bytes) { messages.append(message) }
    }
    return messages
  }

  private mutating func take(_ header: FrameHeader, _ payload: [UInt8], _ bytes: [UInt8]) -> ProxyMessage? {
    if let wrong = breach(header, payload) {
      let before = fragments?.wire ?? []
      fragments = nil
      return ProxyMessage(.invalid(wrong), wire: before + bytes)
    }
    guard !header.isControl else { return control(header.opcode, payload, bytes) }
    var whole = fragments ?? (header.opcode, [], [], 0)
    whole.wire += bytes
    whole.payload += payload
    whole.frames += 1
    guard header.fin else {
      fragments = whole
      return nil
    }
    fragments = nil
    let isText = whole.opcode == WebSocketOpcode.text.rawValue
    guard !isText || Self.isText(whole.payload) else {
      return ProxyMessage(.invalid("text that is no UTF-8 (RFC 6455 §8.1)"), wire: whole.wire)
    }
    return ProxyMessage(
      isText ? .text(whole.payload) : .binary(whole.payload), wire: whole.wire, frames: whole.frames)
  }

  private func control(_ opcode: UInt8, _ payload: [UInt8], _ bytes: [UInt8]) -> ProxyMessage {
    switch WebSocketOpcode(rawValue: opcode) {
    case .ping: return ProxyMessage(.ping(payload), wire: bytes)
    case .pong: return ProxyMessage(.pong(payload), wire: bytes)
    default:
      guard payload.count >= 2 else { return ProxyMessage(.close(code: nil, reason: ""), wire: bytes) }
      let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
      let reason = String(decoding: payload.dropFirst(2), as: UTF8.self)
      return ProxyMessage(.close(code: code, reason: reason), wire: bytes)
    }
  }

  /// What of RFC 6455 §5 a frame breaks.
  private func breach(_ header: FrameHeader, _ payload: [UInt8]) -> String? {
    guard header.rsv == 0 else { return "reserved bits without an extension (RFC 6455 §5.2)" }
    guard let opcode = WebSocketOpcode(rawValue: header.opcode) else {
      return "reserved opcode \(header.opcode) (RFC 6455 §5.2)"
    }
    guard (header.mask != nil) == (direction == .toServer) else {
      return
        "a \(header.mask == nil ? "client" : "server")'s frame \(header.mask == nil ? "without" : "with") a mask (RFC 6455 §5.1)"
    }
    if header.isControl {
      guard header.fin, header.length <= 125 else {
        return "a control frame that is fragmented or past 125 bytes (RFC 6455 §5.5)"
      }
      guard opcode == .close, !payload.isEmpty else { return nil }
      let isRight = payload.count >= 2 && Self.isText(Array(payload.dropFirst(2)))
      return isRight ? nil : "a Close with half a code, or whose reason is no UTF-8 (RFC 6455 §5.5.1)"
    }
    guard (opcode == .continuation) == (fragments != nil) else {
      return "a frame that does not go on with the message begun, or none was (RFC 6455 §5.4)"
    }
    return nil
  }

  private static func isText(_ bytes: [UInt8]) -> Bool {
    var validator = UTF8Validator()
    return bytes.withUnsafeBytes { validator.feed($0) } && validator.isComplete
  }
}
