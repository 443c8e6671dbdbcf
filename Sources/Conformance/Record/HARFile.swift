import Foundation
package import JSON
internal import Wire

/// Reads the WebSockets of a HAR file, as browsers and proxies export them.
///
/// HAR 1.2 knows no WebSocket. Chrome added `_webSocketMessages` to an entry, and others write the
/// same: `type` (send, receive), `time` (seconds since 1970), `opcode`, `data` (base64 unless text).
package enum HARFile {
  /// What is wrong in the file, and where.
  package struct Invalid: Error, Sendable, Equatable, CustomStringConvertible {
    package let pointer: JSONPointer
    package let message: String
    package var description: String {
      "\(pointer.tokens.isEmpty ? "the file" : pointer.description): \(message)"
    }
  }

  private static let members = "_webSocketMessages"

  package static func recording(_ bytes: [UInt8]) throws(Invalid) -> Recording {
    // Editors put a byte order mark before it.
    let bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
    let file: JSONValue
    do throws(JSONError) {
      file = try JSONParser.parse(bytes)
    } catch {
      throw Invalid(pointer: JSONPointer(), message: "no JSON: \(error)")
    }
    let top = Place(file)
    let entries = try top.member("log").member("entries").elements()
    var found: [(start: Double, entry: Place, messages: [Place])] = []
    for entry in entries where entry.value[members] != nil {
      let messages = try entry.member(members).elements()
      let start = try messages.first?.member("time").number() ?? 0
      found.append((start, entry, messages))
    }
    guard !found.isEmpty else {
      throw Invalid(
        pointer: JSONPointer(tokens: ["log", "entries"]),
        message: "none of the \(entries.count) entries has \(members): no WebSocket was exported")
    }
    found.sort { $0.start < $1.start }
    let origin = found.first { $0.start > 0 }?.start ?? 0
    var timed: [Recording.Entry] = []
    for (connection, socket) in found.enumerated() {
      timed += try self.entries(socket.entry, socket.messages, connection, origin: origin)
    }
    var recording = Recording()
    // Stable: what was seen at the same time stays in its order.
    recording.entries = timed.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
      .map(\.element)
    return recording
  }

  private static func entries(
    _ entry: Place, _ messages: [Place], _ connection: Int, origin: Double
  ) throws(Invalid) -> [Recording.Entry] {
    let request = try self.request(entry.member("request"))
    let response = try entry.member("response")
    let status = try Int(exactly: response.member("status").number()) ?? 0
    var start = Duration.zero
    if let first = messages.first { start = time(try first.member("time").number(), origin) }
    let answer = HTTPResponseHead(status: status, headers: try headers(response))
    // Chrome leaves the status 0 where it had no answer to show, though messages went.
    guard status == 101 || !messages.isEmpty else {
      let event = Recording.Event.answered(request, body: [], answer)
      return status == 0 ? [] : [Recording.Entry(connection: connection, at: start, event: event)]
    }
    var entries = [Recording.Entry(connection: connection, at: start, event: .opened(request, answer))]
    for message in messages {
      let at = time(try message.member("time").number(), origin)
      guard let event = try event(message) else { continue }
      entries.append(Recording.Entry(connection: connection, at: at, event: event))
    }
    return entries
  }

  private static func time(_ seconds: Double, _ origin: Double) -> Duration {
    .microseconds(Int64(max(0, min(seconds - origin, 1e9)) * 1e6))
  }

  /// A message; nil for what is none, such as Chrome's notes of errors.
  private static func event(_ message: Place) throws(Invalid) -> Recording.Event? {
    let type = try message.member("type").text()
    guard type != "error" else { return nil }
    guard type == "send" || type == "receive" else {
      throw try message.member("type").invalid("send or receive is expected, not \"\(type.prefix(40))\"")
    }
    let direction: ProxyDirection = type == "send" ? .toServer : .toClient
    let opcode = try message.member("opcode").number()
    let data = try message.member("data")
    let text = try data.text()
    if opcode == Double(WebSocketOpcode.text.rawValue) { return .message(.text(Array(text.utf8)), direction) }
    guard let bytes = Data(base64Encoded: text) else { throw data.invalid("base64 is expected") }
    switch UInt8(exactly: opcode).flatMap(WebSocketOpcode.init) {
    case .binary: return .message(.binary(Array(bytes)), direction)
    case .ping: return .message(.ping(Array(bytes)), direction)
    case .pong: return .message(.pong(Array(bytes)), direction)
    case .close:
      let code = bytes.count >= 2 ? UInt16(bytes[0]) << 8 | UInt16(bytes[1]) : nil
      let reason = String(decoding: bytes.dropFirst(2), as: UTF8.self)
      return .message(.close(code: code, reason: reason), direction)
    default:
      throw try message.member("opcode").invalid(
        "1 (text), 2 (binary), 8, 9 or 10 is expected (RFC 6455 §5.2)")
    }
  }

  private static func request(_ request: Place) throws(Invalid) -> HTTPRequestHead {
    let place = try request.member("url")
    let url = try place.text()
    do {
      let target = try HTTPTarget(url)
      return HTTPRequestHead(method: "GET", target: target.path, headers: try headers(request))
    } catch let error as Invalid {
      throw error
    } catch {
      throw place.invalid("\(error)")
    }
  }

  /// HTTP/2 has no Upgrade field, and exports may leave fields out: what an upgrade needs is added.
  private static func headers(_ message: Place) throws(Invalid) -> HTTPHeaders {
    var headers = HTTPHeaders()
    for field in try message.member("headers").elements() {
      headers.append(try field.member("name").text(), try field.member("value").text())
    }
    if headers["Upgrade"] == nil { headers.append("Upgrade", "websocket") }
    return headers
  }
}

/// The path of a URL, of any scheme.
private struct HTTPTarget {
  struct Bad: Error, CustomStringConvertible {
    let description: String
  }

  let path: String

  init(_ url: String) throws(Bad) {
    guard let mark = url.firstRange(of: "://") else { throw Bad(description: "a URL is expected") }
    let rest = url[mark.upperBound...].prefix { $0 != "#" }
    guard let slash = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) else {
      path = "/"
      return
    }
    path = (rest[slash] == "?" ? "/" : "") + rest[slash...]
  }
}

/// A value of the file and where it stands.
private struct Place {
  let value: JSONValue
  private let pointer: JSONPointer

  init(_ value: JSONValue, _ pointer: JSONPointer = JSONPointer()) {
    self.value = value
    self.pointer = pointer
  }

  func invalid(_ message: String) -> HARFile.Invalid { HARFile.Invalid(pointer: pointer, message: message) }

  func member(_ key: String) throws(HARFile.Invalid) -> Place {
    guard value.object != nil else { throw invalid("an object is expected, not \(value.typeName)") }
    guard let member = value[key] else { throw invalid("the member \"\(key)\" is missing") }
    return Place(member, pointer.appending(key))
  }

  func elements() throws(HARFile.Invalid) -> [Place] {
    guard let elements = value.array else { throw invalid("an array is expected, not \(value.typeName)") }
    return elements.enumerated().map { Place($0.element, pointer.appending($0.offset)) }
  }

  func text() throws(HARFile.Invalid) -> String {
    guard let text = value.string else { throw invalid("a string is expected, not \(value.typeName)") }
    return text
  }

  func number() throws(HARFile.Invalid) -> Double {
    guard let number = value.double else { throw invalid("a number is expected, not \(value.typeName)") }
    return number
  }
}
