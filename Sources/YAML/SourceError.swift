/// A place in a file that people write: line and column from 1, columns in Unicode scalars.
package struct SourcePlace: Sendable, Hashable, CustomStringConvertible {
  package let file: String
  package let line: Int
  package let column: Int

  package init(file: String, line: Int, column: Int) {
    self.file = file
    self.line = line
    self.column = column
  }

  package var description: String { "\(file):\(line):\(column)" }
}

/// What is wrong in a file that people write, and where.
///
/// Printed as the place and the message, then the line with a caret below the column:
/// ```
/// Spec/methods/ping.yaml:3:1: unknown key "parms", did you mean "params"?
///    3 | parms: {}
///      | ^
/// ```
package struct SourceError: Error, Sendable, Hashable, CustomStringConvertible {
  package let place: SourcePlace
  package let message: String
  /// The line of `place`, if it is known.
  package let sourceLine: String?

  package init(place: SourcePlace, message: String, sourceLine: String? = nil) {
    self.place = place
    self.message = message
    self.sourceLine = sourceLine
  }

  package var description: String {
    let headline = "\(place): \(message)"
    guard let sourceLine else { return headline }
    let shown = ShownLine(sourceLine, column: place.column)
    let number = String(place.line)
    let margin = String(repeating: " ", count: max(4 - number.utf8.count, 1))
    let blank = String(repeating: " ", count: margin.utf8.count + number.utf8.count)
    return """
      \(headline)
      \(margin)\(number) | \(shown.text)
      \(blank) | \(shown.indent)^
      """
  }
}

/// A line made fit for a terminal, and what stands before the caret below it.
private struct ShownLine {
  private(set) var text = ""
  /// As wide as the line up to the column; tabs stay tabs, so the caret stands right at any tab width.
  private(set) var indent = ""

  /// Scalars shown on each side of the column; a line may be as long as a file.
  private static let reach = 90

  init(_ line: String, column: Int) {
    let scalars = Array(line.unicodeScalars)
    let target = min(max(column - 1, 0), scalars.count)
    let first = max(target - Self.reach, 0)
    let end = min(target + Self.reach, scalars.count)
    if first > 0 {
      text = "…"
      indent = " "
    }
    for position in first..<end {
      let scalar = Self.isControl(scalars[position]) ? "\u{FFFD}" : scalars[position]
      text.unicodeScalars.append(scalar)
      guard position < target else { continue }
      indent += scalar == "\t" ? "\t" : String(repeating: " ", count: Self.width(of: scalar))
    }
    if end < scalars.count { text += "…" }
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar != "\t" && scalar.properties.generalCategory == .control
  }

  /// Columns a scalar takes on a terminal: marks none, East Asian wide characters and emoji two (UAX #11).
  private static func width(of scalar: Unicode.Scalar) -> Int {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: break
    }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3,
      0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
      0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }
}

/// The text of a file, shared by all that points into it.
package final class SourceText: Sendable {
  package let file: String
  private let bytes: [UInt8]

  package init(_ text: String, file: String) {
    self.file = file
    bytes = Array(text.utf8)
  }

  /// The line numbered from 1, without its end; nil past the last.
  package func line(_ number: Int) -> String? {
    var current = 1
    var start = 0
    while true {
      let (end, next) = lineEnd(from: start)
      if current == number { return String(decoding: bytes[start..<end], as: UTF8.self) }
      guard let next else { return nil }
      (start, current) = (next, current + 1)
    }
  }

  /// The place of the byte at `offset`.
  package func place(ofByte offset: Int) -> SourcePlace {
    var line = 1
    var start = 0
    while let next = lineEnd(from: start).next, next <= offset { (start, line) = (next, line + 1) }
    let column = bytes[start..<min(offset, bytes.count)].count { $0 & 0xC0 != 0x80 } + 1
    return SourcePlace(file: file, line: line, column: column)
  }

  package func error(_ message: String, at place: SourcePlace) -> SourceError {
    // libyaml takes the end of the text for the start of a line that is not there.
    guard let line = line(place.line) else { return error(message, at: self.place(ofByte: bytes.count)) }
    return SourceError(place: place, message: message, sourceLine: line)
  }

  /// Where the line that begins at `start` ends, and where the next begins. The line breaks are
  /// those libyaml counts by: LF, CR, CR LF, NEL, LS, PS (YAML 1.1 §4.2).
  private func lineEnd(from start: Int) -> (end: Int, next: Int?) {
    var position = start
    while position < bytes.count {
      let rest = bytes[position...]
      switch bytes[position] {
      case 0x0A: return (position, position + 1)
      case 0x0D: return (position, position + (rest.starts(with: [0x0D, 0x0A]) ? 2 : 1))
      case 0xC2 where rest.starts(with: [0xC2, 0x85]): return (position, position + 2)
      case 0xE2 where rest.starts(with: [0xE2, 0x80, 0xA8]) || rest.starts(with: [0xE2, 0x80, 0xA9]):
        return (position, position + 3)
      default: position += 1
      }
    }
    return (position, nil)
  }
}
