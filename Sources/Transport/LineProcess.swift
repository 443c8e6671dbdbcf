import Synchronization

#if canImport(Glibc)
  internal import CLinux
  internal import Glibc
#else
  internal import Darwin
#endif

/// A program that is spoken with in lines over its standard input and output. It has a process group
/// of its own, which ends with it: nothing that it started is left behind.
///
/// Both streams are one socket, so that the loop serves them like any other connection. Usable from
/// any thread. It lives until it has ended: whoever starts one calls `stop` or stops the loop.
package final class LineProcess: ChannelDelegate, @unchecked Sendable {
  // Invariant: the lets never change; `child` and `inbox` lock themselves; every var is used only on
  // `loop`.
  package enum Event: Sendable, Equatable {
    /// A line of its standard output, without the end of line.
    case line([UInt8])
    /// A line of its standard error; the rest of a long one is left out.
    case note(String)
    /// The last event: how the process ended, or why its output is of no use.
    case ended(String)
  }

  package let loop: EventLoop
  private let child: Child
  private let inbox: Inbox<Event>
  private let maxLineBytes: Int
  private var channel: Channel?
  private var notes: NoteReader?
  private var partial: [UInt8] = []
  private var ending: String?
  private var hasEOF = false
  private var isPaused = false
  /// Bytes of output.
  private var received = 0
  private var isOver = false

  private static let maxNoteBytes = 2048
  /// How long the output may go on behind the end of the process.
  private static let apart = Duration.seconds(1)

  /// Starts `command`, its first word looked for in the PATH of `environment`.
  ///
  /// - Parameters:
  ///   - environment: the whole environment of the process.
  ///   - maxLineBytes: a longer line of output ends the process.
  package static func start(
    _ command: [String], environment: [String: String], maxLineBytes: Int, on loop: EventLoop
  ) throws(TransportError) -> LineProcess {
    let program = command.first ?? ""
    guard let path = Programs.find(program, path: environment["PATH"] ?? "") else {
      throw .system("start \(program)", Int(ENOENT))
    }
    var wire = try SocketPair()
    var errors = try SocketPair()
    let result = Programs.spawn(
      path, arguments: Array(command.dropFirst()), environment: environment, wire: wire.theirs,
      errors: errors.theirs)
    guard result > 0 else { throw .system("start \(program)", -result) }
    let process = LineProcess(Child(pid_t(result)), maxLineBytes, loop)
    let (wireEnd, errorsEnd) = (wire.takeOurs(), errors.takeOurs())
    let isTaken = loop.submit { process.begin(wireEnd, errorsEnd) }
    if !isTaken {
      Sys.close(wireEnd)
      Sys.close(errorsEnd)
      process.child.signal(SIGKILL)
    }
    let isWatched = Threads.spawn("child") {
      let text = process.child.wait()
      if !loop.submit({ process.exited(text) }) { _ = process.inbox.push(.ended(text), weight: 0) }
    }
    if !isWatched { process.child.signal(SIGKILL) }
    return process
  }

  private init(_ child: Child, _ maxLineBytes: Int, _ loop: EventLoop) {
    self.child = child
    self.maxLineBytes = maxLineBytes
    self.loop = loop
    let room = Weak()
    inbox = Inbox(loop: loop, limit: 2 * maxLineBytes) {
      loop.submit {
        room.process?.isPaused = false
        room.process?.channel?.resumeReading()
      }
    }
    room.process = self
  }

  private final class Weak: @unchecked Sendable {
    // Invariant: written once in init, before anything else can see it; read on the loop.
    weak var process: LineProcess?
  }

  /// The next event; nil when the task is cancelled. Nothing comes behind `.ended`.
  package func next() async -> Event? { await inbox.next(within: nil) }

  /// The next event; nil when none comes within `limit` or the task is cancelled.
  package func next(within limit: Duration) async -> Event? { await inbox.next(within: limit) }

  /// Sends a line, which must hold no end of line of its own.
  package func send(_ line: [UInt8]) {
    loop.run { self.channel?.write(line + [UInt8(ascii: "\n")]) }
  }

  /// Ends the process: by the end of its input, after `grace` by SIGTERM and after as long again by
  /// SIGKILL. Returns once it is gone.
  package func stop(grace: Duration) async {
    loop.run { self.channel?.shutdownWrite() }
    if await child.gone(within: grace, loop) { return }
    child.signal(SIGTERM)
    if await child.gone(within: grace, loop) { return }
    child.signal(SIGKILL)
    _ = await child.gone(within: .seconds(10), loop)
  }

  // MARK: - On the loop

  private func begin(_ wire: Int32, _ errors: Int32) {
    let notes = NoteReader(limit: Self.maxNoteBytes) { [inbox] in
      _ = inbox.push(.note($0), weight: $0.utf8.count + 64)
    }
    self.notes = notes
    notes.start(Channel(errors, loop: loop, remote: "stderr"))
    let channel = Channel(wire, loop: loop, remote: "stdio")
    self.channel = channel
    _ = channel.start(self)
  }

  func channelRead(_ bytes: UnsafeMutableRawBufferPointer) {
    var rest = UnsafeRawBufferPointer(bytes)[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      var line = partial + rest[..<end]
      partial.removeAll(keepingCapacity: true)
      rest = rest[(end + 1)...]
      if line.last == UInt8(ascii: "\r") { line.removeLast() }
      if !inbox.push(.line(line), weight: line.count + 64) {
        isPaused = true
        channel?.pauseReading()
      }
    }
    received += bytes.count
    partial.append(contentsOf: rest)
    if partial.count > maxLineBytes { finish("a line of its output has more than \(maxLineBytes) bytes") }
  }

  /// Without output it is of no use. Mostly it is about to end; how it does is not changed by that.
  func channelEOF() {
    hasEOF = true
    if let ending { finish(ending) } else { child.signal(SIGKILL) }
  }

  func channelDrained() {}

  func channelClosed(_ end: ChannelEnd) {
    channel = nil
    // A program that ends with input unread resets the socket: an end of the output as good as any.
    if !hasEOF { channelEOF() }
  }

  private func exited(_ text: String) {
    ending = text
    if hasEOF { return finish(text) }
    waitForEOF(text, behind: received)
  }

  /// Who has left its group may hold the other end of its output; as long as there is more of that, or
  /// nobody takes it, it has not ended.
  private func waitForEOF(_ text: String, behind seen: Int) {
    loop.schedule(after: Self.apart) {
      guard self.isPaused || self.received > seen else { return self.finish(text) }
      self.waitForEOF(text, behind: self.received)
    }
  }

  /// Nothing more is told, and nothing is left running.
  private func finish(_ text: String) {
    guard !isOver else { return }
    isOver = true
    child.signal(SIGKILL)
    channel?.reset()
    notes?.end()
    _ = inbox.push(.ended(text), weight: 0)
  }
}

