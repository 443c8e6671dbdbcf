internal import Wire

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// What the owner of a `LinePipe` is told, on its loop.
package protocol LinePipeHandler: AnyObject {
  /// A line without its end. The bytes are valid during the call only.
  func onLine(_ bytes: UnsafeRawBufferPointer)
  /// A line is longer than the limit; the rest of it is skipped.
  func onLongLine()
  /// No line comes any more. Told once.
  func onEnd()
  /// Nobody takes lines any more. Told once.
  func onBroken(_ reason: String)
  /// Half of what may wait to be written is free, after it was not.
  func onRoom()
}

/// Lines over two descriptors of any kind, such as standard input and output.
///
/// They may be pipes, files, sockets or a terminal, of which epoll takes only some, and their mode is
/// shared with other programs: who sets O_NONBLOCK on a terminal breaks the shell in it. So each has a
/// thread that may block, and the loop only meets what these have read and not yet written.
package final class LinePipe: @unchecked Sendable {
  // Invariant: the lets never change; `turn` guards `mayRead`, `writer` guards itself; `chunk` is the
  // reading thread's while `mayRead`, the loop's otherwise; all the rest is used only on `loop`.
  package let loop: EventLoop
  private let input: Int32
  private let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)
  private let turn = Monitor()
  private var mayRead = true
  private let writer: PipeWriter

  private var handler: (any LinePipeHandler)?
  private var splitter: LineSplitter
  /// What of the chunk has been looked at, and how much there is; nil while the thread reads.
  private var held: (offset: Int, count: Int)?
  private var isPaused = false
  private var isLooking = false

  /// Takes over both descriptors.
  ///
  /// - Parameters:
  ///   - maxLineBytes: of a line that is read.
  ///   - maxUnsentBytes: past half of it `onRoom` is told when there is room again.
  package init(input: Int32, output: Int32, maxLineBytes: Int, maxUnsentBytes: Int, on loop: EventLoop) {
    self.loop = loop
    self.input = input
    splitter = LineSplitter(maxBytes: maxLineBytes)
    writer = PipeWriter(output, loop: loop, room: maxUnsentBytes / 2)
  }

  deinit { chunk.deallocate() }

  /// Starts reading and writing; false, with both descriptors closed, if the system has no threads left.
  package func start(_ handler: any LinePipeHandler) -> Bool {
    precondition(loop.isCurrent, "a pipe is started on its loop")
    self.handler = handler
    let isWriting = writer.start(
      onRoom: { [weak self] in self?.handler?.onRoom() },
      onBroken: { [weak self] in self?.handler?.onBroken($0) })
    guard isWriting else {
      Sys.close(input)
      return false
    }
    guard Threads.spawn("stdin", { self.readAll() }) else {
      Sys.close(input)
      writer.close()
      return false
    }
    return true
  }

  // MARK: - Writing

  /// Bytes that wait to be written; for the loop.
  package var unsent: Int { writer.unsent }

  /// Writes a line, which must hold no end of line of its own; for the loop.
  package func write(_ line: UnsafeRawBufferPointer) { writer.write(line) }

  /// Writes what is left, at most until `limit` is over, and closes the output.
  ///
  /// - Returns: whether all of it was written.
  @discardableResult
  package func finish(within limit: Duration) async -> Bool {
    writer.close()
    return await writer.ended.wait(within: limit, loop) && !writer.hasFailed
  }

  // MARK: - Reading

  /// Stops telling of lines, and soon the other side has to wait; for the loop.
  package func pauseReading() { isPaused = true }

  /// For the loop.
  package func resumeReading() {
    isPaused = false
    look()
  }

  /// What the reading thread does.
  private func readAll() {
    while true {
      turn.wait(until: mayRead) {}
      let result = readSome()
      turn.withLock { mayRead = false }
      guard loop.submit({ self.received(result) }), result > 0 else { break }
    }
    Sys.close(input)
  }

  private func readSome() -> Int {
    while true {
      let result = Sys.retry { loop.kernel.read(input, chunk) }
      guard Sys.isAgain(result) else { return result }
      // Whoever has given us the descriptor has set O_NONBLOCK.
      Sys.wait(input, for: Int16(POLLIN))
    }
  }

  /// An error is an end too: of a terminal that is gone, of a socket that was reset.
  private func received(_ result: Int) {
    held = (0, max(result, 0))
    look()
  }

  private func look() {
    guard !isLooking, let count = held?.count, var offset = held?.offset else { return }
    isLooking = true
    defer { isLooking = false }
    let bytes = UnsafeRawBufferPointer(rebasing: chunk[..<count])
    while !isPaused {
      if let event = count > 0 ? splitter.next(bytes, &offset) : splitter.finish() {
        tell(event)
        continue
      }
      held = nil
      return count > 0 ? turn.change { mayRead = true } : end()
    }
    held = (offset, count)
  }

  private func tell(_ event: LineSplitter.Event) {
    switch event {
    case .line(let line): handler?.onLine(line)
    case .tooLong: handler?.onLongLine()
    }
  }

  private func end() { handler?.onEnd() }
}

