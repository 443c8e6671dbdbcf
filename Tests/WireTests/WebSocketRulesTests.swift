import Synchronization
import Testing
import Wire

/// A frame with any bits, masked unless told otherwise.
private func frame(
  _ first: UInt8, _ payload: [UInt8] = [], mask: UInt32? = 0x3D21_FA37,
  length: FrameEncoder.LengthForm = .shortest, announced: UInt64? = nil
) -> [UInt8] {
  var bytes: [UInt8] = []
  FrameEncoder.append(
    FrameEncoder.RawFrame(
      opcode: first & 0xF, payload: payload, fin: first & 0x80 != 0, rsv: first >> 4 & 7, mask: mask,
      lengthForm: length, announcedLength: announced), to: &bytes)
  return bytes
}

private let ping = frame(0x89, [0x70])
private let smile = Array("\u{1F600}".utf8)

private func close(_ code: UInt16, _ reason: [UInt8] = []) -> [UInt8] {
  frame(0x88, [UInt8(code >> 8), UInt8(code & 0xFF)] + reason)
}

/// What RFC 6455 says beyond the plain cases of `WebSocketMachineTests`, section by section.
@Suite("WebSocket rules")
struct WebSocketRulesTests {
  static let allowed = [
    MachineCase("§5.4 only empty fragments", frame(0x01) + frame(0x00) + frame(0x80), [.text("")]),
    MachineCase(
      "§5.4 empty fragments around", frame(0x01) + frame(0x00, [0x61]) + frame(0x80), [.text("a")]),
    MachineCase(
      "§5.4 binary in fragments that are no UTF-8", frame(0x02, [0xFF]) + frame(0x80, [0xC0]),
      [.binary([0xFF, 0xC0])]),
    MachineCase(
      "§5.4 text behind fragmented binary", frame(0x02, [0xFF]) + frame(0x80) + frame(0x81, [0x61]),
      [.binary([0xFF]), .text("a")]),
    MachineCase(
      "§5.5 control frames at every border",
      ping + frame(0x01, [smile[0]]) + ping + frame(0x00, [smile[1]]) + ping + frame(0x00) + ping
        + frame(0x00, [smile[2]]) + ping + frame(0x80, [smile[3]]) + ping,
      Array(repeating: .ping([0x70]), count: 5) + [.text("\u{1F600}"), .ping([0x70])]),
    MachineCase(
      "§5.5 125 bytes", frame(0x89, .init(repeating: 1, count: 125)), [.ping(.init(repeating: 1, count: 125))]
    ),
    MachineCase("§5.5.3 a pong nobody asked for", frame(0x8A) + frame(0x8A, [1]), [.pong([]), .pong([1])]),
    MachineCase("§5.3 a key of zeros", frame(0x81, [0x61], mask: 0), [.text("a")]),
    MachineCase("§5.3 a key of ones", frame(0x81, [0x61], mask: .max), [.text("a")]),
    MachineCase("§5.2 long forms of control lengths", frame(0x89, [1], length: .bits64), [.ping([1])]),
    MachineCase(
      "§5.5.1 nothing is read behind a close", close(1000) + frame(0x83) + ping, [.close(1000, "")]),
    MachineCase(
      "§5.5.1 a reason of 123 bytes", close(4999, .init(repeating: 0x61, count: 123)),
      [.close(4999, .init(repeating: "a", count: 123))]),
    MachineCase(
      "§8.1 text of every length of UTF-8", frame(0x81, Array("a§€😀\u{10FFFF}\0".utf8)),
      [.text("a§€😀\u{10FFFF}\0")]),
  ]

