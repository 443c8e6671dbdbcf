import Conformance
import Diagnostics
import Foundation
import Transport

/// Records what a client and a server say over stdio: this program is what the client starts, and it
/// starts the server.
struct StdioRecording {
  private let command: String
  private let arguments: Arguments
  /// How long a server has to end once its input has, before it is ended. Clients wait for two seconds.
  private static let grace = Duration.seconds(1)
  private static let longestLine = 64 << 20

  init(_ arguments: Arguments, _ command: String) throws {
    guard arguments["--output"] != nil else {
      throw UsageError(
        description:
          "--exec without --target records a server over stdio, so --output FILE must say where the transcript goes"
      )
    }
    for flag in ["--listen", "--ca-file"] where arguments[flag] != nil {
      throw UsageError(description: "\(flag) needs --target")
    }
    self.arguments = arguments
    self.command = command
  }

  func run() async throws -> Int32 {
    let output = try RecordingOutput(arguments, quiet: true)
    let loop = try EventLoop(name: "record")
    loop.start()
    defer { loop.stop() }
    let log = RecordingLog(over: .stdio)
    let server: LineProcess
    do throws(TransportError) {
      server = try LineProcess.start(
        ["/bin/sh", "-c", command], environment: ProcessInfo.processInfo.environment,
        maxLineBytes: Self.longestLine, on: loop)
    } catch {
      output.discard()
      throw UsageError(description: "--exec: \(error)")
    }
    let code = await relay(StandardLines(on: loop), server, log.lineTap())
    return try output.write(log, otherwise: code)
  }

  /// Until one side has ended, or a signal comes; gives the exit code.
  private func relay(_ client: StandardLines, _ server: LineProcess, _ tap: LineTap) async -> Int32 {
    let signals = StopSignals([SIGINT, SIGTERM, SIGHUP])
    return await withTaskGroup(of: Int32?.self) { group in
      group.addTask { await fromServer(server, client, tap) }
      group.addTask {
        await fromClient(client, server, tap)
        return nil
      }
      group.addTask {
        guard await signals.wait() != nil else { return nil }
        await server.stop(grace: Self.grace)
        return nil
      }
      for await code in group {
        guard let code else { continue }
        group.cancelAll()
        return code
      }
      return 0
    }
  }

  private func fromClient(_ client: StandardLines, _ server: LineProcess, _ tap: LineTap) async {
    while let event = await client.next() {
      switch event {
      case .line(let line):
        tap.said(line)
        server.send(line)
      case .ended(let problem):
        if let problem { Output.complain("standard input: \(problem)") }
        await server.stop(grace: Self.grace)
        return
      }
    }
  }

  private func fromServer(_ server: LineProcess, _ client: StandardLines, _ tap: LineTap) async -> Int32? {
    while let event = await server.next() {
      switch event {
      case .line(let line):
        tap.answered(line)
        client.send(line)
      case .note(let text):
        try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
      case .ended(let text):
        guard !text.hasSuffix("exit code 0") else { return 0 }
        Output.complain("the server: \(text)")
        return 1
      }
    }
    return nil
  }
}
