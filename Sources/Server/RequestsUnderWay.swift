import JSON
import Orchestration

/// The requests of one connection that run beside its loop, so that waiting for them can be stopped.
struct RequestsUnderWay {
  private var works: [Int: (id: JSONValue?, stop: Stop?)] = [:]
  private var last = 0

  /// Gives the number of the request.
  mutating func begin(id: JSONValue?) -> Int {
    last += 1
    works[last] = (id, nil)
    return last
  }

  /// Keeps how to say that nobody waits for the answer, unless it is there already.
  mutating func keep(_ stop: @escaping Stop, for number: Int) { works[number]?.stop = stop }

  /// Whether anybody still waits for the answer.
  mutating func end(_ number: Int) -> Bool { works.removeValue(forKey: number) != nil }

  /// Nobody waits for the requests of this id any more. There are few to look through: the limit of
  /// requests in flight bounds them, and nothing keeps a client from using an id twice.
  mutating func stop(id: JSONValue) {
    for (number, entry) in works where entry.id == id {
      works[number] = nil
      entry.stop?()
    }
  }

  mutating func stopAll() {
    for entry in works.values { entry.stop?() }
    works = [:]
  }
}
