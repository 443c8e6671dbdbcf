import Wire

extension FuzzTarget {
  /// `LineSplitter` in any pieces, against a plain cutting of the whole.
  static let lineSplitter = FuzzTarget(
    name: "lines", form: .lines, dictionary: ["\n", "\r\n", "\r", "\n\n", "{}", "xxxxxxxxxxxxxxxx"],
    seeds: {
      ["{\"method\":\"ping\"}\n", "a\r\n\nb\rc\n\r\nrest", String(repeating: "x", count: 60) + "\nb\n", ""]
        .map {
          Array($0.utf8)
        }
    },
    check: { bytes in
      let plain = plainLines(of: bytes, limit: lineLimit)
      var shape = Shape()
      for pieces in pieces(of: bytes) {
        let told = splitLines(pieces, limit: lineLimit)
        try expect(told == plain, "told \(told), plainly \(plain)")
      }
      shape.add(count: plain.count)
      for line in plain { shape.add(count: line?.count ?? -1) }
      return shape
    })
}

/// Short, so that many lines are too long.
private let lineLimit = 40

/// A line past the limit is nil.
private func splitLines(_ pieces: [ArraySlice<UInt8>], limit: Int) -> [[UInt8]?] {
  var splitter = LineSplitter(maxBytes: limit)
  var told: [[UInt8]?] = []
  func tell(_ event: LineSplitter.Event) {
    switch event {
    case .line(let line): told.append(Array(line))
    case .tooLong: told.append(nil)
    }
  }
  for piece in pieces {
    piece.withUnsafeBytes { bytes in
      var offset = 0
      while let event = splitter.next(bytes, &offset) { tell(event) }
    }
  }
  if let event = splitter.finish() { tell(event) }
  return told
}

private func plainLines(of bytes: [UInt8], limit: Int) -> [[UInt8]?] {
  bytes.split(separator: UInt8(ascii: "\n")).map { line in
    line.last == UInt8(ascii: "\r") ? line.dropLast() : line
  }
  .filter { !$0.isEmpty }.map { $0.count > limit ? nil : Array($0) }
}
