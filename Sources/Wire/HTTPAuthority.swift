/// `uri-host [ ":" port ]`, which stands in Host and in absolute targets (RFC 9110 §4.2, §7.2;
/// RFC 3986 §3.2).
enum HTTPAuthority {
  /// Whether `bytes` are a host, which may be empty, and a port if there is a colon.
  ///
  /// A comma is refused although names may have one: it is what becomes of two fields put together.
  static func isValid(_ bytes: some Collection<UInt8>) -> Bool {
    guard bytes.first == 0x5B else {
      let behind = bytes.drop { $0 != ASCII.colon }
      return isName(bytes[..<behind.startIndex]) && isPort(behind)
    }
    let address = bytes.dropFirst().prefix { $0 != 0x5D }
    let behind = bytes[address.endIndex...]
    return !behind.isEmpty && isPort(behind.dropFirst()) && address.allSatisfy { $0 < 0x80 }
      && isAddress(String(decoding: address, as: UTF8.self)[...])
  }

  /// A colon and a port, or nothing.
  private static func isPort(_ bytes: some Collection<UInt8>) -> Bool {
    bytes.isEmpty || (bytes.first == ASCII.colon && bytes.dropFirst().allSatisfy(isDigit))
  }

  /// reg-name, of which an IPv4 address is one.
  private static func isName(_ bytes: some Collection<UInt8>) -> Bool {
    var index = bytes.startIndex
    while index != bytes.endIndex {
      if bytes[index] == 0x25 {
        let digits = bytes[bytes.index(after: index)...].prefix(2)
        guard digits.count == 2, digits.allSatisfy(isHex) else { return false }
        index = digits.endIndex
      } else {
        guard isNameByte(bytes[index]) else { return false }
        index = bytes.index(after: index)
      }
    }
    return true
  }

  /// What stands between brackets: IPv6address or IPvFuture.
  private static func isAddress(_ text: Substring) -> Bool {
    if text.first == "v" || text.first == "V" {
      let parts = text.dropFirst().split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
      return parts.count == 2 && !parts[0].isEmpty && !parts[1].isEmpty && parts[0].utf8.allSatisfy(isHex)
        && parts[1].utf8.allSatisfy { isNameByte($0) || $0 == ASCII.colon }
    }
    guard let gap = text.firstRange(of: "::") else { return groups(text, mayEndInIPv4: true) == 8 }
    let behind = text[gap.upperBound...]
    guard let left = groups(text[..<gap.lowerBound], mayEndInIPv4: false),
      let right = groups(behind, mayEndInIPv4: true)
    else { return false }
    return left + right <= 7
  }

  /// How many groups of 16 bits `text` holds, nil if something else is there.
  private static func groups(_ text: Substring, mayEndInIPv4: Bool) -> Int? {
    guard !text.isEmpty else { return 0 }
    var parts = text.split(separator: ":", omittingEmptySubsequences: false)
    var count = 0
    if mayEndInIPv4, let last = parts.last, last.contains(".") {
      guard isIPv4(last) else { return nil }
      parts.removeLast()
      count = 2
    }
    guard parts.allSatisfy({ (1...4).contains($0.utf8.count) && $0.utf8.allSatisfy(isHex) }) else {
      return nil
    }
    return count + parts.count
  }

  private static func isIPv4(_ text: Substring) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4
      && parts.allSatisfy { part in
        part.utf8.allSatisfy(isDigit) && (part == "0" || part.first != "0") && UInt8(part) != nil
      }
  }

  /// unreserved or sub-delims, without the comma.
  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    // - . _ ~ ! $ & ' ( ) * + ; =
    case 0x2D, 0x2E, 0x5F, 0x7E, 0x21, 0x24, 0x26...0x2B, 0x3B, 0x3D: true
    default: false
    }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

  private static func isHex(_ byte: UInt8) -> Bool {
    isDigit(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
  }
}
