import Foundation
internal import Wire

/// Follows the HTTP of one connection until it becomes a WebSocket, and adapts what would tell that
/// a proxy is between: Host and Origin.
struct HandshakeTap {
  enum Found {
    /// The upgrade was accepted; what is behind `rest` in the bytes belongs to the WebSocket.
    case upgraded(HTTPRequestHead, HTTPResponseHead, rest: Int)
    case answered(ProxiedExchange)
  }

  /// Whether requests are understood; if not, bytes pass unseen.
  private(set) var isLost = false
  private let ownAuthority: [String]
  private let target: (scheme: String, authority: String)
  private let offersExtensions: Bool
  private var requests: HTTPRequestParser
  private var responses: HTTPResponseParser
  /// The head of a request that has not come whole.
  private var head: [UInt8] = []
  private var isInBody = false
  private var asked: [(head: HTTPRequestHead, body: [UInt8])] = []
  private var response: (head: HTTPResponseHead, body: [UInt8])?

  private static let maxHead = 64 << 10
  private static let keptBody = 1 << 20

  /// - Parameters:
  ///   - own: what clients call the proxy, `host:port`.
  ///   - offersExtensions: whether Sec-WebSocket-Extensions reaches the server.
  init(own: [String], target: (scheme: String, authority: String), offersExtensions: Bool) {
    ownAuthority = own
    self.target = target
    self.offersExtensions = offersExtensions
    let limits = HTTPLimits(headBytes: Self.maxHead, fields: 1000, bodyBytes: 64 << 20)
    requests = HTTPRequestParser(limits: limits)
    responses = HTTPResponseParser(limits: limits)
  }

  // MARK: Requests

  /// What goes to the server for `input`.
  mutating func fromClient(_ input: UnsafeRawBufferPointer) -> [UInt8] {
    guard !isLost else { return Array(input) }
    var output: [UInt8] = []
    var offset = 0
    while offset < input.count, !isLost {
      if isInBody {
        let start = offset
        readBody(input, &offset)
        output.append(contentsOf: input[start..<offset])
      } else {
        readHead(input, &offset, &output)
      }
    }
    output.append(contentsOf: input[offset...])
    return output
  }

  /// What was held back of a head that will not come whole.
  mutating func takeRest() -> [UInt8] {
    defer { head = [] }
    return head
  }

  private mutating func readHead(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int, _ output: inout [UInt8]
  ) {
    while offset < input.count {
      head.append(input[offset])
      offset += 1
      let isWhole = head.count >= 4 && head.suffix(4).elementsEqual([13, 10, 13, 10])
      guard isWhole || head.count > Self.maxHead else { continue }
      let bytes = takeRest()
      guard isWhole, parse(bytes) else {
        isLost = true
        output += bytes
        return
      }
      output += adapted(bytes)
      return
    }
  }

  /// Gives the head to the parser; false if it is no request.
  private mutating func parse(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { buffer in
      var offset = 0
      guard case .head(let head)? = try? requests.next(buffer, &offset) else { return false }
      asked.append((head, []))
      if asked.count == 1 { responses.expect(method: head.method) }
      isInBody = true
      readBody(buffer, &offset)
      return !isLost
    }
  }

  private mutating func readBody(_ input: UnsafeRawBufferPointer, _ offset: inout Int) {
    while let event = try? requests.next(input, &offset) {
      switch event {
      case .head: return
      case .body(let piece):
        guard let last = asked.indices.last, asked[last].body.count < Self.keptBody else { continue }
        asked[last].body.append(contentsOf: piece)
      case .end:
        isInBody = false
        return
      }
    }
    // Nothing more to tell of a whole input, or an error.
    if offset < input.count { isLost = true }
  }

  /// The head with the target's name where the proxy's stood.
  private func adapted(_ bytes: [UInt8]) -> [UInt8] {
    var lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
    for place in lines.indices.dropFirst() {
      guard let colon = lines[place].firstIndex(of: ":") else { continue }
      let name = lines[place][..<colon].lowercased()
      let value = lines[place][lines[place].index(after: colon)...].drop { $0 == " " }
      for own in ownAuthority {
        if name == "host", value == own { lines[place] = "\(lines[place][..<colon]): \(target.authority)" }
        if name == "origin", value == "http://\(own)" {
          lines[place] = "\(lines[place][..<colon]): \(target.scheme)://\(target.authority)"
        }
      }
    }
    if !offersExtensions { lines.removeAll { $0.lowercased().hasPrefix("sec-websocket-extensions:") } }
    return Array(lines.joined(separator: "\r\n").utf8)
  }

  // MARK: Responses

  /// What the server's bytes tell; they pass unchanged.
  mutating func fromServer(_ input: UnsafeRawBufferPointer) -> [Found] {
    var found: [Found] = []
    var offset = 0
    while !isLost, !asked.isEmpty {
      let event: HTTPResponseParser.Event?
      do throws(HTTPError) {
        event = try responses.next(input, &offset)
      } catch {
        isLost = true
        return found
      }
      guard let event else { return found }
      switch event {
      case .head(let head):
        if head.status == 101, let request = asked.first {
          return found + [.upgraded(request.head, head, rest: offset)]
        }
        response = (head, [])
      case .body(let piece):
        if (response?.body.count ?? 0) < Self.keptBody { response?.body.append(contentsOf: piece) }
      case .end: found += answered()
      }
    }
    return found
  }

  /// The server has ended its stream.
  mutating func serverEnded() -> [Found] {
    guard !isLost, !asked.isEmpty, (try? responses.finish()) == true else { return [] }
    return answered()
  }

  private mutating func answered() -> [Found] {
    guard let response, !asked.isEmpty else { return [] }
    let request = asked.removeFirst()
    self.response = nil
    if let next = asked.first { responses.expect(method: next.head.method) }
    return [
      .answered(
        ProxiedExchange(
          request: request.head, requestBody: request.body, response: response.head,
          responseBody: response.body, at: .now))
    ]
  }
}
