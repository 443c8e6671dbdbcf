/// Writes frames (RFC 6455 §5.2); with a masking key those of a client.
package enum FrameEncoder {
  package static func append(
    _ opcode: WebSocketOpcode, _ payload: UnsafeRawBufferPointer, fin: Bool = true,
    mask: UInt32? = nil, to bytes: inout [UInt8]
  ) {
    guard let mask else {
      return append(opcode, count: payload.count, fin: fin, to: &bytes) { $0.copyMemory(from: payload) }
    }
    bytes.append((fin ? 0x80 : 0) | opcode.rawValue)
    appendLength(UInt64(payload.count), form: .shortest, masked: true, to: &bytes)
    appendPayload(payload, mask: mask, to: &bytes)
  }

  /// A frame of a server whose payload is written where it is sent from, without a copy before.
  ///
  /// - Parameters:
  ///   - count: bytes of payload.
  ///   - fill: writes all of them.
  package static func append(
    _ opcode: WebSocketOpcode, count: Int, fin: Bool = true, to bytes: inout [UInt8],
    fill: (UnsafeMutableRawBufferPointer) -> Void
  ) {
    let first = (fin ? 0x80 : 0) | opcode.rawValue
    let header = count < 126 ? 2 : count <= 0xFFFF ? 4 : 10
    bytes.append(addingCapacity: header + count) { span in
      span.withUnsafeMutableBufferPointer { free, used in
        let memory = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(free)[used...])
        memory[0] = first
        switch header {
        case 2: memory[1] = UInt8(count)
        case 4:
          memory[1] = 126
          memory.storeBytes(of: UInt16(count).bigEndian, toByteOffset: 2, as: UInt16.self)
        default:
          memory[1] = 127
          memory.storeBytes(of: UInt64(count).bigEndian, toByteOffset: 2, as: UInt64.self)
        }
        fill(UnsafeMutableRawBufferPointer(rebasing: memory[header..<(header + count)]))
        used += header + count
      }
    }
  }

  package static func append(
    _ opcode: WebSocketOpcode, _ payload: [UInt8], fin: Bool = true, mask: UInt32? = nil,
    to bytes: inout [UInt8]
  ) {
    payload.withUnsafeBytes { append(opcode, $0, fin: fin, mask: mask, to: &bytes) }
  }

  /// A Close frame; the reason is cut to the 123 bytes that fit (RFC 6455 §5.5.1).
  package static func appendClose(
    code: UInt16?, reason: String = "", mask: UInt32? = nil, to bytes: inout [UInt8]
  ) {
    append(.close, closePayload(code: code, reason: reason), mask: mask, to: &bytes)
  }

  package static func closePayload(code: UInt16?, reason: String) -> [UInt8] {
    guard let code else { return [] }
    var payload = [UInt8(code >> 8), UInt8(code & 0xFF)]
    for character in reason.unicodeScalars {
      let bytes = UTF8.encode(character) ?? UTF8.encodedReplacementCharacter
      guard payload.count + bytes.count <= 125 else { break }
      payload.append(contentsOf: bytes)
    }
    return payload
  }

  /// How a length is written; the longer forms are for frames that are wrong on purpose.
  package enum LengthForm: Sendable { case shortest, bits16, bits64 }

  /// A frame with every bit free, to see what an endpoint makes of it.
  package struct RawFrame: Sendable {
    package var fin = true
    /// RSV1–3 as a number of three bits.
    package var rsv: UInt8 = 0
    package var opcode: UInt8
    package var mask: UInt32?
    package var lengthForm = LengthForm.shortest
    /// Announced instead of the payload's own length.
    package var announcedLength: UInt64?
    package var payload: [UInt8]

    package init(
      opcode: UInt8, payload: [UInt8] = [], fin: Bool = true, rsv: UInt8 = 0, mask: UInt32? = nil,
      lengthForm: LengthForm = .shortest, announcedLength: UInt64? = nil
    ) {
      self.opcode = opcode
      self.payload = payload
      self.fin = fin
      self.rsv = rsv
      self.mask = mask
      self.lengthForm = lengthForm
      self.announcedLength = announcedLength
    }
  }

  package static func append(_ frame: RawFrame, to bytes: inout [UInt8]) {
    bytes.append((frame.fin ? 0x80 : 0) | (frame.rsv & 0x7) << 4 | frame.opcode & 0xF)
    appendLength(
      frame.announcedLength ?? UInt64(frame.payload.count), form: frame.lengthForm,
      masked: frame.mask != nil, to: &bytes)
    frame.payload.withUnsafeBytes { appendPayload($0, mask: frame.mask, to: &bytes) }
  }

  private static func appendLength(
    _ length: UInt64, form: LengthForm, masked: Bool, to bytes: inout [UInt8]
  ) {
    let maskBit: UInt8 = masked ? 0x80 : 0
    if form == .shortest && length < 126 {
      bytes.append(maskBit | UInt8(length))
    } else if form != .bits64 && length <= 0xFFFF {
      bytes.append(maskBit | 126)
      bytes.append(UInt8(length >> 8))
      bytes.append(UInt8(length & 0xFF))
    } else {
      bytes.append(maskBit | 127)
      for shift in stride(from: UInt64(56), through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: length >> shift))
      }
    }
  }

  private static func appendPayload(
    _ payload: UnsafeRawBufferPointer, mask: UInt32?, to bytes: inout [UInt8]
  ) {
    guard let mask else {
      bytes.append(contentsOf: payload)
      return
    }
    for shift: UInt32 in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: mask >> shift)) }
    let start = bytes.count
    bytes.append(contentsOf: payload)
    _ = bytes.withUnsafeMutableBytes {
      FrameMask.apply(mask, to: UnsafeMutableRawBufferPointer(rebasing: $0[start...]))
    }
  }
}
