/// The parts of an `http`, `https`, `ws` or `wss` URL that a client needs (RFC 3986).
package struct HTTPURL: Sendable, Equatable {
  package let scheme: String
  /// Without the brackets of an IPv6 address.
  package let host: String
  package let port: UInt16
  /// Path and query, at least `/`.
  package let target: String

  package struct Invalid: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
  }

  package init(_ text: String) throws(Invalid) {
    func invalid(_ why: String) -> Invalid { Invalid(description: "\"\(text)\" is no usable URL: \(why)") }
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw invalid("it has a character outside URIs (RFC 3986 §2)")
    }
    guard let mark = text.firstRange(of: "://") else { throw invalid("it has no scheme") }
    scheme = text[..<mark.lowerBound].lowercased()
    guard let usual = ["http": 80, "ws": 80, "https": 443, "wss": 443][scheme] else {
      throw invalid("scheme \(scheme) is not http, https, ws or wss")
    }
    let rest = text[mark.upperBound...].prefix { $0 != "#" }
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let tail = rest[authority.endIndex...]
    target = tail.hasPrefix("/") ? String(tail) : "/" + tail
    guard !authority.contains("@") else { throw invalid("credentials inside a URL are not sent") }
    var portText: Substring?
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { throw invalid("an IPv6 address lacks its ]") }
      host = String(authority[authority.index(after: authority.startIndex)..<end])
      let behind = authority[authority.index(after: end)...]
      guard behind.isEmpty || behind.hasPrefix(":") else { throw invalid("text behind the IPv6 address") }
      portText = behind.isEmpty ? nil : behind.dropFirst()
    } else {
      let colon = authority.firstIndex(of: ":") ?? authority.endIndex
      host = String(authority[..<colon])
      portText = colon == authority.endIndex ? nil : authority[authority.index(after: colon)...]
    }
    guard !host.isEmpty else { throw invalid("it has no host") }
    guard let number = (portText?.isEmpty ?? true) ? UInt16(usual) : portText.flatMap({ UInt16($0) }),
      number > 0
    else { throw invalid("the port is no number from 1 to 65535") }
    port = number
  }

  /// The Host field: the port only where it is not the usual one (RFC 9110 §7.2).
  package var hostField: String {
    let name = host.contains(":") ? "[\(host)]" : host
    let isUsual = port == (scheme == "https" || scheme == "wss" ? 443 : 80)
    return isUsual ? name : "\(name):\(port)"
  }
}
