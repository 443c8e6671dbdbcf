import Testing
import Wire

struct StreamCase: Sendable, CustomTestStringConvertible {
  let name: String
  let bytes: [UInt8]
  let told: [ServerSentEventParser.Event]
  var testDescription: String { name }
  init(_ name: String, _ text: String, _ told: [ServerSentEventParser.Event]) {
    self.init(name, Array(text.utf8), told)
  }
  init(_ name: String, _ bytes: [UInt8], _ told: [ServerSentEventParser.Event]) {
    self.name = name
    self.bytes = bytes
    self.told = told
  }
}

private func message(
  _ data: String, type: String = "message", id: String = ""
) -> ServerSentEventParser.Event {
  .message(ServerSentEvent(type: type, data: data, lastEventID: id))
}

/// What a parser tells of pieces, and the id it ends with.
private func read(
  _ pieces: [[UInt8]], limit: Int = 1 << 20
) throws(ServerSentEventOverflow) -> (told: [ServerSentEventParser.Event], id: String) {
  var parser = ServerSentEventParser(maxEventBytes: limit)
  var told: [ServerSentEventParser.Event] = []
  for piece in pieces {
    var offset = 0
    try piece.withUnsafeBufferPointer { (bytes) throws(ServerSentEventOverflow) in
      while let event = try parser.next(UnsafeRawBufferPointer(bytes), &offset) { told.append(event) }
    }
  }
  return (told, parser.lastEventID)
}

/// HTML Living Standard §9.2.
@Suite("Server-sent events")
struct ServerSentEventTests {
  static let streams = [
    StreamCase("one event", "data: a\n\n", [message("a")]),
    StreamCase("lines are joined", "data: YHOO\ndata: +2\ndata: 10\n\n", [message("YHOO\n+2\n10")]),
    StreamCase(
      "comment, ids, and no space is taken twice",
      ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
      [message("first event", id: "1"), message("second event"), message(" third event")]),
    StreamCase(
      "empty data is data, an unended event is none", "data\n\ndata\ndata\n\ndata:",
      [message(""), message("\n")]),
    StreamCase("one space or none", "data:test\n\ndata: test\n\n", [message("test"), message("test")]),
    StreamCase("CR", "data: a\rdata: b\r\rdata: c\r\r", [message("a\nb"), message("c")]),
    StreamCase("CR LF", "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", [message("a\nb"), message("c")]),
    StreamCase(
      "line ends mixed", "data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\n", [message("a\nb\nc"), message("d")]),
    StreamCase("LF CR are two ends", "data: a\n\rdata: b\n\r", [message("a"), message("b")]),
    StreamCase("byte order mark", "\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n", [message("a")]),
    StreamCase("two byte order marks", "\u{FEFF}\u{FEFF}data: a\n\n", []),
    StreamCase(
      "half a byte order mark", [0xEF, 0xBB] + Array("data: a\n\ndata: b\n\n".utf8), [message("b")]),
    StreamCase(
      "types", "event: add\ndata: 1\n\nevent: remove\nevent: x\ndata: 2\n\nevent:\ndata: 3\n\ndata: 4\n\n",
      [message("1", type: "add"), message("2", type: "x"), message("3"), message("4")]),
    StreamCase("a type without data is dropped", "event: a\n\ndata: b\n\n", [message("b")]),
    StreamCase(
      "an id outlives its event", "id: 1\ndata: a\n\ndata: b\n\n",
      [message("a", id: "1"), message("b", id: "1")]),
    StreamCase("an id without data counts", "id: 1\n\ndata: a\n\n", [message("a", id: "1")]),
    StreamCase("an id with NUL is ignored", "id: 1\nid: 2\0\ndata: a\n\n", [message("a", id: "1")]),
    StreamCase("an empty id", "id: 1\n\nid:\ndata: a\n\n", [message("a")]),
    StreamCase("retry", "retry: 1000\ndata: a\n\n", [.retry(milliseconds: 1000), message("a")]),
    StreamCase("retry without an event", "retry:007\n", [.retry(milliseconds: 7)]),
    StreamCase(
      "retry with anything but digits",
      "retry\nretry:\nretry: -1\nretry: 1.5\nretry:  1\nretry: 1 \nretry: \u{661}\n", []),
    StreamCase("retry past 64 bits", "retry: 99999999999999999999\n", [.retry(milliseconds: .max)]),
    StreamCase(
      "unknown fields and other case", "Data: a\ndata : b\ndat: c\ndatas: d\n data: e\n\ndata: f\n\n",
      [message("f")]),
    StreamCase("colons in a value", "data:: a: b:\n\n", [message(": a: b:")]),
    StreamCase("comments between", "data: a\n:data: x\n:\ndata: b\n\n", [message("a\nb")]),
    StreamCase("tab is no space", "data:\ta\n\n", [message("\ta")]),
    StreamCase("NUL in data", "data: \0\n\n", [message("\0")]),
    StreamCase(
      "text above ASCII", "event: größe\ndata: 🚀\nid: ½\n\n", [message("🚀", type: "größe", id: "½")]),
    StreamCase(
      "bytes that are no UTF-8", Array("data: a".utf8) + [0xFF, 0xE2, 0x82] + Array("\n\n".utf8),
      [message("a\u{FFFD}\u{FFFD}")]),
    StreamCase("blank lines only", "\n\r\n\r\n\n\r", []),
    StreamCase("no end of line", "data: a\n\ndata: b\n", [message("a")]),
    StreamCase("nothing", "", []),
  ]

