package import JSON
package import ProtocolSpec
import Synchronization

/// A structured log: one JSON object a line with `ts` (RFC 3339, UTC, milliseconds), `level`, `msg`
/// and the fields of the call. Registered secrets and the values of `authorization`, `x-api-key`
/// and their like are masked wherever they stand.
package final class Log: Sendable {
  package let level: LogLevel
  private let sink: any LogSink
  private let now: @Sendable () -> Timestamp
  private let redaction: Mutex<Redaction>

  /// - Parameters:
  ///   - level: lines below it are not written.
  ///   - secrets: texts that never appear in a line; `register` adds to them.
  ///   - now: the clock of `ts`.
  package init(
    level: LogLevel = .info, sink: any LogSink = DescriptorSink.standardError, secrets: [String] = [],
    now: @escaping @Sendable () -> Timestamp = Timestamp.now
  ) {
    self.level = level
    self.sink = sink
    self.now = now
    redaction = Mutex(Redaction(secrets: secrets))
  }

  /// From now on `secret` is masked.
  package func register(secret: String) { redaction.withLock { $0.add(secret) } }

  /// What is masked at this moment.
  package var currentRedaction: Redaction { redaction.withLock { $0 } }

  package func isEnabled(_ level: LogLevel) -> Bool { level >= self.level }

  /// `fields` is evaluated only if the line is written; `ts`, `level` and `msg` cannot be replaced by it.
  package func write(
    _ level: LogLevel, _ message: String, _ fields: @autoclosure () -> JSONObject = JSONObject()
  ) {
    guard isEnabled(level) else { return }
    let redaction = currentRedaction
    var line = JSONObject()
    line["ts"] = .string(now().text)
    line["level"] = .string(level.rawValue)
    line["msg"] = .string(redaction.text(message))
    for (key, value) in redaction.members(fields()) { _ = line.insert(key, value) }
    sink.write(Self.oneLine(JSONWriter.text(.object(line))))
  }

  /// `text` as UTF-8 with a line feed, and as escapes what would end a line or turn it round where a person
  /// looks at it: line separators, C1 controls and marks of direction.
  private static func oneLine(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069:
        bytes += "\\u".utf8
        let digits = String(scalar.value, radix: 16)
        bytes += (String(repeating: "0", count: 4 - digits.count) + digits).utf8
      default: bytes += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter
      }
    }
    bytes.append(UInt8(ascii: "\n"))
    return bytes
  }

  package func debug(_ message: String, _ fields: @autoclosure () -> JSONObject = JSONObject()) {
    write(.debug, message, fields())
  }

  package func info(_ message: String, _ fields: @autoclosure () -> JSONObject = JSONObject()) {
    write(.info, message, fields())
  }

  package func warning(_ message: String, _ fields: @autoclosure () -> JSONObject = JSONObject()) {
    write(.warning, message, fields())
  }

  package func error(_ message: String, _ fields: @autoclosure () -> JSONObject = JSONObject()) {
    write(.error, message, fields())
  }

  /// Returns when every line written before has left the process, at the latest after a second; call
  /// it before the program ends.
  package func flush() { sink.flush() }
}
