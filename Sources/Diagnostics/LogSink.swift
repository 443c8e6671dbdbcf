package import Foundation
import Synchronization

/// Where finished lines go. `write` must not block: loops log too.
package protocol LogSink: Sendable {
  /// `line` is UTF-8 and ends with a line feed.
  func write(_ line: [UInt8])
  /// Returns when what was written before has left the process, or after a second: a reader that
  /// has stopped must not keep the program from ending.
  func flush()
}

/// A sink that hands lines to a queue of its own, which writes them to a descriptor. A reader that
/// does not keep up costs lines, never the program's time or memory.
package final class DescriptorSink: LogSink {
  /// Bytes that may wait for a slow reader.
  private static let limit = 1 << 20

  private struct State {
    var pending: [UInt8] = []
    /// Since lines were last written, and since the start.
    var dropped = 0
    var droppedInAll = 0
    var isScheduled = false
  }

  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "log")
  private let handle: FileHandle

  /// Writes to standard error.
  package static let standardError = DescriptorSink(.standardError)

  package init(_ handle: FileHandle) { self.handle = handle }

  package func write(_ line: [UInt8]) {
    let mustSchedule = state.withLock { state in
      guard state.pending.count + line.count <= Self.limit else {
        state.dropped += 1
        state.droppedInAll += 1
        return false
      }
      state.pending += line
      defer { state.isScheduled = true }
      return !state.isScheduled
    }
    if mustSchedule { queue.async { self.drain() } }
  }

  /// Lines that nobody took in time.
  package var dropped: Int { state.withLock { $0.droppedInAll } }

  package func flush() {
    let isDone = DispatchSemaphore(value: 0)
    queue.async {
      self.drain()
      isDone.signal()
    }
    _ = isDone.wait(timeout: .now() + 1)
  }

  private func drain() {
    let bytes = state.withLock { state in
      var bytes = state.pending
      if state.dropped > 0 {
        bytes += "{\"level\":\"warning\",\"msg\":\"log lines dropped\",\"count\":\(state.dropped)}\n".utf8
      }
      state = State(droppedInAll: state.droppedInAll)
      return bytes
    }
    // A closed standard error must not end the program.
    try? handle.write(contentsOf: bytes)
  }
}

/// A sink for tests and for `--quiet`: keeps what was written in memory.
package final class MemorySink: LogSink {
  private let bytes = Mutex<[UInt8]>([])

  package init() {}

  package func write(_ line: [UInt8]) { bytes.withLock { $0 += line } }
  package func flush() {}

  package var lines: [String] {
    bytes.withLock { String(decoding: $0, as: UTF8.self) }.split(separator: "\n").map(String.init)
  }
}
