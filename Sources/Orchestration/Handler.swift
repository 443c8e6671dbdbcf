package import JSON
package import ProtocolSpec
package import Transport

/// What became of a request.
package typealias Outcome = Result<JSONValue, ProtocolFault>

/// Answers one method: the params in, result or fault out through the reply, once and from any
/// thread. Called on the loop of the reply, which must not be kept waiting.
///
/// Gives a way to say that nobody waits for the answer any more, where that changes something.
package typealias Handler = @Sendable (JSONObject, Reply) -> Stop?

/// Tells that nobody waits for an answer any more.
package typealias Stop = @Sendable () -> Void

/// Where the outcome of a request goes.
package struct Reply: Sendable {
  /// The loop of the connection.
  package let loop: EventLoop
  /// The number of the one who asks, such as of a connection; the tasks of different ones take turns.
  package let client: Int
  private let take: @Sendable (Outcome) -> Void
  private let created: (@Sendable (String) -> Void)?

  /// The client of what nobody waits for in particular.
  package static let nobody = 0

  /// - Parameters:
  ///   - created: called on `loop` with the id of the task that a request has created and waits for now.
  ///   - take: called on `loop`.
  package init(
    on loop: EventLoop, client: Int = Reply.nobody, created: (@Sendable (String) -> Void)? = nil,
    take: @escaping @Sendable (Outcome) -> Void
  ) {
    self.loop = loop
    self.client = client
    self.created = created
    self.take = take
  }

  /// Returns when `created` has been called: whoever watches the task misses no step of it.
  func announce(task id: String) async {
    guard let created else { return }
    await withCheckedContinuation { continuation in
      let isTaken = loop.run {
        created(id)
        continuation.resume()
      }
      if !isTaken { continuation.resume() }
    }
  }

  package func callAsFunction(_ outcome: Outcome) {
    loop.run { take(outcome) }
  }
}

/// Replies that one commit made possible: all of a loop wake it once.
struct ReplyBatch: Sendable {
  private var byLoop: [(loop: EventLoop, replies: [(Reply, Outcome)])] = []

  var isEmpty: Bool { byLoop.isEmpty }

  mutating func add(_ reply: Reply, _ outcome: Outcome) {
    // There are as many loops as cores, so they are looked through.
    if let place = byLoop.firstIndex(where: { $0.loop === reply.loop }) {
      byLoop[place].replies.append((reply, outcome))
    } else {
      byLoop.append((reply.loop, [(reply, outcome)]))
    }
  }

  func send() {
    for (loop, replies) in byLoop {
      loop.submit { for (reply, outcome) in replies { reply(outcome) } }
    }
  }
}

/// The handler that a function with `async` is.
func asynchronous(
  _ body: @escaping @Sendable (JSONObject) async throws(ProtocolFault) -> JSONValue
) -> Handler {
  { params, reply in
    let work = Task {
      do throws(ProtocolFault) {
        reply(.success(try await body(params)))
      } catch {
        reply(.failure(error))
      }
    }
    return { work.cancel() }
  }
}
