import Foundation

/// What an answer says about when to come again.
enum RetryAfter {
  /// The longest wait that `header` tells, nil if it tells none. LiteLLM passes on under a name of its
  /// own what its upstream said; the header in milliseconds is the more exact of two.
  ///
  /// - Parameters:
  ///   - header: the value of a header, by its name in lower case.
  ///   - now: what dates are compared with.
  static func wait(now: Date, _ header: (String) -> String?) -> Duration? {
    ["", "llm_provider-"].compactMap { prefix in
      header(prefix + "retry-after-ms").flatMap { number($0).map { .milliseconds($0) } }
        ?? header(prefix + "retry-after").flatMap { value($0, now: now) }
    }.max()
  }

  /// Seconds, of which some services give fractions, or a date (RFC 9110 §10.2.3).
  private static func value(_ text: String, now: Date) -> Duration? {
    if let seconds = number(text) { return .seconds(seconds) }
    return date(text, now: now).map { .seconds(max($0.timeIntervalSince(now), 0)) }
  }

  private static func number(_ text: String) -> Double? {
    Double(text).flatMap { $0 >= 0 && $0 < 1e9 ? $0 : nil }
  }

  /// The three forms that a recipient must accept (RFC 9110 §5.6.7).
  private static let forms = [
    "EEE, dd MMM yyyy HH:mm:ss 'GMT'", "EEEE, dd-MMM-yy HH:mm:ss 'GMT'", "EEE MMM d HH:mm:ss yyyy",
  ]

  static func date(_ text: String, now: Date) -> Date? {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(identifier: "UTC")
    // A year of two digits is never more than 50 years ahead.
    formatter.twoDigitStartDate = now.addingTimeInterval(-50 * 365.25 * 86_400)
    // asctime pads the day with a space.
    let text = text.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    for form in forms {
      formatter.dateFormat = form
      if let date = formatter.date(from: text) { return date }
    }
    return nil
  }
}
