internal import Dispatch

/// A thread for reads that may take long.
final class Reader: Sendable {
  /// Only touched on `dispatcher`.
  private struct Owned: @unchecked Sendable {
    let reader: TaskReader
  }

  private let dispatcher = DispatchQueue(label: "store.reader", qos: .userInitiated)
  private let owned: Owned

  init(_ reader: TaskReader) { owned = Owned(reader: reader) }

  /// Runs `body` on the thread, and `completion` after it.
  func perform<Value: Sendable>(
    _ body: @escaping @Sendable (TaskReader) throws(StoreError) -> Value,
    completion: @escaping @Sendable (Result<Value, StoreError>) -> Void
  ) {
    dispatcher.async {
      let result: Result<Value, StoreError>
      do throws(StoreError) {
        result = .success(try body(self.owned.reader))
      } catch {
        result = .failure(error)
      }
      completion(result)
    }
  }

  func perform<Value: Sendable>(
    _ body: @escaping @Sendable (TaskReader) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    let result: Result<Value, StoreError> = await withCheckedContinuation { continuation in
      perform(body) { continuation.resume(returning: $0) }
    }
    return try result.get()
  }
}
