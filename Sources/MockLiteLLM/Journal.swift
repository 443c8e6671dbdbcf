import Diagnostics
import JSON
import ProtocolSpec

/// What the faces were asked, in order. The newest calls are kept, older ones only counted.
struct Journal {
  private struct Call {
    let face: MockFace
    let request: FaceRequest
    let milliseconds: Double
    let fault: JSONValue?
    var status: Int?
  }

  /// Names a call for `setStatus`, also after a reset.
  struct Ticket: Sendable {
    fileprivate let n: Int
    fileprivate let epoch: Int
  }

  private let callLimit: Int
  private let byteLimit: Int
  private let redaction: Redaction
  private var calls: [Call] = []
  /// Calls at the front of `calls` that were given up and not yet removed.
  private var stale = 0
  private var bytes = 0
  private var dropped = 0
  private var epoch = 0
  private var connections: [MockFace: Int] = [:]

  /// - Parameters:
  ///   - calls: how many are kept.
  ///   - bytes: how many bytes of bodies are kept.
  init(calls: Int = 10_000, bytes: Int = 64 << 20, redaction: Redaction = Redaction()) {
    callLimit = max(calls, 1)
    byteLimit = bytes
    self.redaction = redaction
  }

  /// Calls since the start or the last reset, those given up included.
  var count: Int { dropped + calls.count - stale }

  mutating func connected(_ face: MockFace) { connections[face, default: 0] += 1 }

  mutating func add(
    _ request: FaceRequest, on face: MockFace, atMilliseconds milliseconds: Double, fault: JSONValue?
  ) -> Ticket {
    calls.append(Call(face: face, request: request, milliseconds: milliseconds, fault: fault))
    bytes += request.body.count
    while calls.count - stale > callLimit || (bytes > byteLimit && calls.count - stale > 1) {
      bytes -= calls[stale].request.body.count
      stale += 1
      dropped += 1
    }
    // Each call is moved a bounded number of times.
    if stale > calls.count / 2 {
      calls.removeFirst(stale)
      stale = 0
    }
    return Ticket(n: count, epoch: epoch)
  }

  mutating func setStatus(_ status: Int, of ticket: Ticket) {
    let place = ticket.n - 1 - dropped + stale
    guard ticket.epoch == epoch, place >= stale, calls.indices.contains(place) else { return }
    calls[place].status = status
  }

  mutating func reset() {
    calls = []
    (stale, bytes, dropped) = (0, 0, 0)
    connections = [:]
    epoch += 1
  }

  /// The calls with `n` greater than `after`, and how many connections each face was asked for.
  func members(after: Int) -> JSONObject {
    let first = max(after, dropped)
    let shown = first < count ? calls[(first - dropped + stale)...] : []
    var members = JSONObject()
    members["calls"] = .array(shown.enumerated().map { json($0.element, n: first + $0.offset + 1) })
    members["count"] = .int(count)
    members["connections"] = .object(
      JSONObject(MockFace.allCases.map { ($0.rawValue, .int(connections[$0] ?? 0)) }))
    return members
  }

  private func json(_ call: Call, n: Int) -> JSONValue {
    var headers = JSONObject()
    for (name, value) in call.request.headers {
      let key = name.lowercased()
      let shown = redaction.header(key, value)
      headers[key] = .string((headers[key]?.string).map { "\($0), \(shown)" } ?? shown)
    }
    var json: JSONValue = [
      "n": .int(n), "face": .string(call.face.rawValue), "method": .string(call.request.method),
      "path": .string(call.request.path),
    ]
    json["query"] = call.request.query.map { .string(redaction.text($0)) }
    json["headers"] = .object(headers)
    json["body"] = body(call.request.body)
    json["at_ms"] = .number(JSONNumber(call.milliseconds))
    json["fault"] = call.fault ?? .null
    json["status"] = call.status.map { .int($0) } ?? .null
    return json
  }

  private func body(_ bytes: [UInt8]) -> JSONValue {
    if bytes.isEmpty { return .null }
    let parsed = try? JSONParser.parse(bytes, limits: JSONLimits(allowsDuplicateKeys: true))
    return redaction.value(parsed ?? .string(String(decoding: bytes, as: UTF8.self)))
  }
}
