import Wire

extension FuzzTarget {
  /// `FrameDecoder` in any pieces, and back through `FrameEncoder`.
  static let frames = FuzzTarget(
    name: "frames", form: .bytes, dictionary: [], seeds: { WebSocketSeeds.conversations },
    check: { bytes in
      let ways = pieces(of: bytes).map(FrameReading.init)
      let whole = ways[0]
      for other in ways.dropFirst() {
        try expect(other == whole, "in pieces \(other.summary), whole \(whole.summary)")
      }
      var shape = Shape(whole.failure?.message ?? "")
      for frame in whole.frames {
        var encoded: [UInt8] = []
        FrameEncoder.append(
          FrameEncoder.RawFrame(
            opcode: frame.header.opcode, payload: frame.payload, fin: frame.header.fin, rsv: frame.header.rsv,
            mask: frame.header.mask), to: &encoded)
        let again = FrameReading([encoded[...]])
        try expect(again.frames == [frame] && again.failure == nil, "\(frame.header) encodes to \(encoded)")
        guard whole.frames.count <= 2 else { continue }
        shape.add(UInt64(frame.header.opcode))
        shape.add(count: frame.header.length)
      }
      return shape
    })

  /// `WebSocketMachine` on both sides. The first byte chooses the limit of a message.
  static let webSocket = FuzzTarget(
    name: "websocket", form: .bytes, dictionary: ["€", "\u{1F600}", "\u{7F}\u{7F}\u{7F}\u{7F}"],
    seeds: { WebSocketSeeds.conversations.flatMap { [[0] + $0, [1] + $0] } },
    check: { bytes in
      guard let first = bytes.first else { return Shape() }
      let limit = first & 1 == 0 ? 1 << 20 : 100
      var shape = Shape()
      for role in [WebSocketMachine.Role.server, .client] {
        let ways = pieces(of: Array(bytes.dropFirst())).map { Conversation($0, role: role, limit: limit) }
        let whole = ways[0]
        for other in ways.dropFirst() {
          try expect(other == whole, "\(role) in pieces \(other.events), whole \(whole.events)")
        }
        try whole.check(limit: limit)
        for event in whole.events.prefix(3) + whole.events.suffix(1) { shape.add(event.name) }
      }
      return shape
    })
}

/// What a `FrameDecoder` made of some pieces.
private struct FrameReading: Equatable {
  var frames: [Frame] = []
  var failure: WebSocketFailure?

  var summary: String { "\(frames.map(\.header)) \(String(describing: failure))" }

  init(_ pieces: [ArraySlice<UInt8>]) {
    var collector = FrameCollector(maxPayloadBytes: 1 << 14)
    var decoder = FrameDecoder()
    // The collector forgets the frames before a failure in the same piece; the headers are read beside it.
    var headers: [FrameHeader] = []
    var toSkip = 0
    for piece in pieces {
      do throws(WebSocketFailure) {
        frames += try collector.feed(Array(piece))
        try piece.withUnsafeBufferPointer { (bytes) throws(WebSocketFailure) in
          let buffer = UnsafeRawBufferPointer(bytes)
          var offset = 0
          while true {
            let skipped = min(toSkip, buffer.count - offset)
            (toSkip, offset) = (toSkip - skipped, offset + skipped)
            guard toSkip == 0, let header = try decoder.next(buffer, &offset) else { return }
            headers.append(header)
            toSkip = header.length
          }
        }
      } catch {
        failure = error
        frames = []
        return
      }
    }
    precondition(headers.count - frames.count <= 1 && zip(headers, frames).allSatisfy { $0 == $1.header })
  }
}

/// What a machine told and sent.
private struct Conversation: Equatable {
  enum Event: Equatable {
    case message(WebSocketMessageKind, [UInt8])
    case ping([UInt8])
    case pong([UInt8])
    case close(UInt16?, String)
    case failure(UInt16, String)

    var name: String {
      switch self {
      case .message(let kind, let bytes): "\(kind) \(bytes.isEmpty)"
      case .ping: "ping"
      case .pong: "pong"
      case .close(let code, _): "close \(code == nil)"
      case .failure(_, let text): text
      }
    }
  }

  let role: WebSocketMachine.Role
  var events: [Event] = []
  var output: [UInt8] = []
  var isOver = false
  var hasSentClose = false
  /// Whether each call took all of its input, and told no more than the input could hold.
  var isOrderly = true