  static let forbidden = [
    MachineCase("§5.4 text inside binary", frame(0x02, [1]) + frame(0x81, [0x61]), [.failure(1002)]),
    MachineCase("§5.4 binary inside text", frame(0x01, [0x61]) + frame(0x82, [1]), [.failure(1002)]),
    MachineCase("§5.4 a fragment inside a message", frame(0x01) + frame(0x01), [.failure(1002)]),
    MachineCase("§5.4 fragments of nothing", frame(0x00), [.failure(1002)]),
    MachineCase(
      "§5.4 continuation behind the last fragment", frame(0x01) + frame(0x80) + frame(0x80),
      [.text(""), .failure(1002)]),
    MachineCase("§5.2 reserved bits in a continuation", frame(0x01) + frame(0xC0), [.failure(1002)]),
    MachineCase("§5.5 close in fragments", frame(0x08), [.failure(1002)]),
    MachineCase("§5.5 close of 126 bytes", close(1000, .init(repeating: 0x61, count: 124)), [.failure(1002)]),
    MachineCase(
      "§5.5 ping of 64 bits", frame(0x89, length: .bits64, announced: 126), [.failure(1002)]),
    MachineCase(
      "§5.2 all bits of the length", frame(0x82, length: .bits64, announced: .max), [.failure(1002)]),
    MachineCase(
      "§5.2 largest length there is", frame(0x82, length: .bits64, announced: 1 << 63 - 1), [.failure(1009)]),
    MachineCase(
      "§8.1 surrogate cut by a fragment", frame(0x01, [0xED]) + frame(0x80, [0xA0, 0x80]), [.failure(1007)]),
    MachineCase("§8.1 cut at the last fragment", frame(0x01, [0xE2]) + frame(0x80, [0x82]), [.failure(1007)]),
    MachineCase("§8.1 cut at an empty last fragment", frame(0x01, [0xE2]) + frame(0x80), [.failure(1007)]),
    MachineCase(
      "§8.1 not carried into the next message", frame(0x81, [0x61]) + frame(0x81, [0xAC]),
      [.text("a"), .failure(1007)]),
    MachineCase(
      "§8.1 a reason cut inside a character", close(1000, [0xE2, 0x82]), [.failure(1007)]),
    MachineCase("§8.1 a surrogate in a reason", close(1000, [0xED, 0xA0, 0x80]), [.failure(1007)]),
    MachineCase(
      "§7.1.7 nothing is read behind a failure", frame(0x83) + frame(0x81, [0x61]), [.failure(1002)]),
  ]

  @Test("takes what is allowed, cut at each place", arguments: allowed)
  func takes(_ rule: MachineCase) throws {
    for pieces in splits(of: rule.bytes) { #expect(try play(pieces).told == rule.told) }
  }

  @Test("fails what is forbidden, cut at each place", arguments: forbidden)
  func fails(_ rule: MachineCase) throws {
    for pieces in splits(of: rule.bytes) {
      let (told, sent) = try play(pieces)
      #expect(told == rule.told)
      #expect(sent.last?.header.opcode == 8)
    }
  }

  /// Every first byte, masked and not, to both sides, between messages and inside one.
  @Test("§5.1, §5.2, §5.4, §5.5: what the first two bytes say", arguments: [false, true])
  func firstBytes(_ isInside: Bool) throws {
    for role in [WebSocketMachine.Role.server, .client] {
      let isServer = role == .server
      let begun = isInside ? frame(0x01, mask: isServer ? 1 : nil) : []
      for first in UInt8.min ... .max {
        for isMasked in [true, false] {
          let opcode = first & 0xF
          let isControl = [8, 9, 10].contains(opcode)
          let isData = isInside ? opcode == 0 : [1, 2].contains(opcode)
          let isAllowed =
            first & 0x70 == 0 && isMasked == isServer && (isData || (isControl && first & 0x80 != 0))
          // The two bytes alone, without key or payload, are enough to fail.
          let (told, _) = try play([begun + [first, isMasked ? 0x81 : 1]], role: role)
          #expect(told == (isAllowed ? [] : [.failure(1002)]), "\(role) \(first) \(isMasked)")
        }
      }
    }
  }

  @Test("§7.4: every close code is echoed or fails, and our own check agrees")
  func closeCodes() throws {
    for code in Array(UInt16(0)...5100) + [9999, 32767, 32768, 65535] {
      let isAllowed =
        (1000...1003).contains(code) || (1007...1014).contains(code) || (3000...4999).contains(code)
      let (told, sent) = try play([close(code, [0x78])])
      #expect(told == (isAllowed ? [.close(code, "x")] : [.failure(1002)]))
      let answer = isAllowed ? code : 1002
      #expect(sent.count == 1 && sent[0].payload.prefix(2) == [UInt8(answer >> 8), UInt8(answer & 0xFF)])
    }
  }

  @Test(
    "§5.2: lengths at the edges of each form, both ways", arguments: [0, 1, 125, 126, 65_535, 65_536, 70_000])
  func lengths(_ count: Int) throws {
    let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    var header: [UInt8] = [0x82, 0x80 | UInt8(count < 126 ? count : count < 65_536 ? 126 : 127)]
    if count >= 126 { header += [UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF)] }
    if count >= 65_536 { header.insert(contentsOf: [0, 0, 0, 0, 0, UInt8(count >> 16)], at: 2) }
    var bytes: [UInt8] = []
    FrameEncoder.append(.binary, payload, mask: 0x0403_0201, to: &bytes)
    #expect(bytes.starts(with: header + [1, 2, 3, 4]))
    #expect(try play([bytes]).told == [.binary(payload)])
    #expect(try play(bytes.map { [$0] }).told == [.binary(payload)])
    bytes = []
    FrameEncoder.append(.binary, payload, to: &bytes)
    #expect(try play([bytes], role: .client).told == [.binary(payload)])
  }

