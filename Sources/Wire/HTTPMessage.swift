/// The request line and the header fields (RFC 9112 §3).
package struct HTTPRequestHead: Sendable, Equatable {
  package var method: String
  /// As sent: origin-form, absolute-form or `*` (RFC 9112 §3.2).
  package var target: String
  /// The y of HTTP/1.y.
  package var minorVersion: Int
  package var headers: HTTPHeaders

  package init(method: String, target: String, headers: HTTPHeaders = [], minorVersion: Int = 1) {
    self.method = method
    self.target = target
    self.headers = headers
    self.minorVersion = minorVersion
  }

  /// The target's path without its query, still percent-encoded; of an absolute target the part
  /// after the authority.
  package var path: String {
    let origin = originForm
    return String(origin.prefix { $0 != "?" })
  }

  /// What follows the first `?`, nil without one.
  package var query: String? {
    let origin = originForm
    guard let mark = origin.firstIndex(of: "?") else { return nil }
    return String(origin[origin.index(after: mark)...])
  }

  /// Host and port the request is meant for: of an absolute target its own, whatever Host says
  /// (RFC 9112 §3.2.2). Empty where neither tells.
  package var authority: String {
    absolute.map { String($0.authority) } ?? headers["Host"] ?? ""
  }

  private var originForm: Substring {
    guard let rest = absolute?.rest else { return target[...] }
    return rest.first == "/" ? rest : "/" + rest
  }

  /// The parts behind the scheme, nil of a target in another form.
  private var absolute: (authority: Substring, rest: Substring)? {
    guard target.utf8.first != ASCII.slash, let scheme = target.firstRange(of: "://") else { return nil }
    let behind = target[scheme.upperBound...]
    let authority = behind.prefix { $0 != "/" && $0 != "?" }
    return (authority, behind[authority.endIndex...])
  }

  /// Whether the connection outlives this message (RFC 9112 §9.3).
  package var keepsAlive: Bool {
    if headers.contains(token: "close", in: "Connection") { return false }
    return minorVersion >= 1 || headers.contains(token: "keep-alive", in: "Connection")
  }
}

/// The status line and the header fields (RFC 9112 §4).
package struct HTTPResponseHead: Sendable, Equatable {
  package var status: Int
  package var reason: String
  package var minorVersion: Int
  package var headers: HTTPHeaders

  package init(status: Int, reason: String? = nil, headers: HTTPHeaders = [], minorVersion: Int = 1) {
    self.status = status
    self.reason = reason ?? HTTPStatus.reason(status)
    self.headers = headers
    self.minorVersion = minorVersion
  }

  package var keepsAlive: Bool {
    if headers.contains(token: "close", in: "Connection") { return false }
    return minorVersion >= 1 || headers.contains(token: "keep-alive", in: "Connection")
  }
}

package enum HTTPStatus {
  private static let reasons: [Int: String] = [
    100: "Continue", 101: "Switching Protocols", 200: "OK", 201: "Created", 202: "Accepted",
    204: "No Content", 304: "Not Modified", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 408: "Request Timeout",
    409: "Conflict", 410: "Gone", 411: "Length Required", 413: "Content Too Large",
    414: "URI Too Long", 415: "Unsupported Media Type", 417: "Expectation Failed",
    422: "Unprocessable Content", 426: "Upgrade Required", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
  ]

  /// The reason phrase of RFC 9110 §15, empty for a code without one.
  package static func reason(_ status: Int) -> String { reasons[status] ?? "" }

  /// Whether a response of this status never has content (RFC 9112 §6.3).
  package static func hasNoBody(_ status: Int) -> Bool {
    status < 200 || status == 204 || status == 304
  }
}

/// A message that breaks RFC 9112 or a limit; the connection cannot be read further.
package struct HTTPError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What a server answers before it closes (400, 408, 413, 414, 431, 501, 505); 502 for a response.
  package let status: Int
  package let message: String

  package init(_ status: Int, _ message: String) {
    self.status = status
    self.message = message
  }

  package var description: String { message }
}

/// How much of a message a parser takes.
package struct HTTPLimits: Sendable {
  /// Start line and fields together, also trailers (431, or 414 while in the request line).
  package var headBytes: Int
  package var fields: Int
  /// The decoded body (413).
  package var bodyBytes: Int

  package init(headBytes: Int = 16 * 1024, fields: Int = 128, bodyBytes: Int = 8 << 20) {
    self.headBytes = headBytes
    self.fields = fields
    self.bodyBytes = bodyBytes
  }
}

/// What a parser found; `.body` points into the bytes it was given and is valid until they change.
package enum HTTPParseEvent<Head: Sendable> {
  case head(Head)
  case body(UnsafeRawBufferPointer)
  case end(trailers: HTTPHeaders)
}
