/// Finds the messages in a `text/event-stream` (WHATWG HTML §9.2.6), fed in any pieces. Event names, ids
/// and retry times mean nothing to us and are passed over.
package struct EventStreamParser: Sendable {
  /// The stream has a line or event longer than this.
  package struct TooLong: Error, Sendable { package let limit: Int }

  private let limit: Int
  private var line: [UInt8] = []
  private var data: [UInt8] = []
  private var hasData = false
  private var endedWithCR = false

  /// - Parameter limit: the most bytes of one event.
  package init(limit: Int) { self.limit = limit }

  /// Takes a piece of the stream and gives the data of each event that it ends.
  package mutating func take(_ bytes: [UInt8]) throws(TooLong) -> [[UInt8]] {
    var events: [[UInt8]] = []
    var rest = bytes[...]
    while let end = rest.firstIndex(where: { $0 == 0x0A || $0 == 0x0D }) {
      let byte = rest[end]
      // The second half of CR LF ends no line of its own.
      if byte == 0x0A, endedWithCR, end == rest.startIndex, line.isEmpty {
        endedWithCR = false
        rest = rest[(end + 1)...]
        continue
      }
      try append(rest[..<end])
      endedWithCR = byte == 0x0D
      if let event = endLine() { events.append(event) }
      rest = rest[(end + 1)...]
    }
    if !rest.isEmpty { endedWithCR = false }
    try append(rest)
    return events
  }

  private mutating func append(_ piece: ArraySlice<UInt8>) throws(TooLong) {
    guard line.count + data.count + piece.count <= limit else { throw TooLong(limit: limit) }
    line += piece
  }

  private mutating func endLine() -> [UInt8]? {
    defer { line.removeAll(keepingCapacity: true) }
    guard !line.isEmpty else {
      defer { (data, hasData) = ([], false) }
      return hasData ? data : nil
    }
    let name = Array("data".utf8)
    guard line.starts(with: name) else { return nil }
    var value = line[name.count...]
    guard value.isEmpty || value.first == UInt8(ascii: ":") else { return nil }
    value = value.dropFirst()
    if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
    if hasData { data.append(0x0A) }
    hasData = true
    data += value
    return nil
  }
}