  @Test("§8.1: wrong UTF-8 fails at the byte that cannot be, wherever frames are cut")
  func earlyText() throws {
    // U+110000, refused at its second byte; the rest of the frame has not come.
    let wrong: [UInt8] = [0x61, 0xF4, 0x90, 0x80, 0x80]
    let whole = frame(0x81, wrong)
    for count in 0...whole.count {
      let told = try play([Array(whole.prefix(count))]).told
      #expect(told == (count < 6 + 3 ? [] : [.failure(1007)]))
    }
    for cut in 0...wrong.count {
      let bytes =
        frame(0x01, Array(wrong[..<cut])) + frame(0x00, Array(wrong[cut...])).dropLast(cut < 3 ? 2 : 0)
      #expect(try play([bytes]).told == [.failure(1007)])
    }
  }

  // MARK: - Closing

  @Test(
    "§5.5.1: one close frame from each side, whoever begins",
    arguments: [WebSocketMachine.Role.server, .client])
  func closing(_ role: WebSocketMachine.Role) throws {
    let mask: UInt32? = role == .server ? 1 : nil
    var machine = WebSocketMachine(role: role)
    var output: [UInt8] = []
    machine.sendClose(code: 1001, reason: "going", to: &output)
    // What the peer sent before it saw our close is still told, but no ping is answered.
    var input =
      frame(0x89, [1], mask: mask) + frame(0x81, [0x61], mask: mask) + frame(0x88, [3, 233], mask: mask)
    var told: [String] = []
    input.withUnsafeMutableBytes { bytes in
      var offset = 0
      while let event = machine.next(bytes, &offset, output: &output) {
        switch event {
        case .ping: told.append("ping")
        case .message: told.append("message")
        case .close(let code, _): told.append("close \(code ?? 0)")
        default: told.append("other")
        }
      }
    }
    #expect(told == ["ping", "message", "close 1001"])
    #expect(machine.isOver && machine.hasSentClose)
    var collector = FrameCollector()
    let sent = try collector.feed(output)
    #expect(sent.map(\.header.opcode) == [8])
    #expect(sent[0].payload == [0x03, 0xE9] + Array("going".utf8))
    #expect((sent[0].header.mask != nil) == (role == .client))
  }

  @Test(
    "§5.5.1: whoever is told a close answers with its code, without one with none",
    arguments: [1000, 3999, nil] as [UInt16?])
  func answering(_ code: UInt16?) throws {
    for role in [WebSocketMachine.Role.server, .client] {
      let payload = code.map { [UInt8($0 >> 8), UInt8($0 & 0xFF)] } ?? []
      let (told, sent) = try play([frame(0x88, payload, mask: role == .server ? 1 : nil)], role: role)
      #expect(told == [.close(code, "")])
      #expect(sent.map(\.payload) == [payload])
    }
  }

  // MARK: - Masking

  @Test("§5.3: a client takes a fresh key for every frame, pongs and closes too")
  func freshKeys() throws {
    let next = Atomic<UInt32>(0)
    var machine = WebSocketMachine(
      role: .client, newMask: { next.wrappingAdd(1, ordering: .relaxed).newValue })
    var output: [UInt8] = []
    let text = Array("abc".utf8)
    text.withUnsafeBytes { bytes in
      _ = machine.send(.text, bytes, fin: false, to: &output)
      _ = machine.send(.continuation, bytes, to: &output)
    }
    var input = frame(0x89, text, mask: nil) + frame(0x88, mask: nil)
    input.withUnsafeMutableBytes { bytes in
      var offset = 0
      while machine.next(bytes, &offset, output: &output) != nil {}
    }
    var collector = FrameCollector()
    let frames = try collector.feed(output)
    #expect(frames.map(\.header.opcode) == [1, 0, 10, 8])
    #expect(frames.map(\.header.mask) == [1, 2, 3, 4])
    #expect(frames.prefix(3).allSatisfy { $0.payload == text })
  }

  @Test("§5.3: the usual keys are not those of another connection, nor of the frame before")
  func randomKeys() throws {
    var keys: [UInt32] = []
    for _ in 0..<20 {
      var machine = WebSocketMachine(role: .client)
      var output: [UInt8] = []
      for _ in 0..<20 { machine.send(.binary, UnsafeRawBufferPointer(start: nil, count: 0), to: &output) }
      var collector = FrameCollector()
      keys += try collector.feed(output).compactMap(\.header.mask)
    }
    #expect(keys.count == 400)
    // Two of 400 random keys are the same once in 50 000 runs, three pairs never.
    #expect(Set(keys).count > 397)
    // Each bit is set in about half of the keys.
    for bit in 0..<32 {
      let set = keys.filter { $0 >> UInt32(bit) & 1 == 1 }.count
      #expect((100...300).contains(set), "bit \(bit)")
    }
  }

  @Test("§5.1: a server masks nothing")
  func serverMasksNothing() throws {
    let (_, sent) = try play([ping + close(1000)])
    #expect(sent.map(\.header.mask) == [nil, nil])
  }
}
