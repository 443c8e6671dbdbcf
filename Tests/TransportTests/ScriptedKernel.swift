@testable import Transport

#if canImport(Glibc)
  import CLinux
  import Glibc
#else
  import Darwin
#endif

/// A kernel that lets calls come out as a test wants them. Give it to one loop and put the peer on
/// another, so that only one side is scripted.
final class ScriptedKernel: Kernel, @unchecked Sendable {
  // Invariant: `scripts` and `counts` are touched under `lock`.
  enum Call: Hashable, Sendable { case send, receive, read, write, accept, connect, pendingError, wait }

  enum Outcome: Sendable {
    /// What the real kernel says.
    case real
    /// The same for at most so many bytes.
    case upTo(Int)
    /// Nothing is done.
    case error(Int32)
    /// It is done, and said not to be.
    case doneBut(Int32)
  }

  private let lock = Lock()
  private var scripts: [Call: @Sendable (Int) -> Outcome] = [:]
  private var counts: [Call: Int] = [:]
  /// Told of each `receive`, once it is made.
  let received = Mailbox<Void>()

  /// Asks `script` how a call comes out, by its number from 0.
  convenience init(_ scripts: [Call: @Sendable (Int) -> Outcome]) {
    self.init()
    self.scripts = scripts
  }

  /// The first calls come out like this, and those behind them as they really do.
  static func first(_ outcomes: [Outcome]) -> @Sendable (Int) -> Outcome {
    { $0 < outcomes.count ? outcomes[$0] : .real }
  }

  /// How often it was made so far.
  func count(_ call: Call) -> Int { lock.withLock { counts[call, default: 0] } }

  private func next(_ call: Call) -> Outcome {
    lock.withLock {
      let number = counts[call, default: 0]
      counts[call] = number + 1
      return scripts[call]?(number) ?? .real
    }
  }

  private func play(_ call: Call, bytes: Int = 0, _ real: (Int) -> Int) -> Int {
    switch next(call) {
    case .real: return real(bytes)
    case .upTo(let limit): return real(min(limit, bytes))
    case .error(let code): return -Int(code)
    case .doneBut(let code):
      _ = real(bytes)
      return -Int(code)
    }
  }

  override func send(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    play(.send, bytes: bytes.count) { super.send(fd, UnsafeRawBufferPointer(rebasing: bytes[..<$0])) }
  }

  override func receive(_ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    defer { received.post(()) }
    return play(.receive, bytes: buffer.count) {
      super.receive(fd, UnsafeMutableRawBufferPointer(rebasing: buffer[..<$0]))
    }
  }

  override func read(_ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    play(.read, bytes: buffer.count) {
      super.read(fd, UnsafeMutableRawBufferPointer(rebasing: buffer[..<$0]))
    }
  }

  override func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    play(.write, bytes: bytes.count) { super.write(fd, UnsafeRawBufferPointer(rebasing: bytes[..<$0])) }
  }

  override func accept(_ fd: Int32, _ remote: inout SocketAddress) -> Int {
    play(.accept) { _ in super.accept(fd, &remote) }
  }

  override func connect(_ fd: Int32, _ address: SocketAddress) -> Int {
    play(.connect) { _ in super.connect(fd, address) }
  }

  override func pendingError(_ fd: Int32) -> Int {
    abs(play(.pendingError) { _ in super.pendingError(fd) })
  }

  #if canImport(Glibc)
    override func epollWait(
      _ epoll: Int32, _ events: UnsafeMutableBufferPointer<epoll_event>, milliseconds: Int32
    ) -> Int {
      play(.wait) { _ in super.epollWait(epoll, events, milliseconds: milliseconds) }
    }
  #endif

  override func poll(_ entries: UnsafeMutableBufferPointer<pollfd>, milliseconds: Int32) -> Int {
    play(.wait) { _ in super.poll(entries, milliseconds: milliseconds) }
  }
}
