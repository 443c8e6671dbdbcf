import Diagnostics
import Foundation
import JSON
import Orchestration
import Synchronization
import TaskStore
import Transport
import Wire

/// What a port says while the store cannot be opened: that it is alive, and what is in the way.
struct ClosedStore: Sendable {
  let trouble: StoreTrouble
  let retryAfter: Int

  func serve(_ exchange: HTTPExchange) {
    let isRead = ["GET", "HEAD"].contains(exchange.request.head.method)
    if exchange.request.head.path == "/healthz", isRead {
      exchange.respond(status: 200, text: "alive\n")
    } else if exchange.request.head.path == "/readyz", isRead {
      exchange.respond(status: 503, text: "the task store cannot be used\n\(trouble.text)\n")
    } else {
      exchange.respond(
        status: 503, headers: ["Retry-After": String(retryAfter)], text: "the task store cannot be used\n")
    }
  }
}

/// Waits until the store can be opened. It is not held meanwhile, so that it can be restored.
struct StoreWait {
  private static let pause = Duration.seconds(1)

  let settings: Settings
  let front: Front
  let log: Log
  let retryAfter: Int

  /// Whether waiting is any use: for what nobody mends while the server runs, it ends instead.
  static func isUseful(_ trouble: StoreTrouble) -> Bool {
    switch trouble {
    case .full, .damaged, .busy: true
    case .readOnly, .inUse, .newer, .failed: false
    }
  }

  /// Returns when the store can be opened, or when waiting is no use any more. A signal ends the process:
  /// nothing has begun that would have to end first.
  ///
  /// - Parameter error: why it cannot be opened now.
  func run(_ error: StoreError) async {
    let isOver = Flag()
    let log = log
    Task {
      guard await StopSignals().wait() != nil, !isOver.value.load(ordering: .relaxed) else { return }
      log.info("stopped")
      log.flush()
      exit(0)
    }
    var error = error
    tell(error)
    while let found = await nextTry() {
      if found.description != error.description { tell(found) }
      error = found
    }
    isOver.value.store(true, ordering: .relaxed)
    log.info("the task store is tried again")
  }

  /// Nil if the store can be opened, or never will be while the server runs.
  private func nextTry() async -> StoreError? {
    while true {
      try? await Task.sleep(for: Self.pause)
      do throws(StoreError) {
        let lock = try StoreLock(storePath: settings.databasePath)
        defer { withExtendedLifetime(lock) {} }
        try TaskStore.tryOpening(settings.databasePath)
        return nil
      } catch {
        // Who restores it has it.
        if error.isInUse { continue }
        return Self.isUseful(error.trouble) ? error : nil
      }
    }
  }

  private final class Flag: Sendable {
    let value = Atomic<Bool>(false)
  }

  private func tell(_ error: StoreError) {
    log.error(
      "the task store cannot be used",
      JSONObject([("cause", .string(error.description)), ("database", .string(settings.databasePath))]))
    let closed = ClosedStore(trouble: error.trouble, retryAfter: retryAfter)
    _ = front.serve(closed.serve)
  }
}
