import Synchronization

#if canImport(Glibc)
  internal import CLinux
  internal import Glibc
#else
  internal import Darwin
#endif

/// What owns a descriptor that a loop watches.
protocol PollSource: AnyObject {
  func pollReady(_ ready: Readiness)
  /// The loop ends: give the descriptor back.
  func loopEnds()
}

/// A thread that owns sockets and runs what concerns them, one thing after the other.
///
/// A turn: wait for descriptors, serve those that are ready, run submitted jobs, run due timers,
/// send what these have queued.
package final class EventLoop: @unchecked Sendable {
  package enum Backend: Sendable { case system, poll }

  // Invariant: `jobs`, `isWoken` and `phase` are touched under `lock`; everything under "loop
  // only" is touched only by the loop's thread, or before it starts.
  private enum Phase { case idle, running, stopping, ended }

  package let name: String
  let kernel: Kernel
  private let lock = Lock()
  private var jobs: [@Sendable () -> Void] = []
  private var isWoken = false
  private var phase = Phase.idle
  private let thread = Atomic<UInt>(0)
  private let ended = Condition()
  private let wakeReader: Int32
  private let wakeWriter: Int32

  // Loop only.
  private struct Slot {
    var generation: UInt32 = 0
    var source: (any PollSource)?
  }
  private let poller: any Poller
  private var slots: [Slot] = []
  private var freeSlots: [UInt32] = []
  var timers = TimerHeap()
  private var unflushed: [Channel] = []
  private var spareBuffers: [[UInt8]] = []
  private var running: [@Sendable () -> Void] = []
  /// Every socket of the loop is read into this.
  let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 64)
  /// Monotonic nanoseconds, read once a turn.
  private(set) var now = Sys.now()
  let httpDate = HTTPDate()

  private static let wakeToken = UInt64.max

  package convenience init(name: String, backend: Backend = .system) throws(TransportError) {
    try self.init(name: name, backend: backend, kernel: Kernel())
  }

  init(name: String, backend: Backend, kernel: Kernel) throws(TransportError) {
    self.name = name
    self.kernel = kernel
    #if canImport(Glibc)
      poller = backend == .poll ? PollPoller(kernel) : try EpollPoller(kernel)
      wakeReader = linux_eventfd()
      wakeWriter = wakeReader
    #else
      poller = PollPoller(kernel)
      var ends: [Int32] = [-1, -1]
      wakeReader = pipe(&ends) == 0 ? ends[0] : -1
      wakeWriter = ends[1]
      Sys.prepare(wakeReader)
      Sys.prepare(wakeWriter)
    #endif
    guard wakeReader >= 0 else { throw TransportError.system("create a wake-up descriptor", Int(errno)) }
    _ = poller.add(wakeReader, token: Self.wakeToken, .readable)
  }

  deinit {
    Sys.close(wakeReader)
    if wakeWriter != wakeReader { Sys.close(wakeWriter) }
    readBuffer.deallocate()
  }

  /// Whether the caller runs on this loop.
  @inline(__always)
  package var isCurrent: Bool { thread.load(ordering: .relaxed) == Threads.current }

  /// Whether the thread runs; before and after, what belongs to the loop may be used from outside.
  var isRunning: Bool { lock.withLock { phase == .running || phase == .stopping } }

  /// Starts the thread; a second call does nothing.
  package func start() {
    let begins = lock.withLock {
      guard phase == .idle else { return false }
      phase = .running
      return true
    }
    guard begins else { return }
    guard Threads.spawn(name, { self.run() }) else {
      lock.withLock { phase = .ended }
      ended.open()
      return
    }
  }

  /// Ends the loop: jobs already submitted run, sockets close, timers are dropped. Waits for that
  /// unless called on the loop itself.
  package func stop() {
    // Nobody will run these, and they may hold this loop; they go when the lock is given back.
    var dropped: [@Sendable () -> Void] = []
    let waits = lock.withLock {
      if phase == .idle {
        phase = .ended
        swap(&jobs, &dropped)
      }
      if phase == .running { phase = .stopping }
      return phase == .stopping
    }
    guard waits else { return }
    wake()
    if !isCurrent { ended.wait() }
  }

  /// Runs `job` on the loop, after those submitted before; false when the loop has ended.
  @discardableResult
  package func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
    var mustWake = false
    let isTaken = lock.withLock {
      guard phase != .ended else { return false }
      jobs.append(job)
      mustWake = !isWoken
      isWoken = true
      return true
    }
    if mustWake && !isCurrent { wake() }
    return isTaken
  }

  /// Runs `job` now when on the loop, else submits it.
  @discardableResult
  package func run(_ job: @escaping @Sendable () -> Void) -> Bool {
    guard isCurrent else { return submit(job) }
    job()
    return true
  }

  /// Runs `job` on the loop after a time, from any thread.
  @discardableResult
  package func schedule(after delay: Duration, _ job: @escaping @Sendable () -> Void) -> ScheduledTimer {
    let timer = ScheduledTimer(self, job)
    let due = Sys.now() + delay.nanoseconds
    if isCurrent {
      timers.insert(timer, due: due)
    } else {
      submit { if !timer.isCancelled { self.timers.insert(timer, due: due) } }
    }
    return timer
  }

  /// The same for what is confined to the loop.
  func scheduleHere(nanoseconds delay: Int64, _ job: @escaping () -> Void) -> ScheduledTimer {
    let timer = ScheduledTimer(self, job)
    timers.insert(timer, due: now + delay)
    return timer
  }

  private func wake() {
    var one: UInt64 = 1
    _ = withUnsafeBytes(of: &one) { Sys.write(wakeWriter, $0) }
  }

  // MARK: The thread

  private func run() {
    thread.store(Threads.current, ordering: .relaxed)
    // Whom the loop served last, and whether it was another one before.
    var last = Self.wakeToken
    var isCrowd = false
    while true {
      // Several are talking: whoever else wants this core has a turn now, and what they send meanwhile
      // is served together. Where clients live on the same cores, loops that sleep and are woken for a
      // message each lose a third to it. With one client there is nothing to gather: sleep at once.
      if isCrowd { sched_yield() }
      isCrowd = false
      var isFresh = false
      poller.wait(milliseconds: timeout()) { token, ready in
        if !isFresh {
          now = Sys.now()
          isFresh = true
        }
        guard token != Self.wakeToken else { return drainWakeUps() }
        if token != last { isCrowd = true }
        last = token
        let place = Int(token & 0xFFFF_FFFF)
        // A stale event of a descriptor closed earlier in this batch has an old generation.
        guard slots[place].generation == UInt32(token >> 32), let source = slots[place].source else { return }
        source.pollReady(ready)
      }
      now = Sys.now()
      let goesOn = runJobs()
      while let event = timers.popDue(now) { event.isDue() }
      flush()
      guard goesOn else { break }
    }
    end()
  }

  private func timeout() -> Int32 {
    if lock.withLock({ !jobs.isEmpty || phase != .running }) { return 0 }
    guard let soonest = timers.soonest else { return -1 }
    // Rounded up, so that a timer is never early.
    let milliseconds = (soonest - Sys.now() + 999_999) / 1_000_000
    return Int32(max(0, min(milliseconds, 3_600_000)))
  }

  private func drainWakeUps() {
    // An eventfd is emptied by one read, a pipe perhaps by the next turn's.
    var bytes: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    _ = withUnsafeMutableBytes(of: &bytes) { Sys.read(wakeReader, $0) }
  }

  /// Runs what has been submitted so far; false once the loop shall end.
  private func runJobs() -> Bool {
    let goesOn = lock.withLock {
      swap(&jobs, &running)
      isWoken = false
      return phase == .running
    }
    for job in running { job() }
    running.removeAll(keepingCapacity: running.count < 1024)
    return goesOn
  }

  private func flush() {
    // Flushing may queue more, on this channel or another.
    while let channel = unflushed.popLast() { channel.flushQueued() }
  }

  private func end() {
    for slot in slots { slot.source?.loopEnds() }
    // Closing may submit jobs that wake waiting callers: they run too.
    while true {
      let isDone = lock.withLock {
        guard jobs.isEmpty else { return false }
        phase = .ended
        return true
      }
      if isDone { break }
      _ = runJobs()
    }
    timers.removeAll()
    for slot in slots { slot.source?.loopEnds() }
    slots.removeAll()
    unflushed.removeAll()
    ended.open()
  }

  // MARK: What sockets use, loop only

  /// Starts watching; nil when the system refuses.
  func register(_ fd: Int32, _ source: any PollSource, _ interest: Readiness) -> UInt64? {
    let place = freeSlots.popLast() ?? UInt32(slots.count)
    if place == slots.count { slots.append(Slot()) }
    let token = UInt64(slots[Int(place)].generation) << 32 | UInt64(place)
    guard poller.add(fd, token: token, interest) >= 0 else {
      freeSlots.append(place)
      return nil
    }
    slots[Int(place)].source = source
    return token
  }

  func change(_ fd: Int32, token: UInt64, _ interest: Readiness) {
    poller.change(fd, token: token, interest)
  }

  /// Stops watching; call before closing `fd`.
  func deregister(_ fd: Int32, token: UInt64) {
    poller.remove(fd)
    let place = Int(token & 0xFFFF_FFFF)
    guard place < slots.count else { return }
    slots[place].source = nil
    // Generations stay below 2^32 - 1, so no token equals that of the wake-up.
    slots[place].generation = (slots[place].generation + 1) % 0x7FFF_FFFF
    freeSlots.append(UInt32(place))
  }

  func flushLater(_ channel: Channel) { unflushed.append(channel) }

  /// A write buffer lent to a channel while it has something to send.
  func takeBuffer() -> [UInt8] { spareBuffers.popLast() ?? [] }

  func giveBack(_ buffer: consuming [UInt8]) {
    guard buffer.capacity <= 64 * 1024, spareBuffers.count < 64 else { return }
    buffer.removeAll(keepingCapacity: true)
    spareBuffers.append(buffer)
  }
}

/// A gate that opens once.
final class Condition: @unchecked Sendable {
  // Invariant: `isOpen` is touched under the monitor's lock.
  private let monitor = Monitor()
  private var isOpen = false

  func open() { monitor.change { isOpen = true } }

  func wait() { monitor.wait(until: isOpen) {} }
}

/// A value that belongs to a loop, carried across threads.
package struct LoopBound<Value>: @unchecked Sendable {
  // Invariant: `stored` is read only where `loop.isCurrent` holds, which `value` checks.
  package let loop: EventLoop
  private let stored: Value

  package init(_ value: Value, on loop: EventLoop) {
    self.loop = loop
    self.stored = value
  }

  package var value: Value {
    precondition(loop.isCurrent, "a value of loop \(loop.name) was used outside it")
    return stored
  }
}
