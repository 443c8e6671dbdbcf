import JSON
import ProtocolSpec
import Synchronization
import TaskStore
import Transport

/// Gathers what a commit of the store decided about new tasks: the answers for the loops, and the
/// news for the orchestrator, which would be woken for each of them otherwise.
package final class CreationDesk: Sendable {
  /// A task that was created, and whether it was suspended at once.
  struct Created: Sendable {
    let task: QueuedTask
    let isSuspended: Bool
  }

  private struct Commit: Sendable {
    var replies = ReplyBatch()
    var created: [Created] = []
  }

  /// The tasks created, commit by commit.
  let news: AsyncStream<[Created]>
  private let announce: AsyncStream<[Created]>.Continuation
  private let commit = Mutex(Commit())

  package init() { (news, announce) = AsyncStream.makeStream() }

  func add(_ reply: Reply, _ outcome: Outcome, created: Created? = nil) {
    commit.withLock { commit in
      commit.replies.add(reply, outcome)
      if let created { commit.created.append(created) }
    }
  }

  /// Hands over what has gathered; to be called when the jobs of a commit are done.
  package func flush() {
    let done = commit.withLock { commit in
      let done = commit
      commit = Commit()
      return done
    }
    done.replies.send()
    if !done.created.isEmpty { announce.yield(done.created) }
  }
}
