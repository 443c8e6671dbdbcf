import JSON

/// The requests of one connection that run beside its loop, so that waiting for them can be stopped.
struct RequestsUnderWay {
  private var works: [Int: (id: JSONValue?, work: Task<Void, Never>)] = [:]
  private var last = 0

  mutating func nextNumber() -> Int {
    last += 1
    return last
  }

  mutating func begin(_ number: Int, id: JSONValue?, _ work: Task<Void, Never>) {
    works[number] = (id, work)
  }

  /// Whether anybody still waits for the answer.
  mutating func end(_ number: Int) -> Bool { works.removeValue(forKey: number) != nil }

  /// Nobody waits for the requests of this id any more. There are few to look through: the limit of
  /// requests in flight bounds them, and nothing keeps a client from using an id twice.
  mutating func stop(id: JSONValue) {
    for (number, entry) in works where entry.id == id {
      works[number] = nil
      entry.work.cancel()
    }
  }

  mutating func stopAll() {
    for entry in works.values { entry.work.cancel() }
    works = [:]
  }
}
