package import JSON

/// A success that is always the same but for the id: its text is made once, and an answer is three
/// copies of bytes. Who makes one gives it back, so that nobody has to count references on the way.
package struct PlainAnswer: @unchecked Sendable {
  // Invariant: what the buffers point at is never changed, and nobody uses it behind `deallocate`.
  /// The text before and behind the id.
  private let before: UnsafeRawBufferPointer
  private let behind: UnsafeRawBufferPointer
  /// The whole text for a request without an id.
  private let withoutID: UnsafeRawBufferPointer

  /// - Parameter result: of every answer; the text is that of `Answer.write`.
  package init(_ dialect: Dialect, result: JSONValue) {
    func text(_ id: JSONValue?) -> [UInt8] {
      var bytes: [UInt8] = []
      Answer(dialect: dialect, id: id, outcome: .success(result)).write(to: &bytes)
      return bytes
    }
    // Two ids tell where the id stands: the texts are the same up to it and from the end back to it.
    let one = text(.int(1))
    let two = text(.int(2))
    let place = zip(one, two).prefix { $0 == $1 }.count
    before = Self.kept(one[..<place])
    behind = Self.kept(one[(place + 1)...])
    withoutID = Self.kept(text(nil)[...])
  }

  private static func kept(_ bytes: ArraySlice<UInt8>) -> UnsafeRawBufferPointer {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    memory.copyBytes(from: bytes)
    return UnsafeRawBufferPointer(memory)
  }

  /// Gives the memory back.
  package func deallocate() {
    for text in [before, behind, withoutID] { text.deallocate() }
  }

  /// Bytes of the answer to a request with the id `id`.
  @inline(__always)
  package func count(id: UnsafeRawBufferPointer?) -> Int {
    guard let id else { return withoutID.count }
    return before.count + id.count + behind.count
  }

  /// Writes the answer.
  ///
  /// - Parameters:
  ///   - id: its text as it was sent; nil for a request without one.
  ///   - output: `count(id:)` bytes.
  package func write(id: UnsafeRawBufferPointer?, to output: UnsafeMutableRawBufferPointer) {
    guard let id else { return output.copyMemory(from: withoutID) }
    output.copyMemory(from: before)
    UnsafeMutableRawBufferPointer(rebasing: output[before.count...]).copyMemory(from: id)
    UnsafeMutableRawBufferPointer(rebasing: output[(before.count + id.count)...]).copyMemory(from: behind)
  }
}

/// A success whose id and result are texts: the bytes of `Answer.write`, without a value in between.
package struct PlainSuccess {
  private let dialect: Dialect
  /// Its text as it was sent; nil for a bare request without one.
  private let id: UnsafeRawBufferPointer?
  private let result: UnsafeRawBufferPointer

  package init(dialect: Dialect, id: UnsafeRawBufferPointer?, result: UnsafeRawBufferPointer) {
    self.dialect = dialect
    self.id = id
    self.result = result
  }

  /// Bytes of the answer.
  package var count: Int {
    var count = 0
    parts { count += $0.count }
    return count
  }

  /// - Parameter output: `count` bytes.
  package func write(to output: UnsafeMutableRawBufferPointer) {
    var place = 0
    parts { part in
      UnsafeMutableRawBufferPointer(rebasing: output[place...]).copyMemory(from: part)
      place += part.count
    }
  }

  @inline(__always)
  private func parts(_ each: (UnsafeRawBufferPointer) -> Void) {
    func text(_ text: StaticString) {
      each(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
    switch (dialect, id) {
    case (.bare, nil):
      text("{\"result\":")
      each(result)
    case (.bare, let id?):
      text("{\"result\":")
      each(result)
      text(",\"id\":")
      each(id)
    case (.jsonrpc, let id):
      text("{\"jsonrpc\":\"2.0\",\"id\":")
      if let id { each(id) } else { text("null") }
      text(",\"result\":")
      each(result)
    }
    text("}")
  }
}
