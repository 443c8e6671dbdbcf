#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The standard input and output of this process as lines, for a program that is started to be spoken
/// with over them. There is one for a process. Usable from any thread.
package final class StandardLines: @unchecked Sendable {
  // Invariant: the lets never change and lock themselves; writing is under `lock`.
  package enum Event: Sendable, Equatable {
    /// Without the end of line.
    case line([UInt8])
    /// The input is over, or has a line that is too long; the last event.
    case ended(String?)
  }

  private let inbox: Inbox<Event>
  private let room = Room()
  private let lock = Lock()

  /// - Parameters:
  ///   - maxLineBytes: a longer line ends the input.
  ///   - maxQueuedBytes: of lines that wait to be taken before no more is read.
  package init(maxLineBytes: Int = 64 << 20, maxQueuedBytes: Int = 64 << 20, on loop: EventLoop) {
    let room = room
    inbox = Inbox(loop: loop, limit: maxQueuedBytes) { room.open() }
    let inbox = inbox
    // A thread of its own: standard input may be a file, of which no loop tells anything.
    let isReading = Threads.spawn("stdin") { Self.read(into: inbox, room, maxLineBytes) }
    if !isReading { _ = inbox.push(.ended("no thread is left to read with"), weight: 0) }
  }

  /// The next event; nil when none comes within `limit` or the task is cancelled.
  package func next(within limit: Duration? = nil) async -> Event? { await inbox.next(within: limit) }

  /// Writes a line, which must hold no end of line of its own, and returns when it is written; false if
  /// nobody reads any more.
  @discardableResult
  package func send(_ line: [UInt8]) -> Bool {
    let bytes = line + [UInt8(ascii: "\n")]
    return lock.withLock {
      bytes.withUnsafeBytes { buffer in
        var rest = UnsafeRawBufferPointer(rebasing: buffer[...])
        while !rest.isEmpty {
          let count = Sys.write(STDOUT_FILENO, rest)
          guard count > 0 else { return false }
          rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        return true
      }
    }
  }

  private static func read(into inbox: Inbox<Event>, _ room: Room, _ maxLineBytes: Int) {
    var partial: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = buffer.withUnsafeMutableBytes { Sys.read(STDIN_FILENO, $0) }
      guard count > 0 else {
        // What stands behind the last end of line is a line too.
        if !partial.isEmpty { _ = inbox.push(.line(partial), weight: partial.count) }
        _ = inbox.push(.ended(nil), weight: 0)
        return
      }
      var rest = buffer[..<count]
      while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
        var line = partial + rest[..<end]
        partial.removeAll(keepingCapacity: true)
        rest = rest[(end + 1)...]
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        if !inbox.push(.line(line), weight: line.count + 64) { room.wait() }
      }
      partial.append(contentsOf: rest)
      if partial.count > maxLineBytes {
        _ = inbox.push(.ended("a line has more than \(maxLineBytes) bytes"), weight: 0)
        return
      }
    }
  }

  /// Where the reading thread waits until there is room.
  private final class Room: @unchecked Sendable {
    // Invariant: the semaphore is initialised once here, stays at one address, and is only used through
    // calls that are safe from any thread.
    private let semaphore: UnsafeMutablePointer<sem_t>

    init() {
      semaphore = .allocate(capacity: 1)
      semaphore.initialize(to: sem_t())
      sem_init(semaphore, 0, 0)
    }

    deinit {
      sem_destroy(semaphore)
      semaphore.deallocate()
    }

    func open() { sem_post(semaphore) }
    func wait() { while sem_wait(semaphore) != 0 && errno == EINTR {} }
  }
}
