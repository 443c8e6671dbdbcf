package import Wire

/// What a client asks for.
package struct HTTPClientRequest: Sendable {
  package var method: String
  /// `http://host:port/path?query`.
  package var url: String
  /// Host and Content-Length are added where they are missing.
  package var headers: HTTPHeaders
  package var body: [UInt8]
  package var maxBodyBytes = 16 << 20
  /// Whether to send once more, on a new connection, when a kept one dies before any answer. The
  /// server may then see the request twice.
  package var retriesOnKeptConnection = false

  package init(method: String = "GET", url: String, headers: HTTPHeaders = [], body: [UInt8] = []) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
  }
}

/// How long each part of a call may take.
package struct Deadlines: Sendable {
  /// Resolving and connecting.
  package var connect: Duration
  /// From sending to the first byte of the answer.
  package var firstByte: Duration
  /// Between two pieces of the answer.
  package var idle: Duration
  /// Everything; nil for streams without end.
  package var total: Duration?

  package init(
    connect: Duration = .seconds(5), firstByte: Duration = .seconds(30), idle: Duration = .seconds(30),
    total: Duration? = .seconds(120)
  ) {
    self.connect = connect
    self.firstByte = firstByte
    self.idle = idle
    self.total = total
  }
}

/// An answer with its whole body.
package struct HTTPClientResponse: Sendable {
  package let head: HTTPResponseHead
  package let body: [UInt8]
  package let trailers: HTTPHeaders
  package var status: Int { head.status }
  package var headers: HTTPHeaders { head.headers }
}

/// An answer whose body is still coming.
package struct HTTPClientStream: Sendable {
  package let head: HTTPResponseHead
  /// For one reader. When nobody reads, the server is made to wait; when the stream is dropped,
  /// the connection is.
  package let body: HTTPBodyStream
  package var status: Int { head.status }
  package var headers: HTTPHeaders { head.headers }
}

/// Why there is no answer, or not all of it.
package enum HTTPClientError: Error, Sendable, Equatable, CustomStringConvertible {
  /// No usable `http` URL, or one that needs TLS.
  case badURL(String)
  case resolve(String)
  case refused(String)
  /// Connecting failed otherwise: no route, no descriptors.
  case unreachable(String)
  /// The connection ended or broke before the answer began.
  case reset(String)
  case connectTimeout(Duration)
  case firstByteTimeout(Duration)
  case idleTimeout(Duration)
  case totalTimeout(Duration)
  /// The connection ended or broke inside the answer.
  case truncated(String)
  /// The answer is no HTTP.
  case badResponse(String)
  /// The body is past this many bytes.
  case tooLarge(Int)
  case cancelled

  package var description: String {
    switch self {
    case .badURL(let text), .resolve(let text), .refused(let text), .unreachable(let text),
      .reset(let text), .truncated(let text), .badResponse(let text):
      text
    case .connectTimeout(let limit): "no connection within \(limit)"
    case .firstByteTimeout(let limit): "no answer within \(limit)"
    case .idleTimeout(let limit): "nothing more of the answer within \(limit)"
    case .totalTimeout(let limit): "the call took longer than \(limit)"
    case .tooLarge(let limit): "the answer's body is past the limit of \(limit) bytes"
    case .cancelled: "cancelled"
    }
  }
}
