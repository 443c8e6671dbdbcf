import JSON
import ProtocolSpec
import Synchronization
import Transport

/// The sessions of MCP over HTTP, by their ids.
final class HTTPSessions: Sendable {
  let service: Service
  private let entries = Mutex<[String: Entry]>([:])

  private struct Entry {
    let session: LoopBound<HTTPSession>
    var lastUse = ContinuousClock.now
  }

  init(_ service: Service) { self.service = service }

  /// A new session on `loop`, the current one; nil if there are as many as there may be, and all are used.
  func begin(on loop: EventLoop, remote: String) -> HTTPSession? {
    guard makeRoom() else { return nil }
    let session = HTTPSession(self, id: Self.newID(), on: loop, remote: remote)
    entries.withLock { $0[session.id] = Entry(session: LoopBound(session, on: loop)) }
    return session
  }

  subscript(id: String) -> LoopBound<HTTPSession>? { entries.withLock { $0[id]?.session } }

  func touch(_ id: String) { entries.withLock { $0[id]?.lastUse = .now } }

  func remove(_ id: String) { entries.withLock { _ = $0.removeValue(forKey: id) } }

  /// Whether there is room for one more: where there is none, the session that was away longest goes, unless
  /// it may be there all the same, with a stream that is open.
  private func makeRoom() -> Bool {
    let limits = service.spec.limits
    let oldest: (key: String, entry: Entry)? = entries.withLock { entries in
      guard entries.count >= limits.mcpSessions else { return nil }
      guard let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) else { return nil }
      return (oldest.key, oldest.value)
    }
    guard let oldest else { return service.spec.limits.mcpSessions > 0 }
    guard oldest.entry.lastUse.duration(to: .now) > limits.streamKeepAlive * 2 else { return false }
    remove(oldest.key)
    let session = oldest.entry.session
    session.loop.run { session.value.end() }
    return true
  }

  /// 128 random bits, which nobody guesses, as hexadecimal digits.
  private static func newID() -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<2).map { _ in
      let digits = String(generator.next() as UInt64, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}
