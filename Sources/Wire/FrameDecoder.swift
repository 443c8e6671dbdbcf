/// The frame types of RFC 6455 §5.2; 3–7 and 11–15 are reserved.
package enum WebSocketOpcode: UInt8, Sendable {
  case continuation = 0x0
  case text = 0x1
  case binary = 0x2
  case close = 0x8
  case ping = 0x9
  case pong = 0xA
}

/// Everything before a frame's payload (RFC 6455 §5.2).
package struct FrameHeader: Sendable, Equatable {
  package var fin: Bool
  /// RSV1–3 as a number, 0 without extensions.
  package var rsv: UInt8
  /// The raw opcode: it may be reserved.
  package var opcode: UInt8
  /// The masking key, its first byte on the wire lowest; nil in an unmasked frame.
  package var mask: UInt32?
  package var length: Int

  package var isControl: Bool { opcode & 0x8 != 0 }
}

/// Why a WebSocket connection is failed, and the close code that says so (RFC 6455 §7.1.7, §7.4).
package struct WebSocketFailure: Error, Sendable, Equatable, CustomStringConvertible {
  package let code: UInt16
  package let message: String

  package init(_ code: UInt16, _ message: String) {
    self.code = code
    self.message = message
  }

  package var description: String { message }
}

/// Reads frame headers from bytes in any pieces. It takes any frame a header can describe: what
/// is allowed when is the business of `WebSocketMachine`.
package struct FrameDecoder: Sendable {
  /// A header that has not come whole: at most 13 of 14 bytes, in wire order.
  private var held: (UInt64, UInt64) = (0, 0)
  private var heldCount = 0

  package init() {}

  /// The first two bytes of a header that is not yet whole, once they are there, or that could not
  /// be read: enough to refuse most wrong frames without waiting.
  package var firstBytes: (UInt8, UInt8)? {
    heldCount >= 2 ? (UInt8(held.0 & 0xFF), UInt8(held.0 >> 8 & 0xFF)) : nil
  }

  package var isMidHeader: Bool { heldCount > 0 }

  /// The next header, or nil after taking all of `input`.
  package mutating func next(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(WebSocketFailure) -> FrameHeader? {
    if heldCount == 0 {
      let rest = UnsafeRawBufferPointer(rebasing: input[offset...])
      if rest.count >= 2 {
        let size = Self.headerSize(rest[1])
        if rest.count >= size {
          offset += size
          return try parse(rest)
        }
      }
    }
    while offset < input.count {
      hold(input[offset])
      offset += 1
      if heldCount >= 2, heldCount == Self.headerSize(UInt8(held.0 >> 8 & 0xFF)) {
        heldCount = 0
        var copy = (held.0.littleEndian, held.1.littleEndian)
        held = (0, 0)
        return try withUnsafeBytes(of: &copy) { (bytes) throws(WebSocketFailure) in
          try parse(bytes)
        }
      }
    }
    return nil
  }

  private mutating func hold(_ byte: UInt8) {
    if heldCount < 8 {
      held.0 |= UInt64(byte) << (8 * UInt64(heldCount))
    } else {
      held.1 |= UInt64(byte) << (8 * UInt64(heldCount - 8))
    }
    heldCount += 1
  }

  @inline(__always)
  private static func headerSize(_ second: UInt8) -> Int {
    let length = second & 0x7F
    return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + (second & 0x80 != 0 ? 4 : 0)
  }

  private mutating func parse(_ bytes: UnsafeRawBufferPointer) throws(WebSocketFailure) -> FrameHeader {
    let first = bytes[0]
    let second = bytes[1]
    var length = Int(second & 0x7F)
    var end = 2
    if length == 126 {
      length = Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
      end = 4
    } else if length == 127 {
      let long = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
      guard long >> 63 == 0 else {
        hold(first)
        hold(second)
        throw WebSocketFailure(1002, "64-bit length with the highest bit set (RFC 6455 §5.2)")
      }
      length = Int(long)
      end = 10
    }
    let mask =
      second & 0x80 == 0
      ? nil : UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt32.self))
    return FrameHeader(
      fin: first & 0x80 != 0, rsv: first >> 4 & 0x7, opcode: first & 0xF, mask: mask, length: length)
  }
}

/// A whole frame, for whoever looks at frames rather than messages.
package struct Frame: Sendable, Equatable {
  package var header: FrameHeader
  /// Unmasked.
  package var payload: [UInt8]
}

/// Collects whole frames, right or wrong, up to a payload limit.
package struct FrameCollector: Sendable {
  private var decoder = FrameDecoder()
  private var open: Frame?
  private let maxPayloadBytes: Int

  package init(maxPayloadBytes: Int = 16 << 20) { self.maxPayloadBytes = maxPayloadBytes }

  package mutating func feed(_ bytes: [UInt8]) throws(WebSocketFailure) -> [Frame] {
    try bytes.withUnsafeBufferPointer { (buffer) throws(WebSocketFailure) in
      try feed(UnsafeRawBufferPointer(buffer))
    }
  }

  package mutating func feed(_ input: UnsafeRawBufferPointer) throws(WebSocketFailure) -> [Frame] {
    var frames: [Frame] = []
    var offset = 0
    while true {
      if open == nil {
        guard let header = try decoder.next(input, &offset) else { return frames }
        guard header.length <= maxPayloadBytes else {
          throw WebSocketFailure(1009, "frame of \(header.length) bytes, limit \(maxPayloadBytes)")
        }
        open = Frame(header: header, payload: [])
      }
      guard var frame = open else { return frames }
      open = nil
      let count = min(frame.header.length - frame.payload.count, input.count - offset)
      frame.payload.append(contentsOf: input[offset..<(offset + count)])
      offset += count
      guard frame.payload.count == frame.header.length else {
        open = frame
        return frames
      }
      if let mask = frame.header.mask {
        _ = frame.payload.withUnsafeMutableBytes { FrameMask.apply(mask, to: $0) }
      }
      frames.append(frame)
    }
  }
}

/// Masking (RFC 6455 §5.3): the same operation masks and unmasks.
package enum FrameMask {
  /// Masks or unmasks in place; tells whether all that came out is ASCII.
  ///
  /// - Parameter phase: the number of payload bytes already done.
  @discardableResult
  package static func apply(_ mask: UInt32, to bytes: UnsafeMutableRawBufferPointer, phase: Int = 0) -> Bool {
    let turn = UInt32(phase & 3) * 8
    let key = turn == 0 ? mask : mask >> turn | mask << (32 - turn)
    let wide = (UInt64(key) | UInt64(key) << 32).littleEndian
    let count = bytes.count
    var seen: UInt64 = 0
    var index = 0
    while index + 8 <= count {
      let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) ^ wide
      bytes.storeBytes(of: word, toByteOffset: index, as: UInt64.self)
      seen |= word
      index += 8
    }
    if index + 4 <= count {
      let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self) ^ key.littleEndian
      bytes.storeBytes(of: word, toByteOffset: index, as: UInt32.self)
      seen |= UInt64(word)
      index += 4
    }
    var shift: UInt32 = 0
    while index < count {
      let byte = bytes[index] ^ UInt8(truncatingIfNeeded: key &>> shift)
      bytes[index] = byte
      seen |= UInt64(byte)
      shift += 8
      index += 1
    }
    return seen & 0x8080_8080_8080_8080 == 0
  }
}
