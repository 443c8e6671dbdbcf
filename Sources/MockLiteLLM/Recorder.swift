import Conformance
import Diagnostics
import Foundation
import JSON
import Synchronization
import Transport
import Wire

/// Why there can be no recording.
struct RecordingError: Error, CustomStringConvertible {
  let description: String
}

/// A proxy before a real service that writes down what both sides said.
///
/// Every exchange is in the file as soon as it is over, so that a recorder that is killed loses none.
final class Recorder: Sendable {
  private let loop: EventLoop
  private let server: HTTPServer

  /// Binds the port and begins the file; nothing is forwarded before `begin`.
  init(_ options: RecordOptions, log: Log) throws(RecordingError) {
    do {
      loop = try EventLoop(name: "mock-litellm record")
      let listener = try Listener(loop: loop, host: options.host, port: options.port)
      let file = try RecordingFile(options.output, upstream: options.upstream)
      // A kept connection that was too old would look like a fault of the service.
      let client = HTTPClient(loop: loop, keptPerHost: 0)
      let relay = Relay(upstream: options.upstream, client: client, file: file, log: log)
      server = HTTPServer(
        listener: listener, handler: { exchange in Task { await relay.forward(exchange) } })
    } catch {
      throw RecordingError(description: "\(error)")
    }
  }

  var port: UInt16 { server.port }

  func begin() {
    server.start()
    loop.start()
  }

  /// Lets answers under way finish, at most for `limit`.
  func stop(within limit: Duration) async {
    await server.stop(within: limit)
    loop.stop()
  }
}

/// Where the calls go, one after the other.
final class RecordingFile: Sendable {
  private struct State {
    var masking = Masking(secrets: [])
    var secrets: Set<String> = []
  }

  private let handle: FileHandle
  private let state = Mutex(State())

  /// Empties the file at `path`, or makes it.
  init(_ path: String, upstream: String) throws(RecordingError) {
    guard
      FileManager.default.createFile(
        atPath: path, contents: Data(RecordedCall.head(upstream: upstream).utf8)),
      let handle = FileHandle(forWritingAtPath: path), (try? handle.seekToEnd()) != nil
    else { throw RecordingError(description: "cannot write to \(path)") }
    self.handle = handle
  }

  /// Adds a call without its secrets: the keys that any request so far has carried, wherever they stand now, and
  /// what looks like a key.
  func add(_ call: RecordedCall) throws(RecordingError) {
    let isWritten = state.withLock { state in
      for secret in call.keys where state.secrets.insert(secret).inserted {
        state.masking = Masking(secrets: Array(state.secrets))
      }
      let text = call.masked(state.masking).yaml
      return (try? handle.write(contentsOf: Data(text.utf8))) != nil
    }
    guard isWritten else { throw RecordingError(description: "the recording cannot be written") }
  }
}

extension RecordedCall {
  /// The values of headers that carry keys, without their scheme.
  fileprivate var keys: [String] {
    requestHeaders.filter { Redaction.hides($0.name) }.compactMap {
      $0.value.split(separator: " ").last.map(String.init)
    }
  }

  fileprivate func masked(_ masking: Masking) -> RecordedCall {
    let redaction = Redaction()
    func fields(_ fields: [HeaderField]) -> [HeaderField] {
      fields.map { ($0.name, masking.masked(redaction.header($0.name, $0.value))) }
    }
    return RecordedCall(
      method: method, target: masking.masked(target), requestHeaders: fields(requestHeaders),
      requestBody: Self.masked(requestBody, masking), status: status, headers: fields(headers),
      pieces: pieces(masking), isCut: isCut)
  }

  /// A secret may begin in one piece and end in the next: then the body becomes one piece.
  private func pieces(_ masking: Masking) -> [Piece] {
    let whole = body
    guard let text = String(validating: whole, as: UTF8.self), let last = pieces.last else { return pieces }
    let masked = masking.masked(text)
    guard masked != text else { return pieces }
    let each = pieces.map { piece in
      let text = String(decoding: piece.bytes, as: UTF8.self)
      return Piece(after: piece.after, bytes: Array(masking.masked(text).utf8))
    }
    let isSame = each.flatMap(\.bytes) == Array(masked.utf8)
    return isSame ? each : [Piece(after: last.after, bytes: Array(masked.utf8))]
  }

  private static func masked(_ value: JSONValue, _ masking: Masking) -> JSONValue {
    switch value {
    case .string(let text): .string(masking.masked(text))
    case .array(let elements): .array(elements.map { masked($0, masking) })
    case .object(let object):
      .object(JSONObject(object.lazy.map { (masking.masked($0), masked($1, masking)) }))
    case .null, .bool, .number: value
    }
  }
}
