internal import Synchronization

/// What the connections of one store find out about its file.
final class StoreHealth: Sendable {
  private let found = Mutex<StoreError?>(nil)

  /// The first sign of damage. It does not go away by itself, so from then on nothing is written.
  var damage: StoreError? { found.withLock { $0 } }

  func note(_ error: StoreError) {
    guard error.trouble == .damaged else { return }
    found.withLock { $0 = $0 ?? error }
  }
}
