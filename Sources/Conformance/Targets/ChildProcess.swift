import Foundation
internal import Transport

/// A program that the runner has started, and will stop.
package final class ChildProcess: @unchecked Sendable {
  // Invariant: every var is touched under `lock`; `process` is not changed once it runs.
  package enum Status: Sendable, Equatable {
    case exited(Int)
    case signalled(Int32)

    package var text: String {
      switch self {
      case .exited(let code): "ended with exit code \(code)"
      case .signalled(let signal): "was ended by signal \(signal)"
      }
    }
  }

  private let process = Process()
  private let lock = Lock()
  private var output: [String] = []
  private var partial: [UInt8] = []
  /// The line that has begun, of each stream.
  private var begun: [[UInt8]] = [[], []]
  private var status: Status?
  private var firstOutput: String?
  private var openPipes = 2
  package let name: String

  private static let keptLines = 30
  private static let keptLineBytes = 400

  /// Starts `argv`, looked for in PATH unless it names a path.
  ///
  /// - Parameters:
  ///   - environment: the whole environment of the process.
  ///   - socket: its standard input and output, closed here in any case.
  package init(
    _ argv: [String], environment: [String: String], children: Children, socket: Int32? = nil
  ) throws(TargetProblem) {
    let wire = socket.map { FileHandle(fileDescriptor: $0, closeOnDealloc: false) }
    defer { try? wire?.close() }
    guard let program = argv.first, let path = Programs.find(program, path: environment["PATH"] ?? "") else {
      throw TargetProblem("cannot start \(argv.first ?? "nothing"): no such program")
    }
    name = URL(filePath: program).lastPathComponent
    process.executableURL = URL(filePath: path)
    process.arguments = Array(argv.dropFirst())
    process.environment = environment
    process.standardInput = wire ?? .nullDevice
    let out = wire == nil ? Pipe() : nil
    let errors = Pipe()
    process.standardOutput = wire ?? out
    process.standardError = errors
    process.terminationHandler = { [weak self] process in
      let isExit = process.terminationReason == .exit
      let code = process.terminationStatus
      self?.ended(isExit ? .exited(Int(code)) : .signalled(code))
    }
    do {
      try children.add(self) { try Programs.withoutBlockedSignals { try process.run() } }
    } catch {
      throw TargetProblem("cannot start \(program): \(error.localizedDescription)")
    }
    if let out { read(out.fileHandleForReading, isOutput: true) } else { pipeEnded() }
    read(errors.fileHandleForReading, isOutput: false)
  }

  /// Reads on a thread until the other end is closed: a readability handler of FileHandle crashes
  /// now and then when its descriptor is closed while the event loop of libdispatch looks at it.
  private func read(_ handle: FileHandle, isOutput: Bool) {
    Thread.detachNewThread { [weak self] in
      var buffer = [UInt8](repeating: 0, count: 16 * 1024)
      while true {
        let count = buffer.withUnsafeMutableBytes {
          Foundation.read(handle.fileDescriptor, $0.baseAddress, $0.count)
        }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { break }
        self?.take(Array(buffer[..<count]), isOutput: isOutput)
      }
      // The pipe outlives its process in Foundation, which looks through all descriptors at each start.
      try? handle.close()
      self?.pipeEnded()
    }
  }

  private func take(_ bytes: [UInt8], isOutput: Bool) {
    lock.withLock {
      if isOutput, firstOutput == nil {
        partial += bytes
        if let end = partial.firstIndex(of: UInt8(ascii: "\n")) {
          firstOutput = String(decoding: partial[..<end], as: UTF8.self)
          partial = []
        } else if partial.count > 64 * 1024 {
          firstOutput = ""
        }
      }
      // A line may come in pieces.
      let place = isOutput ? 0 : 1
      let pieces = (begun[place] + bytes).split(
        separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      for line in pieces.dropLast() where !line.isEmpty { keep(line) }
      begun[place] = Array((pieces.last ?? []).prefix(Self.keptLineBytes))
    }
  }

  /// Under the lock.
  private func keep(_ line: ArraySlice<UInt8>) {
    output.append(String(decoding: line.prefix(Self.keptLineBytes), as: UTF8.self))
    if output.count > Self.keptLines { output.removeFirst() }
  }

  private func pipeEnded() {
    lock.withLock {
      openPipes -= 1
      guard openPipes == 0 else { return }
      for line in begun where !line.isEmpty { keep(line[...]) }
      begun = [[], []]
    }
  }

  private func ended(_ status: Status) {
    lock.withLock { self.status = status }
  }

  /// How it ended; nil while it runs.
  package var ending: Status? { lock.withLock { status } }

  /// What it wrote last, both streams. Of a process that has ended, all of it, unless what it
  /// started still holds the other end.
  package func lines() async -> [String] {
    if ending != nil {
      _ = await poll(within: .milliseconds(500)) { self.lock.withLock { self.openPipes == 0 ? true : nil } }
    }
    return lock.withLock { output + begun.filter { !$0.isEmpty }.map { String(decoding: $0, as: UTF8.self) } }
  }

  package func signal(_ number: Int32) {
    guard ending == nil, process.processIdentifier > 0 else { return }
    let pid = process.processIdentifier
    // A process of its own group takes its children with it.
    if getpgid(pid) == pid { kill(-pid, number) } else { kill(pid, number) }
  }

  /// Also what it has started and left behind.
  package func signalGroup(_ number: Int32) {
    let pid = process.processIdentifier
    // Its group has its number as long as anybody is in it.
    guard pid > 0, ending == nil ? getpgid(pid) == pid : true else { return signal(number) }
    kill(-pid, number)
  }

  /// Waits for its end; nil if it goes on past `limit`.
  package func wait(within limit: Duration) async -> Status? {
    await poll(within: limit) { self.ending }
  }

  /// The first line of its standard output; nil if none comes or it ends before.
  package func firstLine(within limit: Duration) async -> String? {
    let found: String?? = await poll(within: limit) {
      let line = self.lock.withLock { self.firstOutput }
      if let line { return .some(line) }
      return self.ending == nil ? nil : .some(nil)
    }
    return found ?? nil
  }

  private func poll<Found>(within limit: Duration, _ look: () -> Found?) async -> Found? {
    let deadline = ContinuousClock.now + limit
    while true {
      if let found = look() { return found }
      guard ContinuousClock.now < deadline else { return nil }
      try? await Task.sleep(for: .milliseconds(5))
    }
  }

  /// Ends it by `signal`, after `grace` by SIGKILL.
  @discardableResult
  package func stop(_ signal: Int32 = SIGKILL, grace: Duration = .seconds(15)) async -> Status? {
    self.signal(signal)
    if let status = await wait(within: grace) { return status }
    self.signal(SIGKILL)
    return await wait(within: .seconds(10))
  }
}

/// Every process that was started, so that none outlives the run, whatever ends it.
package final class Children: @unchecked Sendable {
  // Invariant: every var is touched under `lock`.
  private let lock = Lock()
  private var isOver = false
  private var all: [ChildProcess] = []
  private var folders: [URL] = []
  private var ports: Set<UInt16> = []

  package init() {}

  /// A folder of theirs that goes with them.
  func own(_ folder: URL) { lock.withLock { folders.append(folder) } }

  /// False if another child was given the port; a long run begins again before it has had them all.
  func claim(_ port: UInt16) -> Bool {
    lock.withLock {
      if ports.count > 4096 { ports.removeAll() }
      return ports.insert(port).inserted
    }
  }

  /// Starts a child and remembers it in one step: one that is started while `killAll` runs would
  /// be missed.
  func add(_ child: ChildProcess, start: () throws -> Void) throws {
    try lock.withLock {
      if isOver { throw CancellationError() }
      try start()
      all.removeAll { $0.ending != nil }
      all.append(child)
    }
  }

  /// Ends what still runs, without waiting, removes their folders, and lets nothing start any more.
  package func killAll() {
    let (children, folders) = lock.withLock {
      isOver = true
      return (self.all, self.folders)
    }
    for child in children { child.signal(SIGKILL) }
    for folder in folders { try? FileManager.default.removeItem(at: folder) }
  }
}
