/// Cuts a stream of bytes into lines that end in LF or CR LF, such as the messages of MCP over stdio.
/// Empty lines are left out, and what is past the limit is skipped up to its end.
package struct LineSplitter: ~Copyable {
  package enum Event {
    /// A line without its end; the bytes are valid until the next call.
    case line(UnsafeRawBufferPointer)
    /// A line has more bytes than the limit. Told once, as soon as that is known.
    case tooLong
  }

  private let maxBytes: Int
  /// What has come of a line whose end has not.
  private var partial = AssemblyBuffer()
  /// Whether the last event pointed at `partial`.
  private var isDelivered = false
  private var isSkipping = false

  /// - Parameter maxBytes: of a line without its end.
  package init(maxBytes: Int) { self.maxBytes = maxBytes }

  /// The next event in `input` from `offset` on, which goes past it; nil when all is taken.
  package mutating func next(_ input: UnsafeRawBufferPointer, _ offset: inout Int) -> Event? {
    release()
    while offset < input.count {
      let rest = UnsafeRawBufferPointer(rebasing: input[offset...])
      guard let end = rest.firstIndex(of: ASCII.lineFeed) else {
        offset = input.count
        return keep(rest)
      }
      offset += end + 1
      if isSkipping {
        isSkipping = false
      } else if let event = whole(UnsafeRawBufferPointer(rebasing: rest[..<end])) {
        return event
      }
    }
    return nil
  }

  /// What is left when nothing more will come: a last line may lack its end.
  package mutating func finish() -> Event? {
    release()
    guard !isSkipping else { return nil }
    return whole(UnsafeRawBufferPointer(start: nil, count: 0))
  }

  private mutating func release() {
    guard isDelivered else { return }
    isDelivered = false
    partial.removeAll()
  }

  /// Takes the beginning of a line. One byte more than the limit may yet be a carriage return.
  private mutating func keep(_ bytes: UnsafeRawBufferPointer) -> Event? {
    guard !isSkipping else { return nil }
    guard partial.count + bytes.count <= maxBytes + 1 else {
      partial.removeAll()
      isSkipping = true
      return .tooLong
    }
    partial.append(bytes)
    return nil
  }

  /// A line whose last bytes are `bytes`; nil for an empty one.
  private mutating func whole(_ bytes: UnsafeRawBufferPointer) -> Event? {
    var line = bytes
    if !partial.isEmpty {
      isDelivered = true
      guard partial.count + bytes.count <= maxBytes + 1 else { return .tooLong }
      partial.append(bytes)
      line = partial.bytes
    }
    if line.last == ASCII.carriageReturn { line = UnsafeRawBufferPointer(rebasing: line.dropLast()) }
    guard line.count <= maxBytes else { return .tooLong }
    guard line.isEmpty else { return .line(line) }
    release()
    return nil
  }
}
