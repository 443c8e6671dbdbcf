/// Walks over the parts that field values are made of (RFC 9110 §5.6).
struct FieldScanner<Bytes: Collection<UInt8>> where Bytes.SubSequence == Bytes {
  private var rest: Bytes

  private init(_ bytes: Bytes) { rest = bytes }

  /// Whether `bytes` are `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )`, the
  /// form of chunk extensions (RFC 9112 §7.1.1).
  static func areParameters(_ bytes: Bytes) -> Bool {
    var scanner = FieldScanner(bytes)
    return scanner.takeParameters(quotedTokens: false)
  }

  /// Whether `bytes` are a token and parameters whose values are tokens, also where they are
  /// quoted: a WebSocket extension (RFC 6455 §9.1).
  static func isExtension(_ bytes: Bytes) -> Bool {
    var scanner = FieldScanner(bytes)
    return scanner.takeToken() && scanner.takeParameters(quotedTokens: true)
  }

  /// Whether the rest is parameters and nothing else.
  private mutating func takeParameters(quotedTokens: Bool) -> Bool {
    while !rest.isEmpty {
      skipSpace()
      guard take(ASCII.semicolon) else { return false }
      skipSpace()
      guard takeToken() else { return false }
      let behindName = rest
      skipSpace()
      guard take(ASCII.equals) else {
        rest = behindName
        continue
      }
      skipSpace()
      guard takeToken() || takeQuoted(asToken: quotedTokens) else { return false }
    }
    return true
  }

  private mutating func skipSpace() { rest = rest.drop { $0 == ASCII.space || $0 == ASCII.tab } }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard rest.first == byte else { return false }
    rest = rest.dropFirst()
    return true
  }

  private mutating func takeToken() -> Bool {
    let behind = rest.drop { ASCII.isToken($0) }
    guard behind.startIndex != rest.startIndex else { return false }
    rest = behind
    return true
  }

  /// A quoted-string (RFC 9110 §5.6.4); `asToken` if it must be a token once unquoted.
  private mutating func takeQuoted(asToken: Bool) -> Bool {
    guard take(ASCII.quote) else { return false }
    var isEmpty = true
    while let byte = rest.first, byte != ASCII.quote {
      rest = rest.dropFirst()
      var character = byte
      if byte == ASCII.backslash {
        guard let escaped = rest.first else { return false }
        character = escaped
        rest = rest.dropFirst()
      }
      guard asToken ? ASCII.isToken(character) : Self.isText(character) else { return false }
      isEmpty = false
    }
    return take(ASCII.quote) && !(asToken && isEmpty)
  }

  /// HTAB, SP, VCHAR or obs-text (RFC 9110 §5.5).
  private static func isText(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == ASCII.tab }
}