/// The process itself, from its start until it is gone.
private final class Child: Sendable {
  private let number: pid_t
  /// Its number may belong to another one once it is reaped, so both happen under the lock.
  private let isGone = Mutex(false)
  private let gone = Waiters()

  init(_ number: pid_t) { self.number = number }

  /// To the whole group.
  func signal(_ signal: Int32) {
    isGone.withLock { if !$0 { _ = kill(-number, signal) } }
  }

  /// Waits on the calling thread, takes what the process has left behind with it, and says how it ended.
  func wait() -> String {
    var information = siginfo_t()
    // Left as a zombie until its group is gone: so the number of the group is still its own.
    _ = Sys.retry { Sys.once(Int(waitid(P_PID, id_t(number), &information, WEXITED | WNOWAIT))) }
    var status: Int32 = 0
    isGone.withLock {
      _ = kill(-number, SIGKILL)
      _ = Sys.retry { Sys.once(Int(waitpid(number, &status, 0))) }
      $0 = true
    }
    gone.open()
    let signal = status & 0x7F
    return signal == 0
      ? "it ended with exit code \((status >> 8) & 0xFF)" : "it was ended by signal \(signal)"
  }

  /// Whether it is gone, at the latest after `limit`; not cut short by cancellation.
  func gone(within limit: Duration, _ loop: EventLoop) async -> Bool { await gone.wait(within: limit, loop) }
}

/// Reads standard error line by line.
private final class NoteReader: ChannelDelegate {
  private let limit: Int
  private let report: (String) -> Void
  private var channel: Channel?
  private var line: [UInt8] = []

  init(limit: Int, report: @escaping (String) -> Void) {
    self.limit = limit
    self.report = report
  }

  func start(_ channel: Channel) {
    self.channel = channel
    _ = channel.start(self)
  }

  func channelRead(_ bytes: UnsafeMutableRawBufferPointer) {
    for piece in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
      keep(piece)
      tell()
    }
    let begun = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    keep(bytes[begun...])
  }

  private func keep(_ piece: Slice<UnsafeMutableRawBufferPointer>) {
    line.append(contentsOf: piece.prefix(max(limit - line.count, 0)))
  }

  private func tell() {
    if !line.isEmpty { report(String(decoding: line, as: UTF8.self)) }
    line.removeAll(keepingCapacity: true)
  }

  func channelEOF() { end() }
  func channelDrained() {}
  func channelClosed(_ end: ChannelEnd) { channel = nil }

  func end() {
    tell()
    channel?.reset()
  }
}

/// Two connected sockets: ours does not block, theirs does.
private struct SocketPair: ~Copyable {
  private var ours: Int32
  let theirs: Int32

  init() throws(TransportError) {
    var ends: [Int32] = [-1, -1]
    #if canImport(Glibc)
      let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    #else
      let kind = SOCK_STREAM
    #endif
    let result = Sys.once(Int(socketpair(AF_UNIX, kind, 0, &ends)))
    guard result >= 0 else { throw .system("create a pair of sockets", -result) }
    (ours, theirs) = (ends[0], ends[1])
    #if !canImport(Glibc)
      _ = fcntl(theirs, F_SETFD, FD_CLOEXEC)
      Sys.prepare(ours)
    #endif
    _ = fcntl(ours, F_SETFL, fcntl(ours, F_GETFL) | O_NONBLOCK)
  }

  mutating func takeOurs() -> Int32 {
    defer { ours = -1 }
    return ours
  }

  deinit {
    if ours >= 0 { Sys.close(ours) }
    Sys.close(theirs)
  }
}
