import Testing

@testable import Transport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

private enum Told: Equatable, Sendable {
  case line(String)
  case long, end, broken, room
}

/// Keeps what it is told; used on the loop of its pipe.
private final class Listening: LinePipeHandler, @unchecked Sendable {
  // Invariant: `onEachLine` is set before the pipe is started.
  let told = Mailbox<Told>()
  var onEachLine: () -> Void = {}

  func onLine(_ bytes: UnsafeRawBufferPointer) {
    told.post(.line(String(decoding: bytes, as: UTF8.self)))
    onEachLine()
  }
  func onLongLine() { told.post(.long) }
  func onEnd() { told.post(.end) }
  func onBroken(_ reason: String) { told.post(.broken) }
  func onRoom() { told.post(.room) }
}

/// A pipe of lines whose other ends the test holds.
private struct Fixture: ~Copyable {
  let pipe: LinePipe
  let listening = Listening()
  private(set) var writer: Int32
  private(set) var reader: Int32

  init(_ loop: EventLoop, room: Int = 1 << 20) {
    var (input, output): ([Int32], [Int32]) = ([0, 0], [0, 0])
    makePipe(&input)
    makePipe(&output)
    writer = input[1]
    reader = output[0]
    pipe = LinePipe(input: input[0], output: output[1], maxLineBytes: 100, maxUnsentBytes: room, on: loop)
  }

  func start() {
    let (pipe, listening) = (pipe, listening)
    pipe.loop.submit { #expect(pipe.start(listening)) }
  }

  func onLoop(_ body: @escaping @Sendable (LinePipe) -> Void) {
    let pipe = pipe
    pipe.loop.submit { body(pipe) }
  }

  func send(_ text: String) {
    let bytes = Array(text.utf8)
    #expect(write(writer, bytes, bytes.count) == bytes.count)
  }

  func say(_ text: String) { onLoop { pipe in Array(text.utf8).withUnsafeBytes { pipe.write($0) } } }

  /// Takes the next thing that is told, which must be this one.
  func expect(_ expected: Told, _ place: SourceLocation = #_sourceLocation) async throws {
    let told = try await listening.told.next()
    #expect(told == expected, sourceLocation: place)
  }

  /// As of when all that was said before has been taken by the pipe.
  func unsent() async throws -> Int {
    let count = Mailbox<Int>()
    onLoop { count.post($0.unsent) }
    return try await count.next()
  }

  mutating func closeWriter() {
    close(writer)
    writer = -1
  }

  mutating func closeReader() {
    close(reader)
    reader = -1
  }

  deinit {
    if writer >= 0 { close(writer) }
    if reader >= 0 { close(reader) }
  }
}

/// Beside `LinePipe.pipe` of the fixture the function could not be named.
private func makePipe(_ ends: inout [Int32]) { #expect(pipe(&ends) == 0) }

/// What can be read until the end of the stream.
private func everything(_ fd: Int32) -> String {
  var all: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while case let count = read(fd, &buffer, buffer.count), count > 0 { all += buffer[..<count] }
  return String(decoding: all, as: UTF8.self)
}

@Suite("Lines over two descriptors")
struct LinePipeTests {
  @Test("lines go both ways, and both ends end")
  func both() async throws {
    try await withLoop { loop in
      var fixture = Fixture(loop)
      fixture.start()
      fixture.send("one\r\n\ntwo\nthr")
      fixture.send("ee\n")
      fixture.send(String(repeating: "x", count: 1000) + "\nlast")
      fixture.say("answer")
      fixture.closeWriter()
      let expected: [Told] = [.line("one"), .line("two"), .line("three"), .long, .line("last"), .end]
      for told in expected { try await fixture.expect(told) }
      fixture.say("late")
      _ = try await fixture.unsent()
      #expect(await fixture.pipe.finish(within: patience))
      #expect(everything(fixture.reader) == "answer\nlate\n")
    }
  }

  @Test("nothing is told while reading is paused, and nothing is lost")
  func pause() async throws {
    try await withLoop { loop in
      var fixture = Fixture(loop)
      let pipe = fixture.pipe
      fixture.listening.onEachLine = { pipe.pauseReading() }
      fixture.start()
      fixture.send("one\ntwo\nthree")
      fixture.closeWriter()
      for line in ["one", "two", "three"] {
        try await fixture.expect(.line(line))
        let listening = fixture.listening
        fixture.onLoop { _ in listening.told.post(.room) }
        try await fixture.expect(.room)
        fixture.onLoop { $0.resumeReading() }
      }
      try await fixture.expect(.end)
    }
  }

  @Test("what nobody reads is counted, and room is told of when there is some")
  func unsent() async throws {
    try await withLoop { loop in
      let fixture = Fixture(loop, room: 1 << 20)
      fixture.start()
      let line = String(repeating: "x", count: 1 << 20)
      fixture.say(line)
      // A pipe holds 64 KiB of it or so.
      let unsent = try await fixture.unsent()
      #expect(unsent > 1 << 19)
      #expect(await fixture.pipe.finish(within: .milliseconds(1)) == false)
      #expect(everything(fixture.reader) == line + "\n")
      try await fixture.expect(.room)
      #expect(await fixture.pipe.finish(within: patience))
    }
  }

  @Test("a reader that is gone is told of once, and costs nothing more")
  func broken() async throws {
    signal(SIGPIPE, SIG_IGN)
    try await withLoop { loop in
      var fixture = Fixture(loop)
      fixture.start()
      fixture.closeReader()
      fixture.say("into the void")
      try await fixture.expect(.broken)
      fixture.say("again")
      let unsent = try await fixture.unsent()
      #expect(unsent == 0)
      #expect(await fixture.pipe.finish(within: patience) == false)
    }
  }

  @Test("interruptions, short writes and descriptors that do not block change nothing")
  func kernel() async throws {
    let kernel = ScriptedKernel([
      .read: ScriptedKernel.first([.error(EINTR), .error(EAGAIN), .upTo(3), .error(EINTR), .upTo(1)]),
      .write: ScriptedKernel.first([.error(EINTR), .upTo(1), .error(EAGAIN), .upTo(2)]),
    ])
    try await withLoop(kernel: kernel) { loop in
      var fixture = Fixture(loop)
      fixture.start()
      fixture.send("hello\nthere\n")
      fixture.closeWriter()
      for told in [Told.line("hello"), .line("there"), .end] {
        try await fixture.expect(told)
      }
      fixture.say("answer")
      _ = try await fixture.unsent()
      #expect(await fixture.pipe.finish(within: patience))
      #expect(everything(fixture.reader) == "answer\n")
    }
  }

  @Test("a read that fails is the end of the input")
  func failure() async throws {
    let kernel = ScriptedKernel([.read: ScriptedKernel.first([.upTo(2), .error(EIO)])])
    try await withLoop(kernel: kernel) { loop in
      let fixture = Fixture(loop)
      fixture.start()
      fixture.send("ab")
      try await fixture.expect(.line("ab"))
      try await fixture.expect(.end)
    }
  }
}
