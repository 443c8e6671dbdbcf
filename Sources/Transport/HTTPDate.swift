#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The Date field's value (RFC 9110 §5.6.7), made once a second. Belongs to one loop.
final class HTTPDate {
  private var second = 0
  private var text = ""

  private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  var current: String {
    var now = time(nil)
    guard now != second else { return text }
    second = now
    var parts = tm()
    gmtime_r(&now, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let day = Self.days[Int(parts.tm_wday)]
    let month = Self.months[Int(parts.tm_mon)]
    text =
      "\(day), \(two(parts.tm_mday)) \(month) \(1900 + parts.tm_year) "
      + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    return text
  }
}
