import Testing
import Wire

/// An event with its own copy of the bytes.
enum Told: Equatable, Sendable {
  case text(String)
  case binary([UInt8])
  case ping([UInt8])
  case pong([UInt8])
  case close(UInt16?, String)
  case failure(UInt16)
}

/// Feeds pieces to a fresh machine; gives what it told and the frames it sent.
func play(
  _ pieces: [[UInt8]], role: WebSocketMachine.Role = .server, maxMessageBytes: Int = 1 << 20
) throws -> (told: [Told], sent: [Frame]) {
  var machine = WebSocketMachine(role: role, maxMessageBytes: maxMessageBytes)
  var told: [Told] = []
  var output: [UInt8] = []
  for piece in pieces {
    var piece = piece
    var offset = 0
    piece.withUnsafeMutableBytes { bytes in
      while let event = machine.next(bytes, &offset, output: &output) {
        switch event {
        case .message(.text, let bytes): told.append(.text(String(decoding: bytes, as: UTF8.self)))
        case .message(.binary, let bytes): told.append(.binary(Array(bytes)))
        case .ping(let bytes): told.append(.ping(Array(bytes)))
        case .pong(let bytes): told.append(.pong(Array(bytes)))
        case .close(let code, let reason): told.append(.close(code, reason))
        case .failure(let failure): told.append(.failure(failure.code))
        }
      }
    }
  }
  var collector = FrameCollector()
  return (told, try collector.feed(output))
}

private let mask: UInt32 = 0x3D21_FA37

/// A client's frame.
private func frame(
  _ opcode: UInt8, _ payload: [UInt8] = [], fin: Bool = true, rsv: UInt8 = 0, mask key: UInt32? = mask,
  length: FrameEncoder.LengthForm = .shortest, announced: UInt64? = nil
) -> [UInt8] {
  var bytes: [UInt8] = []
  FrameEncoder.append(
    FrameEncoder.RawFrame(
      opcode: opcode, payload: payload, fin: fin, rsv: rsv, mask: key, lengthForm: length,
      announcedLength: announced), to: &bytes)
  return bytes
}

private func text(_ text: String, fin: Bool = true, opcode: UInt8 = 1) -> [UInt8] {
  frame(opcode, Array(text.utf8), fin: fin)
}

struct MachineCase: Sendable, CustomTestStringConvertible {
  let name: String
  let bytes: [UInt8]
  let told: [Told]
  var testDescription: String { name }
  init(_ name: String, _ bytes: [UInt8], _ told: [Told]) {
    self.name = name
    self.bytes = bytes
    self.told = told
  }
}

@Suite("WebSocket machine")
struct WebSocketMachineTests {
  static let good = [
    MachineCase("text", text("Hello"), [.text("Hello")]),
    MachineCase("empty text", text(""), [.text("")]),
    MachineCase("binary", frame(2, [0, 1, 255]), [.binary([0, 1, 255])]),
    MachineCase("two at once", text("a") + text("b"), [.text("a"), .text("b")]),
    MachineCase(
      "fragments", text("Hel", fin: false) + text("", fin: false, opcode: 0) + text("lo", opcode: 0),
      [.text("Hello")]),
    MachineCase(
      "a character across fragments",
      frame(1, [0xE2, 0x82], fin: false) + frame(0, [0xAC]), [.text("€")]),
    MachineCase(
      "control frames inside a message",
      text("a", fin: false) + frame(9, [1]) + frame(10, [2]) + text("b", opcode: 0),
      [.ping([1]), .pong([2]), .text("ab")]),
    MachineCase(
      "126 bytes", frame(2, .init(repeating: 7, count: 126)), [.binary(.init(repeating: 7, count: 126))]),
    MachineCase("length in 16 bits that fits 7", frame(2, [1], length: .bits16), [.binary([1])]),
    MachineCase("length in 64 bits that fits 7", frame(2, [1], length: .bits64), [.binary([1])]),
    MachineCase("ping length in 16 bits", frame(9, [1], length: .bits16), [.ping([1])]),
    MachineCase("empty close", frame(8), [.close(nil, "")]),
    MachineCase("close with a reason", frame(8, [0x03, 0xE8] + Array("bye".utf8)), [.close(1000, "bye")]),
    MachineCase("nothing behind a close", frame(8) + text("a"), [.close(nil, "")]),
    MachineCase(
      "close inside a message", text("a", fin: false) + frame(8, [0x0B, 0xB8]), [.close(3000, "")]),
  ]

  static let wrong = [
    MachineCase("unmasked", frame(1, [0x61], mask: nil), [.failure(1002)]),
    MachineCase("RSV1", frame(1, [0x61], rsv: 4), [.failure(1002)]),
    MachineCase("RSV3", frame(1, [0x61], rsv: 1), [.failure(1002)]),
    MachineCase("RSV2 in a control frame", frame(9, rsv: 2), [.failure(1002)]),
    MachineCase("opcode 3", frame(3), [.failure(1002)]),
    MachineCase("opcode 11", frame(11), [.failure(1002)]),
    MachineCase("fragmented ping", frame(9, fin: false), [.failure(1002)]),
    MachineCase("long ping", frame(9, .init(repeating: 0, count: 126)), [.failure(1002)]),
    MachineCase("continuation of nothing", text("a", opcode: 0), [.failure(1002)]),
    MachineCase(
      "continuation behind a whole message", text("a") + text("b", opcode: 0), [.text("a"), .failure(1002)]),
    MachineCase("message inside a message", text("a", fin: false) + text("b"), [.failure(1002)]),
    MachineCase("highest bit of the length", frame(2, length: .bits64, announced: 1 << 63), [.failure(1002)]),
    MachineCase("too large, announced", frame(2, length: .bits64, announced: 1 << 40), [.failure(1009)]),
    MachineCase("half a close code", frame(8, [3]), [.failure(1002)]),
    MachineCase("close reason not UTF-8", frame(8, [0x03, 0xE8, 0xFF]), [.failure(1007)]),
    MachineCase("text not UTF-8", frame(1, [0x61, 0xFF]), [.failure(1007)]),
    MachineCase("text cut inside a character", frame(1, [0xE2, 0x82]), [.failure(1007)]),
    MachineCase("wrong byte in a fragment", frame(1, [0xF4, 0x90], fin: false), [.failure(1007)]),
  ]

