import Foundation

/// A time as the protocol gives it: UTC, to the millisecond (`tasks.times`).
package struct Timestamp: Sendable, Hashable, Comparable {
  /// Since 1970-01-01T00:00:00Z.
  package let milliseconds: Int64

  package init(milliseconds: Int64) { self.milliseconds = milliseconds }

  package static func now() -> Timestamp {
    Timestamp(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down)))
  }

  /// RFC 3339: `2026-02-20T08:00:00.000Z`. Years before 0 and after 9999 have no such text and are
  /// cut to them.
  package var text: String {
    String(unsafeUninitializedCapacity: Self.textSize) { bytes in
      write(to: UnsafeMutableRawBufferPointer(bytes))
      return Self.textSize
    }
  }

  /// Bytes of `text`.
  package static let textSize = 24

  /// Writes `text` into `output`, which has room for `textSize` bytes.
  package func write(to output: UnsafeMutableRawBufferPointer) {
    let bounded = Int(min(max(milliseconds, -62_167_219_200_000), 253_402_300_799_999))
    var day = bounded / 86_400_000
    if bounded < day * 86_400_000 { day -= 1 }
    let time = bounded - day * 86_400_000
    let date = Self.civilDate(day)
    Self.write(date.year / 100, "-", at: 0, output)
    Self.write(date.year % 100, "-", at: 2, output)
    Self.write(date.month, "-", at: 5, output)
    Self.write(date.day, "T", at: 8, output)
    Self.write(time / 3_600_000, ":", at: 11, output)
    Self.write(time / 60_000 % 60, ":", at: 14, output)
    Self.write(time / 1000 % 60, ".", at: 17, output)
    Self.write(time % 1000 / 10, "Z", at: 20, output)
    output[22] = UInt8(ascii: "0") + UInt8(time % 10)
    output[23] = UInt8(ascii: "Z")
  }

  /// Writes two digits and what stands behind them.
  @inline(__always)
  private static func write(
    _ value: Int, _ end: Unicode.Scalar, at place: Int, _ output: UnsafeMutableRawBufferPointer
  ) {
    output[place] = UInt8(ascii: "0") + UInt8(value / 10)
    output[place + 1] = UInt8(ascii: "0") + UInt8(value % 10)
    output[place + 2] = UInt8(ascii: end)
  }

  package func adding(_ duration: Duration) -> Timestamp {
    let (seconds, attoseconds) = duration.components
    return Timestamp(milliseconds: milliseconds + seconds * 1000 + attoseconds / 1_000_000_000_000_000)
  }

  package static func < (left: Timestamp, right: Timestamp) -> Bool {
    left.milliseconds < right.milliseconds
  }

  /// The Gregorian date that many days after 1970-01-01. Years are counted from March in eras of
  /// 400 years, so that the leap day is the last of its year.
  private static func civilDate(_ day: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = day + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }
}
