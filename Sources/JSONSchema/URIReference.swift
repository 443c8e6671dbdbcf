internal import Foundation

/// A URI or relative reference in its parts, and its resolution against a base (RFC 3986 §5.2).
struct URIReference {
  private var scheme: Substring?
  private var authority: Substring?
  private var path: Substring
  private var query: Substring?
  /// As written, percent-encoded; nil if there is no `#`.
  private(set) var fragment: Substring?

  init(_ text: String) {
    var rest = text[...]
    if let mark = rest.firstIndex(of: "#") {
      fragment = rest[rest.index(after: mark)...]
      rest = rest[..<mark]
    }
    if let mark = rest.firstIndex(of: "?") {
      query = rest[rest.index(after: mark)...]
      rest = rest[..<mark]
    }
    if let mark = rest.firstIndex(of: ":"), Self.isScheme(rest[..<mark]) {
      scheme = rest[..<mark]
      rest = rest[rest.index(after: mark)...]
    }
    if rest.hasPrefix("//") {
      rest = rest.dropFirst(2)
      let end = rest.firstIndex(of: "/") ?? rest.endIndex
      authority = rest[..<end]
      rest = rest[end...]
    }
    path = rest
  }

  private static func isScheme(_ text: Substring) -> Bool {
    text.first?.isLetter == true
      && text.utf8.allSatisfy {
        switch $0 | 0x20 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): true
        default: "0123456789+-.".utf8.contains($0)
        }
      }
  }

  var isAbsolute: Bool { scheme != nil }

  var withoutFragment: String {
    (scheme.map { "\($0):" } ?? "") + (authority.map { "//\($0)" } ?? "") + path
      + (query.map { "?\($0)" } ?? "")
  }

  /// The fragment without percent-encoding; nil if that is malformed.
  var decodedFragment: String? { fragment.map(String.init)?.removingPercentEncoding }

  /// This reference as seen from `base` (RFC 3986 §5.2.2).
  func resolved(against base: URIReference) -> URIReference {
    if scheme != nil { return normalised }
    var target = self
    target.scheme = base.scheme
    if authority != nil { return target.normalised }
    target.authority = base.authority
    if path.isEmpty {
      target.path = base.path
      target.query = query ?? base.query
      return target
    }
    if !path.hasPrefix("/") {
      if base.authority != nil && base.path.isEmpty {
        target.path = "/" + path
      } else {
        let folder = base.path.lastIndex(of: "/").map { base.path[...$0] } ?? ""
        target.path = folder + path
      }
    }
    return target.normalised
  }

  private var normalised: URIReference {
    var copy = self
    copy.path = Self.removingDots(path)
    return copy
  }

  /// Takes `.` and `..` out of a path (RFC 3986 §5.2.4).
  private static func removingDots(_ path: Substring) -> Substring {
    guard path.contains(".") else { return path }
    var output: [Substring] = []
    let segments = path.split(separator: "/", omittingEmptySubsequences: false)
    for (position, segment) in segments.enumerated() {
      let isLast = position == segments.count - 1
      switch segment {
      case ".": if isLast { output.append("") }
      case "..":
        if output.count > 1 || output.first?.isEmpty == false { output.removeLast() }
        if isLast { output.append("") }
      default: output.append(segment)
      }
    }
    return output.joined(separator: "/")[...]
  }
}
