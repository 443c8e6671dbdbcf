import Wire

/// How bytes reach a codec: whole, one at a time, or cut once at each place.
func splits(of bytes: [UInt8]) -> [[[UInt8]]] {
  var ways: [[[UInt8]]] = [[bytes], bytes.map { [$0] }]
  for place in 1..<max(bytes.count, 2) where place < bytes.count {
    ways.append([Array(bytes[..<place]), Array(bytes[place...])])
  }
  return ways
}

/// A message as a parser told it.
struct Parsed<Head: Equatable & Sendable>: Equatable {
  var head: Head?
  var body: [UInt8] = []
  var trailers = HTTPHeaders()
  var isComplete = false
}

private protocol Parser {
  associatedtype Head: Equatable & Sendable
  mutating func next(
    _ input: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(HTTPError) -> HTTPParseEvent<Head>?
}
extension HTTPRequestParser: Parser {}
extension HTTPResponseParser: Parser {}

private func parse<P: Parser>(
  _ pieces: [[UInt8]], _ parser: inout P
) throws(HTTPError) -> [Parsed<P.Head>] {
  var messages: [Parsed<P.Head>] = []
  for piece in pieces {
    var offset = 0
    try piece.withUnsafeBufferPointer { (buffer) throws(HTTPError) in
      while let event = try parser.next(UnsafeRawBufferPointer(buffer), &offset) {
        switch event {
        case .head(let head): messages.append(Parsed(head: head))
        case .body(let bytes): messages[messages.count - 1].body += Array(bytes)
        case .end(let trailers):
          messages[messages.count - 1].trailers = trailers
          messages[messages.count - 1].isComplete = true
        }
      }
    }
  }
  return messages
}

func parseRequests(
  _ pieces: [[UInt8]], limits: HTTPLimits = HTTPLimits()
) throws(HTTPError) -> [Parsed<HTTPRequestHead>] {
  var parser = HTTPRequestParser(limits: limits)
  return try parse(pieces, &parser)
}

func parseResponse(
  _ pieces: [[UInt8]], to method: String = "GET", limits: HTTPLimits = HTTPLimits(), ends: Bool = false
) throws(HTTPError) -> [Parsed<HTTPResponseHead>] {
  var parser = HTTPResponseParser(method: method, limits: limits)
  var messages = try parse(pieces, &parser)
  if ends, try parser.finish(), !messages.isEmpty { messages[messages.count - 1].isComplete = true }
  return messages
}