  @Test("is read as the standard has it, cut at each place", arguments: streams)
  func reads(_ stream: StreamCase) throws {
    for pieces in splits(of: stream.bytes) {
      #expect(try read(pieces).told == stream.told)
    }
  }

  @Test("an event is told at its blank line, also when that may go on as CR LF")
  func promptly() throws {
    #expect(try read([Array("data: a\r\r".utf8)]).told == [message("a")])
    #expect(try read([Array("data: a\r".utf8)]).told == [])
  }

  @Test("the id to come back with is that of the last event that ended")
  func lastID() throws {
    #expect(try read([Array("id: 1\n\nid: 2\ndata: a\n".utf8)]).id == "1")
    #expect(try read([Array("id: 1\n\nid: 2\n\n".utf8)]).id == "2")
    #expect(try read([Array("id: 1\n\nid\n\n".utf8)]).id == "")
  }

  static let long: [(String, Bool)] = [
    ("data: 5678\n", false), ("data: 56789\n", true), ("data: 56789", true), (":123456789", false),
    (":1234567890", true),
    ("data:1234\ndata:5678\n\n", false), ("data:1234\ndata:56789\n\n", false),
    ("data:1234\ndata:5\ndata:6789\n", true),
    ("data:1234\n\ndata:1234\n\ndata:1234\n\n", false),
  ]

  @Test("a line and the data of an event are bounded, cut at each place", arguments: long)
  func bounded(_ text: String, _ isPast: Bool) throws {
    for pieces in splits(of: Array(text.utf8)) {
      if isPast {
        #expect(throws: ServerSentEventOverflow(limit: 10)) { try read(pieces, limit: 10) }
      } else {
        #expect(throws: Never.self) { try read(pieces, limit: 10) }
      }
    }
    #expect("\(ServerSentEventOverflow(limit: 10))" == "a line or the data of an event is past 10 bytes")
  }

  @Test("behind an overflow nothing is read any more")
  func stays() {
    var parser = ServerSentEventParser(maxEventBytes: 4)
    for text in ["data: long\n\n", "a:b\n\n"] {
      #expect(overflow(of: text, &parser) == ServerSentEventOverflow(limit: 4))
    }
  }

  private func overflow(of text: String, _ parser: inout ServerSentEventParser) -> ServerSentEventOverflow? {
    Array(text.utf8).withUnsafeBytes { bytes -> ServerSentEventOverflow? in
      var offset = 0
      do throws(ServerSentEventOverflow) {
        while try parser.next(bytes, &offset) != nil {}
        return nil
      } catch {
        return error
      }
    }
  }

  @Test("the encoder's bytes")
  func encodes() {
    func event(_ data: String, _ event: String? = nil, _ id: String? = nil, _ retry: Int? = nil) -> String {
      var bytes: [UInt8] = []
      ServerSentEventEncoder.append(data: data.utf8, event: event, id: id, retry: retry, to: &bytes)
      return String(decoding: bytes, as: UTF8.self)
    }
    #expect(event("a") == "data: a\n\n")
    #expect(event("") == "data: \n\n")
    #expect(event("a\nb\r\nc\rd") == "data: a\ndata: b\ndata: c\ndata: d\n\n")
    #expect(event("a\n") == "data: a\ndata: \n\n")
    #expect(event("\n\r") == "data: \ndata: \ndata: \n\n")
    #expect(event("a", "b", "c", 5) == "event: b\nid: c\nretry: 5\ndata: a\n\n")
    #expect(event("a", "b\r\ndata: c", "d\0\n", -1) == "event: b  data: c\nid: d  \nretry: 0\ndata: a\n\n")
    var comment: [UInt8] = []
    ServerSentEventEncoder.appendComment(to: &comment)
    ServerSentEventEncoder.appendComment("still\nhere", to: &comment)
    #expect(String(decoding: comment, as: UTF8.self) == ": \n\n: still here\n\n")
  }

  @Test("what the encoder writes is read back, cut at each place")
  func roundTrip() throws {
    var bytes: [UInt8] = []
    let texts = ["", " ", "a", " a: b", "a\nb", "\n", "a\n\nb\n", ":", "data: x", "🚀\u{FEFF}", "\0"]
    for (number, text) in texts.enumerated() {
      ServerSentEventEncoder.appendComment("\(number)", to: &bytes)
      ServerSentEventEncoder.append(data: text.utf8, event: "e \(number)", id: " \(number)", to: &bytes)
    }
    let expected = texts.enumerated().map { message($0.element, type: "e \($0.offset)", id: " \($0.offset)") }
    for pieces in splits(of: bytes) {
      #expect(try read(pieces).told == expected)
    }
  }
}
