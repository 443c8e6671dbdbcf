#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The Date field's value (RFC 9110 §5.6.7), made once a second. Belongs to one loop.
package final class HTTPDate {
  private var second = 0
  private var text = ""

  private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  var current: String {
    let now = time(nil)
    guard now != second else { return text }
    second = now
    text = Self.text(now)
    return text
  }

  /// The date so many seconds after the begin of 1970, as HTTP writes it.
  package static func text(_ seconds: Int) -> String {
    var seconds = time_t(seconds)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let day = days[Int(parts.tm_wday)]
    let month = months[Int(parts.tm_mon)]
    return "\(day), \(two(parts.tm_mday)) \(month) \(1900 + parts.tm_year) "
      + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
  }
}
