internal import Dispatch

/// Reads beside the writer: in WAL mode neither waits for the other.
final class Reader: Sendable {
  /// Only touched on `dispatcher`.
  private struct Owned: @unchecked Sendable {
    let connection: SQLiteConnection
  }

  private let dispatcher = DispatchQueue(label: "store.reader", qos: .userInitiated)
  private let owned: Owned

  init(_ connection: SQLiteConnection) { owned = Owned(connection: connection) }

  func perform<Value: Sendable>(
    _ body: @escaping @Sendable (SQLiteConnection) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    let result: Result<Value, StoreError> = await withCheckedContinuation { continuation in
      dispatcher.async {
        do throws(StoreError) {
          continuation.resume(returning: .success(try body(self.owned.connection)))
        } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
    return try result.get()
  }
}
