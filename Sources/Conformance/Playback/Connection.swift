/// One connection of a case.
struct PlayedConnection {
  let name: String
  var channel: any MessageChannel
  /// When the runner last said something on it.
  var lastSaid: ContinuousClock.Instant
  var hasHeard = false
  /// Set once the server's end has been seen.
  var ending: Ending?
  /// The target was restarted since: nothing more is said on it.
  var isFromBeforeRestart = false
}

extension [UInt8] {
  /// For the log: text, or the bytes in hexadecimal.
  var shown: String {
    if let text = String(validating: self, as: UTF8.self) { return text }
    return hexadecimal
  }

  var hexadecimal: String {
    let digits = [Character]("0123456789abcdef")
    return prefix(64).map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined(separator: " ")
      + (count > 64 ? " … (\(count) bytes)" : "")
  }
}
