import JSON
import Orchestration
import ProtocolSpec
import Transport

/// What a client has been asked and not answered yet.
struct QuestionsAsked {
  typealias Take = @Sendable (Result<JSONValue, ProtocolFault>) -> Void

  private var takers: [String: (take: Take, timer: ScheduledTimer?)] = [:]
  private var last = 0

  /// As many questions may be open at one time.
  static let most = 64

  /// The id of the question; nil if too many are open.
  mutating func add(_ take: @escaping Take) -> String? {
    guard takers.count < Self.most else { return nil }
    last += 1
    let id = "q\(last)"
    takers[id] = (take, nil)
    return id
  }

  /// Keeps what ends the wait for the answer.
  mutating func keep(_ timer: ScheduledTimer, for id: String) { takers[id]?.timer = timer }

  mutating func remove(_ id: String) -> Take? {
    let taker = takers.removeValue(forKey: id)
    taker?.timer?.cancel()
    return taker?.take
  }

  mutating func removeAll() -> [Take] { takers.keys.compactMap { remove($0) } }
}

extension Session {
  /// Asks the client, as revisions with `initialize` allow it, and gives what it answers to `take`, on
  /// the loop; a fault if it answers with an error, too late, or never.
  ///
  /// - Parameter number: that of the request that wants to know.
  func ask(
    _ method: String, _ params: JSONObject, for number: Int, within limit: Duration,
    _ take: @escaping QuestionsAsked.Take
  ) {
    guard underWay.isAwaited(number), let id = questions.add(take) else {
      return take(.failure(service.spec.errors.fault(.internalError)))
    }
    tell(
      JSONWriter.bytes([
        "jsonrpc": "2.0", "id": .string(id), "method": .string(method), "params": .object(params),
      ]), for: number)
    let bound = LoopBound(self, on: loop)
    let timer = loop.schedule(after: limit) {
      let session = bound.value
      session.questions.remove(id)?(.failure(session.service.spec.errors.fault(.internalError)))
    }
    questions.keep(timer, for: id)
  }

  /// What a client answers; an answer to nothing is ignored.
  func answered(_ response: ClientResponse) {
    guard let id = response.id.string, let take = questions.remove(id) else { return }
    take(response.outcome.mapError { _ in self.service.spec.errors.fault(.internalError) })
  }

  func endQuestions() {
    for take in questions.removeAll() { take(.failure(service.spec.errors.fault(.internalError))) }
  }
}
