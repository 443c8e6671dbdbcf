/// Reads a time such as `250ms`, `2s`, `1.5s`, `5m` or `1h`; nil for anything else.
package func parseDuration(_ text: String) -> Duration? {
  let digits = text.utf8.prefix {
    $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") || $0 == UInt8(ascii: ".")
  }
  let nanosecondsOfUnit: Int
  switch String(Substring(text.utf8[digits.endIndex...])) {
  case "ms": nanosecondsOfUnit = 1_000_000
  case "s": nanosecondsOfUnit = 1_000_000_000
  case "m": nanosecondsOfUnit = 60_000_000_000
  case "h": nanosecondsOfUnit = 3_600_000_000_000
  default: return nil
  }
  let parts = digits.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
  guard parts.count <= 2, let whole = Int(String(Substring(parts[0]))) else { return nil }
  var (nanoseconds, overflow) = whole.multipliedReportingOverflow(by: nanosecondsOfUnit)
  guard !overflow else { return nil }
  if parts.count == 2 {
    // Six digits are exact for every unit and cannot overflow.
    guard (1...6).contains(parts[1].count), let fraction = Int(String(Substring(parts[1]))) else {
      return nil
    }
    let divisor = parts[1].reduce(1) { product, _ in product * 10 }
    (nanoseconds, overflow) = nanoseconds.addingReportingOverflow(fraction * nanosecondsOfUnit / divisor)
  }
  return overflow ? nil : .nanoseconds(nanoseconds)
}
