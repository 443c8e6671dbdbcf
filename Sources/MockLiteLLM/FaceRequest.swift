import Diagnostics
import JSON
import Wire

typealias HeaderField = (name: String, value: String)

/// A request as the faces see it.
struct FaceRequest: Sendable {
  let method: String
  /// Without the query.
  let path: String
  let query: String?
  /// In the order they came.
  let headers: [HeaderField]
  let body: [UInt8]

  init(method: String, path: String, query: String? = nil, headers: [HeaderField] = [], body: [UInt8] = []) {
    self.method = method
    self.path = path
    self.query = query
    self.headers = headers
    self.body = body
  }

  /// The first value of the header `name`.
  func header(_ name: String) -> String? {
    headers.first { HTTPHeaders.isSame($0.name, name) }?.value
  }

  /// Hides the keys that the request carries: a rule may say one back.
  var redaction: Redaction {
    let scheme = "bearer "
    let given = [header("authorization"), header("x-api-key")].compactMap(\.self)
    return Redaction(
      secrets: given.map { $0.lowercased().hasPrefix(scheme) ? String($0.dropFirst(scheme.count)) : $0 })
  }

  /// Whether the body says `"stream": true`.
  var asksForStream: Bool {
    guard !body.isEmpty else { return false }
    let value = try? JSONParser.parse(body, limits: JSONLimits(allowsDuplicateKeys: true))
    return value?["stream"]?.bool == true
  }

  /// The value of `name` in the query, percent-decoded.
  func parameter(_ name: String) -> String? {
    for pair in (query ?? "").split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts[0] == name else { continue }
      return parts.count == 2 ? percentDecoded(String(parts[1])) : ""
    }
    return nil
  }

  /// What stands in `path` between `prefix` and `suffix`, percent-decoded; nil if it does not match.
  func segment(after prefix: String, before suffix: String = "") -> String? {
    guard path.hasPrefix(prefix), path.hasSuffix(suffix),
      path.utf8.count > prefix.utf8.count + suffix.utf8.count
    else { return nil }
    return percentDecoded(String(path.dropFirst(prefix.count).dropLast(suffix.count)))
  }
}

/// The text with `%41` as `A`; what is no escape stays (RFC 3986 §2.1).
func percentDecoded(_ text: String) -> String {
  guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
  let bytes = Array(text.utf8)
  var decoded: [UInt8] = []
  var position = 0
  while position < bytes.count {
    if bytes[position] == UInt8(ascii: "%"), position + 2 < bytes.count,
      let byte = UInt8(String(decoding: bytes[(position + 1)...(position + 2)], as: UTF8.self), radix: 16)
    {
      decoded.append(byte)
      position += 3
    } else {
      decoded.append(bytes[position])
      position += 1
    }
  }
  return String(decoding: decoded, as: UTF8.self)
}
