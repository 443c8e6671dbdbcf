import Foundation
import Testing

@testable import Transport

@Suite("Programs spoken with in lines")
struct LineProcessTests {
  /// A program for one test, which has ended with it.
  private func withShell<R>(
    _ script: String, maxLineBytes: Int = 1 << 16, _ body: (LineProcess) async throws -> R
  ) async throws -> R {
    try await withLoop { loop in
      let process = try LineProcess.start(
        ["sh", "-c", script], environment: ProcessInfo.processInfo.environment, maxLineBytes: maxLineBytes,
        on: loop)
      do {
        let result = try await body(process)
        await process.stop(grace: .seconds(10))
        return result
      } catch {
        await process.stop(grace: .zero)
        throw error
      }
    }
  }

  private func events(_ process: LineProcess) async -> [LineProcess.Event] {
    var events: [LineProcess.Event] = []
    while let event = await process.next() {
      events.append(event)
      if case .ended = event { break }
    }
    return events
  }

  private func line(_ text: String) -> LineProcess.Event { .line(Array(text.utf8)) }

  @Test("lines go both ways, and the end of the input ends the program")
  func echo() async throws {
    try await withShell("while read -r line; do echo \"got $line\"; done; exit 3") { process in
      process.send(Array("one".utf8))
      #expect(await process.next() == line("got one"))
      process.send(Array("two".utf8))
      #expect(await process.next() == line("got two"))
      await process.stop(grace: .seconds(20))
      #expect(await events(process) == [.ended("it ended with exit code 3")])
    }
  }

  @Test("output ends at the last line, and standard error is for people")
  func streams() async throws {
    try await withShell("printf 'a\\r\\n\\nb\\nrest'; echo note >&2") { process in
      let events = await events(process)
      #expect(events.last == .ended("it ended with exit code 0"))
      #expect(events.filter { $0 != .note("note") }.dropLast() == [line("a"), line(""), line("b")])
      #expect(events.contains(.note("note")))
    }
  }

  @Test("a program that is killed says by which signal")
  func killed() async throws {
    try await withShell("kill -9 $$") { process in
      #expect(await events(process).last == .ended("it was ended by signal 9"))
    }
  }

  @Test("a program that listens to nothing is killed, and so is what it started")
  func stubborn() async throws {
    try await withShell("trap '' TERM; sleep 600 & echo $!; while true; do sleep 600; done") { process in
      guard case .line(let bytes) = await process.next() else {
        Issue.record("no number")
        return
      }
      let child = try #require(pid_t(String(decoding: bytes, as: UTF8.self)))
      await process.stop(grace: .milliseconds(50))
      guard case .ended = await events(process).last else {
        Issue.record("it goes on")
        return
      }
      // Whoever adopts it may take a while to see that it is gone.
      let end = ContinuousClock.now + patience
      while !Self.isGone(child) {
        try #require(.now < end, "its child goes on")
        await Task.yield()
      }
    }
  }

  private static func isGone(_ process: pid_t) -> Bool {
    if kill(process, 0) != 0 { return true }
    let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
    return stat?.contains(") Z ") ?? true
  }

  @Test("a line past the limit ends the program")
  func longLine() async throws {
    try await withShell("printf '%0200d'; sleep 600", maxLineBytes: 100) { process in
      #expect(await events(process) == [.ended("a line of its output has more than 100 bytes")])
    }
  }

  @Test("a program that is not there is an error")
  func missing() async throws {
    try await withLoop { loop in
      _ = #expect(throws: TransportError.system("start no-such-program", Int(ENOENT))) {
        try LineProcess.start(
          ["no-such-program"], environment: ["PATH": "/bin:/usr/bin"], maxLineBytes: 100, on: loop)
      }
    }
  }

  @Test("who reads too slowly makes the program wait, and loses nothing")
  func flood() async throws {
    try await withShell("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done", maxLineBytes: 1024) {
      process in
      let events = await events(process)
      #expect(events.count == 20_001)
      #expect(events.dropLast().last == line("19999"))
    }
  }

  @Test("the end of the loop ends the program")
  func loopEnds() async throws {
    let process = try await withLoop { loop in
      let process = try LineProcess.start(
        ["sh", "-c", "trap '' TERM; echo up; while true; do sleep 600; done"],
        environment: ProcessInfo.processInfo.environment, maxLineBytes: 100, on: loop)
      #expect(await process.next() == line("up"))
      return process
    }
    #expect(await events(process).last == .ended("it was ended by signal 9"))
  }
}
