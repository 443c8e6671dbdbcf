import Foundation

/// The signals that ask a program to end, taken over from the moment this is made; before, they end
/// it at once.
package struct StopSignals: Sendable {
  /// SIGHUP is for programs that belong to a terminal.
  package static let names: [Int32: String] = [SIGTERM: "SIGTERM", SIGINT: "SIGINT", SIGHUP: "SIGHUP"]

  private let stream: AsyncStream<Int32>

  /// Returns when the signals are taken over, so that none is lost after it. SIGPIPE is ignored: a
  /// reader of what the program prints may leave.
  package init(_ numbers: [Int32] = [SIGTERM, SIGINT]) {
    let (stream, continuation) = AsyncStream<Int32>.makeStream(bufferingPolicy: .bufferingNewest(1))
    self.stream = stream
    signal(SIGPIPE, SIG_IGN)
    for number in numbers {
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      let isRegistered = DispatchSemaphore(value: 0)
      // The handler keeps the source for as long as the program runs.
      source.setEventHandler { withExtendedLifetime(source) { _ = continuation.yield(number) } }
      source.setRegistrationHandler { isRegistered.signal() }
      source.resume()
      isRegistered.wait()
      #if canImport(Darwin)
        // kqueue reports a signal beside its disposition; Dispatch replaces that only on Linux.
        signal(number, SIG_IGN)
      #endif
    }
  }

  /// Returns the first signal, also one that came before the call; nil if the task is cancelled.
  @discardableResult
  package func wait() async -> Int32? {
    for await number in stream { return number }
    return nil
  }
}