  init(_ pieces: [ArraySlice<UInt8>], role: WebSocketMachine.Role, limit: Int) {
    self.role = role
    var machine = WebSocketMachine(role: role, maxMessageBytes: limit, newMask: { 0xA1B2_C3D4 })
    for piece in pieces {
      var bytes = Array(piece)
      let count = bytes.count
      bytes.withUnsafeMutableBytes { buffer in
        var offset = 0
        while let event = machine.next(buffer, &offset, output: &output), events.count <= 1 << 16 {
          events.append(Self.copy(event))
        }
        isOrderly = isOrderly && (offset == count || machine.isOver) && events.count <= 1 << 16
      }
    }
    isOver = machine.isOver
    hasSentClose = machine.hasSentClose
  }

  private static func copy(_ event: WebSocketMachine.Event) -> Event {
    switch event {
    case .message(let kind, let bytes): .message(kind, Array(bytes))
    case .ping(let bytes): .ping(Array(bytes))
    case .pong(let bytes): .pong(Array(bytes))
    case .close(let code, let reason): .close(code, reason)
    case .failure(let failure): .failure(failure.code, failure.message)
    }
  }

  func check(limit: Int) throws {
    try expect(isOrderly, "\(role) stopped inside its input")
    var sent: [UInt8] = []
    var peer = WebSocketMachine(role: role == .server ? .client : .server, newMask: { 0x0102_0304 })
    for event in events {
      switch event {
      case .message(let kind, let bytes):
        try expect(bytes.count <= limit, "a message of \(bytes.count) bytes, limit \(limit)")
        try expect(
          kind == .binary || String(validating: bytes, as: UTF8.self) != nil, "text that is not UTF-8")
        bytes.withUnsafeBytes { _ = peer.send(kind == .text ? .text : .binary, $0, to: &sent) }
      case .ping(let bytes): bytes.withUnsafeBytes { _ = peer.send(.ping, $0, to: &sent) }
      case .pong(let bytes): bytes.withUnsafeBytes { _ = peer.send(.pong, $0, to: &sent) }
      case .close(let code, let reason): peer.sendClose(code: code, reason: reason, to: &sent)
      case .failure(let code, _):
        try expect([1002, 1007, 1009].contains(code), "failed with close code \(code)")
      }
    }
    let ends = events.contains { if case .failure = $0 { true } else { false } }
    let again = Conversation([sent[...]], role: role, limit: limit)
    try expect(
      again.events == (ends ? events.dropLast() : events), "sent again \(again.events), told \(events)")
    // What it sent must be right in the eyes of the other side.
    let answers = Conversation([output[...]], role: role == .server ? .client : .server, limit: 1 << 20)
    for event in answers.events {
      switch event {
      case .pong, .close: continue
      default: throw Finding("\(role) sent what its peer takes for \(event)")
      }
    }
    try expect(answers.isOver == hasSentClose && isOver == hasSentClose, "an end without a close")
  }
}

enum WebSocketSeeds {
  static var conversations: [[UInt8]] {
    var all: [[UInt8]] = []
    for mask: UInt32? in [nil, 0x3725_FA37] {
      var frames: [[UInt8]] = []
      func add(_ opcode: UInt8, _ payload: [UInt8], fin: Bool = true, rsv: UInt8 = 0) {
        var bytes: [UInt8] = []
        FrameEncoder.append(
          FrameEncoder.RawFrame(opcode: opcode, payload: payload, fin: fin, rsv: rsv, mask: mask), to: &bytes)
        frames.append(bytes)
      }
      add(1, Array("Hello €".utf8))
      add(2, Array(0...255))
      add(1, Array("Hel\u{1F600}".utf8.prefix(5)), fin: false)
      add(9, Array("ping".utf8))
      add(0, Array("Hel\u{1F600}lo".utf8.dropFirst(5)))
      add(10, [])
      add(2, [UInt8](repeating: 7, count: 126))
      add(8, [0x03, 0xE8] + Array("bye".utf8))
      all.append(frames.flatMap(\.self))
      add(1, [0xC0, 0x80])
      add(3, [])
      add(1, [], rsv: 4)
      add(8, [3])
      add(9, [UInt8](repeating: 0, count: 126))
      all += frames
    }
    // The longer forms of a length, and one that fits no Int.
    all += [[0x82, 0xFE, 0, 1, 0, 0, 0, 0, 9], [0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 9]]
    all += [[0x82, 127] + [UInt8](repeating: 0xFF, count: 8), [0x82, 127, 0x7F, 0xFF, 0, 0, 0, 0, 0, 0]]
    return all
  }
}
