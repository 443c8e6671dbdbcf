internal import JSON
internal import Transport
internal import Wire

/// One connection of a case.
struct PlayedConnection {
  let name: String
  let client: WebSocketClient
  /// When the runner last said something on it.
  var lastSaid: ContinuousClock.Instant
  /// Set once the server's end has been seen.
  var ending: Ending?
  /// The target was restarted since: nothing more is said on it.
  var isFromBeforeRestart = false
}

/// How a server ended a connection.
struct Ending: Sendable {
  /// Nil: no Close frame, or one without a code.
  let code: UInt16?
  let text: String
  /// What of RFC 6455 the server broke, where that ended it.
  let breach: String?

  init(_ event: WebSocketClient.Event) {
    guard case .closed(let code, let reason, _, let how) = event else {
      (self.code, text, breach) = (nil, "", nil)
      return
    }
    switch how {
    case .closeFrame:
      self.code = code
      text = "close \(code.map(String.init) ?? "without a code")" + (reason.isEmpty ? "" : " \(reason)")
      breach = nil
    case .eof: (self.code, text, breach) = (nil, "end of stream", nil)
    case .reset(let cause): (self.code, text, breach) = (nil, "reset: \(cause)", nil)
    case .protocolError(let cause): (self.code, text, breach) = (nil, "against RFC 6455: \(cause)", cause)
    case .local: (self.code, text, breach) = (nil, "ended by the runner", nil)
    }
  }
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
