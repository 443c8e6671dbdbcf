package enum WebSocketMessageKind: Sendable { case text, binary }

/// One side of a WebSocket connection behind its handshake (RFC 6455 §5–§7), without I/O.
///
/// Bytes go in through `next`, which unmasks them in place and tells one event at a time; what
/// must be sent in answer (pong, close) is appended to `output` before the event is told. A
/// message that came whole in one input is not copied: its event points into that input.
package struct WebSocketMachine: ~Copyable {
  package enum Role: Sendable { case server, client }

  /// Pointers are valid until the next call.
  package enum Event {
    case message(WebSocketMessageKind, UnsafeRawBufferPointer)
    case ping(UnsafeRawBufferPointer)
    case pong(UnsafeRawBufferPointer)
    /// The peer's Close; ours is sent, and a server now closes the socket.
    case close(code: UInt16?, reason: String)
    /// The connection is failed: a Close with the code is in `output`, the socket is to be closed.
    case failure(WebSocketFailure)
  }

  package let role: Role
  package let maxMessageBytes: Int
  package let autoPong: Bool
  private let newMask: @Sendable () -> UInt32

  private var decoder = FrameDecoder()
  /// The frame being read and how much of its payload has come.
  private var frame: FrameHeader?
  private var received = 0
  /// The kind of the message being read, nil between messages.
  private var kind: WebSocketMessageKind?
  private var message = AssemblyBuffer()
  private var control = AssemblyBuffer()
  private var utf8 = UTF8Validator()
  /// Whether the buffers hold what the last event pointed at.
  private var isDelivered = false

  /// Whether we sent a Close, after which nothing more may be sent (RFC 6455 §5.5.1).
  package private(set) var hasSentClose = false
  /// Whether the peer's Close came or the connection failed: further input is ignored.
  package private(set) var isOver = false

  /// `newMask` makes the masking keys of a client; they must not be foreseeable (RFC 6455 §5.3).
  package init(
    role: Role, maxMessageBytes: Int = 1 << 20, autoPong: Bool = true,
    newMask: @escaping @Sendable () -> UInt32 = { UInt32.random(in: .min ... .max) }
  ) {
    self.role = role
    self.maxMessageBytes = maxMessageBytes
    self.autoPong = autoPong
    self.newMask = newMask
  }

  /// Whether a message or frame has begun and not ended.
  package var isMidMessage: Bool { frame != nil || kind != nil || decoder.isMidHeader }

  /// Takes bytes from `input` behind `offset` until there is something to tell.
  package mutating func next(
    _ input: UnsafeMutableRawBufferPointer, _ offset: inout Int, output: inout [UInt8]
  ) -> Event? {
    guard !isOver else {
      offset = input.count
      return nil
    }
    if isDelivered {
      isDelivered = false
      control.removeAll()
      if kind == nil { message.removeAll() }
    }
    do {
      if let message = try wholeText(input, &offset) { return message }
      return try step(input, &offset, &output)
    } catch {
      isOver = true
      sendClose(code: error.code, reason: error.message, to: &output)
      return .failure(error)
    }
  }

  /// Appends a server's frame whose payload `fill` writes in place, unless a Close was sent.
  package mutating func send(
    _ opcode: WebSocketOpcode, count: Int, to output: inout [UInt8],
    fill: (UnsafeMutableRawBufferPointer) -> Void
  ) {
    precondition(role == .server, "a client's payload has to be masked")
    guard !hasSentClose else { return }
    FrameEncoder.append(opcode, count: count, to: &output, fill: fill)
  }

  /// Appends a frame unless a Close was sent.
  @discardableResult
  package mutating func send(
    _ opcode: WebSocketOpcode, _ payload: UnsafeRawBufferPointer, fin: Bool = true,
    to output: inout [UInt8]
  ) -> Bool {
    guard !hasSentClose else { return false }
    FrameEncoder.append(opcode, payload, fin: fin, mask: role == .client ? newMask() : nil, to: &output)
    return true
  }

  /// Starts the closing handshake, or ends it (RFC 6455 §7.1.2); the first call counts.
  package mutating func sendClose(code: UInt16?, reason: String = "", to output: inout [UInt8]) {
    guard !hasSentClose else { return }
    hasSentClose = true
    FrameEncoder.appendClose(
      code: code, reason: reason, mask: role == .client ? newMask() : nil, to: &output)
  }

  /// What most frames are: a short text message of a client, all of it in the input. It is unmasked
  /// and checked in one pass; nil, with nothing taken, for anything else.
  @inline(__always)
  private mutating func wholeText(
    _ input: UnsafeMutableRawBufferPointer, _ offset: inout Int
  ) throws(WebSocketFailure) -> Event? {
    let left = input.count - offset
    guard left >= 6, input[offset] == 0x81, kind == nil, frame == nil, case .server = role,
      !decoder.isMidHeader
    else { return nil }
    let second = input[offset + 1]
    let length = Int(second & 0x7F)
    guard second & 0x80 != 0, length < 126, left >= 6 + length, length <= maxMessageBytes else { return nil }
    let mask = UInt32(littleEndian: input.loadUnaligned(fromByteOffset: offset + 2, as: UInt32.self))
    let payload = UnsafeMutableRawBufferPointer(rebasing: input[(offset + 6)..<(offset + 6 + length)])
    offset += 6 + length
    if !FrameMask.apply(mask, to: payload) {
      var utf8 = UTF8Validator()
      guard utf8.feed(UnsafeRawBufferPointer(payload)), utf8.isComplete else { throw Self.badText }
    }
    return .message(.text, UnsafeRawBufferPointer(payload))
  }

  private mutating func step(
    _ input: UnsafeMutableRawBufferPointer, _ offset: inout Int, _ output: inout [UInt8]
  ) throws(WebSocketFailure) -> Event? {
    while true {
      if frame == nil {
        guard let header = try nextHeader(UnsafeRawBufferPointer(input), &offset) else { return nil }
        try begin(header)
      }
      guard let header = frame else { return nil }
      let count = min(header.length - received, input.count - offset)
      let piece = UnsafeMutableRawBufferPointer(rebasing: input[offset..<(offset + count)])
      if let mask = header.mask { FrameMask.apply(mask, to: piece, phase: received) }
      offset += count
      received += count
      let isWhole = received == header.length
      let bytes = UnsafeRawBufferPointer(piece)
      if header.isControl {
        guard let payload = collectControl(bytes, isWhole: isWhole) else { return nil }
        frame = nil
        isDelivered = true
        return try controlEvent(header.opcode, payload, &output)
      }
      guard let kind else { return nil }
      if kind == .text, !utf8.feed(bytes) { throw Self.badText }
      guard isWhole else {
        message.append(bytes)
        return nil
      }
      frame = nil
      guard header.fin else {
        message.append(bytes)
        continue
      }
      if kind == .text, !utf8.isComplete { throw Self.badText }
      self.kind = nil
      if message.isEmpty { return .message(kind, bytes) }
      message.append(bytes)
      isDelivered = true
      return .message(kind, message.bytes)
    }
  }

  /// What is wrong in the first two bytes is told before what is wrong with the length behind them,
  /// however the bytes come.
  private mutating func nextHeader(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(WebSocketFailure) -> FrameHeader? {
    do {
      if let header = try decoder.next(input, &offset) { return header }
      if let (first, second) = decoder.firstBytes { try check(first, second) }
      return nil
    } catch {
      if let (first, second) = decoder.firstBytes { try check(first, second) }
      throw error
    }
  }

  private mutating func collectControl(
    _ bytes: UnsafeRawBufferPointer, isWhole: Bool
  ) -> UnsafeRawBufferPointer? {
    if isWhole && control.isEmpty { return bytes }
    control.append(bytes)
    return isWhole ? control.bytes : nil
  }

  private mutating func begin(_ header: FrameHeader) throws(WebSocketFailure) {
    try check(
      (header.fin ? 0x80 : 0) | header.rsv << 4 | header.opcode,
      header.mask == nil ? 0 : 0x80)
    if header.isControl {
      guard header.length <= 125 else {
        throw WebSocketFailure(
          1002, "control frame of \(header.length) bytes, limit 125 (RFC 6455 §5.5)")
      }
    } else {
      guard header.length <= maxMessageBytes - message.count else {
        throw WebSocketFailure(
          1009, "message of more than \(maxMessageBytes) bytes (RFC 6455 §7.4.1)")
      }
      if header.opcode != WebSocketOpcode.continuation.rawValue {
        kind = header.opcode == WebSocketOpcode.text.rawValue ? .text : .binary
        utf8.reset()
      }
    }
    frame = header
    received = 0
  }

  /// What the first two bytes of a frame give away (RFC 6455 §5.1, §5.2, §5.4, §5.5).
  private func check(_ first: UInt8, _ second: UInt8) throws(WebSocketFailure) {
    guard first & 0x70 == 0 else {
      throw WebSocketFailure(1002, "reserved bits \(first >> 4 & 7) set without an extension (RFC 6455 §5.2)")
    }
    guard let opcode = WebSocketOpcode(rawValue: first & 0xF) else {
      throw WebSocketFailure(1002, "reserved opcode \(first & 0xF) (RFC 6455 §5.2)")
    }
    if role == .server && second & 0x80 == 0 {
      throw WebSocketFailure(1002, "unmasked frame from a client (RFC 6455 §5.1)")
    }
    if role == .client && second & 0x80 != 0 {
      throw WebSocketFailure(1002, "masked frame from a server (RFC 6455 §5.1)")
    }
    switch opcode {
    case .close, .ping, .pong:
      guard first & 0x80 != 0 else {
        throw WebSocketFailure(1002, "fragmented control frame (RFC 6455 §5.5)")
      }
    case .continuation:
      guard kind != nil else {
        throw WebSocketFailure(1002, "continuation without a message to continue (RFC 6455 §5.4)")
      }
    case .text, .binary:
      guard kind == nil else {
        throw WebSocketFailure(1002, "new message inside a fragmented one (RFC 6455 §5.4)")
      }
    }
  }

  private mutating func controlEvent(
    _ opcode: UInt8, _ payload: UnsafeRawBufferPointer, _ output: inout [UInt8]
  ) throws(WebSocketFailure) -> Event {
    switch opcode {
    case WebSocketOpcode.ping.rawValue:
      if autoPong { send(.pong, payload, to: &output) }
      return .ping(payload)
    case WebSocketOpcode.pong.rawValue:
      return .pong(payload)
    default:
      let (code, reason) = try Self.parseClose(payload)
      isOver = true
      sendClose(code: code, to: &output)
      return .close(code: code, reason: reason)
    }
  }

  /// The body of a Close frame (RFC 6455 §5.5.1, §7.4).
  package static func parseClose(
    _ payload: UnsafeRawBufferPointer
  ) throws(WebSocketFailure) -> (code: UInt16?, reason: String) {
    guard !payload.isEmpty else { return (nil, "") }
    guard payload.count >= 2 else {
      throw WebSocketFailure(1002, "close frame with half a code (RFC 6455 §5.5.1)")
    }
    let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
    guard isSendable(code) else {
      throw WebSocketFailure(1002, "close code \(code) must not be sent (RFC 6455 §7.4)")
    }
    var utf8 = UTF8Validator()
    let reason = UnsafeRawBufferPointer(rebasing: payload[2...])
    guard utf8.feed(reason), utf8.isComplete else {
      throw WebSocketFailure(1007, "close reason is not UTF-8 (RFC 6455 §5.5.1)")
    }
    return (code, String(decoding: reason, as: UTF8.self))
  }

  /// Whether a code may stand in a Close frame: those of the registry, and 3000–4999.
  package static func isSendable(_ code: UInt16) -> Bool {
    switch code {
    case 1000...1003, 1007...1014, 3000...4999: true
    default: false
    }
  }

  private static var badText: WebSocketFailure {
    WebSocketFailure(1007, "text message is not UTF-8 (RFC 6455 §8.1)")
  }
}