  @Test("takes what RFC 6455 allows, cut at each place", arguments: good)
  func allowed(_ play: MachineCase) throws {
    for pieces in splits(of: play.bytes) {
      #expect(try WireTests.play(pieces).told == play.told)
    }
  }

  @Test("fails what RFC 6455 forbids with its code and a close frame, cut at each place", arguments: wrong)
  func forbidden(_ play: MachineCase) throws {
    for pieces in splits(of: play.bytes) {
      let (told, sent) = try WireTests.play(pieces)
      #expect(told == play.told)
      guard case .failure(let code) = play.told.last, let close = sent.last else {
        Issue.record("no close frame")
        continue
      }
      #expect(close.header.opcode == 8 && close.header.mask == nil)
      #expect(close.payload.prefix(2) == [UInt8(code >> 8), UInt8(code & 0xFF)])
    }
  }

  @Test("is refused before the wrong frame is whole")
  func failFast() throws {
    #expect(try play([[0x83, 0xFE]]).told == [.failure(1002)])
    #expect(try play([[0x09, 0x80]]).told == [.failure(1002)])
    #expect(try play([[0x89, 0x00]]).told == [.failure(1002)])
    let start = frame(1, [0x61, 0xFF, 0x61, 0x61])
    #expect(try play([Array(start.dropLast(2))]).told == [.failure(1007)])
  }

  @Test("a client refuses masked frames and masks its own")
  func client() throws {
    #expect(try play([text("a")], role: .client).told == [.failure(1002)])
    let (told, sent) = try play([frame(9, [5, 6], mask: nil)], role: .client)
    #expect(told == [.ping([5, 6])])
    #expect(sent.first?.header.mask != nil)
    #expect(sent.first?.payload == [5, 6])
  }

  @Test("answers ping with pong and close with the same code")
  func answers() throws {
    let (_, sent) = try play([frame(9, Array("hi".utf8)), frame(8, [0x0F, 0xA0, 0x78])])
    #expect(sent.map(\.header.opcode) == [10, 8])
    #expect(sent[0].payload == Array("hi".utf8))
    #expect(sent[1].payload == [0x0F, 0xA0])
    #expect(try play([frame(8)]).sent[0].payload == [])
  }

  @Test("close codes of RFC 6455 §7.4")
  func closeCodes() {
    let taken = (UInt16(0)...5100).filter { WebSocketMachine.isSendable($0) }
    #expect(taken == Array(1000...1003) + Array(1007...1014) + Array(3000...4999))
  }

  @Test("the message limit is inclusive and counts all fragments")
  func limit() throws {
    func told(_ bytes: [UInt8]) throws -> [Told] { try play([bytes], maxMessageBytes: 4).told }
    #expect(try told(text("abcd")) == [.text("abcd")])
    #expect(try told(text("abcde")) == [.failure(1009)])
    #expect(try told(text("abc", fin: false) + text("d", opcode: 0)) == [.text("abcd")])
    #expect(try told(text("abc", fin: false) + text("de", opcode: 0)) == [.failure(1009)])
    #expect(try told(text("abc") + text("de")) == [.text("abc"), .text("de")])
  }

  @Test("nothing is sent behind our close, and a reason is cut at a character")
  func ourClose() throws {
    var machine = WebSocketMachine(role: .server)
    var output: [UInt8] = []
    machine.sendClose(code: 1001, reason: String(repeating: "€", count: 60), to: &output)
    let sent = machine.send(.text, UnsafeRawBufferPointer(start: nil, count: 0), to: &output)
    machine.sendClose(code: 1000, to: &output)
    #expect(!sent)
    var collector = FrameCollector()
    let frames = try collector.feed(output)
    #expect(frames.count == 1)
    #expect(frames[0].payload.count == 2 + 123)
  }

  @Test("masking from any place in the payload")
  func masking() {
    let plain = (0..<41).map { UInt8($0) }
    for cut in 0...plain.count {
      var bytes = plain
      bytes.withUnsafeMutableBytes { all in
        FrameMask.apply(mask, to: UnsafeMutableRawBufferPointer(rebasing: all[..<cut]))
        FrameMask.apply(mask, to: UnsafeMutableRawBufferPointer(rebasing: all[cut...]), phase: cut)
      }
      let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
      #expect(bytes == plain.enumerated().map { $0.element ^ key[$0.offset % 4] })
    }
  }

  @Test("the examples of RFC 6455 §5.7")
  func examples() throws {
    #expect(text("Hello") == [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
    #expect(frame(1, Array("Hello".utf8), mask: nil) == [0x81, 0x05] + Array("Hello".utf8))
    let long = frame(2, .init(repeating: 0, count: 65_536), mask: nil)
    #expect(Array(long.prefix(10)) == [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0])
  }
}
