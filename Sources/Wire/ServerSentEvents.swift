/// An event as a client has it (HTML Living Standard §9.2.6).
package struct ServerSentEvent: Sendable, Equatable {
  /// `message` where the stream named none.
  package var type: String
  /// Lines are joined with LF.
  package var data: String
  /// The last id of the stream up to this event, with which a client asks for what it missed.
  package var lastEventID: String

  package init(type: String = "message", data: String, lastEventID: String = "") {
    self.type = type
    self.data = data
    self.lastEventID = lastEventID
  }
}

/// Writes an event stream (HTML Living Standard §9.2.5). A line break inside a name or an id becomes
/// a space, and so does a NUL inside an id, which clients would ignore.
package enum ServerSentEventEncoder {
  /// One event; every line of `data`, however it ends, becomes a line of its own.
  ///
  /// - Parameter retry: how long a client waits before it connects again, in milliseconds.
  package static func append(
    data: some Collection<UInt8>, event: String? = nil, id: String? = nil, retry: Int? = nil,
    to bytes: inout [UInt8]
  ) {
    if let event { field("event", event, to: &bytes) }
    if let id { field("id", id.replacing("\0", with: " "), to: &bytes) }
    if let retry { field("retry", String(max(retry, 0)), to: &bytes) }
    var rest = data[...]
    while true {
      bytes.append(contentsOf: "data: ".utf8)
      let end = rest.firstIndex { $0 == ASCII.lineFeed || $0 == ASCII.carriageReturn }
      bytes.append(contentsOf: rest[..<(end ?? rest.endIndex)])
      bytes.append(ASCII.lineFeed)
      guard let end else { break }
      let isCR = rest[end] == ASCII.carriageReturn
      rest = rest[rest.index(after: end)...]
      if isCR, rest.first == ASCII.lineFeed { rest = rest.dropFirst() }
    }
    bytes.append(ASCII.lineFeed)
  }

  /// A line that clients skip, which keeps a connection from looking idle (HTML Living Standard §9.2.7).
  package static func appendComment(_ text: String = "", to bytes: inout [UInt8]) {
    field("", text, to: &bytes)
    bytes.append(ASCII.lineFeed)
  }

  private static func field(_ name: String, _ value: String, to bytes: inout [UInt8]) {
    bytes.append(contentsOf: name.utf8)
    bytes.append(ASCII.colon)
    bytes.append(ASCII.space)
    for byte in value.utf8 {
      let isBreak = byte == ASCII.lineFeed || byte == ASCII.carriageReturn
      bytes.append(isBreak ? ASCII.space : byte)
    }
    bytes.append(ASCII.lineFeed)
  }
}

/// A stream that is more than a parser was allowed to hold.
package struct ServerSentEventOverflow: Error, Sendable, Equatable, CustomStringConvertible {
  package let limit: Int

  package init(limit: Int) { self.limit = limit }

  package var description: String { "a line or the data of an event is past \(limit) bytes" }
}

/// Reads an event stream from bytes in any pieces (HTML Living Standard §9.2.6).
///
/// Call `next` until it gives nil. What is not behind a blank line when the stream ends is no event
/// and is dropped with the parser.
package struct ServerSentEventParser: Sendable {
  package enum Event: Sendable, Equatable {
    case message(ServerSentEvent)
    /// How long to wait from now on before connecting again.
    case retry(milliseconds: Int)
  }

  /// The id to send as Last-Event-ID when connecting again; empty for none.
  package private(set) var lastEventID = ""

  private let limit: Int
  /// A line that has begun, and whether the last one ended in CR: a LF behind that belongs to it.
  private var line: [UInt8] = []
  private var isBehindCR = false
  private var isFirstLine = true
  private var overflow: ServerSentEventOverflow?

  // The event that has begun.
  private var data: [UInt8] = []
  private var type = ""
  private var id = ""

  /// - Parameter maxEventBytes: the longest line, and the longest data of an event.
  package init(maxEventBytes: Int = 1 << 20) { limit = maxEventBytes }

  /// Takes bytes from `input` behind `offset` until there is something to tell.
  package mutating func next(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(ServerSentEventOverflow) -> Event? {
    if let overflow { throw overflow }
    while offset < input.count {
      if isBehindCR {
        isBehindCR = false
        if input[offset] == ASCII.lineFeed {
          offset += 1
          continue
        }
      }
      let rest = UnsafeRawBufferPointer(rebasing: input[offset...])
      let end = rest.firstIndex { $0 == ASCII.lineFeed || $0 == ASCII.carriageReturn }
      let piece = UnsafeRawBufferPointer(rebasing: rest[..<(end ?? rest.count)])
      try check(line.count + piece.count)
      guard let end else {
        offset = input.count
        line.append(contentsOf: piece)
        return nil
      }
      isBehindCR = rest[end] == ASCII.carriageReturn
      offset += end + 1
      if let event = try take(piece) { return event }
    }
    return nil
  }

  private mutating func check(_ count: Int) throws(ServerSentEventOverflow) {
    guard count > limit else { return }
    let overflow = ServerSentEventOverflow(limit: limit)
    self.overflow = overflow
    throw overflow
  }

  /// Takes the last piece of a line.
  private mutating func take(_ piece: UnsafeRawBufferPointer) throws(ServerSentEventOverflow) -> Event? {
    guard !line.isEmpty else { return try take(line: piece) }
    line.append(contentsOf: piece)
    let whole = line
    line = []
    return try whole.withUnsafeBufferPointer { (bytes) throws(ServerSentEventOverflow) in
      try take(line: UnsafeRawBufferPointer(bytes))
    }
  }

  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  private mutating func take(
    line: UnsafeRawBufferPointer
  ) throws(ServerSentEventOverflow) -> Event? {
    var line = line[...]
    if isFirstLine {
      isFirstLine = false
      if line.starts(with: Self.byteOrderMark) { line = line.dropFirst(3) }
    }
    guard !line.isEmpty else { return dispatch() }
    let name = line.prefix { $0 != ASCII.colon }
    var value = line[name.endIndex...].dropFirst()
    if value.first == ASCII.space { value = value.dropFirst() }
    // A comment has an empty name, and unknown names are skipped as well.
    if name.elementsEqual("data".utf8) {
      try check(data.count + value.count)
      data.append(contentsOf: value)
      data.append(ASCII.lineFeed)
    } else if name.elementsEqual("event".utf8) {
      type = String(decoding: value, as: UTF8.self)
    } else if name.elementsEqual("id".utf8) {
      if !value.contains(0) { id = String(decoding: value, as: UTF8.self) }
    } else if name.elementsEqual("retry".utf8) {
      guard !value.isEmpty, value.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
      return .retry(milliseconds: Int(String(decoding: value, as: UTF8.self)) ?? .max)
    }
    return nil
  }

  /// What a blank line does: an event without data is none, but its id counts.
  private mutating func dispatch() -> Event? {
    lastEventID = id
    defer {
      data = []
      type = ""
    }
    guard !data.isEmpty else { return nil }
    return .message(
      ServerSentEvent(
        type: type.isEmpty ? "message" : type, data: String(decoding: data.dropLast(), as: UTF8.self),
        lastEventID: id))
  }
}