/// Writes to a descriptor on a thread of its own.
private final class PipeWriter: @unchecked Sendable {
  // Invariant: the lets never change; the closures are set before the thread starts and called on `loop`;
  // every other var is touched under `monitor`.
  let ended = Waiters()
  private let output: Int32
  private let loop: EventLoop
  private let room: Int
  private let monitor = Monitor()
  private var pending: [UInt8] = []
  /// Bytes that the thread has taken and not written.
  private var inHand = 0
  private var isClosing = false
  private var isBroken = false
  private var isFull = false
  private var onRoom: @Sendable () -> Void = {}
  private var onBroken: @Sendable (String) -> Void = { _ in }

  /// As much is written at once, so that what is counted as unsent goes down while a reader is slow.
  private static let piece = 64 * 1024

  init(_ output: Int32, loop: EventLoop, room: Int) {
    self.output = output
    self.loop = loop
    self.room = room
  }

  var unsent: Int { monitor.withLock { pending.count + inHand } }
  var hasFailed: Bool { monitor.withLock { isBroken } }

  func start(onRoom: @escaping @Sendable () -> Void, onBroken: @escaping @Sendable (String) -> Void) -> Bool {
    self.onRoom = onRoom
    self.onBroken = onBroken
    let isStarted = Threads.spawn("stdout") { self.writeAll() }
    if !isStarted { Sys.close(output) }
    return isStarted
  }

  func write(_ line: UnsafeRawBufferPointer) {
    monitor.change {
      guard !isClosing, !isBroken else { return }
      pending.append(contentsOf: line)
      pending.append(UInt8(ascii: "\n"))
      if pending.count + inHand > room { isFull = true }
    }
  }

  /// Ends the thread once everything is written.
  func close() { monitor.change { isClosing = true } }

  private func writeAll() {
    while let bytes = take() {
      let failure = bytes.withUnsafeBytes { write(all: $0) }
      guard failure == 0 else {
        monitor.withLock {
          isBroken = true
          pending = []
          inHand = 0
        }
        loop.submit { self.onBroken(Sys.describe(failure)) }
        break
      }
    }
    Sys.close(output)
    ended.open()
  }

  /// What there is to be written; nil when there will be no more.
  private func take() -> [UInt8]? {
    monitor.wait(until: !pending.isEmpty || isClosing) {
      guard !pending.isEmpty else { return nil }
      inHand = pending.count
      defer { pending = [] }
      return pending
    }
  }

  /// - Returns: 0, or the errno of what went wrong.
  private func write(all bytes: UnsafeRawBufferPointer) -> Int {
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.piece))
      let result = Sys.retry { loop.kernel.write(output, piece) }
      if Sys.isAgain(result) {
        Sys.wait(output, for: Int16(POLLOUT))
      } else if result < 0 {
        return -result
      } else {
        rest = rest.dropFirst(result)
        written(result)
      }
    }
    return 0
  }

  private func written(_ count: Int) {
    let hasRoom = monitor.withLock {
      inHand -= count
      guard isFull, pending.count + inHand <= room / 2 else { return false }
      isFull = false
      return true
    }
    if hasRoom { loop.submit { self.onRoom() } }
  }
}
