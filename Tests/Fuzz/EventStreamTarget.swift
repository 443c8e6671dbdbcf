import Wire

extension FuzzTarget {
  /// `ServerSentEventParser` in any pieces, against a reading of the whole, and back through
  /// `ServerSentEventEncoder`.
  static let events = FuzzTarget(
    name: "events", form: .bytes, dictionary: EventStreamSeeds.dictionary,
    seeds: { EventStreamSeeds.streams },
    check: { bytes in
      let ways = pieces(of: bytes).map { Reading($0, limit: 200) }
      let whole = ways[0]
      for other in ways.dropFirst() {
        try expect(other == whole, "in pieces \(other), whole \(whole)")
      }
      let unbounded = Reading([bytes[...]], limit: .max)
      let plain = PlainReading(bytes)
      try expect(unbounded.events == plain.events, "told \(unbounded.events), plainly \(plain.events)")
      try expect(unbounded.id == plain.id, "last id \(unbounded.id), plainly \(plain.id)")
      try expect(
        unbounded.events.starts(with: whole.events) && (whole.overflow != nil || whole == unbounded),
        "bounded \(whole), unbounded \(unbounded)")
      var shape = Shape(whole.overflow?.description ?? "")
      shape.add(count: unbounded.events.count)
      for event in unbounded.events {
        switch event {
        case .retry: shape.add("retry")
        case .message(let message):
          try checkRoundTrip(message)
          shape.add(message.type == "message" ? 0 : 1)
          shape.add(message.lastEventID.isEmpty ? 0 : 1)
          shape.add(count: message.data.utf8.count)
        }
      }
      try checkData(bytes)
      return shape
    })

  private static func checkRoundTrip(_ message: ServerSentEvent) throws {
    var bytes: [UInt8] = []
    ServerSentEventEncoder.append(
      data: message.data.utf8, event: message.type, id: message.lastEventID, to: &bytes)
    let again = Reading([bytes[...]], limit: .max)
    try expect(again.events == [.message(message)], "\(message) came back as \(again.events)")
  }

  /// Whatever the data, it is one event, with its lines as they were.
  private static func checkData(_ data: [UInt8]) throws {
    var bytes: [UInt8] = []
    ServerSentEventEncoder.append(data: data, retry: data.count, to: &bytes)
    let text = PlainReading.lines(of: data).joined(separator: "\n")
    let again = Reading([bytes[...]], limit: .max)
    try expect(
      again.events == [.retry(milliseconds: data.count), .message(ServerSentEvent(data: text))],
      "data came back as \(again.events)")
  }
}

/// What a parser told of some pieces.
private struct Reading: Equatable {
  var events: [ServerSentEventParser.Event] = []
  var id = ""
  var overflow: ServerSentEventOverflow?

  init(_ pieces: [ArraySlice<UInt8>], limit: Int) {
    var parser = ServerSentEventParser(maxEventBytes: limit)
    for piece in pieces {
      do throws(ServerSentEventOverflow) {
        try piece.withUnsafeBufferPointer { (bytes) throws(ServerSentEventOverflow) in
          let buffer = UnsafeRawBufferPointer(bytes)
          var offset = 0
          while let event = try parser.next(buffer, &offset) { events.append(event) }
        }
      } catch {
        overflow = error
        break
      }
    }
    id = parser.lastEventID
  }
}

/// The standard's words (HTML Living Standard §9.2.6), one after the other over the whole text.
private struct PlainReading {
  var events: [ServerSentEventParser.Event] = []
  var id = ""

  init(_ bytes: [UInt8]) {
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    var lines = Self.lines(of: bytes.starts(with: mark) ? Array(bytes.dropFirst(3)) : bytes)
    // The last one has no end.
    lines.removeLast()
    var (data, type, idBuffer) = ("", "", "")
    for line in lines {
      guard !line.isEmpty else {
        id = idBuffer
        if !data.isEmpty {
          events.append(
            .message(
              ServerSentEvent(
                type: type.isEmpty ? "message" : type,
                data: String(String.UnicodeScalarView(data.unicodeScalars.dropLast())),
                lastEventID: id)))
        }
        (data, type) = ("", "")
        continue
      }
      var name = line.unicodeScalars[...]
      var value = "".unicodeScalars[...]
      if let colon = name.firstIndex(of: ":") {
        value = name[name.index(after: colon)...]
        name = name[..<colon]
        if value.first == " " { value = value.dropFirst() }
      }
      switch String(name) {
      case "data": data.unicodeScalars.append(contentsOf: value + ["\n"])
      case "event": type = String(value)
      case "id" where !value.contains("\0"): idBuffer = String(value)
      case "retry" where !value.isEmpty && value.allSatisfy { ("0"..."9").contains($0) }:
        events.append(.retry(milliseconds: Int(String(value)) ?? .max))
      default: break
      }
    }
  }

  /// The text cut at each CR LF, LF and CR.
  static func lines(of bytes: [UInt8]) -> [String] {
    var lines: [[UInt8]] = [[]]
    var last: UInt8 = 0
    for byte in bytes {
      switch (last, byte) {
      case (0x0D, 0x0A): break
      case (_, 0x0A), (_, 0x0D): lines.append([])
      default: lines[lines.count - 1].append(byte)
      }
      last = byte
    }
    return lines.map { String(decoding: $0, as: UTF8.self) }
  }
}

private enum EventStreamSeeds {
  static let dictionary = [
    "\n", "\r", "\r\n", "\n\n", "data", "data:", "data: ", "event: ", "id: ", "id", "retry: ", ":", ": ", " ",
    "\u{FEFF}", "\u{0}", "é", "[DONE]", "retry: 99999999999999999999\n", "data: a\n\n",
  ]

  static let streams = [
    "data: a\n\n", ": keep-alive\n\nevent: add\ndata: 1\ndata: 2\nid: 7\nretry: 1000\n\ndata\n\n",
    "\u{FEFF}data: a\r\ndata: b\r\rid\r\rdata:c\n\n", "id: 1\0\ndata:\n\nevent: message_stop\ndata: {}\n\n",
    "retry: x\ndata", "",
  ].map { Array($0.utf8) }
}
